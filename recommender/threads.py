"""One thread for products as small as a reader's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def one_thread() -> AbstractContextManager[object]:
    """The BLAS uses one thread in here: on vectors so short, several take 3 to 15 times as long."""
    limited: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limited


@cache
def _libraries() -> ThreadpoolController:
    # To look for them takes 2.6 ms, more than a reader does.
    return ThreadpoolController()
