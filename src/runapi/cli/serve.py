"""Start the server."""

import sys

from runapi.cli.failure import CommandFailed, end


def serve() -> None:
    """Serve the API until Ctrl-C; RUNAPI_HOST, RUNAPI_PORT and RUNAPI_HOME say where."""
    # structlog would load Rich, for tracebacks in colour that a server never draws: 3 MB of every server's memory.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # so that its import fails
    # The whole server is loaded here, and not for --help.
    from runapi import app  # noqa: PLC0415 - see above
    from runapi.app.listen import AddressInUse  # noqa: PLC0415 - see above
    from runapi.cli.environment import read_settings, wrong_settings  # noqa: PLC0415 - see above
    from runapi.settings import SettingsFault  # noqa: PLC0415 - see above
    from runapi.store.faults import StoreFault  # noqa: PLC0415 - see above
    from runapi.wire.catalog_file import CatalogFault  # noqa: PLC0415 - see above

    try:
        app.serve(read_settings())
    except CommandFailed as failure:
        end(failure)
    except SettingsFault as fault:
        end(wrong_settings(fault))
    except (StoreFault, CatalogFault, AddressInUse) as fault:
        end(CommandFailed(str(fault)))
