"""What rises this month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.web.context import AWeb
from app.web.search import CACHED
from db import trend_store

router = APIRouter(include_in_schema=False)

_WIDTH, _HEIGHT = 100.0, 24.0
_LATEST_WEEKS = 4


@router.get("/trends")
def trends(web: AWeb) -> HTMLResponse:
    """The report of last night: topics, categories and terms that more papers have than before."""
    with web.service.database.reading() as session:
        kept = trend_store.latest(session)
    made_at, report = kept if kept else (None, {})
    days = {name: date.fromisoformat(report[name]) for name in ("first", "split", "last") if report}
    response = web.page(
        "trends.html", made_at=made_at, report=report, days=days, line=_line_of(report),
        month=_WIDTH * (1 - _LATEST_WEEKS / max(len(report.get("weeks", ())), 1)),
    )  # fmt: skip
    response.headers.update(CACHED)
    return response


def _line_of(report: dict[str, Any]) -> Any:
    """A function for the template: the share of papers week by week as the points of an SVG polyline."""

    def line(weeks: Sequence[int]) -> str:
        pairs = [
            (n, hits / papers)
            for n, (hits, papers) in enumerate(zip(weeks, report["weeks"], strict=True))
            if papers
        ]
        most = max((share for _, share in pairs), default=0.0) or 1.0
        step = _WIDTH / max(len(weeks) - 1, 1)
        return " ".join(f"{n * step:.1f},{(_HEIGHT - 2) * (1 - share / most) + 1:.1f}" for n, share in pairs)

    return line
