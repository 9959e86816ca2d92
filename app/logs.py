"""Log lines: for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Send structured log lines of this level and above to stderr."""
    number = logging.getLevelNamesMapping()[level.upper()]
    last = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks
            if not sys.stderr.isatty()
            else structlog.processors.StackInfoRenderer(),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # A tick that is skipped because a run takes longer is as it should be.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)
