"""What parsers find in digests: as plain values, and in the reference digests beside the checkout."""

from __future__ import annotations

import json
from datetime import date
from types import ModuleType
from typing import Any

import pytest

from jobs.sources.parsed import Parsed
from recommender.paper import Paper
from tests.conftest import SHARED

DIGESTS = SHARED / "data" / "digests"


def stated(parsed: Parsed) -> dict[str, Any]:
    """What a parse found, without the fields at their defaults."""
    blank = Paper("", "")
    papers = [
        {n: v for n in Paper.__slots__ if (v := getattr(paper, n)) != getattr(blank, n)}
        for paper in parsed.papers
    ]
    rejected = [[x.where, x.why] for x in parsed.rejected]
    whole = {"format": parsed.format, "batch": parsed.batch, "papers": papers, "rejected": rejected}
    loaded: dict[str, Any] = json.loads(json.dumps(whole, default=date.isoformat))
    return loaded


def reference(format: ModuleType, name: str) -> Parsed:
    """What the parser of this format finds in a reference digest, without which the test is skipped."""
    path = DIGESTS / format.NAME / name
    if not path.exists():
        pytest.skip(f"no reference digest ../shared/data/digests/{format.NAME}/{name} beside this checkout")
    parsed: Parsed = format.parse(path.read_bytes())
    return parsed
