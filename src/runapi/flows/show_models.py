"""Show the catalogue with its prices."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection

from runapi.flows.office import Office
from runapi.flows.operator_rows import ModelRow, model_row

MICROSECONDS = 1_000_000


class ListModels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


def list_models(_connection: Connection, office: Office, _asked: ListModels) -> list[ModelRow]:
    """Every model of the catalogue, retired ones too."""
    today = datetime.fromtimestamp(office.now_us() // MICROSECONDS, UTC).date()
    return [model_row(model, today) for model in office.catalog.models.values()]
