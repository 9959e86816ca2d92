"""A payload of nothing but white space: validly empty, and of no format in particular."""

from __future__ import annotations

import codecs

from jobs.sources.parsed import Parsed

NAME = "empty"


def recognises(head: bytes) -> bool:
    """Whether there is nothing to read. Pages of white space are no blank file: something may follow them."""
    return len(head) < 4096 and not head.removeprefix(codecs.BOM_UTF8).strip()


def parse(data: bytes) -> Parsed:  # noqa: ARG001  # every format's signature
    """No papers, and the reason."""
    return Parsed(NAME, (), note="the file is empty")
