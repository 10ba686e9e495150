"""Where the product's log goes while it is being proved: standard output is for tables, and for what processes say."""

import sys

import structlog


def send_to_standard_error() -> None:
    """Send every line of the log there, from now on."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
