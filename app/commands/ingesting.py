"""``paperwatch ingest``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app import build
from app.commands.console import plain
from db.records import Receipt
from jobs.ingest import ingest_locations


def ingest(locations: Sequence[str], *, as_json: bool, archive: bool) -> int:
    """Ingest and report; 0 if anything was usable or validly empty, 1 if nothing could be read."""
    service = build.service()
    receipts: list[Receipt] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=plain(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("ingesting")

        def show(location: str, received: int) -> None:
            bar.update(task, description=f"{location}: {received:,} papers")

        receipts += ingest_locations(
            service, locations, build.now(), build.run_id(), archive=archive, progress=show
        )
    if as_json:
        print(json.dumps(as_report(receipts), ensure_ascii=False, indent=2))  # noqa: T201
    else:
        _print(receipts)
    return 1 if all(r.error for r in receipts) else 0


def as_report(receipts: Sequence[Receipt]) -> dict[str, Any]:
    """The receipts for machines: one object a source, and their sums."""
    sources = [
        {
            "location": r.location, "format": r.format, "batch": r.batch.isoformat() if r.batch else None,
            "received": r.received, "new": r.new, "updated": r.updated, "merged": r.merged,
            "rejected": [{"where": where, "why": why} for where, why in r.rejected],
            "outcome": r.outcome, "note": r.note, "error": r.error,
        }
        for r in receipts
    ]  # fmt: skip
    totals = {
        name: sum(getattr(r, name) for r in receipts) for name in ("received", "new", "updated", "merged")
    }
    return {"sources": sources, "totals": totals | {"rejected": sum(len(r.rejected) for r in receipts)}}


def _print(receipts: Sequence[Receipt]) -> None:
    out, err = plain(soft_wrap=True), plain(stderr=True, soft_wrap=True)
    for r in receipts:
        if r.error:
            named = r.error if r.location in r.error else f"{r.location}: {r.error}"
            err.print(named, style="red")
            continue
        parts = [f"{r.received} papers", f"{r.new} new", f"{r.updated} updated", f"{r.merged} merged"]
        out.print(f"{r.location}: {r.note or ', '.join(parts)}")
        for where, why in r.rejected:
            err.print(f"{r.location}, {where}: left out: {why}")
    if len(receipts) > 1:
        totals = as_report(receipts)["totals"]
        out.print("total: " + ", ".join(f"{number} {name}" for name, number in totals.items()))
