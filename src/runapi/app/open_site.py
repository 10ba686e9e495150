"""Build the public site of an installation."""

from runapi.flows.price_request import RequestPricer
from runapi.flows.watch_models import ModelWatch
from runapi.settings import KIB, MIB, Settings, split_words
from runapi.upstream.pool import UpstreamPool
from runapi.web.request_reader import MOST_HEADER_BYTES, MOST_URL_BYTES
from runapi.web.services import Services
from runapi.web.site.addresses import Addresses
from runapi.web.site.calculator import Calculator
from runapi.web.site.facts import Basis, Operator, PublicLimits
from runapi.web.site.offer_alone import OfferAlone
from runapi.web.site.site import OWN_FOLDER, Site, SiteSettings


def open_site(settings: Settings, services: Services, pool: UpstreamPool) -> Site | OfferAlone:
    """The site, or what `runapi connect` needs of it. Nothing is read before somebody visits it."""
    if not settings.site:
        return _open_offer(settings, services)
    office, admission, desk = services.office, services.admission, services.front_desk
    pricer = RequestPricer(lambda: admission.book, desk, services.relay.find_model)
    return Site(
        SiteSettings(
            operator=Operator(settings.brand, settings.contact_email),
            limits=_public_limits(settings),
            own_folder=settings.home.absolute() / OWN_FOLDER,
            public_url=settings.public_url,
            host=settings.host,
            port=settings.port,
            locales=split_words(settings.site_locales),
            hidden=split_words(settings.site_hide),
        ),
        office.catalog,
        lambda: admission.book,
        ModelWatch(services.database, pool, tuple(office.catalog.models), office.now_us),
        Calculator(pricer, desk.priced, services.body_deadline, settings.trusted_proxies),
    )


def _open_offer(settings: Settings, services: Services) -> OfferAlone:
    admission = services.admission
    basis = Basis(
        operator=Operator(settings.brand, settings.contact_email),
        limits=_public_limits(settings),
        catalog=services.office.catalog,
        served=frozenset(),
    )
    addresses = Addresses(settings.public_url, settings.host, settings.port)
    return OfferAlone(basis, lambda: admission.book, addresses)


def _public_limits(settings: Settings) -> PublicLimits:
    return PublicLimits(
        body_mib=settings.max_body_bytes / MIB,
        header_kib=MOST_HEADER_BYTES / KIB,
        url_kib=MOST_URL_BYTES / KIB,
        header_timeout_s=settings.header_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        first_byte_timeout_s=settings.first_byte_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        total_timeout_s=settings.total_timeout_s,
        stalled_reader_timeout_s=settings.stalled_reader_timeout_s,
        heartbeat_first_s=settings.heartbeat_first_s,
        heartbeat_every_s=settings.heartbeat_every_s,
        stored_responses_days=settings.stored_responses_days,
        test_balance_usd=settings.test_balance_usd,
    )
