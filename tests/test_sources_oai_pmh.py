"""OAI-PMH answers: records in three formats, tokens, deletions and every error code."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from jobs.sources import oai_pmh
from jobs.sources.parsed import SourceError

FEEDS = Path(__file__).parent / "data" / "feeds"
ANSWER = b"""<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">
<responseDate>2026-06-10T02:40:00Z</responseDate><request>https://oaipmh.arxiv.org/oai</request>%s</OAI-PMH>"""


def parse(name: str) -> oai_pmh.Parsed:
    return oai_pmh.parse((FEEDS / name).read_bytes())


def test_an_arxiv_record_becomes_a_paper() -> None:
    parsed = parse("oai_arxiv.xml")
    (paper,) = parsed.papers
    assert (paper.id, paper.title) == ("arxiv:2606.00101", "When n<m and p<q: queues that never drain")
    assert paper.authors == ("André León", "J. L. Smith Jr.", "TIDE Collaboration")
    assert paper.institutions == ("University of X",)
    assert paper.categories == ("cs.DC", "math.PR")
    assert (paper.doi, paper.journal_ref, paper.comment) == (
        "10.1000/queue.7",
        "J. Queues 1 (2026)",
        "12 pages",
    )
    assert (paper.abstract, paper.version) == ("We show that a queue never drains.", None)


def test_neither_datestamp_nor_creation_is_taken_for_the_announcement() -> None:
    (paper,) = parse("oai_arxiv.xml").papers
    # Created on Friday 5 June: announced on Sunday, in Monday's feed.
    assert paper.announced == date(2026, 6, 8)
    (raw,) = parse("oai_raw.xml").papers
    # A second after Friday's deadline: announced on Monday evening.
    assert raw.announced == date(2026, 6, 9)


def test_token_response_date_and_deleted_records_are_handed_on() -> None:
    parsed = parse("oai_arxiv.xml")
    assert parsed.next_page == "verb%3DListRecords%26skip%3D2"
    assert parsed.cursor == "2026-06-10T02:40:00Z"
    assert parsed.deleted == ("arxiv:2606.00999",)
    assert parsed.rejected == ()
    assert parse("oai_raw.xml").next_page == ""


def test_raw_records_have_versions_and_the_mark_of_a_withdrawn_one() -> None:
    (paper,) = parse("oai_raw.xml").papers
    assert (paper.version, paper.withdrawn) == (2, True)
    assert paper.authors == ("André León", "TIDE Collaboration", "A. Wave")
    data = (FEEDS / "oai_raw.xml").read_bytes().replace(b"<source_type>I<", b"<source_type>D<")
    assert not oai_pmh.parse(data).papers[0].withdrawn


def test_dublin_core_takes_its_categories_from_the_sets() -> None:
    (paper,) = parse("oai_dc.xml").papers
    assert (paper.id, paper.authors) == ("arxiv:2606.00101", ("André León", "J. L. Smith"))
    assert paper.categories == ("cs.DC", "cond-mat.stat-mech", "math-ph")
    assert (paper.doi, paper.comment) == ("10.1000/queue.7", "12 pages")


def test_other_archives_are_known_by_doi_or_identifier() -> None:
    data = (FEEDS / "oai_dc.xml").read_bytes()
    data = data.replace(b"oai:arXiv.org:2606.00101", b"oai:zenodo.org:77").replace(
        b"http://arxiv.org/abs/2606.00101", b"x"
    )
    assert oai_pmh.parse(data).papers[0].id == "doi:10.1000/queue.7"
    without = data.replace(b"doi:10.1000/queue.7", b"https://zenodo.example/77")
    paper = oai_pmh.parse(without).papers[0]
    assert paper.id.startswith("hash:")
    assert (paper.url, paper.keywords) == ("https://zenodo.example/77", ("Distributed Computing",))


def test_no_records_match_is_a_valid_empty_answer() -> None:
    parsed = oai_pmh.parse(ANSWER % b"<error code='noRecordsMatch'>Nothing.</error>")
    assert (parsed.papers, parsed.note) == ((), "no records changed in the time asked for")
    assert parsed.cursor == "2026-06-10T02:40:00Z"


@pytest.mark.parametrize(
    ("code", "permanent", "to_do"),
    [
        ("badArgument", True, "correct the dates"),
        ("badResumptionToken", False, "starts again from its date"),
        ("badVerb", True, "correct the verb"),
        ("cannotDisseminateFormat", True, "ask for metadataPrefix arXiv"),
        ("idDoesNotExist", True, "correct the identifier"),
        ("noMetadataFormats", True, "another record"),
        ("noSetHierarchy", True, "without a set"),
        ("unheardOf", True, "correct the address"),
    ],
)
def test_every_error_code_says_what_to_do(code: str, permanent: bool, to_do: str) -> None:
    data = ANSWER % f"<error code='{code}'>The reason.</error>".encode()
    with pytest.raises(SourceError, match="The reason") as caught:
        oai_pmh.parse(data)
    assert to_do in str(caught.value)
    assert caught.value.permanent is permanent


@pytest.mark.parametrize("verb", ["Identify", "ListSets", "ListMetadataFormats"])
def test_answers_to_other_verbs_hold_no_papers_and_say_so(verb: str) -> None:
    parsed = oai_pmh.parse(ANSWER % f"<{verb}><x/></{verb}>".encode())
    assert verb in parsed.note


def test_an_answer_without_anything_is_asked_again() -> None:
    with pytest.raises(SourceError, match="without records") as caught:
        oai_pmh.parse(ANSWER % b"")
    assert not caught.value.permanent


def test_bad_records_are_rejected_with_their_place_and_good_ones_kept() -> None:
    good = (FEEDS / "oai_arxiv.xml").read_bytes()
    start, end = good.index(b"<record>"), good.index(b"</record>") + 9
    record = good[start:end]
    bad = record.replace(b"<title>", b"<nope>").replace(b"</title>", b"</nope>")
    no_metadata = b"<record><header><identifier>oai:arXiv.org:2606.00105</identifier></header></record>"
    parsed = oai_pmh.parse(good[:start] + bad + no_metadata + good[start:])
    assert [paper.id for paper in parsed.papers] == ["arxiv:2606.00101"]
    assert [(each.where, each.why) for each in parsed.rejected] == [
        ("record 1", "arxiv:2606.00101 has no title"),
        ("record 2", "no metadata in it"),
    ]


def test_a_cut_answer_keeps_the_records_before_the_cut() -> None:
    good = (FEEDS / "oai_arxiv.xml").read_bytes()
    start, end = good.index(b"<record>"), good.index(b"</record>") + 9
    second = good[start:end].replace(b"2606.00101", b"2606.00102")
    doubled = good[:end] + second + good[end:]
    parsed = oai_pmh.parse(doubled[: doubled.rindex(b"<abstract>")])
    assert [paper.id for paper in parsed.papers] == ["arxiv:2606.00101"]
    assert "stops inside it" in parsed.rejected[-1].why
