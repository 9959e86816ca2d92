"""What commands print for people: strangers' words as they are, whatever they look like."""

from __future__ import annotations

from rich.console import Console


def plain(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console that reads nothing into what it prints: no markup, and no ``:x:`` for a red cross."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)
