"""Papers as a Markdown digest of the weekly family, which another Paperwatch ingests.

What `jobs.sources.weekly` reads is written here; whatever a text holds that Markdown or that reader would
take for structure is written as a character reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby

from jobs.alerts import person
from jobs.alerts.readable import clean
from jobs.sources import marks
from recommender.paper import Paper

_STRUCTURE = re.compile(r"[&\\{}\[\]*_<>`|]")


def render(papers: Iterable[Paper]) -> str:
    """A digest under day headings, the oldest day first; papers without a day stand before them."""
    ordered = sorted(papers, key=lambda paper: paper.announced or date.min)
    days = [paper.announced for paper in ordered if paper.announced]
    blocks = [f"# {days[0]:%Y%m%d}-{days[-1]:%Y%m%d}" if days else "# Papers"]
    for day, group in groupby(ordered, key=lambda paper: paper.announced):
        blocks += [f"## {day.isoformat()}"] if day else []
        blocks += [entry(paper) for paper in group]
    return "\n\n".join(blocks) + "\n"


def entry(paper: Paper) -> str:
    """One entry: the title and its fields, those that are empty left out."""
    kind, _, name = paper.id.partition(":")
    mark = f"arXiv{name[:4]}" if kind == "arxiv" and name[:4].isdecimal() else "paper"
    names = ", ".join(_author(author) for author in paper.authors)
    fields = {
        "tags": _tags(paper),
        "authors": names + (", et al." if names and not paper.authors_complete else ""),
        # A semicolon keeps commas within names, even where there is only one.
        "institution": "; ".join(map(_text, paper.institutions))
        + (";" if len(paper.institutions) == 1 else ""),
        "categories": ", ".join(code for code in paper.categories if marks.categories(code)),
        "link": _link(paper),
        "doi": paper.doi,
        "code": paper.code_url,
        "thumbnail": paper.thumbnail,
        "comment": _text(paper.comment),
        "contributions": _text(paper.contributions),
        "Simple LLM Summary": _text(paper.summary),
        "abstract": _text(paper.abstract),
    }
    title = f"- **{f'[{mark}] ' if mark != 'paper' else ''}{_text(paper.title)}**"
    return "\n".join([title, *(f"  - **{label}:** {value}" for label, value in fields.items() if value)])


def _link(paper: Paper) -> str:
    kind, _, name = paper.id.partition(":")
    if kind == "arxiv":
        return f"https://arxiv.org/abs/{name}" + (f"v{paper.version}" if paper.version else "")
    return paper.url or (f"https://doi.org/{name}" if kind == "doi" else "")


def _author(name: str) -> str:
    """Given name first: a comma would make two of one."""
    family, given = person.parts(name) if "," in name else (name, "")
    return _text(f"{given} {family}".strip())


def _tags(paper: Paper) -> str:
    groups: list[Sequence[str]] = [[paper.area] if paper.area else [], paper.topics, paper.keywords]
    return ", ".join(f"[{', '.join(map(_text, group))}]" for group in groups) if any(groups) else ""


def _text(text: str) -> str:
    return _STRUCTURE.sub(lambda mark: f"&#{ord(mark[0])};", clean(text))
