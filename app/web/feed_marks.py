"""Whether feeds still hold: on SQLite at once, on PostgreSQL one query for all who ask at the same time."""

from __future__ import annotations

import asyncio

from anyio import to_thread

from db import feed_store
from db.feed_store import BusyError, Mark, Watch
from db.session import Database
from jobs.feeds import ENTRIES


class Marks:
    """Tells the mark of a feed as the database has it now: nothing here is older than the question."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watch = Watch(database) if database.is_sqlite else None
        self._waiting: dict[str, asyncio.Future[Mark | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def of(self, token: str) -> Mark | None:
        """The mark of the profile whose feed has this token, None where there is none."""
        if self._watch is not None:
            try:
                return self._watch.mark(token)
            except BusyError:
                return (await to_thread.run_sync(self._ask, [token])).get(token)
        answer = self._waiting.get(token)
        if answer is None:
            answer = self._waiting[token] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask_all())
        return await asyncio.shield(answer)

    async def of_topic(self, short: str) -> Mark | None:
        """The mark of the public feed of this topic, None where no paper has it."""
        return await to_thread.run_sync(self._ask_topic, short)

    async def _ask_all(self) -> None:
        """Ask for all who wait, and again for those who came meanwhile: their answer must not be older than
        their question."""
        while self._waiting:
            asked, self._waiting = self._waiting, {}
            try:
                found = await to_thread.run_sync(self._ask, list(asked))
            except Exception as exc:  # each of those who wait gets it
                for answer in asked.values():
                    answer.set_exception(exc)
                continue
            for token, answer in asked.items():
                answer.set_result(found.get(token))

    def _ask(self, tokens: list[str]) -> dict[str, Mark]:
        with self._database.reading() as session:
            return feed_store.marks(session, tokens)

    def _ask_topic(self, short: str) -> Mark | None:
        with self._database.reading() as session:
            return feed_store.topic_mark(session, short, at_most=ENTRIES)
