"""The document frequencies that come with the package, so that ranking is good on the first day."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any

from recommender.frequencies import Frequencies
from recommender.frequency_file import load

FILE = "document_frequencies.npz"


@cache
def frequencies() -> Frequencies:
    """The shipped frequencies; `benchmarks/derive_document_frequencies.py` makes them anew."""
    return _read()[0]


def figures() -> dict[str, Any]:
    """What they were made of: papers, months, cut-offs, sizes."""
    return _read()[1]


def _read() -> tuple[Frequencies, dict[str, Any]]:
    return load(BytesIO((files("recommender") / "data" / FILE).read_bytes()))
