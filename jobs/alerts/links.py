"""Signed links: what a mail or a feed lets its reader do without a password."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlsplit

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.exc import BadData
from itsdangerous.signer import SigningAlgorithm

Purpose = Literal["confirm", "unsubscribe", "rate", "preferences"]

# A mail is often opened years later, and leaving must work even then (RFC 8058); rating likewise harms
# nobody. What opens an account or proves an address does expire.
LIFETIMES: dict[Purpose, timedelta | None] = {
    "confirm": timedelta(days=14),
    "unsubscribe": None,
    "rate": None,
    "preferences": timedelta(days=30),
}
_CLOCK_SLACK = timedelta(minutes=5)
_MAX_TOKEN = 1024


class LinkError(Exception):
    """A link that does not hold; the message is for the reader. ``expired`` ones were genuine once."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Claim:
    """What a genuine link says. Fields that its purpose does not carry stay empty.

    confirm: subscriber_id, email, at · unsubscribe: subscriber_id, profile_id (None is everything) ·
    rate: profile_id, paper_id · preferences: subscriber_id, at.
    """

    purpose: Purpose
    subscriber_id: int | None = None
    profile_id: int | None = None
    paper_id: str = ""
    email: str = ""
    at: datetime | None = None


def _mac(key: bytes, value: bytes) -> bytes:
    """HMAC-SHA256 cut to 128 bits (RFC 2104, section 5), which keeps links short in a text mail."""
    return hmac.digest(key, value, "sha256")[:16]


