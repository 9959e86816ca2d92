"""``paperwatch explain`` and ``paperwatch preview``, on real digests."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.failures import CommandError
from db import paper_store, source_store, subscriber_store
from db.session import Session
from jobs import preview, reading, subscribe
from jobs.service import Service
from profiles.edits import Wanted, edited
from profiles.profile import Profile
from profiles.request import request
from recommender.interest import Interests
from recommender.paper import Paper
from tests.conftest import NOW

# The commands open the database of the settings, which is SQLite in the test's folder.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

SPAD = "2510.08544"  # on LLM inference, in the samples
LIKED = "2510.10302"


def run(*arguments: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, arguments)


def printed(*arguments: str) -> Any:
    """The JSON that the command prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def complaint(*arguments: str) -> str:
    """The one line that the command ends with."""
    result = run(*arguments)
    assert isinstance(result.exception, CommandError), result.output
    return str(result.exception)


@pytest.fixture
def reader(ingested: Service) -> Profile:
    """A reader of serving systems who liked one paper of the samples."""
    wanted = request(
        name="Serving", statement="LLM inference hardware", terms=["edge=-1"], mutes=["blockchain"], per_day=3
    )
    profile = subscribe.create(ingested, wanted, NOW)
    with ingested.database.writing() as session:
        assert subscribe.rate(session, profile.id, f"arxiv:{LIKED}", "like", NOW, "page")
    return profile


def add(session: Session, *papers: Paper) -> None:
    source = source_store.add(session, name="more", kind="file", location="more.md", every_minutes=1, now=NOW)
    paper_store.merge(session, papers, source.id, NOW)


@pytest.mark.parametrize("reference", [SPAD, f"https://arxiv.org/pdf/{SPAD}v2", f"10.48550/arXiv.{SPAD}"])
def test_the_contributions_sum_to_the_score_to_the_last_digit(reader: Profile, reference: str) -> None:
    found = printed("explain", reference, "--profile", "Serving")
    assert found["paper"]["id"] == f"arxiv:{SPAD}"
    assert found["score"] > 0
    assert sum(c["value"] for c in found["contributions"]) == pytest.approx(found["score"], abs=1e-6)
    assert "LLM inference" in found["reason"]
    assert any("Speculative Decoding" in c["via"] for c in found["contributions"])


def test_the_terminal_shows_signed_bars_the_rest_and_the_sum(reader: Profile) -> None:
    words = run("explain", LIKED, "--profile", "Serving").stdout
    score = printed("explain", LIKED, "--profile", "Serving")["score"]
    assert "Why: " in words
    assert "█" in words
    assert "smaller one" in words
    assert f"score {score:.4f}" in words
    assert f"{score:+.4f}" in words
    every = run("explain", LIKED, "--profile", "Serving", "--all").stdout
    assert "smaller one" not in every
    assert sum(map(float, re.findall(r"  ([+-]0\.\d{4})  ", every))) == pytest.approx(score, abs=0.005)


def test_what_speaks_against_a_paper_is_shown_with_its_sign(service: Service, reader: Profile) -> None:
    with service.database.writing() as session:
        add(session, Paper("doi:10.1000/edge", "Edge edge edge", abstract="LLM inference at the edge."))
    found = printed("explain", "https://doi.org/10.1000/EDGE", "--profile", "Serving")
    assert min(c["value"] for c in found["contributions"] if c["name"] == "edge") < 0
    assert "▒" in run("explain", "10.1000/edge", "--profile", "Serving").stdout


def test_a_muted_paper_says_that_it_is_never_shown(service: Service, reader: Profile) -> None:
    with service.database.writing() as session:
        add(session, Paper("doi:10.1000/chain", "A blockchain", abstract="LLM inference on a blockchain."))
    assert printed("explain", "10.1000/chain", "--profile", "1")["muted"] == 'muted term "blockchain"'
    assert 'never shown: muted term "blockchain"' in run("explain", "10.1000/chain", "--profile", "1").stdout


def test_a_paper_that_says_nothing_to_the_profile_is_explained_too(service: Service, reader: Profile) -> None:
    with service.database.writing() as session:
        add(session, Paper("doi:10.1000/empty", "\x1b[31mZzyzx[/bold]"))
    result = run("explain", "10.1000/empty", "--profile", "1")
    assert result.exit_code == 0
    assert "Nothing in this paper is in the profile" in result.stdout
    assert "\x1b" not in result.stdout
    assert "Zzyzx[/bold]" in result.stdout


def test_what_cannot_be_explained_says_why(reader: Profile) -> None:
    assert "no arXiv id, arXiv link or DOI" in complaint("explain", "that paper", "--profile", "1")
    assert complaint("explain", "2510.99999", "--profile", "1").startswith("arxiv:2510.99999 is not on hand")
    result = run("explain", SPAD, "--profile", "Nobody")
    assert isinstance(result.exception, subscriber_store.UnknownProfileError)


