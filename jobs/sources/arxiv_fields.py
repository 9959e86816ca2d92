"""What arXiv's formats have in common: announcement days, the abstract's prefix, withdrawals, categories."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")

# As in: arXiv:2605.12443v1 Announce Type: cross Abstract: …
_PREFIX = re.compile(
    r"\s*arXiv:(?P<id>\S{1,40})\s+Announce Type:\s*(?P<type>[a-z-]+)\s*(?:Abstract:\s*)?", re.IGNORECASE
)
_YEAR_NOUGHT = re.compile(r"\s00\d\d\s")
_CATEGORY = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z]{2}(?:[a-z-]*[a-z])?)?")

_WORK = r"(?:paper|article|manuscript|submission|pre-?print|e-?print|work|note|letter|report|thesis|version)"
_STATES_WITHDRAWAL = re.compile(
    rf"(?:^|[.;:!(\[]\s*)"  # the start of a sentence
    rf"(?:(?:this|the)\s+(?:\w+\s+)?{_WORK}\s+(?:has|have|is|was|had)\s+(?:\w+\s+){{0,3}}?(?:been\s+)?"
    rf"(?:\w+\s+)?withdrawn\b(?!\s+(?:from\s+(?:the\s+)?(?:journal|market|sale|publication|conference)))"
    rf"|{_WORK}\s+(?:has\s+been\s+)?withdrawn\b"
    rf"|withdrawn\s*(?:$|[.;:,)\]]|(?:by|due|because|for|pending|as|since|temporarily|until|in|on)\b)"
    rf"|(?:the\s+)?authors?\s+(?:has|have)\s+(?:\w+\s+)?withdrawn\s+(?:this|the)\s+{_WORK})",
    re.IGNORECASE,
)
_ABSTRACT_IS_WITHDRAWAL = re.compile(
    rf"\W*(?:this\s+(?:\w+\s+)?{_WORK}\s+(?:has\s+been|is|was|have\s+been)\s+(?:\w+\s+)?withdrawn\b"
    rf"|(?:{_WORK}\s+)?(?:has\s+been\s+)?withdrawn\b"
    rf"|(?:the\s+)?authors?\s+(?:has|have)\s+(?:\w+\s+)?withdrawn\s+this)",
    re.IGNORECASE,
)


def without_prefix(description: str) -> tuple[str, str]:
    """The abstract without the prefix that arXiv's feeds give it, and the announce type found in there."""
    found = _PREFIX.match(description)
    if found is None:
        return description, ""
    return description[found.end() :], found["type"].lower()


def is_withdrawn(comment: str, abstract: str) -> bool:
    """Whether the comment or the abstract says, in arXiv's standard form, that this paper was withdrawn.

    The form is a sentence such as "This paper has been withdrawn by the author" anywhere in the comment, or
    at the start of the abstract; a paper about withdrawn drugs or funds is none.
    """
    return bool(("ithdr" in comment or "ITHDR" in comment) and _STATES_WITHDRAWAL.search(comment)) or bool(
        "ithdr" in abstract[:400] and _ABSTRACT_IS_WITHDRAWAL.match(abstract)
    )


def split_categories(text: str) -> tuple[str, ...]:
    """Categories from a string that separates them by spaces, each once, the primary one first."""
    return tuple(dict.fromkeys(name for name in text.split() if _CATEGORY.fullmatch(name)))


def instant(text: str) -> datetime | None:
    """The moment that an RFC 822 or ISO 8601 date names, in UTC; None if it names none that exists."""
    text = text.strip()
    # Years written as 0001 would be read as 2001, as the mail standard wants of two digits.
    if not text or len(text) > 64 or _YEAR_NOUGHT.search(text):
        return None
    try:
        moment = parsedate_to_datetime(text) if text[0].isalpha() else datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    # Year 1 and year 9999 stand for "no date" in many a database; no source means them.
    return moment if 1600 < moment.year < 2200 else None


def eastern_day(moment: datetime) -> date:
    """The day in arXiv's own time zone, US Eastern."""
    return moment.astimezone(EASTERN).date()


def announcement_day(submitted: datetime) -> date:
    """The day under whose date arXiv's schedule announces a paper submitted at this moment.

    Submissions up to 14:00 US Eastern, Monday to Friday, are announced at 20:00 that evening (Friday's on
    Sunday), and the feeds carry them under the next day: https://info.arxiv.org/help/availability.html.
    Holidays and papers on hold come later, so this is the earliest day; a feed that states the day knows
    better.
    """
    local = submitted.astimezone(EASTERN)
    day = local.date()
    if (local.hour, local.minute, local.second) > (14, 0, 0) or day.weekday() > 4:
        day += timedelta(days=1)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day + timedelta(days=3 if day.weekday() == 4 else 1)


def why_no_papers(day: date | None) -> str:
    """What an arXiv feed without papers means, by its own date."""
    if day is None:
        return "no papers announced"
    named = f"{day:%A} {day.isoformat()}"
    if day.weekday() > 4:
        return f"no announcement on {named}: arXiv's feeds carry papers Monday to Friday"
    return f"no papers announced on {named}: a holiday, or the announcement is not out yet"
