"""Digests as mail: headers, addresses, lines, and what strangers may try."""

from __future__ import annotations

import email
import html
from email import policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.alerts import fragment, mail, mime, wording
from jobs.alerts.digest import Receipt, Section
from jobs.alerts.links import Links
from recommender.paper import Paper
from tests.digests import (
    DIGESTS,
    EVIL,
    LINKS,
    PLAIN,
    SENDER,
    digest,
    html_of,
    item,
    parsed,
)
from tests.readers import text_of


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
