"""``paperwatch shadow …``: a second ranker on trial beside the first."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(help="Try a second ranker beside the first.", no_args_is_help=True)

Ranker = Annotated[str, typer.Argument(metavar="RANKER", help="The ranker on trial, such as log-odds.")]


@app.command()
def start(
    ranker: Ranker,
    profile: Annotated[list[str], typer.Option(help="Number or name; several are possible.")],
    interleaved: Annotated[
        bool, typer.Option("--interleaved", help="Share the list by team draft instead of scoring silently.")
    ] = False,
) -> None:
    """Let a second ranker score each new batch for these profiles; readers see no difference unless the list
    is shared."""
    from app import build
    from app.failures import CommandError
    from db import shadow_store, subscriber_store
    from db.shadow_store import Trial
    from recommender.ranking import DEFAULT, RANKERS

    others = [name for name in RANKERS if name != DEFAULT]
    if ranker not in others:
        raise CommandError(f"{ranker}: must be one of {', '.join(others)}; {DEFAULT} is the first", status=2)
    service = build.service()
    try:
        with service.database.writing() as session:
            numbers = [subscriber_store.profile_named(session, name).id for name in profile]
            for number in numbers:
                shadow_store.start(session, Trial(number, ranker, interleaved, build.now()))
    except subscriber_store.UnknownProfileError as exc:
        raise CommandError(str(exc)) from exc
    how = "shares the list of" if interleaved else "scores silently for"
    typer.echo(f"{ranker} {how} {len(numbers)} profile{'s' * (len(numbers) != 1)} from the next batch on.")


@app.command()
def stop(
    ranker: Ranker,
    profile: Annotated[str | None, typer.Option(help="Of this profile alone; else of all.")] = None,
) -> None:
    """End a trial; what it found stays."""
    from app import build
    from app.failures import CommandError
    from db import shadow_store, subscriber_store

    try:
        with build.service().database.writing() as session:
            number = subscriber_store.profile_named(session, profile).id if profile else None
            ended = shadow_store.stop(session, ranker, number)
    except subscriber_store.UnknownProfileError as exc:
        raise CommandError(str(exc)) from exc
    if not ended:
        raise CommandError(f"{ranker} is not on trial{' for ' + profile if profile else ''}")
    typer.echo(f"Ended for {ended} profile{'s' * (ended != 1)}.")


@app.command()
def report(
    ranker: Annotated[str | None, typer.Argument(metavar="RANKER", help="Only this one.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Say how each ranker on trial does beside the first."""
    from rich.table import Table

    from app import build
    from app.commands.console import plain
    from db import shadow_store
    from jobs import shadow

    with build.service().database.reading() as session:
        found = shadow.report(session, ranker)
        running = shadow_store.trials(session)
    if json:
        trials = [{"profile": t.profile, "ranker": t.ranker, "interleaved": t.interleaved} for t in running]
        typer.echo(json_module.dumps({"trials": trials, "reports": [asdict(each) for each in found]}))
        return
    if not found:
        typer.echo("No batch was scored by a second ranker yet; paperwatch shadow start begins a trial.")
    for each in found:
        typer.echo(
            f"{each.ranker}: {each.batches} lists of {each.profiles} profiles, overlap {each.overlap:.0%}"
        )
        table = Table("", "listed", "shown", "liked", "saved", "disliked", "lists won", box=None)
        sides = (("the first", each.first, each.first_wins), (each.ranker, each.second, each.second_wins))
        for name, side, wins in sides:
            counts = (side.listed, side.shown, side.liked, side.saved, side.disliked, wins)
            table.add_row(name, *map(str, counts))
        plain().print(table)
        typer.echo(f"{each.ties} shared lists were ties; by chance with probability {each.by_chance:.2f}.")
