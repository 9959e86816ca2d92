"""arXiv's search API, for the days on which its archive does not answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from jobs.rhythm import Place
from jobs.service import Service
from jobs.sources import arxiv_api
from jobs.sources.parsed import Parsed, SourceError

# The API gives at most 2,000 a page, and answers pages of that size slowly and often not at all.
_PAGE = 1_000
# An empty page amid the results is a known fault, which is gone when it is asked for again.
_TRIES = 3


def address(base: str, names: Sequence[str], start: str) -> str:
    """The address of a page of everything in these categories, what changed last coming first."""
    # `cat:cs` finds nothing: what has subjects is filed under these.
    kinds = [f"cat:{name}" if "." in name else f"cat:{name} OR cat:{name}.*" for name in names]
    query = {
        "search_query": " OR ".join(kinds), "sortBy": "lastUpdatedDate", "sortOrder": "descending",
        "start": start, "max_results": _PAGE,
    }  # fmt: skip
    return f"{base}?{urlencode(query)}"


def harvest(
    service: Service, names: Sequence[str], begin: Place, last: str
) -> Iterator[tuple[Parsed, Place]]:
    """Every page of what was submitted or replaced since ``last`` (an ISO day), with the place after it.

    The newest come first, so that a paper which changes meanwhile moves to the front, and what is still to
    come moves back: a page may repeat papers, and never leaves one out. Raises `FetchError`, and
    `SourceError` for refusals, for pages that stay empty, and where the API ends before that day.
    """
    place = begin
    while True:
        parsed = _page(service, address(service.arxiv.api, names, place.token or "0"))
        # What was cut or unreadable says nothing of its date, so that only whole pages can be the last one.
        over = bool(parsed.cursor) and parsed.cursor[:10] < last
        place = replace(place, token=parsed.next_page)
        yield parsed, place
        if over or not (parsed.papers or parsed.rejected):
            return
        if not parsed.next_page:
            if parsed.beyond:
                most = f"{arxiv_api.MOST:,} papers"
                raise SourceError(f"arXiv's API shows no more than {most}, which do not reach back to {last}")
            return


def _page(service: Service, url: str) -> Parsed:
    tries = 0
    while True:
        tries += 1
        try:
            return arxiv_api.parse(service.fetcher.get(url).body)
        except SourceError as error:
            if error.permanent or tries == _TRIES:
                raise
