"""Digests and notes as mail: both parts as they look, and what they may weigh."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jobs.alerts import fragment, mail, notes
from jobs.alerts.digest import Digest, Section
from recommender.paper import Paper
from tests.digests import (
    AT,
    CACHE,
    DIGESTS,
    LINKS,
    QUEUE,
    SENDER,
    digest,
    html_of,
    item,
    parsed,
)
from tests.readers import text_of

GOLDENS = Path(__file__).parent / "data" / "alerts"


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
    more = re.search(r"([\d,]+) papers more in the text of this mail", shown)
    assert len(numbers - found) == (int(more[1].replace(",", "")) if more else 0)
    assert (more is None) == (papers < 30)


def test_a_preheader_shows_the_first_reason() -> None:
    shown = html_of(parsed(mail.render(DIGESTS["one_profile"], LINKS, SENDER)))
    assert "cache eviction, tail latency" in shown.partition("<table")[0]


def test_a_title_cannot_fill_a_hole_of_the_template() -> None:
    sly = Paper("arxiv:2510.00001", "A \ue010rate\ue011 and \ue010nothing\ue011 title")
    shown = html_of(parsed(mail.render(digest(Section(7, "x", (item(sly),))), LINKS, SENDER)))
    assert "A rate and nothing title" in shown


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
