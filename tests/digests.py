"""Digests to render as mail, and mails read back."""

from __future__ import annotations

import email
from datetime import UTC, date, datetime
from email import policy
from email.message import EmailMessage

from hypothesis import strategies as st

from jobs.alerts import mail
from jobs.alerts.digest import Contribution, Digest, Item, Receipt, Section
from jobs.alerts.links import Links
from recommender.paper import Paper

AT = datetime(2025, 10, 28, 6, 30, tzinfo=UTC)
LINKS = Links("https://papers.example.org", "a long secret of these tests")
SENDER = mail.Sender("Paperwatch", "digest@papers.example.org", "leave@papers.example.org")
PARTS = (Contribution("term", "cache eviction", 1.4), Contribution("author", "Rosa Lind", 0.91))


def item(paper: Paper, strength: str = "good", reason: str = "cache eviction, tail latency") -> Item:
    """The paper as chosen, with a score of two parts."""
    return Item(paper, 2.31, strength, reason, PARTS)  # type: ignore[arg-type]


def digest(*sections: Section, **changed: object) -> Digest:
    """A digest to Ada, in Berlin, of these sections."""
    line = "Checked arXiv cs.DC cs.LG (Tue batch, 312 new) and 1 digest; 5 of 312 sent."
    made = {"receipt": Receipt(line), "zone": "Europe/Berlin", "to": "ada@example.org", "at": AT}
    identity = {"subscriber_id": 3, "message_id": "<digest-1@papers.example.org>"}
    return Digest(sections=sections, **{**made, **identity, **changed})  # type: ignore[arg-type]


def parsed(raw: bytes) -> EmailMessage:
    """The mail as the standard library reads it, with nothing wrong in it."""
    message = email.message_from_bytes(raw, policy=policy.default)
    for part in message.walk():
        assert part.defects == []
    return message


def html_of(message: EmailMessage) -> str:
    """The decoded HTML part."""
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


CACHE = Paper(
    "arxiv:2510.02613", "Larder: Evicting Cold Cache Lines Before They Are Asked For", version=2,
    summary="Larder drops cache lines that a small model expects to stay cold. Tail latency falls by 3.5×.",
    authors=("Rosa Lind", "Kwame Boateng", "Mei Sato", "Juan Prieto", "Olga Wirth"),
    institutions=("Harbour University",), categories=("cs.DC", "cs.LG"), topics=("caching",),
    announced=date(2025, 10, 28), sources=("arXiv", "weekly systems digest"),
)  # fmt: skip
QUEUE = Paper(
    "arxiv:2510.03001", "Queues That Admit They Are Full", authors=("Ines Roth",), categories=("cs.NI",)
)
MATH = Paper(
    "arxiv:2510.03002", r"An $O(n \log n)$ Bound <b>& More</b> for G\"odel's Trees 🌲",
    abstract=r"We show $x_{i}^{2} \leq 3$ for n<m, e.g. for trees of 50% depth. A second sentence follows.",
    authors=(r"Paul Erd\H{o}s",),
)  # fmt: skip
RIGHT = Paper(
    "arxiv:2510.03003", "تعلم الآلة في المدن الصغيرة", summary="ملخص قصير. جملة ثانية.", authors=("ليلى",)
)
LONG = Paper(
    "doi:10.1000/x", "Endless " + "and endless " * 24 + "ends", authors_complete=False, authors=("A. B.",)
)
PLAIN = Section(7, "Caching", (item(CACHE, "strong"), item(QUEUE)), (item(LONG, "near"),))

DIGESTS = {
    "one_profile": digest(PLAIN),
    "two_profiles": digest(
        PLAIN,
        Section(
            8,
            "Trees & <logic>",
            (
                Item(MATH, 0.4, "near", "trees · like “Larder”", (), (QUEUE, LONG), 0.1),
                item(RIGHT, "weak", ""),
            ),
        ),
    ),
    "nothing_new": digest(
        Section(7, "Caching", ()),
        receipt=Receipt("Checked arXiv cs.DC cs.LG and 1 digest.", "arXiv announces nothing at the weekend."),
    ),
}  # fmt: skip


EVIL = st.text(
    st.one_of(st.sampled_from(list("\r\n\x00<>&\"'=?:;,@%\u2028\u202e\ue010\ud800")), st.characters()),
    max_size=60,
)
