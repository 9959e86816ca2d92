"""arXiv's categories: the day's feed, and the archive for the days that were missed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from urllib.parse import quote, urlsplit

from db import paper_store
from db.records import Receipt, Source
from jobs import rhythm
from jobs.checks import arxiv_search
from jobs.checks.checked import Checked
from jobs.checks.pages import resumed
from jobs.rhythm import Answer, Memory, Place
from jobs.service import Service
from jobs.sources import announcements, arxiv_api, arxiv_rss, oai_pmh
from jobs.sources.fetch import FetchError, Validators
from jobs.sources.parsed import Parsed, SourceError
from jobs.storing import added, store, store_sorted
from recommender.paper import Paper

# The feeds hold no more, https://info.arxiv.org/help/rss.html; the rest of such a day is in the archive.
_FEED_HOLDS = 2_000
# A feed dated further ahead than this is wrong, or our clock is.
_AHEAD = timedelta(days=3)
_LONGEST_RETRY = timedelta(hours=4)
_MOST_PAGES = 500
# After so many failures in a row of the archive the search API is asked.
_PATIENCE = 3
_HELD = timedelta(days=7)


class RestFollowsError(SourceError):
    """A harvest that is too long for one check, and goes on with the next one."""


def check(service: Service, source: Source, now: datetime) -> Checked:
    """Ask for the day's feed, judge it, and look up in the archive what was missed before.

    The archive is asked even if the feed fails, so that a broken feed costs a day and no paper. An error of
    either is in its receipt; what worked is remembered.
    """
    memory = rhythm.overdue(Memory.of(source.cursor), now)
    validators: tuple[str, str] | None = None
    not_before: datetime | None = None
    try:
        receipt, memory, validators = _ask_feed(service, source, memory, now)
    except (FetchError, SourceError) as error:
        receipt = Receipt(source.id, now, source.location, error=str(error), outcome="error")
        not_before = error.retry_after if isinstance(error, FetchError) else None
    receipts = [receipt]
    if (memory.missing or memory.backfill) and not_before is None:
        filled, memory, not_before = _fill(service, source, memory, now)
        receipts.append(filled)
    errors = [r.error for r in receipts if r.error]
    jitter = service.jitter()
    if errors:
        next_at = rhythm.after_failure(
            source.failures, now, jitter, not_before=not_before, longest=_LONGEST_RETRY
        )
    else:
        next_at = rhythm.next_check(memory, now, jitter)
    return Checked(
        tuple(receipts), memory.as_cursor(), batch=receipt.batch, validators=validators,
        next_check_at=next_at, error="; ".join(errors),
    )  # fmt: skip


def _ask_feed(
    service: Service, source: Source, memory: Memory, now: datetime
) -> tuple[Receipt, Memory, tuple[str, str] | None]:
    start = Receipt(source.id, now, source.location, format=arxiv_rss.NAME)
    fetched = service.fetcher.get(source.location, Validators(source.etag, source.last_modified))
    parsed = None if fetched.not_modified else arxiv_rss.parse(fetched.body)
    answer = Answer(unchanged=True) if parsed is None else _answer(parsed)
    if answer.batch and answer.batch > announcements.today(now) + _AHEAD:
        raise SourceError(
            f"{source.name}: the feed is dated {answer.batch}; its clock or ours is wrong", permanent=False
        )
    verdict = rhythm.judge(memory, answer, now)
    if parsed is None or not verdict.fresh:
        received = len(parsed.papers) if parsed else 0
        said = replace(start, received=received, note=verdict.why, outcome=verdict.outcome)
        # An empty feed's ETag would make the next one look unchanged.
        return said, verdict.memory, None
    said = store(service.database, source, parsed, replace(start, note=verdict.why), now)
    if verdict.outcome == "stale":
        said = replace(said, outcome="stale")
    known = fetched.validators
    return said, verdict.memory, (known.etag, known.last_modified) if answer.whole else ("", "")


def _answer(parsed: Parsed) -> Answer:
    lines = sorted(f"{p.id} {p.version} {p.announce_type}" for p in parsed.papers)
    mark = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
    whole = not parsed.rejected and len(parsed.papers) < _FEED_HOLDS
    return Answer(False, len(parsed.papers), parsed.batch, mark, whole)


def _fill(
    service: Service, source: Source, memory: Memory, now: datetime
) -> tuple[Receipt, Memory, datetime | None]:
    """Look up the missing days, and on the first run those before it, in one harvest of the archive, or of
    the search API where the archive has failed again and again.

    A record's datestamp moves with every change, so the harvest has no end date: all that changed since the
    day before the first missing one is looked through. An error is in the receipt, with the memory of how
    far it came, and the moment before which the server does not want to be asked again.
    """
    days = [*memory.missing, *([memory.backfill] if memory.backfill else [])]
    since = min(days) - timedelta(days=1)
    # In turns from then on, since either may be the first that answers again.
    way = "api" if memory.refused >= _PATIENCE and (memory.refused - _PATIENCE) % 2 == 0 else "oai"
    place = Place(since.isoformat(), way=way)
    if memory.place is not None and (memory.place.since, memory.place.way) == (place.since, way):
        place = memory.place
    receipt, pages = _begun(service, source, place, since, now)
    received = 0
    try:
        for parsed, after in pages:
            with service.database.reading() as session:
                known = paper_store.known(session, [paper.id for paper in parsed.papers])
            news, archive = sort_out(parsed.papers, known, memory, now)
            counts = store_sorted(service.database, source, news, archive, now, parsed.deleted)
            receipt = added(receipt, replace(parsed, note=""), counts)
            received, place = received + len(news) + len(archive), after
    except (FetchError, SourceError) as error:
        failed = replace(receipt, received=received, error=str(error), outcome="error")
        # A token that was refused is of no use again, and the harvest begins anew; the API has no tokens.
        kept = isinstance(error, FetchError | RestFollowsError) or way == "api"
        not_before = error.retry_after if isinstance(error, FetchError) else None
        after_it = replace(
            memory, place=place if kept else None, tries=memory.tries + 1, refused=memory.refused + 1
        )
        return failed, after_it, not_before
    filled = replace(receipt, received=received, batch=max(memory.missing, default=None))
    filled = replace(filled, note=_filled_words(memory, filled), outcome="filled")
    return filled, replace(memory, missing=(), backfill=None, place=None, tries=0, refused=0), None


def _begun(
    service: Service, source: Source, place: Place, since: date, now: datetime
) -> tuple[Receipt, Iterator[tuple[Parsed, Place]]]:
    """The receipt and the pages of a harvest from this place."""
    names = categories(source.location)
    if place.way == "oai":
        receipt = Receipt(source.id, now, service.arxiv.oai, format=oai_pmh.NAME)
        return receipt, _harvest(service, names, place)
    # Moderators hold papers back for days, and the API knows only when they were submitted. What was
    # announced before this source was added is unknown as well, but no news.
    held = since - _HELD
    watched = announcements.today(source.added_at) if source.added_at else since
    last = min(since, max(held, watched)).isoformat()
    pages = arxiv_search.harvest(service, names, place, last)
    return Receipt(source.id, now, service.arxiv.api, format=arxiv_api.NAME), pages


def _filled_words(memory: Memory, receipt: Receipt) -> str:
    days = [rhythm.words(day) for day in memory.missing]
    named = ", ".join(days) if len(days) < 4 else f"{days[0]} to {days[-1]}"
    where = "archive" if receipt.format == oai_pmh.NAME else "search, since its archive does not answer"
    parts = [f"{named} looked up in arXiv's {where}"] if named else []
    parts += [f"the days from {rhythm.words(memory.backfill)} on fetched"] if memory.backfill else []
    return f"{' and '.join(parts)}: {receipt.new} new of {receipt.received} papers"


def _harvest(service: Service, names: Sequence[str], start: Place) -> Iterator[tuple[Parsed, Place]]:
    """Every page of every category's set that changed since the day of the place, with the place after it."""
    place = start
    for _ in range(_MOST_PAGES):
        if place.at >= len(names):
            return
        first = (
            f"{service.arxiv.oai}?verb=ListRecords&metadataPrefix=arXivRaw"
            f"&set={quote(oai_set(names[place.at]))}&from={place.since}"
        )
        parsed = oai_pmh.parse(
            service.fetcher.get(resumed(first, place.token) if place.token else first).body
        )
        at = place.at if parsed.next_page else place.at + 1
        place = Place(start.since, at, parsed.next_page)
        yield parsed, place
    raise RestFollowsError(
        f"arXiv's archive: more than {_MOST_PAGES} pages; the rest follows", permanent=False
    )


