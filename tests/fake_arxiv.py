"""An arXiv of our own on loopback: feeds, API and OAI-PMH from a ground truth, at the hour of a clock that
the test turns."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")
DAY = timedelta(days=1)


class Clock:
    """A clock that only the test turns; whoever sleeps turns it too."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Version:
    """One announced state of a paper; ``kind`` is how the feed of ``day`` announces it."""

    number: int
    day: date
    kind: str
    submitted: datetime


@dataclass(frozen=True)
class Paper:
    """What is true of a paper: its versions and cross-lists with their days, and whether it was held back."""

    id: str
    categories: tuple[str, ...]
    events: tuple[Version, ...]
    held: bool = False
    withdrawn_on: date | None = None

    @property
    def day(self) -> date:
        return self.events[0].day

    def known_on(self, day: date) -> list[Version]:
        return [event for event in self.events if event.day <= day]


def eastern(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), EASTERN).astimezone(UTC)


def deadline(day: date) -> datetime:
    """Until when the papers of a feed day were submitted: 14:00, two nights before Monday's feed."""
    return eastern(day - DAY * (3 if day.weekday() == 0 else 1), 14)


def feed_days(first: date, last: date, off: set[date]) -> list[date]:
    days = [first + DAY * n for n in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5 and day not in off]


def make_papers(
    first: date, last: date, off: set[date], seed: int, each: tuple[int, int] = (3, 7)
) -> list[Paper]:
    """A ground truth: new papers, some held back; later versions, cross-lists and withdrawals of them."""
    rng = random.Random(seed)
    papers: list[Paper] = []
    opened = deadline(first - DAY * (3 if first.weekday() == 0 else 1))
    per_month: dict[str, int] = {}
    for day in feed_days(first, last, off):
        closed = deadline(day)
        for _ in range(rng.randint(*each)):
            month = f"{day:%y%m}"
            per_month[month] = number = per_month.get(month, 0) + 1
            held = rng.random() < 0.08
            at = (
                opened
                + (closed - opened) * rng.uniform(0.01, 0.99)
                - DAY * (rng.randint(4, 6) if held else 0)
            )
            primary = rng.choice(["cs.DC", "cs.LG"])
            events = [Version(1, day, "new" if rng.random() < 0.8 else "cross", at.replace(microsecond=0))]
            papers.append(Paper(f"{month}.{number:05d}", (primary, "cs.OS"), tuple(events), held))
        _revise(papers, day, closed, rng)
        opened = closed
    return papers


def _revise(papers: list[Paper], day: date, closed: datetime, rng: random.Random) -> None:
    for _ in range(rng.randint(0, 2)):
        at = rng.randrange(len(papers))
        paper = papers[at]
        last = paper.events[-1]
        if last.day < day and paper.withdrawn_on is None:
            version = Version(
                last.number + 1, day, rng.choice(["replace", "replace-cross"]), closed - DAY / 4
            )
            gone = day if rng.random() < 0.1 else None
            papers[at] = replace(paper, events=(*paper.events, version), withdrawn_on=gone)


