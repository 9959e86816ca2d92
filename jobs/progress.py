"""How a long read tells whoever waits for it how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int], None]
"""Told of a location and how many papers of it were read so far."""


def no_progress(_location: str, _received: int) -> None:
    """Tell nobody."""
