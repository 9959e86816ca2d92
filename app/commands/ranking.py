"""``paperwatch rank``: papers and readers from files, a TREC run out, no database."""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.commands.console import plain
from app.failures import CommandError
from jobs.rank_files import rank_files
from jobs.rank_input import InputError
from recommender.ranking import DEFAULT, RANKERS

_FAULTS_SHOWN = 20


def rank(patterns: Sequence[str], readers: Path, top: int, out: Path, ranker: str) -> None:
    """Rank, with a progress bar on a terminal; bad lines are said on stderr, the rest is ranked.

    The run appears under its name once it is whole; ``-`` stands for standard output.
    """
    ranker = ranker or DEFAULT
    if ranker not in RANKERS:
        raise CommandError(f"--ranker {ranker}: must be one of {', '.join(RANKERS)}", status=2)
    files = _files(patterns)
    if str(out) == "-":
        with TemporaryDirectory() as folder:
            whole = Path(folder) / "run"
            _rank(files, readers, top, whole, ranker)
            with whole.open(encoding="utf-8") as run:
                shutil.copyfileobj(run, sys.stdout)
        return
    # Said before the work, which may take minutes.
    if out.is_dir():
        raise CommandError(f"--out {out}: is a folder; name a file in it")
    if not out.parent.is_dir():
        raise CommandError(f"--out {out}: there is no folder {out.parent}")
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        _rank(files, readers, top, unfinished, ranker)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _rank(files: Sequence[Path], readers: Path, top: int, out: Path, ranker: str) -> None:
    """Write the run, and say on stderr what was wrong and what was done."""
    faults = 0
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=plain(stderr=True), transient=True,
        disable=not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or None)
            bar.update(tasks[what], completed=done)

        def report(fault: str) -> None:
            nonlocal faults
            faults += 1
            if faults <= _FAULTS_SHOWN:
                typer.echo(f"paperwatch: {fault}", err=True)

        try:
            done = rank_files(files, readers, top, out, ranker=ranker, report=report, progress=progress)
        except InputError as exc:
            raise CommandError(str(exc)) from exc
        except OSError as exc:
            raise CommandError(f"{out}: {exc.strerror}") from exc
    if faults > _FAULTS_SHOWN:
        typer.echo(f"paperwatch: {faults - _FAULTS_SHOWN} more faults of this kind", err=True)
    typer.echo(
        f"{done.papers:,} papers, {done.readers:,} readers: {done.lines:,} lines for {done.queries:,} queries"
        + (f"; judged papers that no file holds: {done.unknown:,}" if done.unknown else ""),
        err=True,
    )
    if not done.papers or not done.readers:
        missing = "reader" if done.papers else "paper"
        raise CommandError(f"nothing could be ranked: no {missing} was read")


def _files(patterns: Sequence[str]) -> list[Path]:
    """The files that the patterns name, each once; a pattern that names none is an error."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        # A file's own name may hold a bracket or star; pathlib's glob takes no absolute pattern.
        named = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern))  # noqa: PTH207
        matching = [Path(name) for name in named]
        if not matching:
            raise CommandError(f"--papers {pattern}: no such file")
        found.update(dict.fromkeys(matching))
    return list(found)
