"""A watched folder: what is new or changed in it since the last check."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from db.records import Receipt, Source
from jobs import files
from jobs.checks.checked import Checked
from jobs.service import Service
from jobs.sources.parsed import SourceError


def check(service: Service, source: Source, now: datetime) -> Checked:
    """Ingest the files that changed; raises `SourceError` if the folder is not there."""
    folder = Path(source.location)
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder that can be read; create it, or remove the source")
    states = {str(path.relative_to(folder)): _state(path) for path in files.inside(folder)}
    changed = [name for name, state in states.items() if source.cursor.get(name) != state]
    receipts = tuple(files.ingest(service.database, source, folder / name, now) for name in changed)
    if not changed:
        quiet = f"nothing new in {len(states)} files"
        receipts = (Receipt(source.id, now, source.location, note=quiet, outcome="unchanged"),)
    days = [r.batch for r in receipts if r.batch]
    return Checked(receipts, states, batch=max(days, default=None))


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_mtime_ns, status.st_size]
