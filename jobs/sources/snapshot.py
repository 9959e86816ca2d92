"""arXiv's metadata snapshot: a JSON object a line, three million of them, read as a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import Any, BinaryIO

from jobs.sources.arxiv_fields import announcement_day, instant, is_withdrawn
from jobs.sources.author_names import plain_names, split_authors
from jobs.sources.parsed import Parsed, Rejection, SourceError
from jobs.sources.safe_json import loads
from recommender.paper import Paper, abs_url, paper_key
from recommender.paper import doi as find_doi

NAME = "arxiv-snapshot"

# The longest line of the real snapshot has about 120,000 bytes: a collaboration of three thousand authors.
MAX_LINE = 4 * 1024 * 1024

_LINE = re.compile(rb'\s*\{.*"(?:authors_parsed|abstract)"\s*:')
_NEW_ID = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5}")


def recognises(head: bytes) -> bool:
    """Whether the first line is the record of a paper: an object with id, title and abstract."""
    line = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
    return bool(_LINE.match(line)) and b'"id"' in line and b'"title"' in line


def parse(data: bytes) -> Parsed:
    """Read every line. For what does not fit into memory there is `stream`."""
    lines = data.split(b"\n")
    parsed = parse_lines(lines)
    if not parsed.papers and parsed.rejected:
        first = parsed.rejected[0]
        raise SourceError(f"snapshot: no line of it is a paper; {first.where}: {first.why}")
    return parsed


def stream(file: BinaryIO, lines: int = 5_000) -> Iterator[Parsed]:
    """Read a snapshot ``lines`` papers at a time, in memory that does not grow with the file."""
    pieces = _lines(file)
    number = 1
    while chunk := [line for _, line in zip(range(lines), pieces, strict=False)]:
        yield parse_lines(chunk, number)
        number += len(chunk)


def parse_lines(lines: Iterable[bytes], first_line: int = 1) -> Parsed:
    """Read some lines of a snapshot, of which the first is number ``first_line`` of the file.

    ``announced`` is the day that arXiv's schedule gives for the first version, since the snapshot states only
    when it was submitted. A line that is no record, or longer than `MAX_LINE`, is rejected; blank ones are
    passed over.
    """
    papers: list[Paper] = []
    rejected: list[Rejection] = []
    for number, line in enumerate(lines, first_line):
        if not line or line.isspace():
            continue
        try:
            if len(line) > MAX_LINE:
                raise ValueError(f"longer than {MAX_LINE:,} bytes")
            papers.append(_paper(loads(line.decode())))
        except (ValueError, RecursionError) as error:
            rejected.append(Rejection(f"line {number}", _reason(error)))
    note = "" if papers or rejected else "no lines in it"
    return Parsed(NAME, tuple(papers), tuple(rejected), note)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only so much that it is seen to be."""
    while line := file.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 1)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON ({error.msg} at character {error.pos + 1})"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 (byte {error.start + 1})"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _paper(record: Any) -> Paper:
    """One record. Raises ValueError with the reason if it is no paper."""
    if not isinstance(record, dict):
        raise ValueError("not an object")
    get = record.get
    key = _key(get("id"))
    title = _text(get("title"))
    if not title:
        raise ValueError(f"{key} has no title")
    abstract, comment = _text(get("abstract")), _text(get("comments"))
    authors, complete = _authors(get("authors_parsed"), get("authors"))
    version, submitted = _versions(get("versions"))
    categories = get("categories")
    stated_doi = get("doi")
    return Paper(
        id=key,
        title=title,
        version=version,
        abstract=abstract,
        authors=authors,
        authors_complete=complete,
        categories=_categories(categories) if isinstance(categories, str) else _strings(categories),
        url=abs_url(key),
        doi=find_doi(stated_doi) if isinstance(stated_doi, str) else "",
        journal_ref=_text(get("journal-ref")),
        comment=comment,
        announced=_announced(submitted) if submitted else _day(get("announced") or get("date")),
        withdrawn=is_withdrawn(comment, abstract),
    )


def _key(stated: Any) -> str:
    if not isinstance(stated, str):
        raise ValueError("no id in it")
    return f"arxiv:{stated}" if _NEW_ID.fullmatch(stated) else paper_key(stated.removeprefix("doi:"))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    # Abstracts are wrapped at 80 columns; splitting each into words costs three times as much.
    text = value.replace("\n", " ").strip()
    return " ".join(text.split()) if "  " in text or "\t" in text or "\r" in text else text


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str) and each) if isinstance(value, list) else ()


@lru_cache(maxsize=8192)
def _categories(text: str) -> tuple[str, ...]:
    """Three million papers share some ten thousand lists of categories."""
    return tuple(text.split())


def _authors(parsed: Any, written: Any) -> tuple[tuple[str, ...], bool]:
    """Names as arXiv split them into surname, given names, generation; else from the string or list."""
    if isinstance(parsed, list) and parsed:
        try:
            # The fourth and further parts are affiliations.
            names = [
                " ".join((given, last, kind)) if kind else " ".join((given, last))
                for last, given, kind in (parts[:3] for parts in parsed)
            ]
            return plain_names(names), True
        except (TypeError, ValueError):
            pass  # not names as arXiv splits them; the string says the same
    if isinstance(written, str):
        return split_authors(written)
    return plain_names(_strings(written)), True


def _versions(versions: Any) -> tuple[int | None, str]:
    """The number of the latest version and when the first was submitted."""
    if not isinstance(versions, list) or not versions:
        return None, ""
    first, last = versions[0], versions[-1]
    if not isinstance(first, dict) or not isinstance(last, dict):
        return None, ""
    number = str(last.get("version", "")).lstrip("v")
    created = first.get("created")
    return (
        int(number) if number.isascii() and number.isdigit() and len(number) < 4 else None,
        created if isinstance(created, str) else "",
    )


def _announced(created: str) -> date | None:
    """The announcement day of ``Mon, 2 Apr 2007 19:18:42 GMT``."""
    hour, colon, _ = created.partition(":")
    # Minutes matter at the deadline only, 18:00 or 19:00 UTC; without them, days are computed once an hour.
    return _scheduled(f"{hour}:00:00 GMT" if colon and hour[-3:] not in (" 18", " 19") else created)


@lru_cache(maxsize=65536)
def _scheduled(created: str) -> date | None:
    submitted = instant(created)
    return announcement_day(submitted) if submitted else None


def _day(value: Any) -> date | None:
    moment = instant(value) if isinstance(value, str) else None
    return moment.date() if moment else None
