"""Digests and notes as mail: headers, both parts, goldens, and what strangers may try."""

from __future__ import annotations

import email
import html
import re
from datetime import UTC, date, datetime
from email import policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.alerts import fragment, mail, mime, notes, wording
from jobs.alerts.digest import Contribution, Digest, Item, Receipt, Section
from jobs.alerts.links import Links
from recommender.paper import Paper

GOLDENS = Path(__file__).parent / "data" / "alerts"
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


def text_of(message: EmailMessage) -> str:
    """The decoded text part."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


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


def golden(name: str, made: str) -> None:
    """Compare with the file; where it is missing, write it and fail, so that somebody looks at it."""
    path = GOLDENS / name
    if not path.exists():
        path.write_text(made, encoding="utf-8", newline="\n")
        pytest.fail(f"{name} was missing and has been written; look at it and run again")
    assert made == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DIGESTS)
@pytest.mark.parametrize("kind", ["text", "html"])
def test_a_digest_looks_as_it_did_when_last_looked_at(name: str, kind: str) -> None:
    message = parsed(mail.render(DIGESTS[name], LINKS, SENDER))
    made = text_of(message) if kind == "text" else html_of(message)
    golden(f"{name}.{'txt' if kind == 'text' else 'html'}", made.replace("\r\n", "\n"))


@pytest.mark.parametrize("name", ["confirmation", "magic_link", "test"])
def test_a_note_reads_as_it_did_when_last_read(name: notes.NoteName) -> None:
    raw = notes.render_note(
        name, "ada@example.org", "https://papers.example.org/x/t0k", AT, "<n@p.example>", SENDER
    )
    message = parsed(raw)
    assert "https://papers.example.org/x/t0k" in html_of(message)
    assert message["Auto-Submitted"] == "auto-generated"
    golden(f"note_{name}.txt", text_of(message).replace("\r\n", "\n"))


def test_no_golden_lies_unused() -> None:
    used = {f"{name}.{kind}" for name in DIGESTS for kind in ("txt", "html")}
    used |= {f"note_{name}.txt" for name in ("confirmation", "magic_link", "test")}
    assert {path.name for path in GOLDENS.iterdir()} == used


def test_every_header_that_mail_providers_ask_for_is_there() -> None:
    raw = mail.render(DIGESTS["one_profile"], LINKS, SENDER)
    message = parsed(raw)
    leave = LINKS.unsubscribe(3)
    token = LINKS.unsubscribe_token(3)
    assert {name: str(message[name]) for name in message} == {
        "From": "Paperwatch <digest@papers.example.org>",
        "To": "ada@example.org",
        "Subject": "2 papers: Larder, Queues That Admit They Are Full",
        "Date": "Tue, 28 Oct 2025 07:30:00 +0100",
        "Message-ID": "<digest-1@papers.example.org>",
        "List-Id": "Paperwatch <digests.papers.example.org>",
        "List-Unsubscribe": f"<{leave}>, <mailto:leave@papers.example.org?subject=unsubscribe%20{token}>",
        "List-Help": "<https://papers.example.org/>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": str(message["Content-Type"]),
    }
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_long_addresses_in_headers_are_not_broken() -> None:
    links = Links(
        "https://a-very-long-name-of-a-server-somewhere.papers.example.org/under/a/long/path", "secret"
    )
    raw = mail.render(DIGESTS["one_profile"], links, SENDER)
    (line,) = [line for line in raw.split(b"\r\n") if line.startswith(b"List-Unsubscribe:")]
    assert links.unsubscribe(3).encode() in line


def test_the_list_does_not_change_with_what_is_in_the_mail() -> None:
    of_all = {parsed(mail.render(made, LINKS, SENDER))["List-Id"] for made in DIGESTS.values()}
    assert of_all == {"Paperwatch <digests.papers.example.org>"}
    own = parsed(mail.render(digest(PLAIN, list_profile=7), LINKS, SENDER))
    assert own["List-Id"] == "Paperwatch <profile-7.digests.papers.example.org>"
    assert LINKS.unsubscribe(3, 7) in own["List-Unsubscribe"]
    assert own["Subject"].startswith("Caching · 2 papers: Larder")


def test_the_same_digest_is_the_same_bytes_so_that_a_retry_is_the_same_mail() -> None:
    first = mail.render(DIGESTS["two_profiles"], LINKS, SENDER)
    fragment.css.cache_clear()
    assert mail.render(DIGESTS["two_profiles"], LINKS, SENDER) == first


@pytest.mark.parametrize("name", DIGESTS)
def test_every_line_is_ascii_and_short_enough_for_any_server(name: str) -> None:
    raw = mail.render(DIGESTS[name], LINKS, SENDER)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")


def test_a_line_that_is_too_long_as_it_is_goes_out_quoted_printable() -> None:
    endless = Paper("arxiv:2510.00001", "🌲" * 300)
    raw = mail.render(digest(Section(7, "Trees", (item(endless),))), LINKS, SENDER)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert "🌲" * 300 in html.unescape(html_of(parsed(raw)))
    assert [p["Content-Transfer-Encoding"] for p in parsed(raw).iter_parts()] == ["quoted-printable"] * 2  # type: ignore[attr-defined]


def test_text_lines_fit_the_terminal_but_for_links_that_stand_alone() -> None:
    for made in DIGESTS.values():
        for line in text_of(parsed(mail.render(made, LINKS, SENDER))).splitlines():
            assert len(line) <= 76 or re.fullmatch(
                r"(    (abs|pdf|code|paper|more|less|save) +)?https://\S+", line
            )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_html_loads_nothing_and_runs_nothing() -> None:
    tags = _Tags()
    tags.feed(html_of(parsed(mail.render(DIGESTS["two_profiles"], LINKS, SENDER))))
    names = {tag for tag, _ in tags.found}
    assert not names & {"img", "script", "link", "iframe", "object", "form", "video", "svg", "base"}
    for tag, attributes in tags.found:
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert "url(" not in (attributes.get("style") or "")
        if tag == "a":
            assert str(attributes["href"]).startswith("https://")
    assert "url(" not in fragment.css()
    assert "@import" not in fragment.css()


def test_every_paper_can_be_opened_and_rated_from_both_parts() -> None:
    message = parsed(mail.render(DIGESTS["one_profile"], LINKS, SENDER))
    for part in (html_of(message), text_of(message)):
        for paper in (CACHE, QUEUE):
            assert f"https://arxiv.org/abs/{paper.id.removeprefix('arxiv:')}" in part
            for opinion in ("like", "dislike", "save"):
                assert LINKS.rate(7, paper.id, opinion) in part
        assert "https://doi.org/10.1000/x" in part
        for address in (LINKS.preferences(3, AT), LINKS.unsubscribe(3)):
            assert address in part
        assert "5 of 312 sent." in part


def test_the_score_and_its_parts_are_there_to_hover_over() -> None:
    shown = html_of(parsed(mail.render(DIGESTS["one_profile"], LINKS, SENDER)))
    assert 'title="score 2.31 = +1.40 cache eviction, +0.91 Rosa Lind"' in shown


def test_twenty_papers_stay_under_100_kb_and_so_do_two_hundred() -> None:
    def many(number: int) -> Digest:
        papers = [
            Paper(
                f"arxiv:2510.{n:05}", f"Larder {n}: " + "Evicting Cold Cache Lines " * 4,
                abstract="Cache lines that a small model expects to stay cold are dropped in time. " * 5,
                authors=("Rosa Lind",) * 9, institutions=("Harbour University",) * 3,
                categories=("cs.DC",) * 4, topics=("caching",), announced=date(2025, 10, 28),
            )
            for n in range(number)
        ]  # fmt: skip
        return digest(Section(7, "Caching", tuple(map(item, papers)), tuple(map(item, papers[:5]))))

    twenty = html_of(parsed(mail.render(many(20), LINKS, SENDER)))
    assert len(twenty.encode()) < 100_000
    assert twenty.count('class="paper"') == 20
    many_more = html_of(parsed(mail.render(many(200), LINKS, SENDER)))
    assert len(many_more.encode()) < 100_000
    assert "more, by title to keep this mail short" in many_more
    assert "unsubscribe</a>" in many_more
    sixty = html_of(parsed(mail.render(many(60), LINKS, SENDER)))
    assert all(f"Larder {n}:" in sixty for n in range(60))


@pytest.mark.parametrize("papers", [1, 3, 30])
def test_forty_profiles_in_one_mail_stay_under_100_kb_and_name_what_they_leave_out(papers: int) -> None:
    def called(kind: str, number: int) -> Paper:
        return Paper(
            f"arxiv:2510.{number:05}", f"{kind} {number:05}", abstract="Cold lines are dropped. " * 9
        )

    sections = [
        Section(
            at, f"Profile {at:02} of forty, with a name as long as people give",
            tuple(item(called("Larder", papers * at + n)) for n in range(papers)),
            tuple(item(called("Pantry", 50_000 + 5 * at + n)) for n in range(5)),
        )
        for at in range(40)
    ]  # fmt: skip
    message = parsed(mail.render(digest(*sections), LINKS, SENDER))
    shown, words = html_of(message), text_of(message)
    assert len(shown.encode()) < 100_000
    assert "unsubscribe</a>" in shown
    assert all(shown.count(f"Profile {at:02}") >= 2 for at in range(40))
    numbers = set(range(40 * papers))
    assert {int(n) for n in re.findall(r"Larder (\d{5})", words)} == numbers
    found = {int(n) for n in re.findall(r"Larder (\d{5})", shown)}
    more = re.search(r"(\d+) papers more in the text of this mail", shown)
    assert len(numbers - found) == (int(more[1]) if more else 0)
    assert (more is None) == (papers < 30)


def test_a_preheader_shows_the_first_reason() -> None:
    shown = html_of(parsed(mail.render(DIGESTS["one_profile"], LINKS, SENDER)))
    assert "cache eviction, tail latency" in shown.partition("<table")[0]


def test_a_title_cannot_fill_a_hole_of_the_template() -> None:
    sly = Paper("arxiv:2510.00001", "A \ue010rate\ue011 and \ue010nothing\ue011 title")
    shown = html_of(parsed(mail.render(digest(Section(7, "x", (item(sly),))), LINKS, SENDER)))
    assert "A rate and nothing title" in shown


EVIL = st.text(
    st.one_of(st.sampled_from(list("\r\n\x00<>&\"'=?:;,@%\u2028\u202e\ue010\ud800")), st.characters()),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(title=EVIL, reason=EVIL, name=EVIL, author=EVIL, receipt=EVIL, sender=EVIL)
def test_no_field_can_inject_a_header_or_an_element(
    title: str, reason: str, name: str, author: str, receipt: str, sender: str
) -> None:
    bad = "\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>"
    paper = Paper(
        "arxiv:2510.00001", title + bad, authors=(author + bad,), categories=(bad,), sources=("a", bad)
    )
    made = digest(
        Section(7, name + bad, (item(paper, "good", reason + bad),), (item(paper),)),
        Section(8, name, ()),
        receipt=Receipt(receipt + bad, bad),
    )
    raw = mail.render(made, LINKS, mail.Sender(sender + bad, "digest@papers.example.org"))
    message = parsed(raw)
    assert "Bcc" not in message
    assert list(message) == list(parsed(mail.render(DIGESTS["one_profile"], LINKS, SENDER)))
    assert raw.isascii()
    assert "<script" not in html_of(message)


@pytest.mark.parametrize(
    "address",
    ["", "ada", "@example.org", "ada@", "a b@example.org", "ada@example.org\r\nBcc: x@e.org",
     "ada@exa mple.org",
     "ada@example.org, eve@example.org", "<ada@example.org>", "Ada <ada@example.org>", "jürgen@example.org",
     "a" * 65 + "@example.org", "ada@-example.org", "ada@example.org>", "ada@..", "a..b@example.org"],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    with pytest.raises(mime.MailError, match="no e-mail address"):
        mail.render(digest(PLAIN, to=address), LINKS, SENDER)


def test_a_domain_with_umlauts_is_written_in_ascii() -> None:
    message = parsed(mail.render(digest(PLAIN, to="ada@bücher.example"), LINKS, SENDER))
    assert message["To"] == "ada@xn--bcher-kva.example"
    # By the older IDNA of Python's codec it would be strasse.example, which is somebody else.
    assert mime.mailbox("ada@straße.example") == "ada@xn--strae-oqa.example"
    with pytest.raises(mime.MailError):
        mime.mailbox("ada@bü" + "c" * 70 + ".example")


@pytest.mark.parametrize("identity", ["", "x", "<x>", "<a@b>\r\nBcc: c@d", "<a b@c>", "<a@b> <c@d>"])
def test_what_is_no_message_id_is_refused(identity: str) -> None:
    with pytest.raises(mime.MailError, match="Message-ID"):
        mail.render(digest(PLAIN, message_id=identity), LINKS, SENDER)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller & Söhne", "Müller & Söhne"),
        ('The "Papers", Inc.', 'The "Papers", Inc.'),
        ("=?utf-8?q?x?=", "=?utf-8?q?x?="),
        ("报纸", "报纸"),
    ],
)
def test_a_senders_name_is_encoded_as_it_needs(name: str, shown: str) -> None:
    message = parsed(mail.render(digest(PLAIN), LINKS, mail.Sender(name, "d@p.example")))
    assert message["From"].addresses[0].display_name == shown
    assert message["From"].addresses[0].addr_spec == "d@p.example"


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Co")), min_size=1, max_size=300))
def test_a_subject_survives_its_encoding(subject: str) -> None:
    value = mime.unstructured(subject)
    message = email.message_from_bytes(f"Subject: {value}\r\n\r\n".encode("ascii"), policy=policy.default)
    assert str(message["Subject"]) == mime.clean(subject)
    assert all(len(line) <= 76 for line in value.split("\r\n")) or value.isascii()


STRANGE = (
    "التعلم العميق للرؤية الحاسوبية والنماذج اللغوية",
    "למידה עמוקה and English",
    "a\u200bb\u2060c jo\u00adin",
    "x" * 2000,
    "word " * 400,
    "🤯👩\u200d👩\u200d👧\u200d👦🇩🇪 emoji",
    "=?utf-8?B?aGVsbG8=?= look",
    "=?utf-8?q?a_b?=",
    "CR\r\nLF: yes",
    "\u202egnol",
    "中文标题" * 200,
    "a\u0301\u0302\u0303" * 300,
    ".\n.",
    ".",
    "From me",
    "-- ",
    "&amp; &lt;",
    "\ud800lone",
    "\u2028line\u2029end\x85next",
    "\u200e",
    "=20",
)


@pytest.mark.parametrize("strange", STRANGE, ids=ascii)
def test_strange_text_comes_through_in_both_parts_on_lines_that_any_server_takes(strange: str) -> None:
    paper = Paper("arxiv:2510.00001", strange, authors=(strange, strange), abstract=strange)
    made = digest(
        Section(7, strange, (item(paper, reason=strange),)), Section(8, "Other", ()), receipt=Receipt(strange)
    )
    raw = mail.render(made, LINKS, mail.Sender(strange, "digest@papers.example.org"))
    lines = raw.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998
    message = parsed(raw)
    assert len(set(message)) == len(list(message))
    assert str(message["Subject"]) == wording.subject(made)
    assert [a.addr_spec for a in message["From"].addresses] == ["digest@papers.example.org"]
    assert str(message["List-Id"]).endswith("<digests.papers.example.org>")
    title = wording.ellipsis(wording.title(paper), 320)
    for shown in (text_of(message), html.unescape(html_of(message))):
        assert "".join(title.split()) in "".join(shown.split())


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two colours written as #rrggbb."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_colour_has_enough_contrast_by_day_and_by_night() -> None:
    day, night = fragment.css().split("@media (prefers-color-scheme: dark)")
    for rules, sheet in ((day, "#ffffff"), (night, "#1b1e21")):
        found = re.findall(r"^(.*?) \{[^}]*?(?<![-\w])color: (#[0-9a-f]{6})", rules, re.MULTILINE)
        texts = {colour for names, colour in found if names not in {".off", ".button"}}
        assert len(texts) >= 3
        assert min(contrast(colour, sheet) for colour in texts) >= 4.5
    (button,) = re.findall(r"\.button \{.*?background: (#\w+).*?color: (#\w+)", day)
    assert contrast(*button) >= 4.5


def test_a_note_refuses_a_link_that_is_none() -> None:
    for link in ("javascript:alert(1)", "https://x.example/ y", "https://x.example/\r\nBcc: a@b"):
        with pytest.raises(ValueError, match="no http"):
            notes.render_confirmation("ada@example.org", link, AT, "<n@p.example>", SENDER)
