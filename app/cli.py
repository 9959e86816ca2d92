"""``paperwatch …``: one function per command, heavy imports inside the functions for a quick --help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands import benching, database, outbox, profiles, shadowing, sources

app = typer.Typer(
    name="paperwatch",
    help="Reads new scientific papers for you, and tells you which few matter and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(profiles.app, name="profile")
app.add_typer(sources.app, name="sources")
app.add_typer(outbox.app, name="outbox")
app.add_typer(benching.app, name="bench")
app.add_typer(shadowing.app, name="shadow")
app.add_typer(database.app, name="db")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Child = Annotated[bool, typer.Option("--child", hidden=True)]  # of a command that watches over it
Profile = Annotated[str, typer.Option(metavar="PROFILE", help="Number, name, or address/name.")]


def main() -> None:
    """Run the command; errors that a person can mend end as one line and status 1."""
    from app.failures import explained

    with explained():
        app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"paperwatch {version('paperwatch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def ingest(
    locations: Annotated[
        list[str],
        typer.Argument(metavar="PATH|URL…", help="Files, folders, globs, addresses; - is standard input."),
    ],
    json: Json = False,
    archive: Annotated[bool, typer.Option(help="Keep the papers, but tell no reader of them.")] = False,
) -> None:
    """Read paper digests and feeds into the database."""
    from app.commands.ingesting import ingest as run

    raise typer.Exit(run(locations, as_json=json, archive=archive))


@app.command()
def papers(
    format: Annotated[str, typer.Option(help="table, jsonl, bibtex, ris, csl or digest.")] = "table",
    newest: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
) -> None:
    """List the papers on hand, newest first."""
    from app.commands.papers import papers as run

    run(format, newest)


@app.command()
def search(
    words: Annotated[
        list[str],
        typer.Argument(metavar="WORDS…", help="Words; also author:NAME, cat:cs.LG, topic:NAME, -word."),
    ],
    at_most: Annotated[int, typer.Option(min=1, max=100, help="Show so many papers.")] = 10,
    newest: Annotated[bool, typer.Option("--newest", help="The latest first, not the best.")] = False,
    json: Json = False,
) -> None:
    """Search title, abstract, authors and labels of the papers on hand."""
    from app.commands.searching import search as run

    run(" ".join(words), at_most, newest=newest, as_json=json)


@app.command()
def explain(
    paper: Annotated[str, typer.Argument(metavar="PAPER", help="An arXiv id, a link or a DOI.")],
    profile: Profile,
    json: Json = False,
    everything: Annotated[bool, typer.Option("--all", help="Show the smallest contributions too.")] = False,
) -> None:
    """Show why a paper has its score in a profile: contributions that sum to it."""
    from app.commands.explaining import explain as run

    run(paper, profile, as_json=json, everything=everything)


@app.command()
def preview(
    profile: Profile,
    set_: Annotated[
        list[str],
        typer.Option("--set", help="An edit: 'term:KV cache=2', 'mute:author:NAME', 'per-day=10', …"),
    ] = [],  # noqa: B006
    drop: Annotated[list[str], typer.Option(help="Take an entry out: 'category:cs.LG', 'term:…'.")] = [],  # noqa: B006
    days: Annotated[int, typer.Option(min=1, max=60, help="So many announcement days back.")] = 7,
    json: Json = False,
) -> None:
    """Show last week's digest, and how an edit of the profile would change it. Nothing is stored."""
    from app.commands.previewing import preview as run

    run(profile, set_, drop, days, as_json=json)


@app.command()
def backtest(
    profile: Profile,
    at_most: Annotated[int, typer.Option(min=1, help="Try the newest so many liked papers.")] = 100,
    json: Json = False,
) -> None:
    """Show how many of the liked and saved papers would have been found by what was known before them."""
    from app.commands.backtesting import backtest as run

    run(profile, at_most, as_json=json)


@app.command()
def rank(
    papers: Annotated[list[str], typer.Option(metavar="GLOB…", help="Papers as JSON lines (.xz, .gz).")],
    readers: Annotated[Path, typer.Option(help="Readers as JSON lines.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The TREC run to write; - for stdout.")],
    top: Annotated[int, typer.Option(min=1, help="So many papers of each batch.")] = 100,
    ranker: Annotated[str, typer.Option(help="Which ranker; left out: the one that readers get.")] = "",
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="The rest of what a shell makes of --papers *.jsonl."),
    ] = None,
) -> None:
    """Rank papers of files for readers of a file, without a database."""
    from app.commands.ranking import rank as run

    run([*papers, *(more or [])], readers, top, out, ranker)


@app.command()
def evaluate(
    run: Annotated[
        list[Path], typer.Option(help="A TREC run: query Q0 paper rank score tag. Two are compared.")
    ],
    qrels: Annotated[Path, typer.Option(help="TREC qrels: query 0 paper grade.")],
    against: Annotated[Path | None, typer.Option(help="A run to compare with, as if named first.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    json: Json = False,
) -> None:
    """Measure a ranking: nDCG, MRR, MAP, AUC, recall, and by paired bootstrap whether two runs differ."""
    from app.commands.evaluating import evaluate_files

    evaluate_files([against, *run] if against else run, qrels, seed, as_json=json)


@app.command()
def doctor(
    json: Json = False,
    quick: Annotated[bool, typer.Option(help="Do not read the whole database for damage.")] = False,
) -> None:
    """Find what is stale, failing or set up wrongly, and say what to do; status 1 if there is anything."""
    from app.commands.doctor import doctor as run

    raise typer.Exit(run(as_json=json, quick=quick))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive to write: .tar, or .tar.gz.")],
) -> None:
    """Write everything worth keeping into one archive, while the service goes on."""
    from app.commands.backup import backup as run

    run(file)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive that `backup` wrote.")],
    replace: Annotated[bool, typer.Option(help="Delete what is there first.")] = False,
) -> None:
    """Put a backup back, into an empty database of either kind."""
    from app.commands.backup import restore as run

    run(file, replace=replace)


@app.command()
def operator() -> None:
    """Print where the operator's page is, and the key that opens it."""
    from app.settings import load, operator_key

    settings = load()
    typer.echo(f"{settings.base_url}/operator")
    typer.echo(f"any name, and as password: {operator_key(settings)}")


@app.command()
def once(json: Json = False) -> None:
    """Check what is due, match, deliver what is due, and print the receipts."""
    from app.commands.running import once as run

    run(as_json=json)


@app.command()
def schedule(child: Child = False) -> None:
    """Do what is due, again and again, until stopped."""
    from app.commands.running import schedule as run

    run(child=child)


@app.command()
def work(
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="So many at once, a process each.")] = 1,
    child: Child = False,
) -> None:
    """Do shards of the scheduler's work: as many of these as wanted, on any machine (PostgreSQL only)."""
    from app.commands.working import work as run

    run(concurrency, child=child)


@app.command()
def web(child: Child = False) -> None:
    """Serve pages and feeds."""
    from app.commands.running import web as run

    run(child=child)


@app.command()
def run(
    samples: Annotated[bool, typer.Option(help="Begin with the sample digests and a demo profile.")] = False,
) -> None:
    """Run the whole service: web and scheduler, each in a process of its own."""
    from app.commands.together import run_all

    raise typer.Exit(run_all(samples=samples))


if __name__ == "__main__":
    main()
