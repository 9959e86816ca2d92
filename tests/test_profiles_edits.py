"""What-if edits: applied in order, checked as the subscribe page checks, refused with the cure."""

from __future__ import annotations

import pytest

from profiles.edits import Wanted, edited
from profiles.request import RequestError
from recommender.interest import Interests, Mutes

NOW = Wanted(
    Interests(
        statement="LLM serving",
        terms=(("KV cache", 1.0), ("survey", -1.0)),
        authors=("Zhenan Fan",),
        categories=("cs.DC",),
        seeds=("arxiv:2510.21419",),
        mutes=Mutes(("blockchain",), ("A. Spammer",), ("cs.CV",)),
    ),
    5,
)


def test_no_edits_change_nothing() -> None:
    assert edited(NOW) == NOW


def test_changes_of_every_kind_are_made_at_once() -> None:
    after = edited(
        NOW,
        ['term:"speculative decoding"=2', "statement=Edge devices", "mute:author:B. Loud", "mute:quantum",
         "mute:category:cs.RO", "per-day=10", "category:cs.LG", "author: Ada  Lovelace", "like:2401.00001v2"],
    )  # fmt: skip
    assert after.per_day == 10
    assert after.interests.statement == "Edge devices"
    assert after.interests.terms[-1] == ("speculative decoding", 2.0)
    assert after.interests.categories == ("cs.DC", "cs.LG")
    assert after.interests.authors == ("Zhenan Fan", "Ada Lovelace")
    assert after.interests.seeds == ("arxiv:2510.21419", "arxiv:2401.00001")
    assert after.interests.mutes == Mutes(
        ("blockchain", "quantum"), ("A. Spammer", "B. Loud"), ("cs.CV", "cs.RO")
    )


def test_a_term_that_is_there_gets_the_new_strength_whatever_its_spelling() -> None:
    assert edited(NOW, ["term:kv-caches=3"]).interests.terms == (("KV cache", 3.0), ("survey", -1.0))


def test_strength_nought_takes_a_term_out() -> None:
    assert edited(NOW, ["term:kv cache=0"]).interests.terms == (("survey", -1.0),)


def test_what_is_there_already_is_not_added_twice() -> None:
    assert edited(NOW, ["author:zhenan fan", "category:cs.DC", "like:2510.21419", "mute:Blockchains"]) == NOW


def test_everything_can_be_dropped() -> None:
    after = edited(
        NOW,
        drops=["statement", "term:kv caches", "term:survey", "author:fan, zhenan", "category:cs.DC",
               "seed:https://arxiv.org/abs/2510.21419", "mute:blockchain", "mute:author:A Spammer",
               "mute:category:cs.CV"],
    )  # fmt: skip
    assert after == Wanted(Interests(), 5)


@pytest.mark.parametrize(
    ("changes", "drops", "complaint"),
    [
        (["colour:red"], [], "begin with one of term, author"),
        (["term"], [], "says nothing after 'term'"),
        (["term:x=9"], [], "from -3 to 3"),
        (["per-day=none"], [], "per-day must be a number from 1 to 100"),
        (["category:robots everywhere"], [], "is no category"),
        ([], ["term:robots"], "no term 'robots' to drop; there are 'KV cache', 'survey'"),
        ([], ["mute:author:Nobody"], "no muted author 'Nobody' to drop"),
        ([], ["per-day"], "says nothing after 'per-day'"),
        ([], ["per-day=5"], "cannot be dropped"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(changes: list[str], drops: list[str], complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        edited(NOW, changes, drops)
