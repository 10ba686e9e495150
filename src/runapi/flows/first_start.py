"""Give a new installation an account, a test key and, where the environment names OpenAI's key, an upstream."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection

from runapi.core.dialects import ENDPOINTS
from runapi.core.keys import Mode
from runapi.flows.add_upstream import AddUpstream, add_upstream
from runapi.flows.issue_key import CreateKey, issue_key
from runapi.flows.office import CommandRefused, Office
from runapi.flows.upstream_form import check_dialects, read_address
from runapi.store import accounts

ACCOUNT = "default"
UPSTREAM = "openai"
OPENAI_BASE_URL = "https://api.openai.com/v1"
OUR_OWN = "runapi_"


class FirstStart(msgspec.Struct, frozen=True):
    """What a first start made."""

    account: str
    key: str  # the test key, shown this once
    upstream: str | None  # the upstream that was added
    note: str | None  # one sentence for the operator: why there is no upstream though a key is set


def first_start(connection: Connection, office: Office, environ: Mapping[str, str]) -> FirstStart | None:
    """Set up an installation that has no account yet; give None when it has one.

    Runs in the caller's transaction: a start that is killed half-way leaves nothing behind.
    """
    if accounts.list_accounts(connection):
        return None
    account = accounts.create_account(connection, ACCOUNT, office.now_us(), office.test_balance_nano)
    issued = issue_key(connection, office, account, CreateKey(ACCOUNT, Mode.TEST))
    upstream, note = _add_openai(connection, office, environ)
    return FirstStart(ACCOUNT, issued.key, upstream, note)


def _add_openai(
    connection: Connection, office: Office, environ: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Add OpenAI as an upstream when its key is in the environment: its name, or why not."""
    api_key = environ.get("OPENAI_API_KEY", "").strip()
    if not api_key:
        return None, None
    if api_key.startswith(OUR_OWN):
        return None, "OPENAI_API_KEY holds a key of RunAPI's own, so no upstream was added."
    base_url = environ.get("OPENAI_BASE_URL") or OPENAI_BASE_URL
    try:
        models = _models_to_serve(office, base_url)
        add_upstream(connection, office, AddUpstream(UPSTREAM, base_url, api_key, models))
    except CommandRefused as refusal:
        return None, f"OPENAI_API_KEY was not used and no upstream was added: {refusal}"
    return UPSTREAM, None


def _models_to_serve(office: Office, base_url: str) -> list[str]:
    """Name the models that can be put to this address in a dialect that it is known to speak."""
    address = read_address(base_url)
    paths = {ENDPOINTS[dialect] for dialect in check_dialects((), address)}
    return [model.id for model in office.catalog.models.values() if paths & set(model.endpoints)]
