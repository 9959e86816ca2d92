"""Log lines: for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import sys

import structlog

# Where a fault came from, without the values of that moment: passwords and readers' addresses are among them.
_AS_OBJECT = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure(level: str) -> None:
    """Send structured log lines of this level and above to stderr, those of libraries among them.

    Each carries what was bound to structlog's context: the run, and in a worker the job.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    people = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer() if people else _AS_OBJECT,
    ]
    last = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if people
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    # A formula with a macro of its author's own is no fault of the service.
    logging.getLogger("pylatexenc").setLevel(logging.ERROR)
    # A tick that is skipped because a run takes longer is as it should be.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[lines], force=True)
