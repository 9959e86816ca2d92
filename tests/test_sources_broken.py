"""Every feed parser on broken payloads: damaged in forty ways, and mutated at random."""

from __future__ import annotations

import gc
import gzip
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.sources import (
    arxiv_api,
    arxiv_mail,
    arxiv_rss,
    biorxiv,
    feed,
    formats,
    json_feed,
    oai_pmh,
    opml,
    safe_xml,
    snapshot,
)
from jobs.sources.parsed import Format, Parsed, SourceError

FEEDS = Path(__file__).parent / "data" / "feeds"
SECRET = "Zebra crossing 5519"
PARSERS: dict[str, Format] = {
    "arxiv_rss.xml": arxiv_rss,
    "arxiv_atom.xml": arxiv_rss,
    "arxiv_api.xml": arxiv_api,
    "oai_arxiv.xml": oai_pmh,
    "oai_raw.xml": oai_pmh,
    "oai_dc.xml": oai_pmh,
    "listing.txt": arxiv_mail,
    "biorxiv.json": biorxiv,
    "journal.rss": feed,
    "biorxiv.rdf": feed,
    "feed.json": json_feed,
    "snapshot.jsonl": snapshot,
}  # type: ignore[dict-item]  # a module is a Format, though mypy does not take one for it
GOOD = {name: (FEEDS / name).read_bytes() for name in PARSERS}
XML = [name for name, data in GOOD.items() if data.startswith(b"<?xml")]


def _declared(data: bytes, encoding: bytes) -> bytes:
    return re.sub(rb"encoding=['\"][^'\"]*['\"]", b"encoding='" + encoding + b"'", data, count=1)


def _with_doctype(data: bytes, doctype: bytes, used: bytes) -> bytes:
    """The document with a DOCTYPE before its root and a reference to the entity in every title."""
    declaration, end, rest = data.partition(b"?>")
    root = re.search(rb"<([\w:-]+)", rest)
    named = doctype.replace(b"ROOT", root[1] if root else b"x")
    return declaration + end + named + rest.replace(b"title>", b"title>" + used, 1)


def _bomb(levels: int, width: int) -> bytes:
    lines = [b'<!ENTITY l0 "lol">']
    lines += [b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * width) for n in range(1, levels)]
    return b"<!DOCTYPE ROOT [" + b"".join(lines) + b"]>"


