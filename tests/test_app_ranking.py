"""``paperwatch rank``: the contract of its files, and what may and may not count."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.failures import CommandError

CACHES = "Key-value caches for speculative decoding of language models"
RIVERS = "Sediment transport and gravel in alpine rivers"


def paper(key: str, title: str, day: str = "2026-05-05", **more: Any) -> dict[str, Any]:
    """A paper as a line of the file."""
    return {"id": key, "title": title, "abstract": "", "authors": [], "categories": [], "date": day} | more


PAPERS = [
    paper("old1", f"{CACHES} one", "2026-01-05"),
    paper("old2", f"{RIVERS} one", "2026-01-05"),
    paper("a", f"{RIVERS} two"),
    paper("b", f"{CACHES} two"),
    paper("c", "Zebrafish fin regeneration", authors=["Ada Example"]),
    paper("d", f"{CACHES} three", "2026-05-12"),
    paper("e", f"{RIVERS} three", "2026-05-12", batch="special"),
]


def lines(path: Path, objects: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects), encoding="utf-8")
    return path


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    return lines(tmp_path / "papers.jsonl", PAPERS)


def rank(folder: Path, papers: Sequence[Path | str], readers: Sequence[Any], *more: str) -> Result:
    """The command, in this process, the run going to ``folder/run``."""
    given = lines(folder / "readers.jsonl", readers)
    first, *others = map(str, papers)
    arguments = ["rank", "--papers", first, *others, "--readers", str(given), "--out", str(folder / "run")]
    return CliRunner().invoke(app, [*arguments, *more])


def ranked(folder: Path) -> dict[str, list[str]]:
    """The papers of each query in their order; every line must be a line of TREC's."""
    found: dict[str, list[str]] = {}
    scores: dict[str, list[float]] = {}
    for line in (folder / "run").read_text(encoding="utf-8").splitlines():
        query, q0, key, place, score, tag = line.split(" ")
        assert (q0, int(place)) == ("Q0", len(found.setdefault(query, [])) + 1)
        assert tag
        found[query].append(key)
        scores.setdefault(query, []).append(float(score))
    assert all(values == sorted(values, reverse=True) for values in scores.values())
    return found


def test_each_reader_gets_each_batch_ranked_by_what_they_liked(tmp_path: Path, papers: Path) -> None:
    result = rank(
        tmp_path, [papers], [{"reader": "r1", "liked": ["old1"]}, {"reader": "r2", "liked": ["old2"]}]
    )
    assert result.exit_code == 0, result.output
    found = ranked(tmp_path)
    assert found["r1@2026-W19"][0] == "b"
    assert found["r2@2026-W19"][0] == "a"
    assert found["r1@special"] == ["e"]
    assert sorted(found) == sorted(
        f"{r}@{b}" for r in ("r1", "r2") for b in ("2026-W02", "2026-W19", "2026-W20", "special")
    )
    assert "7 papers, 2 readers: " in result.stderr


def test_a_liked_paper_is_never_ranked_and_only_the_batches_asked_for_are(
    tmp_path: Path, papers: Path
) -> None:
    rank(tmp_path, [papers], [{"reader": "r", "liked": ["b", "old1"], "batches": ["2026-W19", "2020-W01"]}])
    found = ranked(tmp_path)
    assert list(found) == ["r@2026-W19"]
    assert sorted(found["r@2026-W19"]) == ["a", "c"]


def test_top_cuts_each_batch(tmp_path: Path, papers: Path) -> None:
    rank(tmp_path, [papers], [{"reader": "r", "liked": ["old2"]}], "--top", "1")
    assert ranked(tmp_path)["r@2026-W19"] == ["a"]


@pytest.mark.parametrize(
    "wish",
    [
        {"statement": "gravel in rivers"},
        {"terms": ["sediment transport"]},
        {"terms": ["rivers=2", "caches=-1"]},
        {"terms": [["alpine rivers", 1.5]]},
        {"terms": {"gravel": 2}},
        {"liked": ["old1", "old2"], "disliked": ["old1", "d"]},
    ],
)
def test_every_field_of_a_reader_counts(tmp_path: Path, papers: Path, wish: dict[str, Any]) -> None:
    result = rank(tmp_path, [papers], [{"reader": "r", "liked": []} | wish])
    assert result.exit_code == 0, result.output
    assert ranked(tmp_path)["r@2026-W19"][0] == "a"


def test_categories_of_any_scheme_count(tmp_path: Path) -> None:
    held = [paper("x", "One"), paper("y", "Two", categories=["Q-Bio 7"]), paper("z", "Three")]
    file = lines(tmp_path / "p.jsonl", held)
    rank(tmp_path, [file], [{"reader": "r", "liked": [], "categories": ["Q-Bio 7"]}])
    assert ranked(tmp_path)["r@2026-W19"][0] == "y"


