"""What the scheduler keeps up to date for search and browsing: guessed topics and trends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from db import label_store, paper_store, source_store, topic_store, trend_store
from jobs import indexing, library, topic_labels, trends
from jobs.service import Service
from recommender.paper import Paper
from tests.conftest import NOW

SUBJECTS = {
    "LLM serving": ("Serving language models", "Batching of requests, KV cache and decoding on GPUs."),
    "Exoplanets": ("Atmospheres of planets", "Transit spectra of exoplanets and their host stars."),
}
OTHER = ("Rivers of the Alps", "Gravel settles behind old dams and moves with floods.")
UNTAGGED = Paper(
    id="arxiv:2511.20001", title="A KV cache for decoding", abstract="Requests are batched on GPUs.",
    categories=("cs.DC",), announced=date(2025, 11, 18),
)  # fmt: skip


def tagged(first: int, count: int) -> list[Paper]:
    """So many papers of each subject with its topic, and as many on rivers without any."""
    found = []
    for n in range(first, first + count):
        for at, (subject, (title, text)) in enumerate({**SUBJECTS, "": OTHER}.items()):
            paper = Paper(
                id=f"arxiv:2510.{at}{n:04d}",
                title=f"{title} {n}",
                abstract=f"{text} Case {n}.",
                topics=(subject,) if subject else (),
                announced=date(2025, 10, 1) + timedelta(days=n),
            )
            found.append(paper)
    return found


def add(service: Service, papers: list[Paper]) -> None:
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, papers, source.id, NOW)


@pytest.fixture
def browser(service: Service, tmp_path: Path) -> Iterator[TestClient]:
    base = "http://papers.example.org"
    settings = Settings(data=tmp_path / "var", base_url=base)
    with TestClient(create_app(service, settings, lambda: NOW), base_url=base) as client:
        yield client


def on_shelf(service: Service, short: str) -> set[str]:
    with service.database.reading() as session:
        found = label_store.papers_of_label(session, "topic", short, at_most=200)
    return {one.stored.paper.id for one in found}


def test_topics_are_learned_and_guessed_for_papers_without(service: Service, browser: TestClient) -> None:
    add(service, [*tagged(0, 20), UNTAGGED])
    library.keep(service, NOW)
    assert UNTAGGED.id in on_shelf(service, "llm-serving")
    assert UNTAGGED.id not in on_shelf(service, "exoplanets")
    assert not any(key.startswith("arxiv:2510.2") for key in on_shelf(service, "llm-serving"))  # the rivers
    page = browser.get("/papers/topic/llm-serving").text
    assert 'class="guessed"' in page and "Guessed from its words, 0." in page
    page = browser.get(f"/papers/{UNTAGGED.id}").text
    assert "<small>guessed 0." in page
    with service.database.reading() as session:
        found = paper_store.by_keys(session, [UNTAGGED.id])[UNTAGGED.id]
    assert found.paper.topics == ()  # what is exported is what sources gave


def test_a_topic_that_a_source_gives_later_replaces_the_guess(service: Service) -> None:
    add(service, [*tagged(0, 20), UNTAGGED])
    library.keep(service, NOW)
    add(service, [replace(UNTAGGED, topics=("Caching",))])
    library.keep(service, NOW)
    assert UNTAGGED.id in on_shelf(service, "caching")
    assert UNTAGGED.id not in on_shelf(service, "llm-serving")


def test_a_model_is_learned_anew_at_night_where_more_is_tagged(service: Service) -> None:
    add(service, tagged(0, 20))
    indexing.index(service, NOW)
    assert topic_labels.learn(service, NOW)
    add(service, tagged(20, 9))
    indexing.index(service, NOW)
    assert not topic_labels.learn(service, NOW + timedelta(hours=1))
    assert topic_labels.learn(service, NOW + timedelta(hours=21))
    assert not topic_labels.learn(service, NOW + timedelta(hours=42))


def test_papers_are_looked_at_again_in_steps_and_changed_only_where_needed(service: Service) -> None:
    add(service, [UNTAGGED, *tagged(0, 20)])
    indexing.index(service, NOW)
    topic_labels.learn(service, NOW)
    steps = [indexing.guess_again(service, NOW, at_most=25) for _ in range(4)]
    assert sum(steps) == 1 and steps[2] == 1  # the first row of 61 is looked at last
    with service.database.reading() as session:
        kept = topic_store.latest(session)
    assert kept is not None and kept.guessed_down_to == 0


def month(count: int, rising: int) -> list[Paper]:
    """Titles of 119 days, ``count`` a day; in the last 28 some are on a subject that was never there, and two
    a day, from all fields, have a word that says nothing."""
    found = []
    for day in range(119):
        for n in range(count):
            new = day >= 91 and n < rising
            turned = day >= 91 and rising <= n < rising + 2
            subject = "Diffusion of quantum gravel" if new else "Rivers of the Alps"
            title = f"{'Exact ' if turned else ''}{subject}, case {day} {n}"
            field = f"field.{(2 * day + n) % 14}" if turned else "physics.geo-ph"
            paper = Paper(
                id=f"hash:{day}-{n}",
                title=title,
                categories=("quant-ph" if new else field,),
                topics=("quantum gravel",) if new else (),
                url=f"https://example.org/{day}/{n}",
                announced=NOW.date() - timedelta(days=118 - day),
                authors=(f"Author {day} {n}",),
            )
            found.append(paper)
    return found


def test_trends_show_what_rose(service: Service, browser: TestClient) -> None:
    assert "Nothing to show yet" in browser.get("/trends").text
    add(service, month(count=9, rising=3))
    library.keep(service, NOW)
    with service.database.reading() as session:
        kept = trend_store.latest(session)
    assert kept is not None
    report = kept[1]
    assert (report["latest"], report["earlier"], sum(report["weeks"])) == (252, 819, 1071)
    assert [one["name"] for one in report["topics"]] == ["quantum gravel"]
    assert [(one["name"], one["lately"], one["before"]) for one in report["categories"]] == [
        ("quant-ph", 84, 0)
    ]
    assert report["categories"][0]["weeks"] == [0] * 13 + [21] * 4
    assert any("gravel" in one["name"].lower() for one in (*report["phrases"], *report["words"]))
    assert not any("alp" in one["name"].lower() for one in (*report["phrases"], *report["words"]))
    assert not any("exact" in one["name"].lower() for one in (*report["phrases"], *report["words"]))
    page = browser.get("/trends").text
    assert 'href="/papers/category/quant-ph"' in page and "<polyline" in page and "252 papers" in page
    assert not trends.make(service, NOW + timedelta(hours=1))


def test_too_few_papers_are_said_to_be_too_few(service: Service, browser: TestClient) -> None:
    add(service, tagged(0, 5))
    library.keep(service, NOW)
    assert "Too few papers to tell" in browser.get("/trends").text


def test_the_command_searches(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from app import build
    from app.cli import app

    add(service, [UNTAGGED, *tagged(0, 3)])
    library.keep(service, NOW)
    monkeypatch.setattr(build, "service", lambda: service)
    run = CliRunner().invoke(app, ["search", "kv", "cache", "title:decoding"])
    assert "A KV cache for decoding" in run.output and "1 paper" in run.output
    found = json.loads(CliRunner().invoke(app, ["search", "rivers", "--json", "--at-most", "2"]).output)
    assert (found["total"], len(found["papers"]), found["more"]) == (3, 2, False)
    assert "no paper holds all" in CliRunner().invoke(app, ["search", "rivers", "quaternions"]).output
    assert "say what to look for" in str(CliRunner().invoke(app, ["search", "--", "-rivers"]).exception)
