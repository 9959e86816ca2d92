"""The comparison of rankers: which papers and readers take part, and that every recipe ranks."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks import minilm, plots, ranking, tasks
from benchmarks.ablation import with_acronyms
from benchmarks.recipes import RECIPES
from benchmarks.tasks import Task
from jobs.rank_input import Candidate, Reader
from recommender.interest import Interests
from recommender.paper import Paper
from recommender.ranking import DEFAULT

TOPICS = {
    "caches": "cache decoding speculative batch prefill latency scheduler throughput token serving",
    "rivers": "river sediment gravel transport flood alpine channel erosion delta discharge",
    "enzymes": "protein folding residue docking ligand binding sequence structure mutation enzyme",
}
COMMON = [f"word{n}" for n in range(60)]
MONDAY = date(2026, 1, 5)


def candidates(weeks: int = 10, a_week: int = 45) -> list[Candidate]:
    """Papers on three topics in turn, week by week."""
    dice = np.random.default_rng(4)
    found = []
    for at in range(weeks * a_week):
        topic = list(TOPICS)[at % 3]
        words = [*dice.choice(TOPICS[topic].split(), 12), *dice.choice(COMMON, 12)]
        day = MONDAY + timedelta(weeks=at // a_week)
        paper = Paper(f"{topic}.{at}", " ".join(words[:5]), abstract=" ".join(words[5:]), announced=day)
        found.append(Candidate(paper, f"2026-W{day.isocalendar().week:02d}"))
    return found


def reader(topic: str, number: int, *weeks: str) -> Reader:
    """Likes five early papers of a topic."""
    first = list(TOPICS).index(topic)
    liked = tuple(f"{topic}.{first + 3 * (number + k)}" for k in range(5))
    return Reader(f"{topic}-{number}", liked, (), Interests(), frozenset(weeks))


READERS = [
    reader(topic, n, "2026-W10", *(["2026-W11"] if n % 2 else [])) for topic in TOPICS for n in range(4)
]


def qrels(found: list[Candidate]) -> dict[str, dict[str, int]]:
    """Everybody wants all papers of their topic."""
    return {
        f"{r.name}@{batch}": {
            c.paper.id: 1
            for c in found
            if c.batch == batch and c.paper.id.startswith(r.name.partition("-")[0])
        }
        for r in READERS
        for batch in r.batches or ()
    }


def task(**size: int | None) -> Task:
    found = candidates()
    given = {"readers": None, "weeks": None, "every": 1, "half": None, "seed": 0} | size
    return tasks.part(found, READERS, qrels(found), **given)


def test_what_readers_are_to_find_is_not_known_before() -> None:
    whole = task()

    assert sorted(whole.batches) == ["2026-W10", "2026-W11"]
    assert len(whole.qrels) == 12 + 6
    known = [whole.papers[row].announced for row in whole.known.tolist()]
    assert len(known) == 8 * 45
    assert max(day for day in known if day) < min(
        day for rows in whole.batches.values() for row in rows for day in [whole.papers[row].announced] if day
    )


def test_a_part_keeps_the_liked_papers_and_drops_later_weeks() -> None:
    some = task(weeks=1, readers=5, every=7)

    assert list(some.batches) == ["2026-W10"]
    assert len(some.readers) == 5
    assert {query.partition("@")[0] for query in some.qrels} == {r.name for r in some.readers}
    assert all(len(likes) == 5 for likes in some.likes())
    assert all(paper.announced != MONDAY + timedelta(weeks=9) for paper in some.papers)
    assert len(some.known) < 8 * 45 / 4


def test_the_two_halves_share_no_reader() -> None:
    halves = [{r.name for r in task(half=half).readers} for half in (0, 1)]

    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == {r.name for r in READERS}


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "minilm"])
def test_every_recipe_finds_the_papers_of_a_topic(name: str) -> None:
    row, by_query = ranking.measure(task(), name)

    assert row["ndcg@10"] > 0.95
    assert row["queries"] == len(by_query) == 18
    assert row["readers"] == 12


def test_a_liked_paper_is_never_ranked() -> None:
    held = task()
    recipe = RECIPES["centroid"](held, lambda *_: None)
    rows = held.batches["2026-W10"]
    liked = held.papers[rows[0]].id
    asked = Reader("r", (liked,), (), Interests(), frozenset({"2026-W10"}))
    alone = Task(held.papers, held.known, held.batches, [asked], {})
    run, _ = ranking.ranked(alone, recipe, [recipe.learn(rows[:1])])

    assert len(run["r@2026-W10"]) == 44
    assert liked not in run["r@2026-W10"]


def test_others_are_set_beside_ours_query_by_query(tmp_path: Path) -> None:
    rows = list(ranking.compare(task(), [DEFAULT, "bm25"]))

    assert "difference" not in rows[0]
    assert rows[1]["difference"] == pytest.approx(rows[1]["ndcg@10"] - rows[0]["ndcg@10"], abs=2e-4)
    assert rows[1]["low"] <= rows[1]["difference"] <= rows[1]["high"]
    assert ranking.line(rows[1]).startswith("bm25 ")
    plots.quality(tmp_path / "plot.png", rows, title="made up")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_slow_ranker_ends_with_the_readers_that_it_had_time_for() -> None:
    row, by_query = ranking.measure(task(), "log-odds", most=0.0)

    assert row["readers"] == 1
    assert 1 <= len(by_query) <= 2


def test_cost_counts_the_same_steps_on_both_sides() -> None:
    found = ranking.cost(task())

    assert found["papers"] == 450
    assert found["new_papers"] == 45
    for whose in ("ours", "theirs"):
        assert found[f"{whose}_learn_ms"] > 0
        assert found[f"{whose}_score_all_ms"] > 0
    theirs = found["theirs_learn_ms"] + found["theirs_score_new_ms"]
    assert found["times_cheaper_with_new_papers_scored"] == pytest.approx(
        theirs / (found["ours_learn_ms"] + found["ours_score_new_ms"]), abs=0.6
    )


def test_without_minilm_the_table_is_made_and_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(minilm, "find_spec", lambda _: None)
    monkeypatch.setattr(tasks, "load", lambda _name, **size: task(readers=size["readers"]))
    ranking.main(["--set", "authors", "--readers", "6", "--only", DEFAULT, "minilm", "--out", str(tmp_path)])

    said = capsys.readouterr()
    assert "without MiniLM, which is not installed: make minilm" in said.err
    assert "minilm" not in said.out
    assert [row["ranker"] for row in json.loads((tmp_path / "ranking-authors.json").read_text())["rows"]] == [
        DEFAULT
    ]
    with pytest.raises(FileNotFoundError, match="make minilm"):
        minilm.embed(["text"])


def test_acronyms_are_written_out_where_papers_define_them() -> None:
    papers = [
        Paper(
            str(n),
            "Title",
            abstract=f"We use state-space models (SSM) and Graph Neural Networks (GNNs). {n}",
        )
        for n in range(3)
    ]
    papers.append(Paper("last", "An SSM", abstract="Two SSMs, and XYZ."))
    empty = np.empty(0, np.int64)
    written = with_acronyms(Task(papers, empty, {}, [], {})).papers

    assert written[3].abstract == "Two SSMs, and XYZ. . state space models"
    assert "graph neural networks" in written[0].abstract
