"""The digest as Markdown and its papers as BibTeX, attached to the mail."""

from __future__ import annotations

import re
from dataclasses import replace
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from jobs.alerts import bibtex, mail, markdown, mime
from jobs.alerts.digest import Section
from recommender.paper import Paper
from tests.digests import (
    AT,
    CACHE,
    DIGESTS,
    EVIL,
    LINKS,
    LONG,
    MATH,
    PLAIN,
    SENDER,
    digest,
    html_of,
    item,
    parsed,
)
from tests.readers import text_of


def attachments(message: EmailMessage) -> dict[str, str]:
    """The attached files: name and text."""
    return {str(part.get_filename()): str(part.get_content()) for part in message.iter_attachments()}


def shown(source: str) -> str:
    """The text that a reader of this Markdown sees."""
    html = MarkdownIt("commonmark").render(source)
    assert "<script" not in html
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_mail_carries_the_forms_that_were_asked_for_beside_its_two_parts() -> None:
    made = replace(DIGESTS["two_profiles"], attach=("markdown", "bibtex"))
    raw = mail.render(made, LINKS, SENDER)
    assert raw.isascii()
    assert raw == mail.render(made, LINKS, SENDER)
    message = parsed(raw)
    assert message.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/markdown",
        "application/x-bibtex",
    ]  # fmt: skip
    plain = parsed(mail.render(DIGESTS["two_profiles"], LINKS, SENDER))
    assert plain.get_content_type() == "multipart/alternative"
    assert (text_of(message), html_of(message)) == (text_of(plain), html_of(plain))
    names = [str(part.get_filename()) for part in message.iter_attachments()]
    assert names == ["papers-2025-10-28.md", "papers-2025-10-28.bib"]
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_the_markdown_reads_as_the_mail_and_holds_no_private_link() -> None:
    made = replace(DIGESTS["two_profiles"], attach=("markdown",))
    (source,) = attachments(parsed(mail.render(made, LINKS, SENDER))).values()
    source = source.replace("\r\n", "\n")
    assert source.startswith("# 4 papers for 2 profiles\n\nTue 28 Oct\n\n## Caching\n\n1. **[Larder: ")
    assert "papers.example.org" not in source
    words = shown(source)
    for text in (
        "An O(n log n) Bound",
        "Gödel's Trees",
        "Why: trees · like “Larder”",
        "Near misses",
        "5 of 312",
    ):
        assert text in words
    html = MarkdownIt("commonmark").render(source)
    assert '<a href="https://arxiv.org/abs/2510.02613">Larder: Evicting' in html
    # A list a profile, the second going on with the numbers of the first.
    assert re.findall(r"<ol.*?>", html) == ["<ol>", '<ol start="3">']


def test_an_empty_digest_says_why_in_markdown_too() -> None:
    assert "arXiv announces nothing at the weekend" in markdown.render(DIGESTS["nothing_new"])


@settings(max_examples=80, deadline=None)
@given(title=EVIL, reason=EVIL, name=EVIL)
def test_markdown_shows_what_strangers_wrote_and_obeys_none_of_it(title: str, reason: str, name: str) -> None:
    bad = "* # [x](javascript:alert(1)) <script>alert(1)</script> ![i](http://e.example/i.png) `a` 1. b"
    paper = Paper(
        "arxiv:2510.00001", f"{title} {bad}", authors=(f"- {name}",), abstract=f"1. {bad}. {reason}"
    )
    made = digest(Section(7, f"+ {name}", (item(paper, "good", f"# {reason} {bad}"),), (item(paper),)))
    html = MarkdownIt("commonmark").render(markdown.render(made))
    assert "<script" not in html
    assert "<img" not in html
    assert "<code" not in html
    assert set(re.findall(r'href="([^":]*:)', html)) == {"https:"}
    assert len(re.findall(r"<h1", html)) == 1


@pytest.mark.parametrize(
    ("paper", "lines"),
    [
        (
            CACHE,
            ["@misc{Lind:2510.02613,",
             "  title = {{Larder: Evicting Cold Cache Lines Before They Are Asked For}},",
             "  author = {Rosa Lind and Kwame Boateng and Mei Sato and Juan Prieto and Olga Wirth},",
             "  year = {2025},", "  month = oct,", "  eprint = {2510.02613},", "  archiveprefix = {arXiv},",
             "  primaryclass = {cs.DC},", "  url = {https://arxiv.org/abs/2510.02613},", "}"],
        ),
        (
            LONG,
            ["@misc{B:10.1000-x,", f"  title = {{{{Endless {'and endless ' * 24}ends}}}},",
             "  author = {A. B. and others},", "  doi = {10.1000/x},", "  url = {https://doi.org/10.1000/x},",
             "}"],
        ),
    ],
)  # fmt: skip
def test_a_paper_has_its_bibtex_entry(paper: Paper, lines: list[str]) -> None:
    assert bibtex.entry(paper).split("\n") == lines


def test_latex_in_a_title_becomes_characters_and_special_ones_are_escaped() -> None:
    assert "title = {{An O(n log n) Bound <b>\\& More</b> for Gödel's Trees 🌲}}" in bibtex.entry(MATH)
    odd = Paper("hash:12", "50% of {x_1} cost $5 & more \\ ~ ^ #", authors=("Anders and Sons, Ltd.", "Å. Ö"))
    made = bibtex.entry(odd)
    assert r"50\% of" in made
    assert "author = {{Anders and Sons, Ltd.} and Å. Ö}" in made


@given(st.lists(EVIL, min_size=2, max_size=2), EVIL)
def test_an_entry_is_whole_whatever_stands_in_it(names: list[str], title: str) -> None:
    paper = Paper("doi:10.1/}{x", title, authors=tuple(names), url="http://e.example/}a b")
    depth = 0
    body = bibtex.entry(paper)
    for char in body:  # BibTeX counts escaped braces too
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert depth == 0
    assert body.count("\n@") == 0


@pytest.mark.parametrize("name", ["", "../x.md", "a\r\nBcc: b", 'a".md', ".hidden", "x" * 200])
def test_an_attachment_needs_a_plain_name(name: str) -> None:
    with pytest.raises(mime.MailError):
        mime.message([("Date", mime.date(AT))], b"", b"", [mime.Attachment(name, "text/plain", "")])


def test_an_attachment_survives_long_lines_and_umlauts() -> None:
    text = "Größe " * 400 + "\n.\n-- \nFrom here =on\n"
    raw = mime.message(
        [("Date", mime.date(AT))], b"t", b"h", [mime.Attachment("a.md", "text/markdown", text)]
    )
    (part,) = parsed(raw).iter_attachments()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().replace("\r\n", "\n") == text


def test_a_profile_with_a_mail_of_its_own_has_a_list_of_its_own() -> None:
    message = parsed(mail.render(digest(PLAIN, list_profile=7), LINKS, SENDER))
    assert message["List-Id"] == "Paperwatch <profile-7.digests.papers.example.org>"
    assert LINKS.unsubscribe(3, 7) in message["List-Unsubscribe"]
    assert message["Subject"].startswith("Caching · 2 papers: Larder")
