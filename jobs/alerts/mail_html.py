"""The HTML part: shared fragments per paper, joined for each reader."""

from __future__ import annotations

from functools import lru_cache

from jobs.alerts import wording
from jobs.alerts.digest import BARS, Digest, Item, Section
from jobs.alerts.digest_links import DigestLinks
from jobs.alerts.fragment import Fragment, fragment, text
from jobs.alerts.readable import readable
from recommender.paper import Paper

# Gmail cuts a mail at 102 kB; what does not fit under this is listed by title.
MAX_BYTES = 100_000
_RESERVE = 14_000


def render(digest: Digest, links: DigestLinks, subject: str, sender_name: str) -> bytes:
    """The whole HTML part as ASCII with CRLF line ends, under 100 kB whatever the digest holds."""
    receipt = digest.receipt
    return _shared("frame.html").fill(
        {
            "subject": text(subject),
            "preheader": text(wording.preheader(digest)),
            "home": text(links.home),
            "from": text(sender_name),
            "day": text(wording.local_day(digest.at, digest.zone)),
            "heading": text(wording.heading(digest)),
            "body": _body(digest, links),
            "foot": _foot(digest, links, readable(receipt.line)),
        }
    )


def _body(digest: Digest, links: DigestLinks) -> bytes:
    blocks: list[bytes] = []
    if not digest.papers and digest.receipt.why_empty:
        blocks.append(_shared("quiet.html").fill({"text": text(readable(digest.receipt.why_empty))}))
    room = MAX_BYTES - _RESERVE
    for section in digest.sections:
        if len(digest.sections) > 1:
            blocks.append(_section(section))
        left_out: list[Item] = []
        for item in section.items:
            block = _item(item, section.profile_id, links)
            if len(block) > room:
                left_out.append(item)
            else:
                room -= len(block)
                blocks.append(block)
        room -= _list_titles(
            blocks, f"{len(left_out)} more, by title to keep this mail short", left_out, room
        )
        room -= _list_titles(blocks, f"Near misses ({len(section.near)})", section.near, room)
    return b"\r\n".join(blocks)


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


def _list_titles(blocks: list[bytes], heading: str, items: tuple[Item, ...] | list[Item], room: int) -> int:
    """Append the titles that fit under a heading; returns the bytes used."""
    rows: list[bytes] = []
    used = 0
    for item in items:
        row = _near(item.paper)
        if used + len(row) > room:
            break
        used += len(row)
        rows.append(row)
    if rows:
        blocks.append(_title(heading))
        blocks.extend(rows)
    return used


def _foot(digest: Digest, links: DigestLinks, receipt: str) -> bytes:
    leave = [_leave(section, links) for section in digest.sections if section.profile_id in links.leave]
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
