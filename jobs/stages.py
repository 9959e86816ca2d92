"""The stages of a run in the log: one line each, with what it counted and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import structlog

from db.records import Receipt
from jobs.service import Service

log = structlog.get_logger()

T = TypeVar("T")


def stage(service: Service, name: str, act: Callable[[], T]) -> T:
    """Do one stage of a run and log it: loudly if it had anything to do, else for those who debug. Meanwhile
    the service says which stage it is at.

    The run's id is in the line, as in every line in between, where whoever runs it bound it to structlog's
    context. What fails is logged with its time, and passed on.
    """
    began = service.stopwatch()
    service.stage = name
    try:
        done = act()
    except BaseException as exc:
        seconds = round(service.stopwatch() - began, 3)
        log.error("stage failed", stage=name, seconds=seconds, error=f"{type(exc).__name__}: {exc}")
        raise
    finally:
        service.stage = ""
    counted = counts(done)
    # A folder is looked at every minute; that there was nothing in it is for those who debug.
    tell = log.info if any(n for what, n in counted.items() if what != "sources") else log.debug
    tell("stage", stage=name, seconds=round(service.stopwatch() - began, 3), **counted)
    return done


class Aside:
    """The stages of a run that may fail, be it at every run: the others are done all the same, and `over`
    raises the first error at the run's end, so that it is told and tried again."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._failed: Exception | None = None

    def stage(self, name: str, act: Callable[[], T], otherwise: T) -> T:
        """Do one of them, and log it as `stage` does; ``otherwise`` if it fails."""
        try:
            return stage(self._service, name, act)
        except Exception as exc:
            self._failed = self._failed or exc
            return otherwise

    def over(self) -> None:
        """Raise what the first one that failed raised."""
        if self._failed is not None:
            raise self._failed


def counts(done: Any) -> Mapping[str, int]:
    """What a stage's result counts: the numbers in it, added up where it has several parts."""
    if isinstance(done, Receipt):
        return {"sources": 1, "received": done.received, "new": done.new, "failed": int(bool(done.error))}
    if isinstance(done, Sequence) and not isinstance(done, str | bytes):
        total: Counter[str] = Counter()
        for each in done:
            total.update(counts(each))
        return {name: number for name, number in total.items() if number}
    if is_dataclass(done):
        named = {field.name: getattr(done, field.name) for field in fields(done)}
        return {name: value for name, value in named.items() if type(value) is int and value}
    return {"done": int(done)} if isinstance(done, int) and done else {}
