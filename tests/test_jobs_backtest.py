"""The back-test: each liked paper ranked by what was known before it, and drawn for terminal and page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from app.cli import app
from db import paper_store, source_store
from jobs import backtest as job
from jobs import subscribe
from jobs.backtest import Backtest, Trial, sentence
from jobs.backtest_plot import svg_plot, text_plot
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from recommender.paper import Paper
from tests.conftest import NOW

MONDAY = date(2025, 10, 6)
ON_CACHES = "Pooled key-value caches for speculative decoding, part {n}"
ON_RIVERS = "Sediment transport in alpine rivers and glaciers, gauge {n}"
WEEKS, RIVERS = 5, 30


def key(week: int, n: int) -> str:
    return f"arxiv:2510.{week}{n:04d}"


def day(week: int, weekday: int = 0) -> date:
    return MONDAY + timedelta(days=7 * week + weekday)


def noon(when: date) -> datetime:
    return datetime(when.year, when.month, when.day, 12, tzinfo=UTC)


def on_hand(service: Service, *papers: Paper) -> None:
    with service.database.writing() as session:
        source = source_store.add(session, name="x", kind="file", location="x.md", every_minutes=1, now=NOW)
        paper_store.merge(session, papers, source.id, NOW)


@pytest.fixture
def weeks(service: Service) -> Service:
    """Five weeks, each with one paper on caches (number 0) and thirty on rivers."""
    for week in range(WEEKS):
        papers = [
            Paper(
                key(week, n), ON_RIVERS.format(n=f"{week}x{n}"), announced=day(week, n % 5), authors=("A",),
                abstract=f"We measure gravel and melt water at site {n} in year {1900 + 40 * week + n}.",
            )
            for n in range(1, RIVERS + 1)
        ]  # fmt: skip
        papers.append(
            Paper(
                key(week, 0), ON_CACHES.format(n=week), announced=day(week, 2), authors=("B C",),
                abstract="Language models answer sooner when caches are shared and drafts are verified.",
            )
        )  # fmt: skip
        on_hand(service, *papers)
    return service


def reader(service: Service, **fields: Any) -> Profile:
    given = {"name": "Mine", "likes": [key(0, 0)], "every": "feed"}
    return subscribe.create(service, request(**given | fields), NOW)


def rate(
    service: Service, profile: Profile, paper: str, opinion: Any = "like", at: datetime | None = None
) -> None:
    with service.database.writing() as session:
        assert subscribe.rate(session, profile.id, paper, opinion, at or NOW, "page")


def test_a_steady_interest_would_have_been_found_every_week(weeks: Service) -> None:
    profile = reader(weeks)
    for week in range(1, WEEKS):
        rate(weeks, profile, key(week, 0), "save", noon(day(week, 3)))
    found = job.backtest(weeks, profile)
    assert [t.paper.id for t in found.trials] == [key(week, 0) for week in (4, 3, 2, 1)]
    assert [t.rank for t in found.trials] == [1, 1, 1, 1]
    assert {t.of for t in found.trials} == {RIVERS + 1}
    # One seed before the first, and one more saved paper each week.
    assert [t.known for t in found.trials] == [4, 3, 2, 1]
    assert sentence(found, 3) == (
        "4 of your 4 saved papers would have been in the top 3 of their week; by chance it would be 0.4. "
        "That is too few to say much."
    )


def test_no_paper_is_found_by_what_was_learned_later(weeks: Service) -> None:
    """The reader turns to rivers in the last week: no rank of an earlier week may move."""
    profile = reader(weeks)
    for week in range(1, WEEKS):
        rate(weeks, profile, key(week, 0), at=noon(day(week, 3)))
    before = {t.paper.id: t for t in job.backtest(weeks, profile).trials}
    for n in range(1, 12):
        rate(weeks, profile, key(4, n), at=noon(day(4, 6)))
    rate(weeks, profile, key(4, 0), "clear", at=noon(day(4, 6)))
    after = {t.paper.id: t for t in job.backtest(weeks, profile).trials}
    for week in range(1, WEEKS - 1):
        assert after[key(week, 0)] == before[key(week, 0)]
    assert key(4, 0) not in after


def test_papers_rated_on_one_evening_teach_only_those_that_came_later(weeks: Service) -> None:
    profile = reader(weeks, likes=[], terms=["topology"])
    for week in range(WEEKS):
        rate(weeks, profile, key(week, 0), at=NOW)
    assert [t.known for t in job.backtest(weeks, profile).trials] == [4, 3, 2, 1, 0]


def test_papers_of_one_day_do_not_teach_each_other(weeks: Service) -> None:
    on_hand(weeks, Paper("arxiv:2599.00001", "Caches", announced=day(1, 2), abstract="Drafts."))
    profile = reader(weeks, likes=[], terms=["topology"])
    rate(weeks, profile, key(1, 0))
    rate(weeks, profile, "arxiv:2599.00001")
    assert [t.known for t in job.backtest(weeks, profile).trials] == [0, 0]


def test_a_paper_that_scores_nothing_comes_last(weeks: Service) -> None:
    profile = reader(weeks, likes=[], terms=["topology"])
    rate(weeks, profile, key(1, 0))
    (trial,) = job.backtest(weeks, profile).trials
    assert (trial.rank, trial.of) == (RIVERS + 1, RIVERS + 1)


def test_muted_papers_take_no_places_and_a_muted_like_is_not_tried(weeks: Service) -> None:
    profile = reader(weeks, likes=[], statement="rivers", mutes=["gauge 1x3", "gauge 1x4", "decoding"])
    rate(weeks, profile, key(1, 5))
    rate(weeks, profile, key(1, 0))
    found = job.backtest(weeks, profile)
    (trial,) = found.trials
    assert trial.paper.id == key(1, 5)
    assert trial.of == RIVERS - 2
    assert found.untried == {"it is muted, withdrawn or a replacement": 1}


def test_what_was_known_already_takes_no_place(weeks: Service) -> None:
    profile = reader(weeks, likes=[], statement="alpine rivers")
    for n in (1, 6):  # both of Tuesday
        rate(weeks, profile, key(1, n), "dislike", at=noon(day(1, 1)))
    rate(weeks, profile, key(1, 3), at=noon(day(1, 4)))
    (trial,) = job.backtest(weeks, profile).trials
    assert (trial.known, trial.of) == (2, RIVERS - 1)


def test_too_little_feedback_says_what_to_do(weeks: Service) -> None:
    profile = reader(weeks)
    assert sentence(job.backtest(weeks, profile)) == (
        "No liked or saved paper can be tried yet: rate papers, and look again after a few weeks."
    )
    assert text_plot(Backtest(())) == []
    assert svg_plot(Backtest(())) == ""


def test_what_cannot_be_tried_is_counted_with_the_reason(weeks: Service) -> None:
    early, alone, undated = "doi:10.1000/early", "doi:10.1000/alone", "doi:10.1000/undated"
    on_hand(
        weeks,
        Paper(early, "Caches before all", announced=date(2024, 1, 2)),
        Paper(alone, "Caches after all", announced=date(2025, 12, 2)),
        Paper(undated, "Caches at some time"),
    )
    profile = reader(weeks)
    for paper in (early, alone, undated, key(1, 0)):
        rate(weeks, profile, paper)
    found = job.backtest(weeks, profile)
    assert [t.paper.id for t in found.trials] == [key(1, 0)]
    assert found.untried == {
        "alone in its week": 1, "no announcement day is known": 1, "nothing was known before": 1
    }  # fmt: skip
    newest = job.backtest(weeks, profile, at_most=1)
    assert newest.trials == ()
    assert "1 paper: alone in its week; 1 paper: no announcement day is known; 2 papers: older" in sentence(
        newest
    )


# --- plots ---------------------------------------------------------------------------------------------


def made(*ranks: int, of: int = 2_000, title: str = "A paper") -> Backtest:
    return Backtest(tuple(Trial(Paper(f"arxiv:2510.{r:05d}", title), "like", r, of, 9) for r in ranks))


def test_the_sentence_counts_and_compares_with_chance() -> None:
    assert sentence(made(*range(10, 24), 500)) == (
        "11 of your 15 liked papers would have been in the top 20 of their week; by chance it would be 0.1."
    )
    mixed = Backtest((made(1).trials[0], replace(made(2).trials[0], opinion="save")))
    assert "2 of your 2 liked and saved papers" in sentence(mixed)
    assert "1 of your 1 liked paper would have been in the top 20 of its week" in sentence(made(3))


def test_the_text_plot_has_a_bar_for_each_cut() -> None:
    lines = text_plot(made(3, 8, 15, 700), cells=8)
    assert lines[0] == "top 5     1 of 4  ██······  by chance 0.0"
    assert lines[2] == "top 20    3 of 4  ██████··  by chance 0.0"
    assert len(lines) == 5


def test_the_svg_is_well_formed_names_each_paper_and_carries_no_script() -> None:
    nasty = made(3, 70, 900, title='<script>alert("1")</script>\x00 & \x1b[31m "co"')
    drawn = svg_plot(nasty, label='Mine <b> "x"')
    root = ET.fromstring(drawn)
    assert root.get("role") == "img"
    assert (root.get("aria-label") or "").startswith('Mine <b> "x": 1 of your 3 liked papers')
    names = {element.tag.partition("}")[2] for element in root.iter()}
    assert names == {"svg", "title", "path", "polyline", "circle", "g", "text"}
    titles = [t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1].endswith(": 3 of 2,000")
    assert "<script" not in drawn
    assert not any(name in drawn for name in ("style=", "onload", "\x00", "\x1b", "#"))
    assert 'stroke="currentColor"' in drawn


def test_the_curve_stays_inside_the_drawing() -> None:
    root = ET.fromstring(svg_plot(made(1, 1, 2, 1999, 2000)))
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    for circle in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 < float(circle.get("cx") or -1) < width
        assert 0 < float(circle.get("cy") or -1) < height


# --- the command ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # that of the settings
def test_the_command_prints_sentence_plot_and_misses(weeks: Service) -> None:
    profile = reader(weeks, name="Mine")
    for week in range(1, WEEKS):
        rate(weeks, profile, key(week, 0), at=noon(day(week, 3)))
    rate(weeks, profile, key(4, 7), at=noon(day(4, 4)))
    result = CliRunner().invoke(app, ["backtest", "--profile", "Mine"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("4 of your 5 liked papers would have been in the top 20")
    assert "top 5     4 of 5" in result.stdout
    assert "Furthest down (1 beyond the top 20)" in result.stdout
    found = json.loads(CliRunner().invoke(app, ["backtest", "--profile", "Mine", "--json"]).stdout)
    assert found["within"]["20"] == 4
    assert found["tried"] == len(found["trials"]) == 5
    assert found["sentence"] in result.stdout