class _Truncated(SigningAlgorithm):
    """`_mac` as itsdangerous wants it."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return _mac(key, value)


class Links:
    """Every address that a mail, a feed or a page hands out, and the check of those that come back.

    ``secrets`` are the newest first; older ones still verify, so that a change of secret breaks no link.
    Each purpose has a key of its own: a rating token is worthless as a preferences token.
    """

    def __init__(self, base_url: str, secrets: str | Sequence[str]) -> None:
        self.base_url = base_url.rstrip("/")
        self.host = urlsplit(base_url).hostname or "localhost"
        keys = [secrets] if isinstance(secrets, str) else list(secrets)
        if not keys or not all(keys):
            raise ValueError("links need a secret; set PAPERWATCH_SECRET to a long random string")
        # Derived here, once, rather than by the signer at each of thousands of links a second.
        self._keys = {purpose: _key(purpose, keys[0]) for purpose in LIFETIMES}
        self._signers = {purpose: _signer(purpose, keys) for purpose in LIFETIMES}

    @property
    def home(self) -> str:
        """The front page."""
        return self.base_url + "/"

    def paper(self, paper_id: str) -> str:
        """The page of a paper; old arXiv ids and DOIs keep their slash."""
        return f"{self.base_url}/papers/{quote(paper_id, safe=':/')}"

    def feed(self, token: str, form: str = "rss") -> str:
        """A profile's private feed; ``form`` is rss, atom or json."""
        return f"{self.base_url}/feeds/{token}.{form}"

    def saved_feed(self, token: str, form: str = "rss") -> str:
        """The private feed of what a profile's reader saved."""
        return f"{self.base_url}/feeds/{token}/saved.{form}"

    def archive_feed(self, token: str, first: int, last: int, form: str = "rss") -> str:
        """An older page of a profile's feed: what the batches from ``first`` to ``last`` brought."""
        return f"{self.base_url}/feeds/{token}/{first}-{last}.{form}"

    def topic_feed(self, slug: str, form: str = "rss") -> str:
        """The public feed of a topic."""
        return f"{self.base_url}/feeds/topics/{quote(slug, safe='')}.{form}"

    def rate_base(self, profile_id: int, paper_id: str) -> str:
        """The rating page of a paper for a profile; `rate` appends the opinion that it offers first."""
        return f"{self.base_url}/rate/{self._token('rate', f'{profile_id}:{paper_id}')}"

    def rate(self, profile_id: int, paper_id: str, opinion: str) -> str:
        """A page that offers to record the opinion (like, dislike, save) by POST; opening it changes nothing.

        The opinion is no part of what is signed: whoever holds one of the three links holds them all.
        """
        return f"{self.rate_base(profile_id, paper_id)}/{opinion}"

    def unsubscribe(self, subscriber_id: int, profile_id: int | None = None) -> str:
        """Leave one profile, or everything; POST acts at once (RFC 8058), GET only asks. Never expires."""
        return self.unsubscribe_page(self.unsubscribe_token(subscriber_id, profile_id))

    def unsubscribe_page(self, token: str) -> str:
        """Where a token of `unsubscribe_token` leads."""
        return f"{self.base_url}/unsubscribe/{token}"

    def unsubscribe_token(self, subscriber_id: int, profile_id: int | None = None) -> str:
        """The token alone, for the subject of a mail to the unsubscribe mailbox."""
        return self._token("unsubscribe", f"{subscriber_id}:{'' if profile_id is None else profile_id}")

    def preferences(self, subscriber_id: int, at: datetime) -> str:
        """The subscriber's own pages without a password, for 30 days from ``at`` (aware)."""
        return f"{self.base_url}/preferences/{self._token('preferences', f'{subscriber_id}:{_stamp(at)}')}"

    def confirm(self, subscriber_id: int, email: str, at: datetime) -> str:
        """Confirms that this address wants mail, for 14 days from ``at`` (aware); by POST on its page."""
        return f"{self.base_url}/confirm/{self._token('confirm', f'{subscriber_id}:{_stamp(at)}:{email}')}"

    def verify(self, purpose: Purpose, token: str, now: datetime) -> Claim:
        """What a token that came back says.

        Raises `LinkError` where it was changed, cut, made for another purpose, or is too old at ``now``.
        """
        if len(token) > _MAX_TOKEN:
            raise LinkError(_BROKEN)
        try:
            body = base64_decode(self._signers[purpose].unsign(token.encode())).decode()
            claim = _claim(purpose, body)
        except (BadSignature, BadData, ValueError) as exc:
            raise LinkError(_BROKEN) from exc
        lifetime = LIFETIMES[purpose]
        if lifetime is not None and claim.at is not None:
            if now - claim.at > lifetime:
                raise LinkError(
                    f"This link was good for {lifetime.days} days and is now too old; ask for a new one.",
                    expired=True,
                )
            if claim.at - now > _CLOCK_SLACK:
                raise LinkError("This link is from the future; the server's clock seems to be wrong.")
        return claim

    def _token(self, purpose: Purpose, body: str) -> str:
        # What `Signer.sign` gives, in a third of its time, which was a tenth of that of rendering a digest.
        value = base64_encode(body)
        return (value + b"." + base64_encode(_mac(self._keys[purpose], value))).decode("ascii")


_BROKEN = (
    "This link is incomplete or was changed; copy the whole address from the mail, or ask for a new one."
)


def _key(purpose: Purpose, secret: str) -> bytes:
    return hmac.digest(secret.encode(), f"paperwatch.links.{purpose}".encode(), "sha256")


def _signer(purpose: Purpose, secrets: Sequence[str]) -> Signer:
    keys = [_key(purpose, secret) for secret in reversed(secrets)]
    return Signer(keys, key_derivation="none", algorithm=_Truncated())


def _stamp(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; links need an aware time")
    return int(at.timestamp())


def _claim(purpose: Purpose, body: str) -> Claim:
    """Read back what `Links` signed; ValueError where a genuine signature covers something else."""
    first, _, rest = body.partition(":")
    if purpose == "rate":
        return Claim(purpose, profile_id=int(first), paper_id=rest)
    if purpose == "unsubscribe":
        return Claim(purpose, subscriber_id=int(first), profile_id=int(rest) if rest else None)
    stamp, _, email = rest.partition(":")
    return Claim(purpose, subscriber_id=int(first), email=email, at=datetime.fromtimestamp(int(stamp), UTC))