def test_author_names_count_only_for_readers_who_follow_somebody(tmp_path: Path, papers: Path) -> None:
    same = lines(
        tmp_path / "more.jsonl", [paper("old3", "Nothing else", "2026-01-06", authors=["Ada Example"])]
    )
    readers = [
        {"reader": "follows", "liked": [], "authors": ["A. Example"]},
        {"reader": "likes", "liked": ["old3"]},
    ]
    rank(tmp_path, [papers, same], readers)
    found = ranked(tmp_path)
    assert found["follows@2026-W19"][0] == "c"
    nameless = lines(tmp_path / "papers.jsonl", [p | {"authors": []} for p in PAPERS])
    before = (tmp_path / "run").read_text().split("\n")
    rank(tmp_path, [nameless, same], readers)
    after = (tmp_path / "run").read_text().split("\n")
    assert [x for x in before if x.startswith("likes@")] == [x for x in after if x.startswith("likes@")]


def test_packed_files_globs_and_shell_lists_are_read(tmp_path: Path) -> None:
    text = "".join(json.dumps(p) + "\n" for p in PAPERS).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text[: text.index(b"\n") + 1]))
    (tmp_path / "b.jsonl.xz").write_bytes(lzma.compress(text[text.index(b"\n") + 1 :]))
    readers = [{"reader": "r", "liked": ["old1"]}]
    rank(tmp_path, [tmp_path / "*.jsonl.?z"], readers)
    by_glob = ranked(tmp_path)
    assert by_glob["r@2026-W19"][0] == "b"
    rank(tmp_path, [tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.xz"], readers)
    assert ranked(tmp_path) == by_glob


def test_bad_lines_are_named_and_the_rest_is_ranked(tmp_path: Path, papers: Path) -> None:
    with papers.open("ab") as file:
        file.write(b'{"id": "broken\n[1]\n\xff\n{"title": "no id"}\n{"id": "f", "date": "soon"}\n')
        file.write(b'{"id": "g h"}\n{"id": "i", "title": 7}\n\n{"id": "a", "title": "again"}\n')
    readers = [
        {"reader": "r", "liked": ["old1", "nowhere"]}, {"liked": []}, {"reader": "s", "liked": "old1"},
        {"reader": "t", "terms": [["x", "much"]]}, {"reader": "r", "liked": []},
        {"reader": "u", "terms": ["x=9"]},
    ]  # fmt: skip
    result = rank(tmp_path, [papers], readers)
    assert result.exit_code == 0, result.output
    said = result.stderr
    for where, why in (
        (8, "no JSON"), (9, "expected an object, not list"), (10, "no UTF-8 text"), (11, "no id"),
        (12, "date 'soon' is no day"), (13, "id 'g h' holds a space"), (14, "title must be text"),
    ):  # fmt: skip
        assert f"paperwatch: {papers}:{where}: {why}" in said
    file = tmp_path / "readers.jsonl"
    for why in (f"{file}:2: no reader", f"{file}:3: liked must be a list", f"{file}:4: the strength of 'x'",
                f"{file}:6: The strength of 'x'", "reader 'r' is there twice"):  # fmt: skip
        assert why in said
    assert "judged papers that no file holds: 1" in said
    assert {query.partition("@")[0] for query in ranked(tmp_path)} == {"r"}
    assert sorted(ranked(tmp_path)["r@2026-W19"]) == ["a", "b", "c"]


def test_readers_who_liked_nothing_on_hand_are_ranked_in_a_fixed_order(tmp_path: Path, papers: Path) -> None:
    rank(tmp_path, [papers], [{"reader": "r", "liked": []}])
    assert ranked(tmp_path)["r@2026-W19"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--ranker", "oracle"), "--ranker oracle: must be one of"),
        (("--papers", "nowhere*.jsonl"), "--papers nowhere*.jsonl: no such file"),
        (("--readers", "nowhere.jsonl"), "nowhere.jsonl: No such file"),
        (("--out", "nowhere/run"), "--out nowhere/run: there is no folder nowhere"),
        (("--out", "."), "--out .: is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_done_says_why_and_leaves_no_file(
    tmp_path: Path, papers: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    result = rank(tmp_path, [papers], [{"reader": "r", "liked": []}], *arguments)
    assert isinstance(result.exception, CommandError)
    assert complaint in str(result.exception)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "var") == ["papers.jsonl", "readers.jsonl"]


def test_a_broken_archive_is_named_and_an_earlier_run_survives(tmp_path: Path, papers: Path) -> None:
    (tmp_path / "run").write_text("earlier\n")
    (tmp_path / "cut.jsonl.xz").write_bytes(lzma.compress(papers.read_bytes() * 50)[:-30])
    result = rank(tmp_path, [tmp_path / "cut.jsonl.xz"], [{"reader": "r", "liked": []}])
    assert "cut.jsonl.xz: cannot be unpacked: " in str(result.exception)
    packed = bytearray(gzip.compress(papers.read_bytes() * 50))
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "odd.jsonl.gz").write_bytes(packed)
    result = rank(tmp_path, [tmp_path / "odd.jsonl.gz"], [{"reader": "r", "liked": []}])
    assert "odd.jsonl.gz: cannot be unpacked: " in str(result.exception)
    assert "no reader was read" in str(rank(tmp_path, [papers], []).exception)
    assert (tmp_path / "run").read_text() == "earlier\n"


def test_a_run_may_go_to_standard_output(tmp_path: Path, papers: Path) -> None:
    readers = [{"reader": "r", "liked": ["old1"]}]
    rank(tmp_path, [papers], readers)
    result = rank(tmp_path, [papers], readers, "--out", "-")
    assert result.exit_code == 0, result.output
    assert result.stdout == (tmp_path / "run").read_text()
    assert not list(tmp_path.glob("-*"))


def test_odd_text_neither_stops_a_ranking_nor_loses_a_paper(tmp_path: Path) -> None:
    odd = {
        "half": "gravel \ud800 rivers", "nul": "gravel\0rivers", "braces": "{" * 20_000 + "\\frac{" * 5_000,
        "word": "x" * 500_000, "long": "gravel " * 100_000, "chinese": "高山河流中的泥沙输移",
        "arabic": "نقل الرواسب", "fish": "🐟 🐟", "none": "",
    }  # fmt: skip
    file = tmp_path / "odd.jsonl"
    file.write_text("".join(json.dumps(paper(key, words)) + "\n" for key, words in odd.items()))
    readers = [
        {"reader": "r", "statement": "gravel " * 10_000}, {"reader": "c", "statement": "泥沙输移"},
        {"reader": "h", "liked": ["\ud800", "half"], "terms": ["\udfff"], "authors": [" "]},
    ]  # fmt: skip
    (tmp_path / "readers.jsonl").write_text("".join(json.dumps(r) + "\n" for r in readers))
    arguments = ["--papers", str(file), "--readers", str(tmp_path / "readers.jsonl")]
    result = CliRunner().invoke(app, ["rank", *arguments, "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    found = ranked(tmp_path)
    assert sorted(found["r@2026-W19"]) == sorted(odd)
    assert set(found["r@2026-W19"][:3]) == {"half", "nul", "long"}
    assert found["c@2026-W19"][0] == "chinese"
    assert sorted(found["h@2026-W19"]) == sorted(odd.keys() - {"half"})


def test_an_id_that_is_listed_twice_counts_once(tmp_path: Path, papers: Path) -> None:
    (tmp_path / "again").mkdir()
    copied = lines(tmp_path / "again" / "papers.jsonl", [paper("a", CACHES), *PAPERS])
    readers = [{"reader": "r", "liked": ["old1", "old2"]}, {"reader": "s", "liked": ["old1", "old2", "old2"]}]
    rank(tmp_path, [papers, copied], readers)
    scores: dict[str, list[list[str]]] = {"r": [], "s": []}
    for line in (tmp_path / "run").read_text().splitlines():
        query, *rest = line.split()
        scores[query[0]].append([query[2:], *rest])
    assert scores["r"] == scores["s"]
    assert len({row[2] for row in scores["r"]}) == len(PAPERS) - 2


@pytest.mark.parametrize("strength", ["1e999", "1" * 400, "1e300", "NaN", "true", '"much"'])
def test_a_strength_that_is_no_number_is_named(tmp_path: Path, papers: Path, strength: str) -> None:
    file = tmp_path / "readers.jsonl"
    file.write_text('{"reader": "r", "terms": [["x", %s]]}\n{"reader": "s"}\n' % strength)  # noqa: UP031
    arguments = ["--papers", str(papers), "--readers", str(file), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(app, ["rank", *arguments])
    assert result.exit_code == 0, result.output
    assert f"paperwatch: {file}:1: " in result.stderr
    assert {query[0] for query in ranked(tmp_path)} == {"s"}


def test_nothing_to_rank_is_an_error(tmp_path: Path, papers: Path) -> None:
    assert "no reader was read" in str(rank(tmp_path, [papers], []).exception)
