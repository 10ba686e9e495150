"""What the process tells its operator: the greeting on standard output, the log on standard error."""

import shlex
import sys
from contextlib import suppress
from pathlib import Path

import structlog

from runapi.flows.first_start import FirstStart
from runapi.settings import LogLevel
from runapi.store.ledger.recovery import Recovery

TEST_KEY_FILE = "test.key"
_log = structlog.get_logger("runapi.app")


class _Log:
    """Standard error, whose failing must fail nothing else: a full disk, a pipe that nobody reads any more."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def configure_log(level: LogLevel) -> None:
    """One line of JSON an event, on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_Log()),  # type: ignore[arg-type]  # it has what is used of a file
    )


def greet(home: Path, url: str, first: FirstStart | None) -> None:
    """Say where the server is and how to try it; the first start made the test key that the curl reads."""
    path = home / TEST_KEY_FILE
    lines = [f"RunAPI serves {url}/v1"]
    if first is not None:
        lines.append(f"Test key (play money, built-in sandbox): {first.key}")
        if first.upstream:
            lines.append(f"Upstream added from OPENAI_API_KEY: {first.upstream}")
        if first.note:
            lines.append(first.note)
    if path.exists():
        lines += [
            "Try it:",
            f"  curl {url}/v1/chat/completions \\",
            f'    -H "Authorization: Bearer $(cat {shlex.quote(str(path))})" \\',
            '    -H "Content-Type: application/json" \\',
            """    -d '{"model":"gpt-5.5","messages":[{"role":"user","content":"Hello!"}]}'""",
        ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def report_recovery(recovery: Recovery) -> None:
    """Say what became of requests that a dead process left."""
    if recovery.settled or recovery.voided or recovery.left:
        _log.warning(
            "requests of a dead process ended",
            charged=recovery.settled,
            charged_nano=recovery.charged_nano,
            not_charged=recovery.voided,
            left=recovery.left,
            took_s=round(recovery.took_s, 3),
        )
