"""What the handlers are given: built once by the composition root."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runapi.core.catalog import Catalog
from runapi.flows.admit import Admission
from runapi.flows.authenticate import Keyring
from runapi.flows.deadlines import Deadlines, Within
from runapi.flows.desk import CommandDesk
from runapi.flows.front_desk import FrontDesk
from runapi.flows.idempotency import IdempotentRequests
from runapi.flows.office import Office
from runapi.flows.relay import Relay
from runapi.flows.stored_responses import StoredResponses
from runapi.flows.topup import TopUps
from runapi.store.database import Database
from runapi.store.ledger.writer import LedgerWriter

if TYPE_CHECKING:
    from runapi.web.hooks.stripe import StripeHook
    from runapi.web.site.offer_alone import OfferAlone
    from runapi.web.site.site import Site


@dataclass(slots=True)
class Services:
    """The parts of a running server that its URLs reach."""

    relay: Relay
    keyring: Keyring
    catalog: Catalog
    database: Database
    office: Office
    ledger: LedgerWriter
    admission: Admission
    idempotent: IdempotentRequests
    top_ups: TopUps | None
    stripe_hook: "StripeHook | None"
    public_url: str
    stored_responses: StoredResponses
    desk: CommandDesk
    admin_token: str
    deadlines: Deadlines
    most_body_bytes: int
    body_timeout_s: float
    trusted_proxies: int
    ready: bool = False
    stopping: bool = False
    front_desk: FrontDesk = field(default_factory=FrontDesk)
    site: "Site | OfferAlone | None" = None

    def body_deadline(self) -> Within:
        """How long a client may take to send its request's body, from now."""
        return self.deadlines.within(self.body_timeout_s)
