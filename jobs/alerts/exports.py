"""The forms in which papers leave for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jobs.alerts import bibtex, csl, ris, weekly_digest
from recommender.paper import Paper


@dataclass(frozen=True, slots=True)
class Form:
    """One form: how it is rendered, its media type, and how a file of it is called."""

    render: Callable[[Iterable[Paper]], str]
    content_type: str
    suffix: str
    name: str


FORMS: dict[str, Form] = {
    "bibtex": Form(bibtex.render, "application/x-bibtex; charset=utf-8", "bib", "BibTeX"),
    "ris": Form(ris.render, "application/x-research-info-systems; charset=utf-8", "ris", "RIS"),
    "csl": Form(csl.render, "application/vnd.citationstyles.csl+json", "json", "CSL-JSON"),
    # Another Paperwatch ingests this one.
    "digest": Form(weekly_digest.render, "text/markdown; charset=utf-8", "md", "Markdown digest"),
}
