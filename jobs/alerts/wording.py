"""How a paper is put into words, the same in every mail, feed and page."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from jobs.alerts.digest import Digest, Item
from jobs.alerts.readable import clean, readable
from recommender.labels import is_institution
from recommender.paper import Paper, abs_url, arxiv_id

_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9À-ÞΑ-ΩА-Я])|(?<=[。！？])\s*")
# Words whose full stop ends no sentence (compared without case and without brackets).
_ABBREVIATED = (
    "al e.g i.e cf etc vs approx resp fig figs eq eqs sec secs ch no nos ref refs thm prop lem dr prof "
    "mr mrs ms st jr sr inc ltd dept univ a.k.a w.r.t s.t u.s u.k p.m a.m ca viz ver vol pp ed eds"
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
# Abbreviations after which a capital letter usually does begin a sentence.
_MAY_END = frozenset({"al", "etc", "a.k.a", "u.s", "u.k", "p.m", "a.m", "inc", "ltd"})
_MAY_FOLLOW = re.compile(
    r"(?:We|In|The|This|These|Our|It|To|However|Here|A|An|But|Moreover|Yet|On|For|Existing)\b"
)
PARTS = 3
"""So many parts of a score are named in a mail; the others are summed."""
_SAYS_NOTHING = frozenset({"", "tbd", "n/a", "none", "-"})
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def title(paper: Paper) -> str:
    """The title on one line, never empty."""
    return readable(paper.title) or paper.id


def authors(paper: Paper, shown: int = 3) -> str:
    """All authors where they are few, else the first ones and the last: ``A, B, … Z (10)``."""
    names = [name for name in map(readable, paper.authors) if name]
    if not names:
        return ""
    if not paper.authors_complete:
        return ", ".join(names[:shown]) + " et al."
    if len(names) <= shown + 1:
        return ", ".join(names)
    return f"{', '.join(names[: shown - 1])}, … {names[-1]} ({len(names)})"


def institutions(paper: Paper, characters: int = 60) -> str:
    """As many institutions as fit, at least one, and how many more there are: ``Huawei, CMU +3``."""
    named = (name for name in paper.institutions if is_institution(name))
    names = [ellipsis(name, characters) for name in map(readable, named) if name]
    shown = names[:1]
    for name in names[1:]:
        if len(", ".join([*shown, name])) > characters:
            break
        shown.append(name)
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" +{more}" if more else "")


def who(paper: Paper) -> str:
    """Authors and institution, dot-separated."""
    return " · ".join(part for part in (authors(paper), institutions(paper)) if part)


def facts(paper: Paper) -> str:
    """What there is to know at a glance: authors, institution, categories, topics and day, dot-separated."""
    parts = [
        who(paper),
        clean(" ".join(paper.categories[:4])),
        ", ".join(readable(topic) for topic in paper.topics[:2]),
        day(paper.announced) if paper.announced else "",
    ]
    return " · ".join(part for part in parts if part)


def provenance(paper: Paper) -> str:
    """Where else it was seen and which version this is: ``also in: weekly mlsys digest · v2``."""
    also = ", ".join(clean(name) for name in paper.sources[1:4])
    parts = [f"also in: {also}" if also else "", f"v{paper.version}" if paper.version else ""]
    return " · ".join(part for part in parts if part)


def blurb(paper: Paper, sentences: int = 3, characters: int = 420) -> str:
    """The first two or three sentences of what the paper says of itself, or of somebody's summary of it.

    A short summary is preferred, being written for this; one that only repeats the title, or says TBD, says
    nothing and is left out.
    """
    title_only = {title(paper).casefold().rstrip("."), *_SAYS_NOTHING}
    for given in (paper.summary if len(paper.summary) <= characters else "", paper.abstract, paper.summary):
        text = readable(_beginning(given, 2 * characters))
        if text.casefold().rstrip(".") not in title_only:
            return shorten(text, sentences, characters)
    return ""


def _beginning(text: str, characters: int) -> str:
    """A text up to the first sentence's end beyond so many characters that no formula or group reaches over:
    LaTeX is slow to read, and the rest of an abstract would be cut away."""
    at = text.find(". ", characters)
    while at >= 0:
        head = text[: at + 1]
        if head.count("$") % 2 == 0 and head.count("{") == head.count("}"):
            return head
        at = text.find(". ", at + 1)
    return text


def shorten(text: str, sentences: int, characters: int) -> str:
    """At most so many whole sentences and characters; a first sentence that is too long is cut at a word."""
    chosen = ""
    for sentence in cut_sentences(text)[:sentences]:
        # Chinese and Japanese full stops carry their own space.
        longer = chosen + ("" if not chosen or chosen[-1] in "。！？" else " ") + sentence
        if len(longer) > characters:
            break
        chosen = longer
    return chosen or ellipsis(text, characters)


def cut_sentences(text: str) -> list[str]:
    """The sentences of a text, whole: full stops in ``et al.``, ``e.g.``, decimals and initials end none."""
    found: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if match.end() > start and not _goes_on(text[start : match.start()], text[match.end() :], match[0]):
            found.append(text[start : match.end()].strip())
            start = match.end()
    if text[start:].strip():
        found.append(text[start:].strip())
    return found


def _goes_on(before: str, after: str, mark: str) -> bool:
    """Whether the full stop between the two belongs to an abbreviation."""
    if not mark.startswith("."):
        return False
    word = before.rsplit(None, 1)[-1].lstrip("([\"'“‘").casefold() if before.strip() else ""
    if len(word) == 1 and word.isalpha():
        return True  # an initial: "J. Doe"
    if word not in _ABBREVIATIONS:
        return False
    return word not in _MAY_END or not _MAY_FOLLOW.match(after)


def ellipsis(text: str, characters: int) -> str:
    """The text cut at a word to at most so many characters, with … where something is missing."""
    if len(text) <= characters:
        return text
    cut = text[: characters - 1]
    at = cut.rfind(" ")
    # Without a space in its last half (Chinese, or one endless word) the text is cut where it is.
    return (cut[:at] if at > characters // 2 else cut).rstrip(" ,;:.–—-") + "…"


def short_title(paper: Paper, characters: int = 36) -> str:
    """What people call a paper: the name before the colon, else the first words of its title."""
    whole = title(paper)
    name, colon, _ = whole.partition(": ")
    return name if colon and len(name) <= characters else ellipsis(whole, characters)


def count(number: int, noun: str = "paper") -> str:
    """``1 paper``, ``1,200 papers``, ``no papers``."""
    many = f"{number:,}" if number else "no"
    return f"{many} {noun}{'' if number == 1 else 's'}"


def subject(digest: Digest, characters: int = 110) -> str:
    """``5 papers: ElasticMoE, Speculative Actions, …``, the profile's name in front if there are several."""
    names = [name for s in digest.sections if s.items and (name := readable(s.profile_name))]
    several = len(digest.sections) > 1 or digest.list_profile is not None
    front = f"{ellipsis(', '.join(names), 40)} · " if several and names else ""
    if not digest.papers:
        about = ", ".join(readable(s.profile_name) for s in digest.sections)
        return "No new papers" + (f" for {ellipsis(about, 60)}" if about else "")
    titles = [short_title(item.paper) for section in digest.sections for item in section.items]
    text = f"{front}{count(len(titles))}: {titles[0]}"
    for position, name in enumerate(titles[1:], start=2):
        more = f"{text}, {name}"
        if len(more) + (3 if position < len(titles) else 0) > characters:
            return text + ", …"
        text = more
    return text


