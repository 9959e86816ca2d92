"""A profile as a text file: written, read back, edited, and refused line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.portable import Portable, PortableError, export, parse
from profiles.request import RequestError, interests_of
from recommender.interest import Interests, Mutes

FULL = Portable(
    "LLM inference",
    Interests(
        statement="KV caches and speculative decoding, not vision",
        terms=(("speculative decoding", 2.0), ("C#", 1.0), ("survey", -1.5)),
        authors=("Zhenan Fan", "Erdős, Pál"),
        categories=("cs.DC", "math.*"),
        seeds=("arxiv:2510.21419", "doi:10.1101/2024.01.02.573"),
        mutes=Mutes(("blockchain",), ("A. Spammer",), ("cs.CV",)),
    ),
    12,
    (("KV cache", 1.0), ("draft model", 0.42)),
    explore=False,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def test_a_profile_survives_the_way_out_and_back() -> None:
    assert parse(export(FULL), "mine.txt") == FULL


@given(
    name=WORDS.map(lambda w: " ".join(w.split())).filter(bool),
    statement=WORDS,
    terms=st.lists(st.tuples(WORDS, st.decimals("-3", "3", allow_nan=False, places=3).map(str)), max_size=4),
    people=st.lists(WORDS, max_size=3),
    mutes=st.lists(st.tuples(st.sampled_from(["term:", "author:", ""]), WORDS).map("".join), max_size=3),
    per_day=st.integers(1, 100),
)
def test_whatever_a_reader_could_subscribe_with_survives_too(
    name: str, statement: str, terms: list[tuple[str, str]], people: list[str], mutes: list[str], per_day: int
) -> None:
    try:
        interests = interests_of(
            statement=statement, terms=[f"{t}={w}" for t, w in terms], authors=people, mutes=mutes
        )
    except RequestError:
        return  # the subscribe page would not have taken it either
    profile = Portable(name, interests, per_day)
    text = export(profile)
    assert parse(text, "x") == profile
    assert parse(text.replace("\n", "\r\n"), "x") == profile


def test_a_file_without_a_word_on_exploring_asks_for_what_is_usual() -> None:
    begun = "paperwatch-profile: 1\nname: a\nterm: b\n"
    assert parse(begun, "x").explore
    assert not parse(begun + "explore: no\n", "x").explore
    with pytest.raises(PortableError, match="x:4: explore must be yes or no, not 'maybe'"):
        parse(begun + "explore: maybe\n", "x")


def test_what_strangers_wrote_stays_on_its_line_and_cannot_be_hidden() -> None:
    nasty = Portable("n", Interests(statement="calm\x1b[31m\u202ered\\u{41}", authors=("a\x07name: b",)), 5)
    text = export(nasty)
    assert not {"\x1b", "\u202e", "\x07"} & set(text)
    assert "author: a\\u{7}name: b\n" in text
    assert parse(text, "x") == nasty


def test_a_person_may_write_it_by_hand() -> None:
    read = parse(
        """
        # my own
        paperwatch-profile: 1
        name:Mine
        term: kv  cache
        term: a = b
        term: draft model=-0.5
        seed: https://arxiv.org/abs/2510.21419v3
        mute-author: term:odd
        """,
        "mine.txt",
    )
    assert read.name == "Mine"
    assert read.interests.terms == (("kv cache", 1.0), ("a = b", 1.0), ("draft model", -0.5))
    assert read.interests.seeds == ("arxiv:2510.21419",)
    assert read.interests.mutes.authors == ("term:odd",)
    assert read.per_day == 5


def test_learned_terms_are_no_wishes_until_their_key_is_changed() -> None:
    text = export(FULL)
    assert "kv cache" not in {term.lower() for term, _ in parse(text, "x").interests.terms}
    moved = parse(text.replace("learned: draft model", "term: draft model"), "x")
    assert ("draft model", 0.42) in moved.interests.terms
    assert moved.learned == (("KV cache", 1.0),)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("terms: kv cache", "p.txt:3: no key 'terms'; did you mean 'term'?"),
        ("zzz: 1", "p.txt:3: no key 'zzz'; the keys are name, statement"),
        ("kv cache", 'p.txt:3: expected "key: value"'),
        ("term: kv cache = 4", "p.txt:3: The strength of 'kv cache' must be from -3 to 3"),
        ("term: = 2", "p.txt:3: '=2' is no term"),
        ("author:", "p.txt:3: nothing stands after author:"),
        ("author: \\u{20}", "p.txt:3: nothing stands after author:"),
        ("category: machine learning", "p.txt:3: 'machine learning' is no category"),
        ("seed: my paper", "p.txt:3: 'my paper' is no arXiv id"),
        ("per-day: 0", "p.txt:3: per-day must be a number from 1 to 100, not '0'"),
        ("name: Again", "p.txt:3: name 'Again' stands on line 2 already"),
        ("author: \x1b[31mred", "p.txt:3: an invisible character, U+001B"),
        ("author: C:\\new", "a backslash is written \\\\"),
        ("author: \\u{d800}", "a backslash is written \\\\"),
        ("name: " + "x" * 121, "at most 120 characters, not 121"),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(line: str, complaint: str) -> None:
    with pytest.raises(PortableError) as caught:
        parse(f"paperwatch-profile: 1\nname: Mine\n{line}\n", "p.txt")
    (fault,) = caught.value.faults
    assert complaint in fault


def test_every_bad_line_is_reported_at_once() -> None:
    with pytest.raises(PortableError) as caught:
        parse("paperwatch-profile: 1\nterm: a\nterm: a = 2\nfoo: 1\n", "p.txt")
    repeat, unknown, nameless = caught.value.faults
    assert repeat.startswith("p.txt:3: term 'a' stands on line 2 already")
    assert unknown.startswith("p.txt:4:")
    assert "no line says what the profile is called" in nameless


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", 'p.txt:1: the first line must be "paperwatch-profile: 1"'),
        ("\n\nname: x", "p.txt:3: the first line must be"),
        ("paperwatch-profile: 2\n", "p.txt:1: format '2' is unknown here; this Paperwatch reads 1"),
        ("x" * 1_000_001, "p.txt: 1,000,001 characters are too many"),
    ],
)
def test_a_file_that_is_no_profile_gives_one_error(content: str, complaint: str) -> None:
    with pytest.raises(PortableError, match=r"p\.txt") as caught:
        parse(content, "p.txt")
    assert len(caught.value.faults) == 1
    assert complaint in str(caught.value)
