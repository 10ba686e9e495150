"""`runapi`, and `python -m runapi`."""

import os
import sys
from types import TracebackType

from typer.main import get_command

from runapi.cli.program import app


def main() -> None:
    """Run the command line and exit. A fault of ours ends in one sentence; at log level debug in a traceback too."""
    sys.excepthook = report_fault
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
