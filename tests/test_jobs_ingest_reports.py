"""What operators and readers are told: receipts in words, differences, and the doctor's findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from db.records import Receipt, Source
from jobs import diagnosis, receipts
from jobs.revisions import diff
from tests.conftest import NOW


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        (
            Receipt(1, NOW, "x", batch=date(2025, 10, 28), received=12, new=9, outcome="papers"),
            "Tue 28 Oct: 12 papers, 9 new",
        ),
        (Receipt(1, NOW, "x", note="it is not out yet", outcome="not yet"), "it is not out yet"),
        (Receipt(1, NOW, "x", error="HTTP 503", outcome="error"), "HTTP 503"),
        (Receipt(1, NOW, "x", outcome="empty"), "nothing in it"),
    ],
)  # fmt: skip
def test_a_receipt_in_words(receipt: Receipt, words: str) -> None:
    assert receipts.result(receipt) == words


def test_a_diff_joins_to_both_texts() -> None:
    old, new = "We cache\nkeys and values.", "We cache all keys, and values  fast."
    segments = diff(old, new)
    assert "".join(s.text for s in segments if s.kind != "gone").split() == new.split()
    assert "".join(s.text for s in segments if s.kind != "new").split() == old.split()
    assert [s.text.strip() for s in segments if s.kind == "new"] == ["all keys,", "values fast."]
    assert diff("same  words", "same\nwords") == [segments[0].__class__("same", "same words")]


def _healthy() -> Source:
    return Source(
        1, "arXiv", "arxiv", "https://rss.arxiv.org/rss/cs.DC", 60, False, NOW, "", "",
        {"upto": "2025-11-20", "mark": "x"}, NOW.date(), NOW, "", 0, NOW - timedelta(days=90),
    )  # fmt: skip


SICK: dict[str, tuple[Callable[[Source], Source], str]] = {
    "paused for long": (lambda s: replace(s, paused=True, paused_at=NOW - timedelta(31)), "paused since"),
    "failing": (lambda s: replace(s, failures=4, last_error="HTTP 500"), "HTTP 500"),
    "never read": (lambda s: replace(s, failures=1, last_success_at=None, last_error="gone"), "never"),
    "never checked": (lambda s: replace(s, last_success_at=None), "never checked"),
    "stale": (lambda s: replace(s, cursor={"upto": "2025-11-18"}), "is due"),
    "not filled": (
        lambda s: replace(s, cursor={"upto": "2025-11-20", "missing": ["2025-11-10"]}), "not filled yet"
    ),
    "left alone": (lambda s: replace(s, next_check_at=NOW - timedelta(hours=9)), "wait to be checked"),
}  # fmt: skip


@pytest.mark.parametrize("case", SICK)
def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(case: str) -> None:
    spoil, said = SICK[case]
    late = NOW.replace(hour=20)
    healthy = replace(_healthy(), next_check_at=late)
    assert diagnosis.of_sources([healthy], {}, late) == []
    (finding,) = diagnosis.of_sources([spoil(healthy)], {}, late)
    assert said in finding.why
    assert finding.to_do


def test_the_doctor_sees_a_format_that_changed() -> None:
    torn = Receipt(1, NOW, "x", received=1, rejected=(("entry 1", "no title"),) * 5)
    (finding,) = diagnosis.of_sources([_healthy()], {1: torn}, NOW)
    assert "5 of 6 entries" in finding.why


def test_without_sources_the_doctor_says_how_to_add_one() -> None:
    (finding,) = diagnosis.of_sources([], {}, NOW)
    assert "sources add" in finding.to_do
