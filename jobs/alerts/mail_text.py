"""The text part, written for the eye: 76 columns, links on lines of their own."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from jobs.alerts import wording
from jobs.alerts.digest import BARS, Digest, Item
from jobs.alerts.digest_links import DigestLinks
from jobs.alerts.mime import quoted
from jobs.alerts.readable import readable
from recommender.paper import Paper

WIDTH = 76
# Latin, Greek and Cyrillic letters, punctuation and the cells of the bars: one column each.
_NARROW = re.compile(
    "[\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u25aa-\u25af]*"
)
_INDENT = "    "


def render(digest: Digest, links: DigestLinks) -> bytes:
    """The whole text part, quoted-printable with CRLF line ends.

    Blocks are encoded one by one, as each begins a line of its own; so those that all readers share are
    encoded once.
    """
    blocks = [quoted(f"{wording.heading(digest)}\n{wording.local_day(digest.at, digest.zone)}")]
    if not digest.papers and digest.receipt.why_empty:
        blocks.append(quoted(wrap(readable(digest.receipt.why_empty))))
    number = 0
    for section in digest.sections:
        if len(digest.sections) > 1:
            name = f"{readable(section.profile_name)} · {wording.count(len(section.items))}"
            blocks.append(quoted(f"{wrap(name)}\n{'-' * min(WIDTH, columns(name))}"))
        for item in section.items:
            number += 1
            blocks.append(_item(number, item, section.profile_id, links))
        if section.near:
            blocks.append(quoted(f"Near misses ({len(section.near)})"))
            blocks.extend(_miss(item.paper) for item in section.near)
    blocks.append(quoted(_foot(digest, links)))
    return b"\r\n\r\n".join(blocks) + b"\r\n"


def wrap(text: str, indent: str = "", first: str | None = None) -> str:
    """The text in lines of at most 76 columns, each after ``indent`` (the first after ``first``)."""
    start = indent if first is None else first
    room = WIDTH - len(indent)
    plain = _NARROW.fullmatch(text) is not None
    if plain and len(text) <= room:
        return start + text
    measure = len if plain else columns
    lines: list[str] = []
    line, used = "", 0
    for word in text.split():
        width = measure(word)
        if line and used + 1 + width <= room:
            line, used = f"{line} {word}", used + 1 + width
            continue
        if line:
            lines.append(line)
        *full, line = _broken(word, room) if width > room else [word]
        lines += full
        used = columns(line)
    lines.append(line)
    return start + f"\n{indent}".join(lines)


def columns(text: str) -> int:
    """How many terminal columns a text takes: two for wide characters, none for combining ones."""
    if _NARROW.fullmatch(text):
        return len(text)
    return sum(_columns(c) for c in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def _broken(word: str, room: int) -> list[str]:
    """A word wider than a line (Chinese has no spaces) in pieces that fit."""
    pieces, piece, used = [], "", 0
    for char in word:
        width = _columns(char)
        if used + width > room:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + char, used + width
    return [*pieces, piece]


def _item(number: int, item: Item, profile_id: int, links: DigestLinks) -> bytes:
    why = [wrap(f"Why: {readable(item.reason)}", _INDENT)] if item.reason else []
    if item.similar:
        titles = "; ".join(wording.ellipsis(wording.title(paper), 80) for paper in item.similar[:5])
        why.append(wrap(f"Similar: {titles}", _INDENT))
    if item.explore is not None:
        why.append(f"{_INDENT}Explore: a pick from outside your usual range.")
    rate = links.rate[profile_id, item.paper.id]
    head, addresses = _paper(item.paper, item.strength)
    reasons = quoted("\n".join(why)) + b"\r\n\r\n" if why else b""
    ratings = f"    more  {rate}/like\n    less  {rate}/dislike\n    save  {rate}/save"
    return b"%2d. %b\r\n\r\n%b%b%b" % (number, head, reasons, addresses, quoted(ratings))


@lru_cache(maxsize=8192)
def _paper(paper: Paper, strength: str) -> tuple[bytes, bytes]:
    """What every reader of this strength sees of a paper: what stands above the reasons, and its links.

    The first four columns are left to the number.
    """
    filled = BARS[strength]
    about = (
        f"{'▮' * filled}{'▯' * (4 - filled)} {strength}",
        wording.facts(paper),
        wording.provenance(paper),
    )
    head = [
        wrap(wording.ellipsis(wording.title(paper), 320), _INDENT),
        wrap(" · ".join(part for part in about if part), _INDENT),
    ]
    if blurb := wording.blurb(paper):
        head.append("\n" + wrap(blurb, _INDENT))
    addresses = "".join(f"    {label:5} {url}\n" for label, url in wording.addresses(paper))
    return quoted("\n".join(head))[len(_INDENT) :], quoted(addresses)


@lru_cache(maxsize=4096)
def _miss(paper: Paper) -> bytes:
    lines = wrap(wording.ellipsis(wording.title(paper), 200), "  ", first="- ")
    address = wording.address(paper)
    return quoted(f"{lines}\n  {address}" if address else lines)


def _foot(digest: Digest, links: DigestLinks) -> str:
    leave = "".join(
        f"\n\n{wrap(f'Leave “{readable(section.profile_name)}”:')}\n{links.leave[section.profile_id]}"
        for section in digest.sections
        if section.profile_id in links.leave
    )
    # "-- " begins a signature, which mutt and its like show in grey.
    return (
        f"-- \n{wrap(readable(digest.receipt.line))}\n\n"
        f"Preferences:\n{links.preferences}\n\nPause:\n{links.preferences}/delivery#pause{leave}\n\n"
        f"Unsubscribe:\n{links.unsubscribe}"
    )
