r"""arXiv's mailings: the daily listing of an archive or of a subscription, as text or as a whole mail
message.

An entry is a block between lines of dashes: fields, a line of two backslashes, the abstract, and the link.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from jobs.sources import decode
from jobs.sources.arxiv_fields import announcement_day, eastern_day, instant, is_withdrawn, split_categories
from jobs.sources.author_names import split_authors
from jobs.sources.parsed import Parsed, Rejection, SourceError
from recommender.paper import Paper, abs_url, arxiv_id, doi

NAME = "arxiv-mail"

_BLOCK_START = re.compile(r"\\\\\s*")
_LINK = re.compile(r"\\\\ \( ?(?P<link>https?://\S{1,200})")
_ID_LINE = re.compile(r"arXiv:\s?(?P<id>\S{1,40})(?P<rest>.{0,200})", re.IGNORECASE)
_FIELD = re.compile(r"(?P<name>[A-Z][A-Za-z]{1,15}(?:-[A-Za-z]{1,10})?):\s?(?P<value>.*)")
_KNOWN = frozenset(
    [
        "title",
        "author",
        "authors",
        "categories",
        "comments",
        "report-no",
        "journal-ref",
        "doi",
        "msc-class",
        "acm-class",
        "proxy",
        "license",
        "date",
    ]
)
_RECEIVED = re.compile(
    r"received from\s.{10,60}?\sto\s+(?P<until>\w{3}\s+\d{1,2} \w{3} \d{2,4} [\d:]{8} \w{3})", re.S
)
_LISTING = re.compile(
    rb"(?:^|\n)\\\\\r?\n(?:arXiv:|Paper: )|arxiv\.org, Subject: cancel|daily (?:Subj|title)",
    re.IGNORECASE,
)
_PACKED = re.compile(
    rb"(?im)^content-transfer-encoding:\s*(?:quoted-printable|base64)|^content-type:\s*multipart/"
)


def recognises(head: bytes) -> bool:
    """Whether this is an arXiv mailing: its blocks of two backslashes, or its standing lines of address."""
    return not head.lstrip().startswith((b"<", b"{")) and bool(_LISTING.search(head))


def parse(data: bytes) -> Parsed:
    """Read the listing; an entry without an id or title is rejected, one without an abstract is kept.

    ``batch`` is the announcement day that follows from the time span which the mail states. New submissions
    are version 1; which version a replacement is, the mail does not say. Raises `SourceError` if there is no
    listing.
    """
    text = _body(data)
    day = _day(text)
    papers: dict[str, Paper] = {}
    rejected: list[Rejection] = []
    blocks = list(_blocks(text))
    for block in blocks:
        try:
            paper = _paper(block, day)
        except ValueError as error:
            rejected.append(Rejection(f"line {block.line}", str(error)))
            continue
        if paper.id in papers:
            rejected.append(
                Rejection(f"line {block.line}", f"{paper.id} was listed before; the first entry is kept")
            )
        papers.setdefault(paper.id, paper)
    if not blocks and "Submissions to:" not in text and "received from" not in text:
        raise SourceError("arXiv mailing: no entries between lines of dashes; is this a listing of arXiv?")
    note = "" if blocks else "a mailing without entries"
    return Parsed(NAME, tuple(papers.values()), tuple(rejected), note, day)


@dataclass(frozen=True, slots=True)
class _Block:
    """One entry: the number of its first line, the lines of its fields, and its abstract."""

    line: int
    head: list[str]
    abstract: list[str]
    link: str
    complete: bool


def _body(data: bytes) -> str:
    """The text of the listing; a mail message is unpacked if its transfer encoding hides the text."""
    if _PACKED.search(data[:16384]):
        message = email.message_from_bytes(data, policy=email.policy.default)
        part = message.get_body(("plain",))
        payload = part.get_payload(decode=True) if part is not None else None
        if isinstance(payload, bytes) and payload.strip():
            dated = f"Date: {message.get('Date', '')}\n\n".encode(errors="replace")
            data = dated + payload
    return decode.text(data)


def _day(text: str) -> date | None:
    """The announcement day: of the end of the time span stated, else of the mail's own date."""
    if found := _RECEIVED.search(text[:8192]):
        until = instant(found["until"])
        return announcement_day(until) if until else None
    header = text[:8192].partition("\n\n")[0]
    sent = re.search(r"(?m)^Date:\s*(.{10,60})$", header) if re.match(r"[A-Z][\w-]{1,40}: ", header) else None
    moment = instant(sent[1]) if sent else None
    # The mail leaves at 20:00 Eastern, with what the feeds carry from midnight on.
    return eastern_day(moment + timedelta(hours=10)) if moment else None


