"""`runapi`, and `python -m runapi`."""

import os
import sys
from types import TracebackType


def main() -> None:
    """Run the command line and exit. A fault of ours ends in one sentence; at log level debug in a traceback too."""
    sys.excepthook = report_fault
    if sys.argv[1:] == ["serve"]:  # what reads command lines would stay in the server's memory: 14 MB
        from runapi.cli.serve import serve  # noqa: PLC0415 - see above

        serve()
        return
    from typer.main import get_command  # noqa: PLC0415 - see above

    from runapi.cli.program import app  # noqa: PLC0415 - see above

    get_command(app).main(prog_name="runapi")


def report_fault(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """Say what went wrong to somebody who did not write this program."""
    if issubclass(kind, KeyboardInterrupt):
        return
    if os.environ.get("RUNAPI_LOG_LEVEL", "").lower() == "debug":
        sys.__excepthook__(kind, fault, trace)
    sys.stderr.write(
        f"runapi: a fault in RunAPI itself: {kind.__name__}: {fault}. "
        "Please report it with what RUNAPI_LOG_LEVEL=debug shows.\n"
    )


if __name__ == "__main__":
    main()
