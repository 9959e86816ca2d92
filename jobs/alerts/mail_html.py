"""The HTML part: shared fragments per paper, joined for each reader."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from jobs.alerts import wording
from jobs.alerts.digest import BARS, Digest, Item, Section
from jobs.alerts.digest_links import DigestLinks
from jobs.alerts.fragment import Fragment, fragment, text
from jobs.alerts.readable import readable
from recommender.paper import Paper

# Gmail cuts a mail at 102 kB; papers that do not fit under this are listed by title.
MAX_BYTES = 100_000
_LEAVING = 20_000  # bytes of links that leave one profile; the preferences have the others


def render(digest: Digest, links: DigestLinks, subject: str, sender_name: str) -> bytes:
    """The whole HTML part as ASCII with CRLF line ends, under 100 kB whatever the digest holds."""
    frame = _shared("frame.html")
    around = {
        "subject": text(subject),
        "preheader": text(wording.preheader(digest)),
        "home": text(links.home),
        "from": text(sender_name),
        "day": text(wording.local_day(digest.at, digest.zone)),
        "heading": text(wording.heading(digest)),
        "body": b"",
        "foot": _foot(digest, links, readable(digest.receipt.line)),
    }
    room = MAX_BYTES - len(frame.fill(around))
    return frame.fill(around | {"body": _body(digest, links, room)})


def _body(digest: Digest, links: DigestLinks, room: int) -> bytes:
    blocks: list[bytes] = []
    if not digest.papers and digest.receipt.why_empty:
        blocks.append(_shared("quiet.html").fill({"text": text(readable(digest.receipt.why_empty))}))
    heads = [_section(section) if len(digest.sections) > 1 else b"" for section in digest.sections]
    room -= _size(blocks) + _size(heads)
    whole = [
        [_item(item, section.profile_id, links) for item in section.items] for section in digest.sections
    ]
    short, room = _shortened(digest, whole, room)
    for section, head, papers, titles in zip(digest.sections, heads, whole, short, strict=True):
        blocks += [head] if head else []
        blocks += [block for block, title in zip(papers, titles, strict=True) if title is None]
        blocks += _titles("{} more, by title to keep this mail short", [title for title in titles if title])
        near, room = _fitting([_near(item.paper) for item in section.near], room)
        blocks += _titles("Near misses ({})", near)
    if missing := sum(titles.count(b"") for titles in short):
        blocks.append(_title(f"{wording.count(missing)} more in the text of this mail"))
    return b"\r\n".join(blocks)


def _size(blocks: Sequence[bytes]) -> int:
    """Bytes that these blocks take, each on lines of its own."""
    return sum(map(len, blocks)) + 2 * len(blocks)


def _shortened(
    digest: Digest, whole: Sequence[Sequence[bytes]], room: int
) -> tuple[list[list[bytes | None]], int]:
    """For each paper None where all of it fits, else its title; and the room that is left.

    Every paper has the room of its title first, so that none is missing; of hundreds of papers, for which
    even that is too much, the last ones have an empty title.
    """
    spare = room - sum(map(_size, whole))
    if spare >= 0:
        return [[None] * len(papers) for papers in whole], spare
    titles = [[_near(item.paper) for item in section.items] for section in digest.sections]
    headings = (1 + sum(map(bool, titles))) * (len(_title(_LONGEST)) + 2)
    spare = room - headings - sum(map(_size, titles))
    for names in reversed(titles):
        for at in reversed(range(len(names))):
            if spare < 0:
                spare += len(names[at]) + 2
                names[at] = b""
    found: list[list[bytes | None]] = []
    for papers, names in zip(whole, titles, strict=True):
        kept: list[bytes | None] = []
        for block, title in zip(papers, names, strict=True):
            fits = bool(title) and len(block) - len(title) <= spare
            spare -= len(block) - len(title) if fits else 0
            kept.append(None if fits else title)
        found.append(kept)
    return found, spare


_LONGEST = "1000 more, by title to keep this mail short"


def _fitting(rows: Sequence[bytes], room: int) -> tuple[list[bytes], int]:
    """The first of these titles for which there is room, a heading's included, and the room that is left."""
    taken: list[bytes] = []
    left = room - len(_title(_LONGEST)) - 2
    for row in rows:
        if len(row) + 2 > left:
            break
        left -= len(row) + 2
        taken.append(row)
    return (taken, left) if taken else ([], room)


def _titles(heading: str, rows: Sequence[bytes]) -> list[bytes]:
    return [_title(heading.format(len(rows))), *rows] if rows else []


def _item(item: Item, profile_id: int, links: DigestLinks) -> bytes:
    why = (
        [_shared("why.html").fill({"label": b"Why:", "text": text(readable(item.reason))})]
        if item.reason
        else []
    )
    if item.similar:
        others = b", ".join(_similar(paper) for paper in item.similar[:5])
        why.append(_shared("why.html").fill({"label": b"Similar:", "text": others}))
    if item.explore is not None:
        why.append(_shared("why.html").fill({"label": b"Explore:", "text": _EXPLORE}))
    return _paper(item.paper).fill(
        {
            "bar": _bar(item.strength),
            "score": text(wording.score_in_words(item)),
            "why": b"\r\n".join(why),
            "rate": links.rate[profile_id, item.paper.id].encode("ascii"),
        }
    )


_EXPLORE = b"a pick from outside your usual range, to learn what else you like."


def _foot(digest: Digest, links: DigestLinks, receipt: str) -> bytes:
    leave = [_leave(section, links) for section in digest.sections if section.profile_id in links.leave]
    while _size(leave) > _LEAVING:
        leave.pop()
    return _shared("foot.html").fill(
        {
            "receipt": text(receipt),
            "preferences": links.preferences.encode("ascii"),
            "leave": b"".join(leave),
            "unsubscribe": links.unsubscribe.encode("ascii"),
        }
    )


def _leave(section: Section, links: DigestLinks) -> bytes:
    address = links.leave[section.profile_id]
    name = wording.ellipsis(readable(section.profile_name), 40)
    return _shared("leave.html").fill({"unsubscribe": address.encode("ascii"), "name": text(name)}) + b"\r\n"


def _section(section: Section) -> bytes:
    name, papers = readable(section.profile_name), wording.count(len(section.items))
    return _shared("section.html").fill({"name": text(name), "papers": text(papers)})


@lru_cache(maxsize=256)
def _title(words: str) -> bytes:
    return _shared("list.html").fill({"text": text(words)})


@lru_cache(maxsize=16)
def _shared(template: str) -> Fragment:
    return fragment(template)


@lru_cache(maxsize=8)
def _bar(strength: str) -> bytes:
    return fragment("bar.html", filled=BARS[strength], strength=strength).fill({})


@lru_cache(maxsize=4096)
def _paper(paper: Paper) -> Fragment:
    return fragment(
        "paper.html",
        title=wording.ellipsis(wording.title(paper), 320),
        address=wording.address(paper),
        addresses=wording.addresses(paper),
        facts=wording.facts(paper),
        provenance=wording.provenance(paper),
        blurb=wording.blurb(paper),
    )


@lru_cache(maxsize=4096)
def _near(paper: Paper) -> bytes:
    return fragment(
        "near.html", title=wording.ellipsis(wording.title(paper), 200), address=wording.address(paper)
    ).fill({})


@lru_cache(maxsize=4096)
def _similar(paper: Paper) -> bytes:
    short = wording.ellipsis(wording.title(paper), 120)
    return fragment("similar.html", title=short, address=wording.address(paper)).fill({})