def _blocks(text: str) -> Iterator[_Block]:
    """The entries, each from its first line of two backslashes to the next rule."""
    lines: list[str] = []
    first = 1
    for number, line in enumerate(text.split("\n"), 1):
        if not _is_rule(line):
            lines.append(line)
            continue
        yield from _block(first, lines, ruled=True)
        lines, first = [], number + 1
    yield from _block(first, lines, ruled=False)


def _is_rule(line: str) -> bool:
    """Whether the line is one of dashes and per-cent signs only, as between and below entries."""
    bare = line.rstrip()
    return len(bare) >= 20 and not bare.strip("-%")


def _block(first: int, lines: list[str], *, ruled: bool) -> Iterator[_Block]:
    """The entry among these lines, if there is one; it is complete if its link or a rule ends it."""
    start = next((i for i, each in enumerate(lines) if _BLOCK_START.fullmatch(each)), None)
    if start is None:
        return
    head: list[str] = []
    abstract: list[str] = []
    current = head
    link = ""
    for each in lines[start + 1 :]:
        if found := _LINK.match(each):
            link = found["link"]
            break
        if _BLOCK_START.fullmatch(each) and current is head:
            current = abstract
        else:
            current.append(each)
    yield _Block(first + start, head, abstract, link, complete=bool(link) or ruled)


def _paper(block: _Block, day: date | None) -> Paper:
    """One entry. Raises ValueError with the reason if it is no paper."""
    if not block.complete:
        raise ValueError("the listing stops inside it")
    stated = next((found for found in map(_ID_LINE.match, block.head) if found), None)
    found = arxiv_id(stated["id"]) if stated else arxiv_id(block.link)
    if found is None:
        raise ValueError("no arXiv id in it")
    fields = _fields(block.head)
    if not fields.get("title"):
        raise ValueError(f"arXiv:{found[0]} has no title")
    replaced = any(each.startswith("replaced with") for each in block.head[:6])
    crossed = "cross-listing" in (stated["rest"] if stated else "")
    kind = ("replace-cross" if crossed else "replace") if replaced else ("cross" if crossed else "new")
    authors, complete = split_authors(fields.get("authors") or fields.get("author", ""))
    abstract = " ".join(" ".join(block.abstract).split())
    key = f"arxiv:{found[0]}"
    return Paper(
        id=key,
        title=fields["title"],
        version=found[1] or (1 if kind == "new" else None),
        abstract=abstract,
        authors=authors,
        authors_complete=complete,
        categories=split_categories(fields.get("categories", "")),
        url=abs_url(key),
        doi=doi(fields.get("doi", "")),
        journal_ref=fields.get("journal-ref", ""),
        comment=fields.get("comments", ""),
        announced=day,
        announce_type=kind,
        withdrawn=is_withdrawn(fields.get("comments", ""), abstract),
    )


def _fields(lines: list[str]) -> dict[str, str]:
    """Field names in lower case with their values; a line that starts with white space continues one."""
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        found = _FIELD.match(line)
        if found and found["name"].lower() in _KNOWN:
            name = found["name"].lower()
            fields.setdefault(name, found["value"].strip())
        elif line.startswith((" ", "\t")) and name:
            fields[name] += f" {line.strip()}"
        else:
            name = ""
    return {name: " ".join(value.split()) for name, value in fields.items()}
