"""arXiv's mailings: daily listings and subscription mails."""

from __future__ import annotations

import base64
import quopri
from datetime import date
from pathlib import Path

import pytest

from jobs.sources import arxiv_mail
from jobs.sources.parsed import SourceError

LISTING = (Path(__file__).parent / "data" / "feeds" / "listing.txt").read_bytes()
SHARED = Path(__file__).parents[2] / "shared" / "data" / "feeds" / "mailing"


def test_a_listing_has_new_crossed_and_replaced_papers_of_one_day() -> None:
    parsed = arxiv_mail.parse(LISTING)
    new, crossed, replaced = parsed.papers
    # The span ends on Tuesday's deadline: announced that evening, Wednesday's batch.
    assert parsed.batch == new.announced == date(2026, 6, 10)
    assert (new.id, new.version, new.announce_type) == ("arxiv:2606.00101", 1, "new")
    assert new.title == "When n<m and p<q: queues that never drain"
    assert new.authors == ("André León", "J. L. Smith", "Ada Byron", "The TIDE Collaboration")
    assert new.abstract == "We show that a queue never drains, for 5% of all loads."
    assert (new.categories, new.comment) == (("cs.DC", "math.PR"), "12 pages, 3 figures")
    assert (crossed.announce_type, crossed.authors, crossed.authors_complete) == (
        "cross",
        ("A. Ford",),
        False,
    )
    assert (replaced.announce_type, replaced.version) == ("replace", None)
    assert (replaced.doi, replaced.journal_ref) == ("10.1000/tides.43", "J. Tides 4 (2026)")


def test_an_abstract_that_stops_short_is_kept_and_bad_entries_name_their_line() -> None:
    parsed = arxiv_mail.parse(LISTING)
    assert parsed.papers[1].abstract == "The river is crossed without"
    lines = LISTING.decode().split("\n")
    assert [each.why for each in parsed.rejected] == [
        "no arXiv id in it",
        "arxiv:2606.00101 was listed before; the first entry is kept",
    ]
    for reject in parsed.rejected:
        assert lines[int(reject.where.removeprefix("line ")) - 1] == "\\\\"


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_a_whole_mail_message_is_unpacked(encoding: str) -> None:
    packed = quopri.encodestring(LISTING) if encoding == "quoted-printable" else base64.encodebytes(LISTING)
    head = "From: no-reply@arxiv.org\nSubject: cs daily Subj-class mailing\nMIME-Version: 1.0\n"
    head += f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n"
    message = head.encode() + packed
    assert arxiv_mail.recognises(message)
    assert [paper.id for paper in arxiv_mail.parse(message).papers] == [
        paper.id for paper in arxiv_mail.parse(LISTING).papers
    ]


def test_carriage_returns_change_nothing() -> None:
    assert arxiv_mail.parse(LISTING.replace(b"\n", b"\r\n")).papers == arxiv_mail.parse(LISTING).papers


def test_without_a_time_span_the_mails_own_date_gives_the_day() -> None:
    data = LISTING.replace(b" received from", b" came in from")
    # Sent at 20:36 Eastern on Tuesday.
    assert arxiv_mail.parse(data).batch == date(2026, 6, 10)


def test_a_mail_without_entries_is_valid_and_other_text_is_not() -> None:
    head = LISTING[: LISTING.index(b"\\\\")]
    assert arxiv_mail.parse(head).note == "a mailing without entries"
    with pytest.raises(SourceError, match="no entries"):
        arxiv_mail.parse(b"Dear reader,\n\nnothing here.\n")
    assert arxiv_mail.recognises(head)
    assert not arxiv_mail.recognises(b"# A digest\n\n- **[arXiv2606]** a paper\n")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared mailings beside the project")
@pytest.mark.parametrize(
    ("name", "papers", "day"),
    [
        ("2026-01-23.txt", 5, date(2026, 1, 23)),
        ("2026-01-26.txt", 10, date(2026, 1, 26)),
        ("astro-ph__new.CO.txt", 23, date(2023, 3, 3)),
        ("q-fin__new.txt", 16, date(2023, 3, 17)),
        ("malformed.txt", 3, date(2026, 1, 22)),
    ],
)
def test_real_mailings_are_read_whole(name: str, papers: int, day: date) -> None:
    parsed = arxiv_mail.parse((SHARED / name).read_bytes())
    assert (len(parsed.papers), parsed.batch) == (papers, day)
    assert all(paper.authors and paper.categories for paper in parsed.papers)
