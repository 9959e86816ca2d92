"""Ranking files directly: what each thing that a reader may say does, on enough papers for a background."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.rank_files import Ranked, rank_files
from recommender import background
from recommender.vectors import Edition, Matrix

TOPICS = {
    "caches": "cache decoding speculative batch prefill latency scheduler throughput token serving",
    "rivers": "river sediment gravel transport flood alpine channel erosion delta discharge",
    "enzymes": "protein folding residue docking ligand binding sequence structure mutation enzyme",
}
COMMON = ["model", "method", "results", "data", "analysis", "approach", "large", "study"]


def write(path: Path, objects: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in objects), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve weeks of 60 papers, a third of them on each topic, each with one of two categories."""
    dice = np.random.default_rng(4)
    lines = []
    for at in range(720):
        topic = list(TOPICS)[at % 3]
        words = [*dice.choice(TOPICS[topic].split(), 12), *dice.choice(COMMON, 8)]
        lines.append({
            "id": f"{topic}.{at}", "title": " ".join(words[:5]), "abstract": " ".join(words[5:]),
            "authors": [f"Person {at % 40}"], "categories": [f"x.{'AB'[at // 3 % 2]}"],
            "date": "2026-05-04", "batch": f"w{at // 60:02d}",
        })  # fmt: skip
    return write(tmp_path_factory.mktemp("papers") / "papers.jsonl", lines)


def ranked(folder: Path, papers: Path, **reader: Any) -> list[str]:
    """The papers of week 11 as this reader gets them, best first."""
    asked = write(folder / "readers.jsonl", [{"reader": "r", "liked": [], "batches": ["w11"]} | reader])
    rank_files([papers], asked, 60, folder / "run")
    lines = [line.split() for line in (folder / "run").read_text().splitlines()]
    assert {line[0] for line in lines} == {"r@w11"}
    return [line[2] for line in lines]


def topics(found: list[str]) -> list[str]:
    return [key.partition(".")[0] for key in found]


def test_likes_and_dislikes_order_a_week(tmp_path: Path, papers: Path) -> None:
    found = ranked(tmp_path, papers, liked=["rivers.1", "rivers.4"], disliked=["caches.0", "caches.3"])

    assert topics(found)[:20] == ["rivers"] * 20
    assert topics(found)[-20:].count("caches") > 15


@pytest.mark.parametrize("said", [{"statement": "protein docking"}, {"terms": [["ligand binding", 2]]}])
def test_what_is_stated_orders_a_week_without_likes(
    tmp_path: Path, papers: Path, said: dict[str, Any]
) -> None:
    assert set(topics(ranked(tmp_path, papers, **said))[:12]) == {"enzymes"}


def test_what_is_stated_counts_beside_likes(tmp_path: Path, papers: Path) -> None:
    found = ranked(
        tmp_path, papers, liked=["rivers.1", "rivers.4"], statement="protein docking enzyme ligand"
    )

    assert set(topics(found)[:30]) == {"rivers", "enzymes"}


def test_listed_categories_lift_their_papers(tmp_path: Path, papers: Path) -> None:
    category = {
        json.loads(line)["id"]: json.loads(line)["categories"][0] for line in papers.read_text().splitlines()
    }
    found = ranked(tmp_path, papers, categories=["x.B"])

    assert [category[key] for key in found[:30]] == ["x.B"] * 30


def test_people_count_for_those_who_follow_some(tmp_path: Path, papers: Path) -> None:
    author = {json.loads(line)["id"]: json.loads(line)["authors"] for line in papers.read_text().splitlines()}
    found = ranked(tmp_path, papers, authors=["Person 20"])

    assert author[found[0]] == ["Person 20"]


def test_the_counts_and_the_progress_are_told(tmp_path: Path, papers: Path) -> None:
    asked = write(
        tmp_path / "readers.jsonl",
        [{"reader": "a", "liked": ["rivers.1", "gone"], "batches": ["w10", "w11"]},
         {"reader": "b", "liked": ["rivers.661"], "batches": ["w11"]}],
    )  # fmt: skip
    told: list[tuple[str, int, int]] = []
    done = rank_files([papers], asked, 10, tmp_path / "run", progress=lambda *step: told.append(step))

    assert done == Ranked(papers=720, readers=2, queries=3, lines=30, unknown=1)
    assert told[-1] == ("ranking", 2, 2)
    assert "rivers.661" not in (tmp_path / "run").read_text().split("b@w11")[1]


def test_enough_papers_make_a_background_and_no_future_is_in_it(
    tmp_path: Path, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    of = background.Background.of

    def watched(edition: Edition, X: Matrix) -> background.Background:
        seen.append(X.shape[0])
        return of(edition, X)

    monkeypatch.setattr("jobs.rank_files.Background.of", watched)
    ranked(tmp_path, papers, liked=["rivers.1"])

    assert seen == [660]


def test_a_ranker_that_does_not_exist_is_named(tmp_path: Path, papers: Path) -> None:
    with pytest.raises(ValueError, match="no ranker 'oracle'; there are blend"):
        rank_files([papers], tmp_path / "readers.jsonl", 10, tmp_path / "run", ranker="oracle")
