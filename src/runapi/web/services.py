"""What the handlers are given: built once by the composition root."""

from dataclasses import dataclass

from runapi.core.catalog import Catalog
from runapi.flows.authenticate import Keyring
from runapi.flows.deadlines import Deadlines, Within
from runapi.flows.desk import CommandDesk
from runapi.flows.relay import Relay


@dataclass(slots=True)
class Services:
    """The parts of a running server that its URLs reach."""

    relay: Relay
    keyring: Keyring
    catalog: Catalog
    desk: CommandDesk
    admin_token: str
    deadlines: Deadlines
    most_body_bytes: int
    body_timeout_s: float
    ready: bool = False
    stopping: bool = False

    def body_deadline(self) -> Within:
        """How long a client may take to send its request's body, from now."""
        return self.deadlines.within(self.body_timeout_s)