def _halves_swapped(data: bytes) -> bytes:
    return data[len(data) // 2 :] + data[: len(data) // 2]


def _closed_early(data: bytes) -> bytes:
    return re.sub(rb"</(item|entry|record)>", rb"</\1></\1>", data, count=1)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "white space only": lambda _: b" \r\n\t" * 1000,
    "zero bytes only": lambda _: b"\0" * 5000,
    "zero byte amid": lambda d: d[: len(d) // 2] + b"\0" + d[len(d) // 2 :],
    "zero bytes everywhere": lambda d: d.replace(b" ", b"\0"),
    "control characters": lambda d: d.replace(b" a ", b" \x01\x08\x1b\x7f "),
    "a byte that is no UTF-8": lambda d: d.replace(b" a ", b" \xff ").replace(b"W", b"\xfe"),
    "Latin-1 said to be UTF-8": lambda d: d.replace(b" we ", b" \xe9\xe8 ").replace(b"W", b"\xdc"),
    "surrogates": lambda d: d.replace(b"W", b"\xed\xa0\x80"),
    "overlong": lambda d: d.replace(b"W", b"\xc0\x80"),
    "UTF-8 mark": lambda d: b"\xef\xbb\xbf" + d,
    "UTF-16 with mark": lambda d: d.decode().encode("utf-16"),
    "UTF-16 without mark": lambda d: d.decode().encode("utf-16-le"),
    "UTF-32": lambda d: d.decode().encode("utf-32"),
    "half of a UTF-16 unit": lambda d: d.decode().encode("utf-16")[:-1],
    "EBCDIC": lambda d: d.decode("ascii", "replace").replace("\ufffd", "?").encode("cp037"),
    "packed": gzip.compress,
    "random bytes": lambda _: bytes((n * 7919 + n // 251) % 256 for n in range(5000)),
    "HTML": lambda _: (
        b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Soon.</body></html>"
    ),
    "XHTML": lambda _: b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
    "plain words": lambda _: b"Service temporarily unavailable",
    "JSON null": lambda _: b"null",
    "twice": lambda d: d + d,
    "halves swapped": _halves_swapped,
    "the other line ends": lambda d: d.replace(b"\n", b"\r"),
    "no line ends": lambda d: d.replace(b"\n", b" "),
    "one line of a megabyte": lambda d: d + b"x" * 1_000_000,
    "a megabyte of spaces amid": lambda d: d.replace(b"We ", b"We " + b" " * 1_000_000, 1),
    "no closing brackets": lambda d: d.replace(b">", b"").replace(b"}", b""),
    "no quotes": lambda d: d.replace(b'"', b"").replace(b"'", b""),
    "tags in capitals": lambda d: re.sub(rb"<(/?)(\w+)", lambda m: b"<" + m[1] + m[2].upper(), d),
    "closed early": _closed_early,
    "bare ampersands": lambda d: d.replace(b"W", b"A&B & W").replace(b" a ", b" & a "),
    "unknown entities": lambda d: d.replace(b" and ", b" &nbsp;&eacute;&bogus; "),
    "character references to nowhere": lambda d: d.replace(b" a ", b" &#0;&#xD800;&#x110000;&#99999999999; "),
    "year nought": lambda d: re.sub(rb"\b(?:2026|2003|1999)\b", b"0000", d),
    "year 9999": lambda d: re.sub(rb"\b(?:2026|2003|1999)\b", b"9999", d),
    "day 99": lambda d: re.sub(rb"-06-\d\d", b"-99-99", d),
    "numbers without end": lambda d: re.sub(rb"(?<=[\":>v])\d+(?=[<\",])", b"9" * 5000, d),
    "ids without end": lambda d: d.replace(b"2606.00101", b"2606." + b"0" * 5000),
    "no ids": lambda d: re.sub(rb"2606\.\d+|10\.1\d+", b"", d),
    "other namespaces": lambda d: d.replace(b"http://", b"urn:x-"),
    "no namespaces": lambda d: re.sub(rb" xmlns(:\w+)?=['\"][^'\"]*['\"]", b"", d),
    "an attribute of a megabyte": lambda d: d.replace(b"<title", b"<title x='" + b"y" * 1_000_000 + b"'", 1),
    "unclosed CDATA": lambda d: d.replace(b"<title>", b"<title><![CDATA[", 1),
    "unclosed comment": lambda d: d.replace(b"<title>", b"<title><!--", 1),
    "ten thousand levels": lambda d: d.replace(b"<title>", b"<title>" + b"<b>" * 10_000, 1),
    "ten thousand attributes": lambda d: d.replace(
        b"<title", b"<title" + b"".join(b" a%d='1'" % n for n in range(10_000)), 1
    ),
    "two hundred thousand brackets": lambda d: d + b"[" * 200_000,
}
DOCTYPES: dict[str, tuple[bytes, bytes]] = {
    "a local file": (b'<!DOCTYPE ROOT [<!ENTITY x SYSTEM "file://%s">]>', b"&x;"),
    "a file through a parameter": (b'<!DOCTYPE ROOT [<!ENTITY %% p SYSTEM "file://%s"> %%p;]>', b"&x;"),
    "a page on the net": (b'<!DOCTYPE ROOT [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>', b"&x;"),
    "a DTD elsewhere": (b'<!DOCTYPE ROOT SYSTEM "http://127.0.0.1:9/x.dtd">', b"&x;"),
    "a public DTD": (b'<!DOCTYPE ROOT PUBLIC "-//X//Y" "http://127.0.0.1:9/x.dtd">', b""),
    "a billion laughs": (_bomb(10, 10), b"&l9;"),
    "a quadratic blow-up": (b'<!DOCTYPE ROOT [<!ENTITY x "' + b"A" * 50_000 + b'">]>', b"&x;" * 5_000),
    "an entity of itself": (b'<!DOCTYPE ROOT [<!ENTITY x "&y;"><!ENTITY y "&x;">]>', b"&x;"),
}


def outcome(parser: Format, data: bytes) -> Parsed | None:
    """What came of it; anything but a result or a `SourceError` fails the test, as does taking long."""
    began = time.process_time()
    try:
        parser.recognises(data[:65_536])
        parsed = parser.parse(data)
    except SourceError as error:
        assert str(error).strip()
        parsed = None
    assert time.process_time() - began < 5
    if parsed is not None:
        check(parsed)
    return parsed


def check(parsed: Parsed) -> None:
    assert all(reject.where and reject.why for reject in parsed.rejected)
    assert parsed.papers or parsed.rejected or parsed.note
    for paper in parsed.papers:
        assert paper.id.startswith(("arxiv:", "doi:", "hash:"))
        assert paper.title.strip()
        assert not {"\0", "\x01"} & set(paper.title + paper.abstract)
        assert paper.announced is None or 1900 < paper.announced.year < 2100
        assert paper.version is None or 0 < paper.version < 1000


def test_the_corpus_has_at_least_two_hundred_payloads() -> None:
    cut = sum(len(places(GOOD[name])) for name in GOOD)
    assert len(DAMAGES) * len(PARSERS) + len(DOCTYPES) * len(XML) + cut >= 200


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", PARSERS)
def test_a_damaged_payload_is_read_or_refused(name: str, damage: str) -> None:
    outcome(PARSERS[name], DAMAGES[damage](GOOD[name]))


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_registry_and_opml_read_or_refuse_what_is_damaged(damage: str) -> None:
    for name in PARSERS:
        try:
            check(formats.parse(DAMAGES[damage](GOOD[name])))
        except SourceError as error:
            assert str(error)
    try:
        assert opml.feeds(DAMAGES[damage]((FEEDS / "feeds.opml").read_bytes()))
    except SourceError as error:
        assert str(error)


@pytest.mark.parametrize(
    "damage",
    ["control characters", "UTF-8 mark", "UTF-16 with mark", "the other line ends", "bare ampersands",
     "unknown entities", "a byte that is no UTF-8", "other namespaces"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["arxiv_rss.xml", "arxiv_api.xml", "oai_arxiv.xml", "journal.rss"])
def test_mere_soiling_costs_no_paper(name: str, damage: str) -> None:
    parsed = outcome(PARSERS[name], DAMAGES[damage](GOOD[name]))
    assert parsed is not None
    whole = PARSERS[name].parse(GOOD[name])
    assert [paper.id for paper in parsed.papers] == [paper.id for paper in whole.papers]


@pytest.mark.parametrize("kind", DOCTYPES)
@pytest.mark.parametrize("name", XML)
def test_entities_read_no_file_and_explode_nowhere(name: str, kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    doctype, used = DOCTYPES[kind]
    doctype = doctype % bytes(secret) if b"%s" in doctype else doctype
    for encoding in ("utf-8", "utf-16"):
        data = _with_doctype(GOOD[name], doctype, used).decode().encode(encoding)
        parsed = outcome(PARSERS[name], data)
        assert SECRET not in repr(parsed)
        assert len(repr(parsed)) < 100_000


def places(data: bytes) -> list[int]:
    """Where to cut: at a dozen places far apart, and around every sort of mark once."""
    marks = (b"<", b">", b"=", b'"', b"&", b"\\", b"]]", b"</", b"{", b":", b"-----", b"<!")
    found = {data.find(mark, len(data) // 3) + 1 for mark in marks}
    return sorted((found | {len(data) * part // 12 for part in range(1, 12)}) - {0, len(data)})


@pytest.mark.parametrize("name", PARSERS)
def test_a_cut_payload_keeps_its_complete_entries_and_reports_the_cut(name: str) -> None:
    whole = PARSERS[name].parse(GOOD[name])
    kept: set[int] = set()
    for place in places(GOOD[name]):
        parsed = outcome(PARSERS[name], GOOD[name][:place])
        if parsed is None:
            continue
        kept.add(len(parsed.papers))
        ids = [paper.id for paper in whole.papers]
        assert [paper.id for paper in parsed.papers] == ids[: len(parsed.papers)]
        assert parsed.papers == whole.papers[: len(parsed.papers)], place
        if len(parsed.papers) < len(whole.papers) and name != "listing.txt":  # a listing has no end to miss
            assert parsed.rejected or parsed.note
    if PARSERS[name] not in (biorxiv, json_feed) and len(whole.papers) > 1:  # JSON is whole or nothing
        assert max(kept) >= 1


def test_a_payload_beyond_all_size_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_xml, "MAX_BYTES", 1000)
    for parser in (arxiv_rss, arxiv_api, oai_pmh, biorxiv, json_feed, feed):
        with pytest.raises(SourceError, match="at most 1,000"):
            parser.parse(b"<rss>" + b"x" * 2000)


# Each made a pattern in a parser take exponential or quadratic time at some point, or could.
STRETCHED = [
    b"%-", b"%", b"<!---->", b"<!DOCTYPE x [", b"<![CDATA[", b"<a ", b"<p ", b"&", b"&#", b"&amp;", b"\\",
    b"\\\\\n", b"(", b"10.", b"arXiv:", b"?", b"this paper ", b"]", b"<item>", b" ", b"-", b'"abstract"',
    b"{", b"<script>", b"<math ",
]  # fmt: skip


STARTS: list[tuple[bytes, Format]] = [
    (b"", arxiv_mail),
    (b"", feed),
    (b"", oai_pmh),
    (b"<rss version='2.0'><channel><item><title>", feed),
    (b"<rss><channel><item><title>T</title><link>https://x.example/", feed),
    (b"<rss><channel><item><title>T</title><dc:creator>", arxiv_rss),
    (b"<feed xmlns='http://www.w3.org/2005/Atom'><id>arxiv.org/api/</id><entry><summary>", arxiv_api),
    (b"<OAI-PMH><ListRecords><record><header/><metadata><dc><creator>", oai_pmh),
    (b"\\\\\narXiv:2606.00101\nTitle: T\nAuthors: A", arxiv_mail),
    (b'{"version":"https://jsonfeed.org/version/1","items":[{"title":"', json_feed),
    (b'{"id":"2606.00101","abstract":"","title":"', snapshot),
]  # type: ignore[list-item]


@pytest.mark.parametrize("piece", STRETCHED)
def test_repetition_takes_no_parser_long(piece: bytes) -> None:
    def cost(head: bytes, parser: Format, length: int, end: bytes) -> float:
        data = head + piece * (length // len(piece)) + end
        began = time.thread_time()
        outcome(parser, data)
        return time.thread_time() - began

    # What hundreds of other tests left is not looked through meanwhile: that took seconds.
    gc.freeze()
    try:
        for head, parser in STARTS:
            for end in (b"", b"<rss>"):
                # Under a second; on a busy machine so few times a tenth of it that nothing backtracks.
                assert cost(head, parser, 30_000, end) < max(1, 40 * cost(head, parser, 3_000, end))
    finally:
        gc.unfreeze()


TOKENS = [
    b"<", b">", b"</", b"/>", b"&", b";", b"&#", b"<![CDATA[", b"]]>", b"<!--", b"<?", b"\0", b"\xff",
    b"\xef\xbb\xbf", b"<item>", b"</item>", b"<entry>", b"</record>", b"<title>", b"\\\\\n",
    b"-" * 78 + b"\n", b"arXiv:", b"{", b"}", b"[", b"]", b'"', b"null", b"1e999", b"\\u0000", b"\\ud800",
    b"(", b"\\'", b"$", b"%", b"\n", b"\r", b"9" * 40,
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """One of the payloads with up to six cuts, doublings, swaps and insertions."""
    name = draw(st.sampled_from(sorted(PARSERS)))
    data = bytearray(GOOD[name])
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 200)))
        piece = draw(
            st.sampled_from([b"", bytes(data[start:end]) * 2, bytes(data[start:end][::-1]), *TOKENS])
            | st.binary(max_size=12)
        )
        data[start:end] = piece
    return name, bytes(data)


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_random_mutations_are_read_or_refused(case: tuple[str, bytes]) -> None:
    name, data = case
    outcome(PARSERS[name], data)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=300) | st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join))
def test_random_bytes_are_read_or_refused_by_every_parser(data: bytes) -> None:
    for parser in set(PARSERS.values()):
        outcome(parser, data)