@dataclass
class FakeArxiv:
    """What is announced when, and what goes wrong.

    ``late`` maps a feed day to the hour (Eastern) at which it comes out; until then the feed shows what
    ``stale`` says for the day: "old" (the last feed as it was), "redated" (its papers under the new date) or
    "empty". A day in ``lost`` never gets its feed. ``down`` are spans in which everything answers 503,
    ``archive_down`` those in which OAI-PMH does. ``api_fault`` is what the search does: "refuses", "empty",
    or "empty at times".
    """

    papers: list[Paper]
    clock: Clock
    off: set[date]
    late: dict[date, int] = field(default_factory=dict)
    stale: dict[date, str] = field(default_factory=dict)
    lost: set[date] = field(default_factory=set)
    down: list[tuple[datetime, datetime]] = field(default_factory=list)
    archive_down: list[tuple[datetime, datetime]] = field(default_factory=list)
    api_fault: str = ""
    busy: Callable[[int], bool] = lambda _number: False
    page: int = 40
    requests: list[tuple[datetime, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._events: dict[date, list[tuple[Paper, Version]]] = {}
        for paper in self.papers:
            for event in paper.events:
                self._events.setdefault(event.day, []).append((paper, event))

    # --- what is out at this hour --------------------------------------------------------------------------

    def announced(self, day: date) -> bool:
        """Whether the batch of a feed day is public."""
        return self.clock.now() >= eastern(day, self.late.get(day, 0)) and day in self._events

    def shown(self) -> tuple[date, list[tuple[Paper, Version]]]:
        """The date and the items of the feed as it is now."""
        today = self.clock.now().astimezone(EASTERN).date()
        if today.weekday() > 4 or today in self.off:
            return today, []
        if self.announced(today) and today not in self.lost:
            return today, self._events[today]
        how = self.stale.get(today, "old")
        if how == "empty":
            return today, []
        last = max(day for day in self._events if day < today and day not in self.lost)
        return (today if how == "redated" else last), self._events[last]

    # --- answers -------------------------------------------------------------------------------------------

    def answer(self, host: str, target: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request."""
        self.requests.append((self.clock.now(), f"{host}{target}"))
        self.clock.sleep(0.4)
        now = self.clock.now()
        if any(begin <= now < end for begin, end in self.down):
            return 503, {}, b"down"
        if self.busy(len(self.requests)):
            return 429, {"Retry-After": "120"}, b"slow down"
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/rss/"):
            return self._rss(parts.path.removeprefix("/rss/").split("+"), headers)
        if parts.path.startswith("/api/"):
            return 200, {}, self._api(query)
        if any(begin <= now < end for begin, end in self.archive_down):
            return 503, {"Retry-After": "600"}, b"down"
        return 200, {}, self._oai(query)

    def _rss(self, names: Sequence[str], headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        day, items = self.shown()
        items = [(paper, event) for paper, event in items if set(names) & set(paper.categories)]
        etag = f'"{day}-{len(items)}"'
        if headers.get("If-None-Match") == etag:
            return 304, {"ETag": etag}, b""
        body = "".join(_item(paper, event, day) for paper, event in items)
        stamp = f"{datetime.combine(day, time(0), EASTERN):%a, %d %b %Y %H:%M:%S %z}"
        return 200, {"ETag": etag}, (
            '<?xml version="1.0" encoding="UTF-8"?><rss xmlns:arxiv="http://arxiv.org/schemas/atom" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel>'
            f"<title>{'+'.join(names)} updates on arXiv.org</title><link>http://rss.arxiv.org/rss/x</link>"
            f"<description>updates</description><pubDate>{stamp}</pubDate>"
            f"<skipDays><day>Sunday</day><day>Saturday</day></skipDays>{body}</channel></rss>"
        ).encode()  # fmt: skip

    def _oai(self, query: dict[str, str]) -> bytes:
        if token := query.get("resumptionToken"):
            name, since, start = token.split("|")
        else:
            name, since, start = query["set"].rpartition(":")[2], query["from"], "0"
        changed = []
        for paper in self.papers:
            public = [event for event in paper.events if self.announced(event.day)]
            # The archive is updated in the evening; by UTC that is the feed's own day.
            if public and public[-1].day >= date.fromisoformat(since) and f"cs.{name}" in paper.categories:
                changed.append((paper, public))
        changed.sort(key=lambda found: (found[1][-1].day, found[0].id))
        records = changed[int(start) : int(start) + self.page]
        after = int(start) + len(records)
        if not records:
            inner = (
                '<error code="noRecordsMatch">The combination of the values results in an empty list.</error>'
            )
            return _oai_answer(self.clock.now(), inner)
        token = f"<resumptionToken>{name}|{since}|{after}</resumptionToken>" if after < len(changed) else ""
        body = "".join(_record(paper, public) for paper, public in records)
        return _oai_answer(self.clock.now(), f"<ListRecords>{body}{token}</ListRecords>")

    def _api(self, query: dict[str, str]) -> bytes:
        names = {part.removeprefix("cat:") for part in query.get("search_query", "").split(" OR ") if part}
        start, most = int(query.get("start", 0)), int(query.get("max_results", 10))
        number = sum("/api/" in target for _, target in self.requests)
        if self.api_fault == "refuses":
            return _api_answer(0, 0, _ERROR_ENTRY)
        found = []
        for paper in self.papers:
            public = [event for event in paper.events if self.announced(event.day)]
            if public and (not names or names & set(paper.categories)):
                found.append((paper, public))
        found.sort(key=lambda each: (each[1][-1].submitted, each[0].id), reverse=True)
        shown = found[start : start + min(most, self.page)]
        if self.api_fault == "empty" or (self.api_fault == "empty at times" and number % 2):
            shown = []
        return _api_answer(len(found), start, "".join(_entry(paper, public) for paper, public in shown))

    # --- the server ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        """Answer on loopback; the port."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake.at_once += 1
                fake.most_at_once = max(fake.most_at_once, fake.at_once)
                status, headers, body = fake.answer(self.headers["Host"], self.path, dict(self.headers))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                # Before anything is sent: an answer without a body is there with its headers.
                fake.at_once -= 1
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def title_of(paper: Paper) -> str:
    return f"How system number {paper.id} serves its requests & keeps its promises"


def abstract_of(paper: Paper, version: int) -> str:
    return f"We describe system {paper.id}, in words of version {version}, and measure it."


def _withdrawn(paper: Paper, event: Version) -> bool:
    return paper.withdrawn_on is not None and event.day >= paper.withdrawn_on


def _item(paper: Paper, event: Version, day: date) -> str:
    words = abstract_of(paper, event.number)
    if _withdrawn(paper, event):
        words = "This paper has been withdrawn by the authors."
    stamp = f"{datetime.combine(day, time(0), EASTERN):%a, %d %b %Y %H:%M:%S %z}"
    cats = "".join(f"<category>{name}</category>" for name in paper.categories)
    return (
        f"<item><title>{escape(title_of(paper))}</title><link>https://arxiv.org/abs/{paper.id}</link>"
        f"<description>arXiv:{paper.id}v{event.number} Announce Type: {event.kind} \nAbstract: {words}"
        f'</description><guid isPermaLink="false">oai:arXiv.org:{paper.id}v{event.number}</guid>{cats}'
        f"<pubDate>{stamp}</pubDate><arxiv:announce_type>{event.kind}</arxiv:announce_type>"
        f"<dc:creator>Ada Example, Number{paper.id.replace('.', '')} Author</dc:creator></item>"
    )


def _record(paper: Paper, public: Sequence[Version]) -> str:
    versions = "".join(
        f'<version version="v{e.number}"><date>{e.submitted.astimezone(UTC):%a, %d %b %Y %H:%M:%S} GMT</date>'
        f"<size>9kb</size></version>"
        for e in public
    )
    gone = (
        "<comments>This paper has been withdrawn by the authors</comments>"
        if _withdrawn(paper, public[-1])
        else ""
    )
    sets = "".join(f"<setSpec>cs:{name.replace('.', ':')}</setSpec>" for name in paper.categories)
    return (
        f"<record><header><identifier>oai:arXiv.org:{paper.id}</identifier>"
        f"<datestamp>{public[-1].day}</datestamp>{sets}</header><metadata>"
        f'<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{paper.id}</id>{versions}'
        f"<title>{escape(title_of(paper))}</title>"
        f"<authors>Ada Example, Number{paper.id.replace('.', '')} Author</authors>"
        f"<categories>{' '.join(paper.categories)}</categories>{gone}"
        f"<abstract>{abstract_of(paper, public[-1].number)}</abstract></arXivRaw></metadata></record>"
    )


def _entry(paper: Paper, public: Sequence[Version]) -> str:
    gone = (
        "<arxiv:comment>This paper has been withdrawn by the authors</arxiv:comment>"
        if _withdrawn(paper, public[-1])
        else ""
    )
    return (
        f"<entry><id>http://arxiv.org/abs/{paper.id}v{public[-1].number}</id>"
        f"<title>{escape(title_of(paper))}</title>"
        f"<updated>{public[-1].submitted:%Y-%m-%dT%H:%M:%SZ}</updated>"
        f"<published>{public[0].submitted:%Y-%m-%dT%H:%M:%SZ}</published>"
        f"<summary>{abstract_of(paper, public[-1].number)}</summary>{gone}"
        f"<author><name>Ada Example</name></author>"
        f"<author><name>Number{paper.id.replace('.', '')} Author</name></author>"
        f'<category term="{paper.categories[0]}"/></entry>'
    )


_ERROR_ENTRY = (
    "<entry><id>http://arxiv.org/api/errors#start_must_be_non-negative</id><title>Error</title>"
    "<summary>the query is not understood</summary></entry>"
)


def _api_answer(total: int, start: int, entries: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom">'
        "<title>arXiv Query: x</title><id>http://arxiv.org/api/x</id>"
        f"<opensearch:totalResults>{total}</opensearch:totalResults>"
        f"<opensearch:startIndex>{start}</opensearch:startIndex>{entries}</feed>"
    ).encode()


def _oai_answer(now: datetime, inner: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>{now:%Y-%m-%dT%H:%M:%SZ}</responseDate>"
        f'<request verb="ListRecords">https://oaipmh.arxiv.org/oai</request>{inner}</OAI-PMH>'
    ).encode()
