"""Papers as RIS, which every reference manager reads."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.alerts import person, wording
from jobs.alerts.readable import readable
from recommender.paper import Paper


def render(papers: Iterable[Paper]) -> str:
    """A record for each paper, an empty line between them."""
    return "\n\n".join(map(record, papers)) + "\n"


def record(paper: Paper) -> str:
    """One record: a journal article where a journal is known, else unpublished work."""
    kind, _, name = paper.id.partition(":")
    fields = [
        ("TY", "JOUR" if paper.journal_ref else "UNPB"),
        ("TI", wording.title(paper)),
        *(("AU", ", ".join(part for part in person.parts(author) if part)) for author in paper.authors),
        ("PY", str(paper.announced.year) if paper.announced else ""),
        ("DA", paper.announced.strftime("%Y/%m/%d") if paper.announced else ""),
        ("JO", readable(paper.journal_ref)),
        ("AB", readable(paper.text)),
        *(("KW", readable(word)) for word in (*paper.categories, *paper.topics, *paper.keywords)),
        ("AN", f"arXiv:{name}" if kind == "arxiv" else ""),
        ("DO", paper.doi or (name if kind == "doi" else "")),
        ("UR", wording.address(paper)),
    ]
    # A line has two letters, two spaces, a hyphen and a space; the end has all of them and nothing more.
    return "\n".join([*(f"{tag}  - {value}" for tag, value in fields if value), "ER  - "])
