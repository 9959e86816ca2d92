"""Where the next page of an answer is."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from jobs.sources import arxiv_api, biorxiv, oai_pmh
from jobs.sources.parsed import Parsed


def next_address(address: str, parsed: Parsed) -> str:
    """The address of the page after this one, whose first page is at ``address``; empty after the last."""
    if not parsed.next_page:
        return ""
    if parsed.format == oai_pmh.NAME:
        return resumed(address, parsed.next_page)
    parts = urlsplit(address)
    if parsed.format == arxiv_api.NAME:
        query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "start"]
        return urlunsplit(parts._replace(query=urlencode([*query, ("start", parsed.next_page)])))
    if parsed.format == biorxiv.NAME:
        # api.biorxiv.org/details/SERVER/FROM/TO/CURSOR
        pieces = parts.path.rstrip("/").split("/")
        given = 6 if pieces[-1].isdigit() and len(pieces) > 5 else len(pieces) + 1
        return urlunsplit(parts._replace(path="/".join([*pieces[: given - 1], parsed.next_page])))
    return ""


def resumed(address: str, token: str) -> str:
    """The address that goes on with an OAI-PMH list; the token is an argument on its own."""
    parts = urlsplit(address)
    query = f"verb=ListRecords&resumptionToken={quote(token, safe='')}"
    return urlunsplit(parts._replace(query=query, fragment=""))
