"""``paperwatch evaluate``: the figures of the reference scorer, and differences with their certainty."""

from __future__ import annotations

import gzip
import json
import lzma
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.failures import CommandError
from tests.conftest import SHARED

SCORER = SHARED / "bench" / "score_run.py"
SAME = {
    "ndcg10": "ndcg@10", "mrr": "mrr", "r10": "recall@10", "r20": "recall@20", "r50": "recall@50",
    "r100": "recall@100", "queries": "queries", "missing": "missing",
}  # fmt: skip


def run(*arguments: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, ["evaluate", *arguments])


def printed(*arguments: str) -> Any:
    """The JSON that the command prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def written(folder: Path, seed: int, *, quality: float, name: str = "run") -> tuple[Path, Path]:
    """A run of random scores, the relevant papers lifted by ``quality``, and its qrels."""
    chance = random.Random(7)
    noise = random.Random(seed)
    lines, wanted = [], []
    for query in range(40):
        papers = [f"25{query:02d}.{n:05d}" for n in range(150)]
        relevant = set(chance.sample(papers, chance.randint(1, 6)))
        wanted += [f"r{query}@2026-W19 0 {paper} {int(paper in relevant)}" for paper in papers[:60]]
        wanted += [f"r{query}@2026-W19 0 {paper} 1" for paper in papers[60:] if paper in relevant]
        if query % 13:  # the run lacks some queries
            for paper in papers:
                score = round(noise.random() + quality * (paper in relevant), 2)  # with ties
                lines.append(f"r{query}@2026-W19 Q0 {paper} 0 {score} test")
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "qrels").write_text("\n".join(wanted) + "\n", encoding="utf-8")
    return folder / name, folder / "qrels"


@pytest.mark.parametrize(("seed", "quality"), [(1, 0.0), (2, 0.4), (3, 2.0)])
def test_it_agrees_with_the_reference_scorer_to_four_digits(
    tmp_path: Path, seed: int, quality: float
) -> None:
    if not SCORER.exists():
        pytest.skip(f"the reference scorer is not there: ../shared/{SCORER.relative_to(SHARED)}")
    ranked, qrels = written(tmp_path, seed, quality=quality)
    reference = json.loads(
        subprocess.run(
            [sys.executable, str(SCORER), str(ranked), str(qrels), "--json"],
            capture_output=True, check=True, text=True,
        ).stdout
    )  # fmt: skip
    found = printed("--run", str(ranked), "--qrels", str(qrels))
    assert {theirs: found[ours] for theirs, ours in SAME.items()} == reference


def test_a_better_run_is_told_from_a_worse_one_and_from_itself(tmp_path: Path) -> None:
    good, qrels = written(tmp_path, 1, quality=1.0, name="good")
    poor, _ = written(tmp_path, 2, quality=0.1, name="poor")
    found = printed("--run", str(good), "--qrels", str(qrels), "--against", str(poor))
    gain = found["differences"]["ndcg@10"]
    assert gain["difference"] == pytest.approx(found["ndcg@10"] - found["against"]["ndcg@10"], abs=2e-4)
    assert 0 < gain["low"] < gain["difference"] < gain["high"]
    assert gain["p"] < 0.01
    same = printed("--run", str(good), "--qrels", str(qrels), "--against", str(good))["differences"]["mrr"]
    assert (same["difference"], same["p"]) == (0, 1)
    assert printed("--run", str(good), "--qrels", str(qrels), "--against", str(poor)) == found
    words = run("--run", str(good), "--qrels", str(qrels), "--against", str(poor)).stdout
    assert f"{gain['difference']:+.4f}" in words
    assert "40 queries; good lacks 4, which count as 0." in words
    assert f"good is better than poor by {gain['difference']:.4f} in nDCG@10, more than chance" in words


def test_two_runs_are_compared_the_second_beside_the_first(tmp_path: Path) -> None:
    good, qrels = written(tmp_path, 1, quality=1.0, name="good")
    poor, _ = written(tmp_path, 2, quality=0.1, name="poor")
    asked = ("--run", str(good), "--run", str(poor), "--qrels", str(qrels))
    backwards = printed(*asked)
    forwards = printed("--run", str(good), "--against", str(poor), "--qrels", str(qrels))
    for name, gain in forwards["differences"].items():
        assert backwards["differences"][name]["difference"] == -gain["difference"]
    assert backwards["ndcg@10"] == forwards["against"]["ndcg@10"]
    words = run(*asked).stdout
    assert words.splitlines()[0].split() == ["good", "poor", "difference", "95", "%", "interval", "p"]
    assert "good is better than poor by" in words
    assert "rank alike" in run("--run", str(good), "--run", str(good), "--qrels", str(qrels)).stdout
    other, _ = written(tmp_path, 3, quality=0.1, name="other")
    unsure = run("--run", str(poor), "--run", str(other), "--qrels", str(qrels)).stdout
    assert "nDCG@10 of other differs by" in unsure
    assert "may be chance" in unsure
    three = run(*asked, "--run", str(good))
    assert isinstance(three.exception, CommandError)
    assert "3 runs; name one, or two to compare" in str(three.exception)


def test_a_run_of_other_queries_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("reader Q0 p1 1 2 t\n")
    (tmp_path / "qrels").write_text("reader@2026-W19 0 p1 1\n")
    asked = ("--run", str(tmp_path / "run"), "--qrels", str(tmp_path / "qrels"))
    assert "None of the queries is in the run: 'reader@2026-W19' in the qrels, 'reader'" in run(*asked).stdout
    (tmp_path / "run").write_text("")
    assert "the run is empty" in run(*asked).stdout


def test_auc_is_over_the_queries_where_it_is_defined(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a Q0 p1 1 2 t\na Q0 p2 2 1 t\nb Q0 p3 1 1 t\n")
    (tmp_path / "qrels").write_text("a 0 p1 1\nb 0 p3 1\nc 0 p4 1\n")
    found = printed("--run", str(tmp_path / "run"), "--qrels", str(tmp_path / "qrels"))
    assert (found["auc"], found["auc_queries"], found["queries"]) == (1.0, 1, 3)
    (tmp_path / "run").write_text("b Q0 p3 1 1 t\n")
    found = printed("--run", str(tmp_path / "run"), "--qrels", str(tmp_path / "qrels"))
    assert (found["auc"], found["auc_queries"]) == (None, 0)
    assert (
        "over the 0 queries" in run("--run", str(tmp_path / "run"), "--qrels", str(tmp_path / "qrels")).stdout
    )


def test_packed_files_are_read_too(tmp_path: Path) -> None:
    ranked, qrels = written(tmp_path, 1, quality=1.0)
    plain = printed("--run", str(ranked), "--qrels", str(qrels))
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbf" + ranked.read_bytes().replace(b"\n", b"\r\n"))
    assert printed("--run", str(tmp_path / "marked"), "--qrels", str(qrels)) == plain
    (tmp_path / "cut.xz").write_bytes(lzma.compress(ranked.read_bytes())[:-40])
    broken = run("--run", str(tmp_path / "cut.xz"), "--qrels", str(qrels)).exception
    assert "cut.xz: cannot be unpacked: " in str(broken)
    (tmp_path / "run.gz").write_bytes(gzip.compress(ranked.read_bytes()))
    (tmp_path / "qrels.xz").write_bytes(lzma.compress(qrels.read_bytes()))
    assert printed("--run", str(tmp_path / "run.gz"), "--qrels", str(tmp_path / "qrels.xz")) == plain


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a Q0 p1 1 2\n", "line 1: 5 fields, expected 6"),
        (b"a Q0 p1 1 2 t\na Q0 p2 1 high t\n", "line 2: score 'high' is no number"),
        (b"a Q0 p1 1 2 t\n\na Q0 \xff 1 2 t\n", "line 3: no UTF-8 text"),
        (b"a Q0 p1 1 nan t\n", "line 1: the score is not a number"),
    ],
)
def test_a_bad_run_is_named_with_file_and_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "run").write_bytes(content)
    (tmp_path / "qrels").write_text("a 0 p1 1\n")
    result = run("--run", str(tmp_path / "run"), "--qrels", str(tmp_path / "qrels"))
    assert isinstance(result.exception, CommandError)
    assert str(tmp_path / "run") in str(result.exception)
    assert complaint in str(result.exception)


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("a 0 p1 0\n")
    result = run("--run", str(tmp_path / "no"), "--qrels", str(tmp_path / "qrels"))
    assert "holds no relevant paper" in str(result.exception)
    (tmp_path / "qrels").write_text("a 0 p1 1\n")
    result = run("--run", str(tmp_path / "no"), "--qrels", str(tmp_path / "qrels"))
    assert str(result.exception).endswith("no: No such file or directory")
