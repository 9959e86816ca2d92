"""The links of one digest, signed once and used by its headers, its text and its HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from jobs.alerts.digest import Digest
from jobs.alerts.links import Links


@dataclass(frozen=True, slots=True)
class DigestLinks:
    """Every address that a digest shows.

    ``leave`` is by profile id and only filled where the mail covers several; ``rate`` is by profile and
    paper id, to be followed by ``/like``, ``/dislike`` or ``/save``.
    """

    home: str
    host: str
    preferences: str
    unsubscribe: str
    unsubscribe_token: str
    leave: Mapping[int, str]
    rate: Mapping[tuple[int, str], str]

    @classmethod
    def of(cls, digest: Digest, links: Links) -> Self:
        """Sign what this digest needs."""
        reader, sections = digest.subscriber_id, digest.sections
        token = links.unsubscribe_token(reader, digest.list_profile)
        return cls(
            home=links.home,
            host=links.host,
            preferences=links.preferences(reader, digest.at),
            unsubscribe=links.unsubscribe_page(token),
            unsubscribe_token=token,
            leave={s.profile_id: links.unsubscribe(reader, s.profile_id) for s in sections}
            if len(sections) > 1
            else {},
            rate={
                (section.profile_id, item.paper.id): links.rate_base(section.profile_id, item.paper.id)
                for section in sections
                for item in section.items
            },
        )
