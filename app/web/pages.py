"""Templates, and what they may call: the same words for a paper as in mail and feed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from html import escape
from importlib.resources import files
from itertools import groupby
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.version import VERSION
from jobs.alerts import wording
from jobs.alerts.digest import BARS, Item, Part
from jobs.alerts.links import Links
from jobs.alerts.readable import readable
from recommender import labels
from recommender.paper import Paper

STATIC = {
    "paperwatch.css": "text/css; charset=utf-8",
    "operator.css": "text/css; charset=utf-8",
    "api.css": "text/css; charset=utf-8",
    "forms.css": "text/css; charset=utf-8",
    "mine.css": "text/css; charset=utf-8",
    "reading.css": "text/css; charset=utf-8",
    "paperwatch.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
SHOWN_PARTS = 8
"""So many parts of a score have a bar; the others are one line."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of an explanation: ``start`` and ``width`` in percent of the whole, ``plus`` for its colour."""

    name: str
    about: str
    value: float
    start: float
    width: float

    @property
    def plus(self) -> bool:
        """Whether it speaks for the paper."""
        return self.value >= 0


def parts(item: Item) -> list[Bar]:
    """The signed parts of a score as bars from a common zero, strongest first; they add up to the score.

    The smallest parts are one line without a bar, which would dwarf the others where they are many.
    """
    shown = [part for part in item.contributions if part.kind != "rest"]
    rest = [part for part in item.contributions if part.kind == "rest"]
    low = min([0.0, *(c.value for c in shown)])
    span = max([0.0, *(c.value for c in shown)]) - low or 1.0
    bars = [
        Bar(
            name=readable(c.name),
            about=_origin(c),
            value=c.value,
            start=round(100 * (min(c.value, 0.0) - low) / span, 1),
            width=round(max(100 * abs(c.value) / span, 0.5), 1),
        )
        for c in shown
    ]
    return [*bars, *(Bar(part.name, "", part.value, 0.0, 0.0) for part in rest)]


def _origin(part: Part) -> str:
    """What a part is, where that is not plain, and which liked paper it was learned from."""
    kind = "" if part.kind == "term" else part.kind
    called = readable(part.via).partition(": ")[0]
    learned = f"from “{wording.ellipsis(called, 32)}”" if called else ""
    return " ".join(words for words in (kind, learned) if words)


@cache
def static(name: str) -> bytes:
    """A file that pages link to."""
    return files("app.web").joinpath("static", name).read_bytes()


class Pages:
    """Renders a template with the service's own words and addresses at hand."""

    def __init__(self, links: Links, *, outbox: bool, orcid: bool) -> None:
        self._links = links
        # A proxy may serve us below a path; links in pages keep to the host that the reader came by.
        self.prefix = urlsplit(links.base_url).path.rstrip("/")
        self._env = Environment(
            loader=PackageLoader("app.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._env.globals.update(
            prefix=self.prefix, outbox_is_shown=outbox, orcid_is_asked=orcid, version=VERSION,
            static=self.static_address, local=self.local, paper_page=self.paper_page,
            title=wording.title, facts=wording.facts, provenance=wording.provenance, blurb=_blurb,
            addresses=wording.addresses, address=wording.address, count=wording.count,
            score_in_words=wording.score_in_words, bars=BARS,
            parts=parts, readable=readable, who=wording.who, shelf_slug=_shelf_slug, is_topic=labels.is_topic,
        )  # fmt: skip
        self._env.filters.update(
            readable=readable, day=_day, moment=_moment, by_day=_by_day, local=_local, code=_code
        )  # fmt: skip

    def render(self, template: str, /, **values: object) -> str:
        """The page as HTML; whatever strangers wrote is escaped."""
        return self._env.get_template(template).render(**values)

    def local(self, url: str) -> str:
        """An address of ours without scheme and host."""
        return self.prefix + url.removeprefix(self._links.base_url)

    def paper_page(self, paper: Paper) -> str:
        """Where this paper's own page is."""
        return f"{self.prefix}/papers/{quote(paper.id, safe=':/')}"

    def static_address(self, name: str) -> str:
        """A static file's address, which changes with its content."""
        mark = hashlib.sha256(static(name)).hexdigest()[:10]
        return f"{self.prefix}/static/{name}?v={mark}"


@lru_cache(maxsize=2_048)
def _blurb(paper: Paper) -> str:
    """What a paper says of itself; kept, since reading the LaTeX of an abstract takes some milliseconds."""
    return wording.blurb(paper)


def _shelf_slug(kind: labels.Kind, name: str) -> str:
    """How a label stands in an address: a category as it is written, others by their slug."""
    short = labels.read_slug(kind, name)
    return quote(name if kind == "category" and short == name.casefold() else short)


def _day(moment: datetime) -> str:
    return wording.day(moment, weekday=True)


def _moment(at: datetime, zone: str = "UTC", named: bool = True) -> str:
    local = _local(at, zone)
    told = f"{wording.day(local, weekday=True)}, {local:%H:%M}"
    return f"{told} {zone.replace('_', ' ')}" if named else told


def _code(text: str) -> Markup:
    """Text between tags, with its quotation marks as they are: an escaped one takes five bytes."""
    return Markup(escape(text, quote=False))  # noqa: S704  # escaped


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone))


def _by_day(entries: Iterable[object], zone: str) -> list[tuple[str, list[object]]]:
    """Entries with the day on which they came, in the reader's zone."""
    days = groupby(entries, key=lambda entry: wording.local_day(entry.at, zone))  # type: ignore[attr-defined]
    return [(day, list(group)) for day, group in days]
