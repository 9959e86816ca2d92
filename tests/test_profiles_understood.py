"""One field that takes a sentence, papers, categories, people and weighed terms, all in one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.request import interests_of
from profiles.understood import Understood, understood


def test_everything_in_one_field_is_sorted() -> None:
    found = understood(
        "KV cache and speculative decoding, see arXiv: 2510.21419v2, https://arxiv.org/abs/2511.00001 "
        "(10.1145/3600006.3613165), cs.DC and quant-ph\nby: Ada Lovelace; Bob B\n"
        "autoscaling = 2, blockchain = -1"
        "\nnever: vision\ncategory: math.*"
    )
    assert found == Understood(
        "KV cache and speculative decoding, see and",
        ("autoscaling = 2", "blockchain = -1"),
        ("2510.21419", "2511.00001", "10.1145/3600006.3613165"),
        ("Ada Lovelace", "Bob B"),
        ("cs.DC", "quant-ph", "math.*"),
        ("vision",),
    )


@pytest.mark.parametrize(
    "words",
    [
        "I work on physics and/or statistics, e.g. A/B tests, version 2.5 and 10.5/3.",
        "Two lines\n\n  kept as typed; with x=y and: colons",
        "Re: the statement https://example.org/papers",
    ],
)
def test_plain_words_stay_as_they_were_typed(words: str) -> None:
    assert understood(words) == Understood(words)


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_whatever_is_typed_what_was_sorted_is_not_found_again(text: str) -> None:
    found = understood(text)
    assert understood(found.statement).likes == ()
    for field, words in found.lists.items():
        assert all(word.strip() for word in words), field


@given(
    st.lists(
        st.sampled_from(
            [
                "2510.21419",
                "10.1145/3600006.3613165",
                "cs.DC",
                "physics.optics",
                "cond-mat.mtrl-sci",
                "serving = 2",
                "edge = -1.5",
            ]
        ),
        min_size=1,
    )
)
def test_what_was_sorted_is_what_the_request_takes(parts: list[str]) -> None:
    found = understood(", ".join(parts))
    interests = interests_of(terms=found.terms, likes=found.likes, categories=found.categories)
    held = len(interests.terms) + len(interests.seeds) + len(interests.categories)
    assert held == len(set(parts)) and not found.statement


def test_a_long_text_takes_time_linear_in_its_length() -> None:
    def seconds(times: int) -> float:
        text = "a = 1, cs.DC 2510.21419 arXiv: 10.1/ ([{ " * times
        begin = time.process_time()
        understood(text)
        return time.process_time() - begin

    assert seconds(4_000) < 40 * max(seconds(400), 1e-3)
