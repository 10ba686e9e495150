"""Run the Python files that are named on stdin, one a line, and say on stdout what became of each."""

import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path


def main() -> None:
    """Serve until stdin ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        os.chdir(asked["folder"])
        printed, fault = io.StringIO(), ""
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                code = compile(Path(asked["script"]).read_text("utf-8"), asked["script"], "exec")
                exec(code, {"__name__": "__main__"})  # noqa: S102 - that is the test
            except BaseException:  # noqa: BLE001 - whatever ends a reader's program is its fault
                fault = traceback.format_exc()
        sys.stdout.write(json.dumps({"printed": printed.getvalue(), "fault": fault}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
