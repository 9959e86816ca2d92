"""The marks that both digest families share: headings, days, category codes, links."""

from __future__ import annotations

import re
from datetime import date
from urllib.parse import urlsplit

from recommender.paper import abs_url, arxiv_id, doi

# Archives without subject classes stand alone; every other code has one (cs.DC, q-bio.PE, physics.optics).
_ALONE = "quant-ph|hep-th|hep-ph|hep-ex|hep-lat|gr-qc|math-ph|nucl-th|nucl-ex|astro-ph|cond-mat"
_WITH_CLASS = "astro-ph|cond-mat|cs|econ|eess|math|nlin|physics|q-bio|q-fin|stat"
_CATEGORY = re.compile(rf"(?:{_ALONE})|(?:{_WITH_CLASS})\.[A-Za-z]{{2,}}(?:-[A-Za-z]+)*")
# Without a space only a day or a link makes it a heading: a line may begin with "#P-hardness".
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|(?=\[|\d{4}))([^#\s].*)")
_DAY = re.compile(
    r"(?<!\d)(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|年(\d{1,2})月(\d{1,2})日?|(\d{2})(\d{2}))(?!\d)"
)
_URL = re.compile(r"https?://[^\s<>\"`|\\^\[\]]{1,2000}", re.IGNORECASE)
_SHORT_ID = re.compile(r"(\d{4})\.\d{4}")


def heading(line: str) -> tuple[int, str] | None:
    """The level and text of a Markdown heading; None for any other line."""
    if "#" not in line[:4]:
        return None
    found = _HEADING.fullmatch(line)
    if found is None:
        return None
    text = found[2].rstrip()
    closed = text.rstrip("#")
    # "## Title ##" is a closed heading, "## About C#" is not.
    return len(found[1]), closed.rstrip() if closed[-1:].isspace() else text


def days(text: str) -> list[date]:
    """Every real day that a heading names, as ``2025-10-27``, ``20251027`` or ``2025年10月27日``."""
    found = []
    for match in _DAY.finditer(text[:200]):
        parts = [int(part) for part in match.groups() if part]
        try:
            found.append(date(*parts))
        except ValueError:
            continue
    return found


def is_no_day(text: str) -> bool:
    """Whether a heading is written as a day, and no calendar has it (``2026-02-30``)."""
    return _DAY.fullmatch(text.strip()) is not None and not days(text)


def categories(text: str) -> tuple[str, ...]:
    """Category codes, if the text is nothing but them: ``cs.PF, cs.AR``, ``cs.AI/cs.LG``; else nothing."""
    parts = [part for part in re.split(r"[\s,;/|，、；]+", text[:2000].strip(" ()*[]")) if part]
    known = [part for part in parts if _CATEGORY.fullmatch(part)]
    return tuple(dict.fromkeys(known)) if len(known) == len(parts) else ()


def links(text: str) -> list[str]:
    """The http and https links of a text, in order; what Markdown or prose put behind them is not theirs."""
    found = []
    for match in _URL.finditer(text):
        link = match[0]
        # A closing bracket is the link's only if the link opened it (doi.org/10.1016/S0140-6736(20)30183-5).
        while link and (link[-1] in ".,;:!?'*_，。；" or _unopened(link)):
            link = link[:-1]
        if _host(link):
            found.append(link)
    return found


def reference(text: str) -> tuple[str, str, int | None, str]:
    """What a link field names: canonical key, page, version, DOI; all empty where it names nothing usable.

    Raises ValueError for an arXiv id that cannot exist, such as one cut short: taken as it stands, it
    would be another paper's.
    """
    bare = text.strip().strip("<>()[]")
    candidates = links(text) or (
        [bare] if ":" not in bare or bare.lower().startswith(("arxiv:", "doi:")) else []
    )
    for candidate in candidates:
        if found := arxiv_id(candidate):
            name, version = found
            if (short := _SHORT_ID.fullmatch(name)) and int(short[1]) >= 1501:
                raise ValueError(f"the arXiv id {name} has four digits where all since 2015 have five")
            return f"arxiv:{name}", abs_url(f"arxiv:{name}"), version, ""
    for candidate in candidates:
        if name := _doi(candidate):
            return f"doi:{name}", candidate if "://" in candidate else abs_url(f"doi:{name}"), None, name
    page = next((candidate for candidate in candidates if "://" in candidate), "")
    return "", page, None, ""


def _doi(link: str) -> str:
    name = doi(link)
    # bioRxiv and medRxiv put the version behind the DOI in their links.
    return (
        re.sub(r"v\d{1,2}(?:\.full.{0,20}|\.abstract)?$", "", name) if name.startswith("10.1101/") else name
    )


def _unopened(link: str) -> bool:
    opener = {")": "(", "]": "[", "}": "{"}.get(link[-1], "")
    return bool(opener) and link.count(opener) < link.count(link[-1])


def _host(link: str) -> bool:
    try:
        return bool(urlsplit(link).hostname)
    except ValueError:
        return False