def heading(digest: Digest) -> str:
    """``5 papers for LLM inference``, or how many for how many profiles."""
    number = count(digest.papers).capitalize() if not digest.papers else count(digest.papers)
    if len(digest.sections) == 1:
        return f"{number} for {readable(digest.sections[0].profile_name)}"
    return f"{number} for {len(digest.sections)} profiles" if digest.sections else number


def preheader(digest: Digest) -> str:
    """What an inbox shows beside the subject: the first reason, or why there is nothing."""
    for section in digest.sections:
        for item in section.items:
            return ellipsis(readable(item.reason), 140)
    return ellipsis(readable(digest.receipt.why_empty or digest.receipt.line), 140)


def score_in_words(item: Item) -> str:
    """The score and the parts that it adds up to: ``score 2.31 = +1.40 KV cache, +0.91 Fan``."""
    parts = item.contributions
    cut = PARTS if len(parts) > PARTS and parts[PARTS].kind != "rest" else len(parts)
    words = [f"{part.value:+.2f} {readable(part.name)}" for part in parts[:cut]]
    if rest := parts[cut:]:
        smaller = count(sum([part.parts for part in rest]), "smaller part")
        words.append(f"{sum([part.value for part in rest]):+.2f} {smaller}")
    return f"score {item.score:.2f} = {', '.join(words)}" if words else f"score {item.score:.2f}"


def day(moment: date, *, weekday: bool = False) -> str:
    """``28 Oct``, or ``Tue 28 Oct``; the same in every locale."""
    text = f"{moment.day} {MONTHS[moment.month - 1]}"
    return f"{WEEKDAYS[moment.weekday()]} {text}" if weekday else text


def local_day(at: datetime, zone: str) -> str:
    """The day of a moment where the reader is: ``Tue 28 Oct``."""
    return day(at.astimezone(ZoneInfo(zone)), weekday=True)


def addresses(paper: Paper) -> list[tuple[str, str]]:
    """What a paper links to, as (label, address): abs, pdf, code. Only http and https addresses count."""
    about = abs_url(paper.id) or _web(paper.url)
    found = [("abs" if paper.id.startswith("arxiv:") else "paper", about)] if about else []
    if paper.id.startswith("arxiv:"):
        found.append(("pdf", f"https://arxiv.org/pdf/{paper.id.removeprefix('arxiv:')}"))
    if code := _web(paper.code_url):
        found.append(("code", code))
    return found


def address(paper: Paper) -> str:
    """Where the title links to; empty where the paper has no address."""
    found = addresses(paper)
    return found[0][1] if found else ""


def _web(url: str) -> str:
    """The address if it is one of the web that can stand in a link, else nothing."""
    url = clean(url)
    if arxiv := arxiv_id(url):
        return f"https://arxiv.org/abs/{arxiv[0]}"
    return url if re.fullmatch(r"https?://[^\s<>\"'\\^`{|}]{1,800}", url, re.IGNORECASE) else ""
