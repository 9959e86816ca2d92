"""Papers as BibTeX, in UTF-8 as biber and today's BibTeX read it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from jobs.alerts import wording
from jobs.alerts.readable import clean, readable
from recommender.paper import Paper

# What means something in LaTeX; titles have had their formulas put into characters before. BibTeX wants
# braces in pairs even where they are escaped.
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_ESCAPED = str.maketrans(_LATEX)
_IN_ADDRESS = str.maketrans({"{": "%7B", "}": "%7D", " ": "%20", "\\": "%5C"})


def render(papers: Iterable[Paper]) -> str:
    """An entry for each paper, an empty line between them."""
    return "\n\n".join(map(entry, papers)) + "\n"


def entry(paper: Paper) -> str:
    """One ``@misc`` entry; its key is the family name and the paper's own id, the same in every digest."""
    kind, _, name = paper.id.partition(":")
    doi = paper.doi or (name if kind == "doi" else "")
    fields = {
        "title": f"{{{_text(wording.title(paper))}}}",
        "author": _authors(paper),
        "year": str(paper.announced.year) if paper.announced else "",
        "month": wording.MONTHS[paper.announced.month - 1].lower() if paper.announced else "",
        "eprint": _plain(name) if kind == "arxiv" else "",
        "archiveprefix": "arXiv" if kind == "arxiv" else "",
        "primaryclass": _plain(paper.categories[0]) if kind == "arxiv" and paper.categories else "",
        "doi": _plain(doi),
        "url": _plain(wording.address(paper)),
    }
    # A month is one of BibTeX's own names, and stands without braces.
    lines = [
        f"  {field} = {value}," if field == "month" else f"  {field} = {{{value}}},"
        for field, value in fields.items()
        if value
    ]
    return "\n".join([f"@misc{{{_key(paper)},", *lines, "}"])


def _authors(paper: Paper) -> str:
    names = [_text(name) for name in map(readable, paper.authors) if name]
    # Braces keep a name whole that BibTeX would take for several, or turn around.
    names = [f"{{{name}}}" if "," in name or re.search(r"\band\b", name) else name for name in names]
    return " and ".join([*names, *([] if paper.authors_complete or not names else ["others"])])


def _text(text: str) -> str:
    return text.translate(_ESCAPED)


def _plain(text: str) -> str:
    """For fields that are not typeset as text."""
    return clean(text).translate(_IN_ADDRESS)


def _key(paper: Paper) -> str:
    family = paper.authors[0].split()[-1] if paper.authors and paper.authors[0].split() else ""
    ascii_ = unicodedata.normalize("NFKD", family).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z]", "", ascii_) or "paper"
    return f"{name}:{re.sub(r'[^A-Za-z0-9.]', '-', paper.id.partition(':')[2])}"