def test_a_preview_without_edits_is_last_weeks_digest(service: Service, reader: Profile) -> None:
    found = printed("preview", "--profile", "Serving")
    assert found["ranked"] == 40
    assert (found["first"], found["last"]) == ("2025-10-27", "2025-11-20")
    scores = [item["score"] for item in found["items"]]
    assert scores == sorted(scores, reverse=True)
    assert "before" not in found
    # What was rated is known already.
    assert f"arxiv:{LIKED}" not in {item["id"] for item in found["items"]}
    assert "Near misses" in run("preview", "--profile", "Serving").stdout


def test_an_edit_shows_what_comes_in_what_drops_out_and_what_moves(service: Service, reader: Profile) -> None:
    edits = ("--set", "statement=GPU scheduling", "--set", 'term:"KV cache"=3', "--set", "per-day=2")
    found = printed("preview", "--profile", "Serving", *edits)
    before = [item["id"] for item in found["before"]]
    after = [item["id"] for item in found["items"]]
    assert found["in"] == [key for key in after if key not in before]
    assert found["out"] == [key for key in before if key not in after]
    assert found["in"]
    assert found["out"]
    assert found["moved"]
    for move in found["moved"]:
        assert before[move["from"] - 1] == after[move["to"] - 1] == move["id"]
        assert move["from"] != move["to"]
    words = run("preview", "--profile", "Serving", *edits).stdout
    assert "+ new" in words
    assert "Drops out" in words
    assert f"{len(found['in'])} in, {len(found['out'])} out, {len(found['moved'])} moved" in words
    with service.database.reading() as session:
        assert subscriber_store.profile_named(session, "Serving") == reader


def test_the_before_side_is_the_preview_without_the_edit(reader: Profile) -> None:
    plain = printed("preview", "--profile", "Serving")["items"]
    edited_one = printed("preview", "--profile", "Serving", "--set", "mute:speculative", "--days", "7")
    assert [item["id"] for item in edited_one["before"]] == [item["id"] for item in plain]
    muted = {item["id"] for item in plain if "peculative" in item["title"]}
    assert muted
    assert muted <= set(edited_one["out"])


def test_an_edit_that_changes_nothing_moves_nothing(service: Service, reader: Profile) -> None:
    same = preview.what_if(service, reader, Wanted(reader.interests, reader.per_day), NOW)
    assert (same.came, same.left) == ((), ())
    assert all(move.places == 0 for move in same.stayed)


def test_a_seed_that_is_rated_too_counts_once(service: Service, reader: Profile) -> None:
    after = edited(Wanted(reader.interests, reader.per_day), [f"like:{LIKED}"])
    found = preview.what_if(service, reader, after, NOW)
    assert [i.score for i in found.before.items] == [i.score for i in found.after.items]


def test_near_duplicates_are_folded_in_a_preview(service: Service, reader: Profile) -> None:
    twin = replace(_paper(service, SPAD), id="doi:10.1000/twin", authors=("Another Author",), url="", doi="")
    with service.database.writing() as session:
        add(session, replace(twin, title=twin.title + " II"))
    found = preview.preview(service, Interests(statement="LLM inference hardware"), per_day=5)
    folded = {paper.id for item in found.items for paper in item.similar}
    assert folded & {"doi:10.1000/twin", f"arxiv:{SPAD}"}


def test_papers_without_their_reasons_are_the_same_papers(service: Service, reader: Profile) -> None:
    wanted = reader.interests
    whole = preview.preview(service, wanted, per_day=5)
    first = preview.preview(service, wanted, per_day=5, reasons=1)
    assert [bool(item.reason) for item in (*first.items, *first.near)].count(True) == 1
    assert first.items[0] == whole.items[0]
    pairs = list(zip((*whole.items, *whole.near), (*first.items, *first.near), strict=True))
    assert [one.paper for one, _ in pairs] == [other.paper for _, other in pairs]
    assert [one.score for one, _ in pairs] == pytest.approx([other.score for _, other in pairs])


def _paper(service: Service, key: str) -> Paper:
    found = reading.paper(service, f"arxiv:{key}")
    assert found is not None
    return found.paper


def test_a_preview_of_nothing_says_what_to_do(service: Service) -> None:
    subscribe.create(service, request(name="Early", statement="anything"), NOW)
    result = run("preview", "--profile", "Early", "--set", "per-day=4")
    assert "`paperwatch ingest` brings some" in result.stdout
    assert printed("preview", "--profile", "Early")["ranked"] == 0


def test_a_bad_edit_says_what_an_edit_looks_like(reader: Profile) -> None:
    assert "begin with one of term, author" in complaint("preview", "--profile", "1", "--set", "foo=1")
    assert "to drop; there are 'edge'" in complaint("preview", "--profile", "1", "--drop", "term:x")
