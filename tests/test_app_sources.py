"""``paperwatch sources`` and ``paperwatch doctor`` as an operator meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.adding import UnclearSourceError, described
from tests.commands import paperwatch
from tests.conftest import NOW, ROOT
from tests.fake_arxiv import Clock, FakeArxiv, make_papers
from tests.test_app_cli import printed

FEEDS = "https://rss.arxiv.org/rss"
OPML = """<opml version="2.0"><body><outline text="Papers">
<outline text="Buckets" xmlUrl="https://example.org/buckets.xml"/>
<outline text="arXiv" xmlUrl="https://rss.arxiv.org/rss/cs.DC+cs.OS"/></outline></body></opml>"""


@pytest.mark.parametrize(
    ("words", "kind", "name", "location"),
    [
        (["arxiv", "cs.DC", "cs.LG"], "arxiv", "arXiv cs.DC cs.LG", f"{FEEDS}/cs.DC+cs.LG"),
        (["https://rss.arxiv.org/atom/cs.AI+cs.LG"], "arxiv", "arXiv cs.AI cs.LG", f"{FEEDS}/cs.AI+cs.LG"),
        (["https://example.org/feed/"], "feed", "example.org/feed", "https://example.org/feed/"),
        (
            ["https://a.example.org/oai?metadataPrefix=oai_dc&set=x"], "oai", "a.example.org x",
            "https://a.example.org/oai?metadataPrefix=oai_dc&set=x",
        ),
        ([str(ROOT / "samples")], "folder", "samples", str(ROOT / "samples")),
    ],
    ids=["categories", "arXiv's own feed", "any feed", "OAI-PMH", "a folder"],
)  # fmt: skip
def test_what_words_mean(words: list[str], kind: str, name: str, location: str) -> None:
    new = described(words, NOW, feeds=FEEDS)
    assert (new.kind, new.name, new.location) == (kind, name, location)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "is no folder"),
        (["arxiv"], "which categories"),
        (["arxiv", "cs.DC", "c s"], "no category"),
        (["https://a.example", "https://b.example"], "one address"),
        (["https://"], "no host name"),
        (["no/such/folder"], "paperwatch ingest"),
    ],
)
def test_words_that_name_no_source_are_told_what_would(words: list[str], complaint: str) -> None:
    with pytest.raises(UnclearSourceError, match=complaint):
        described(words or [""], NOW, feeds=FEEDS)


def test_sources_are_added_listed_paused_and_removed(tmp_path: Path) -> None:
    samples = str(ROOT / "samples")
    (added,) = printed(paperwatch("sources", "add", samples, "--name", "Samples", "--json", cwd=tmp_path))
    assert (added["kind"], added["paused"]) == ("folder", False)
    checked = printed(paperwatch("sources", "check", "samples", "--json", cwd=tmp_path))
    assert checked["totals"]["new"] >= 36
    assert paperwatch("sources", "pause", "Samples", cwd=tmp_path).returncode == 0
    (listed,) = printed(paperwatch("sources", "list", "--json", cwd=tmp_path))
    assert listed["paused"] is True
    assert listed["last_batch"] == "2025-11-20"
    assert paperwatch("sources", "resume", str(listed["id"]), cwd=tmp_path).returncode == 0
    assert "well" in paperwatch("sources", "list", cwd=tmp_path).stdout
    assert paperwatch("sources", "remove", samples, cwd=tmp_path).returncode == 0
    assert printed(paperwatch("sources", "list", "--json", cwd=tmp_path)) == []


def test_a_name_that_is_no_source_is_an_error_with_those_that_are(tmp_path: Path) -> None:
    paperwatch("sources", "add", "arxiv", "cs.DC", cwd=tmp_path)
    result = paperwatch("sources", "check", "nothing", cwd=tmp_path)
    assert result.returncode == 1
    assert "arXiv cs.DC" in result.stderr
    assert "Traceback" not in result.stderr


def test_opml_becomes_sources_once(tmp_path: Path) -> None:
    (tmp_path / "feeds.opml").write_text(OPML)
    first = printed(paperwatch("sources", "import", "feeds.opml", "--json", cwd=tmp_path))
    assert [(s["name"], s["kind"]) for s in first] == [("Buckets", "feed"), ("arXiv", "arxiv")]
    again = printed(paperwatch("sources", "import", "feeds.opml", "--json", cwd=tmp_path))
    assert [s["id"] for s in again] == [s["id"] for s in first]


def test_an_address_is_read_only_where_private_ones_are_allowed(tmp_path: Path) -> None:
    from datetime import date

    papers = make_papers(date(2025, 11, 10), date(2025, 11, 18), set(), seed=3)
    with FakeArxiv(papers, Clock(NOW), set()).serving() as port:
        url = f"http://127.0.0.1:{port}/api/query?start=0&max_results=20"
        refused = paperwatch("ingest", url, "--json", cwd=tmp_path)
        assert refused.returncode == 1
        assert "refused" in json.loads(refused.stdout)["sources"][0]["error"]
        read = printed(
            paperwatch("ingest", url, "--json", cwd=tmp_path, PAPERWATCH_ALLOW_PRIVATE_ADDRESSES="true")
        )
    assert read["sources"][0]["format"] == "arxiv-api"
    assert read["totals"]["new"] == len(papers)


def test_a_doctor_without_complaints_ends_with_zero(tmp_path: Path) -> None:
    paperwatch("sources", "add", str(ROOT / "samples"), cwd=tmp_path)
    paperwatch("sources", "check", "samples", cwd=tmp_path)
    result = paperwatch("doctor", cwd=tmp_path)
    assert (result.returncode, result.stdout.strip()) == (0, "all is well"), result.stdout


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "database"),
        ({"PAPERWATCH_HOST": "0.0.0.0"}, "PAPERWATCH_BASE_URL"),  # noqa: S104  # the case that is tested
        ({"PAPERWATCH_SMTP_HOST": "mail.example.org"}, "PAPERWATCH_MAIL_FROM"),
        ({"PAPERWATCH_WATCH": "/no/such/folder"}, "PAPERWATCH_WATCH"),
    ],
    ids=["an empty database", "links that lead nowhere", "a sender nobody accepts", "a missing folder"],
)
def test_the_doctor_complains_with_what_to_do(tmp_path: Path, settings: dict[str, str], what: str) -> None:
    result = paperwatch("doctor", "--json", cwd=tmp_path, **settings)
    report = json.loads(result.stdout)
    assert result.returncode == 1
    assert report["ok"] is False
    found = {each["what"]: each for each in report["findings"]}
    assert found[what]["to_do"]