def sort_out(
    papers: Sequence[Paper], known: set[str], memory: Memory, now: datetime
) -> tuple[list[Paper], list[Paper]]:
    """Of a harvest: the papers that readers may be told of, and those that are only kept.

    The archive says when a paper was submitted, not when it was announced. So a paper that is not known yet
    is filed under the day that arXiv's schedule gives for its first version; if that is before the first
    missing day, it was held back or cross-listed later, and is filed under that first missing day. A later
    version of a paper never seen is a replacement. What the schedule gives for days whose feed is still to
    come is left to that feed. A paper that is known keeps its day.
    """
    news: list[Paper] = []
    archive: list[Paper] = []
    first = min(memory.missing, default=None)
    for paper in papers:
        if paper.id in known:
            archive.append(replace(paper, announced=None))
            continue
        day = announcements.filed_under(paper.announced) if paper.announced else None
        if day is None or (memory.upto is not None and day > memory.upto):
            if day is None:
                archive.append(paper)
            continue
        late = first is not None and day < first
        if (
            first is not None
            and (not late or rhythm.is_news(day, now))
            and not _is_old_replacement(paper, late)
        ):
            filed = replace(paper, announced=first if late else day)
            (news if rhythm.is_news(filed.announced, now) else archive).append(filed)
        elif memory.backfill is None or day >= memory.backfill:
            kind = "replace" if _is_old_replacement(paper, late) else paper.announce_type
            archive.append(replace(paper, announced=day, announce_type=kind))
    return news, archive


def _is_old_replacement(paper: Paper, late: bool) -> bool:
    return late and (paper.version or 1) > 1


def categories(location: str) -> list[str]:
    """The categories in a feed's address: ``…/rss/cs.DC+cs.LG``."""
    return [name for name in urlsplit(location).path.rpartition("/")[2].split("+") if name]


def feed_address(base: str, names: Sequence[str]) -> str:
    """The address of the feed of these categories."""
    return f"{base}/{'+'.join(names)}"


def oai_set(category: str) -> str:
    """The name of a category's set: ``cs:cs:DC``, ``physics:astro-ph:CO``, ``physics:hep-th``."""
    archive, _, subject = category.partition(".")
    group = archive if archive in _OWN_GROUPS else "physics"
    if not subject and archive in _OWN_GROUPS:
        return archive
    return ":".join(filter(None, (group, archive, subject)))


_OWN_GROUPS = frozenset({"cs", "econ", "eess", "math", "q-bio", "q-fin", "stat"})


def first_memory(days: int, now: datetime) -> Memory:
    """What a new source begins with: ``days`` days to be fetched from before its first check."""
    if days <= 0:
        return Memory()
    return Memory(backfill=date.fromordinal(announcements.today(now).toordinal() - days))
