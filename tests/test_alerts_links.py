"""Signed links: what holds, what does not, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.alerts.links import LIFETIMES, Claim, LinkError, Links

NOW = datetime(2025, 10, 28, 7, tzinfo=UTC)
LINKS = Links("https://papers.example.org/", "a long secret of these tests")


def token(url: str) -> str:
    """The signed part of one of our addresses."""
    return url.removeprefix("https://papers.example.org/").split("/")[1]


TOKENS = {
    "rate": token(LINKS.rate(7, "doi:10.1000/a:b/c", "like")),
    "unsubscribe": token(LINKS.unsubscribe(3, 7)),
    "preferences": token(LINKS.preferences(3, NOW)),
    "confirm": token(LINKS.confirm(3, "ada:x@example.org", NOW)),
}


def test_every_purpose_says_what_was_signed() -> None:
    assert LINKS.verify("rate", TOKENS["rate"], NOW) == Claim(
        "rate", profile_id=7, paper_id="doi:10.1000/a:b/c"
    )
    assert LINKS.verify("unsubscribe", TOKENS["unsubscribe"], NOW) == Claim(
        "unsubscribe", subscriber_id=3, profile_id=7
    )
    everything = LINKS.verify("unsubscribe", LINKS.unsubscribe_token(3), NOW)
    assert everything == Claim("unsubscribe", subscriber_id=3)
    assert LINKS.verify("preferences", TOKENS["preferences"], NOW) == Claim(
        "preferences", subscriber_id=3, at=NOW
    )
    confirmed = Claim("confirm", subscriber_id=3, email="ada:x@example.org", at=NOW)
    assert LINKS.verify("confirm", TOKENS["confirm"], NOW) == confirmed


@pytest.mark.parametrize("made_for", TOKENS)
@pytest.mark.parametrize("used_for", TOKENS)
def test_a_token_holds_for_its_own_purpose_only(made_for: str, used_for: str) -> None:
    if made_for == used_for:
        assert LINKS.verify(used_for, TOKENS[made_for], NOW).purpose == used_for  # type: ignore[arg-type]
    else:
        with pytest.raises(LinkError, match="copy the whole address"):
            LINKS.verify(used_for, TOKENS[made_for], NOW)  # type: ignore[arg-type]


@settings(max_examples=200)
@given(place=st.integers(0, 200), other=st.characters(), purpose=st.sampled_from(sorted(TOKENS)))
def test_a_changed_token_is_refused(place: int, other: str, purpose: str) -> None:
    genuine = TOKENS[purpose]
    place %= len(genuine)
    changed = genuine[:place] + other + genuine[place + 1 :]
    # Base64 is read in both its alphabets, so / stands for _ and + for -.
    if {genuine[place], other} in ({"_", "/"}, {"-", "+"}):
        return
    # The last character of base64 has bits that count for nothing.
    if changed == genuine or place == len(genuine) - 1 or place == genuine.index(".") - 1:
        return
    with pytest.raises(LinkError):
        LINKS.verify(purpose, changed, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("rubbish", ["", ".", "a.b", "\ud800", "💥.💥", "x" * 5000, TOKENS["rate"][:-3]])
def test_rubbish_is_refused_in_words_for_the_reader(rubbish: str) -> None:
    with pytest.raises(LinkError, match="incomplete or was changed"):
        LINKS.verify("rate", rubbish, NOW)


def test_leaving_and_rating_never_expire() -> None:
    in_a_century = NOW + timedelta(days=36_500)
    assert LINKS.verify("unsubscribe", TOKENS["unsubscribe"], in_a_century).profile_id == 7
    assert LINKS.verify("rate", TOKENS["rate"], in_a_century).profile_id == 7


@pytest.mark.parametrize("purpose", ["confirm", "preferences"])
def test_a_key_to_an_account_expires(purpose: str) -> None:
    lifetime = LIFETIMES[purpose]  # type: ignore[index]
    assert lifetime is not None
    assert LINKS.verify(purpose, TOKENS[purpose], NOW + lifetime).at == NOW  # type: ignore[arg-type]
    with pytest.raises(LinkError, match="ask for a new one") as caught:
        LINKS.verify(purpose, TOKENS[purpose], NOW + lifetime + timedelta(seconds=1))  # type: ignore[arg-type]
    assert caught.value.expired
    with pytest.raises(LinkError, match="from the future"):
        LINKS.verify(purpose, TOKENS[purpose], NOW - timedelta(hours=1))  # type: ignore[arg-type]


def test_links_of_an_older_secret_still_hold_and_those_of_another_do_not() -> None:
    old, new = Links("https://p.example", "old"), Links("https://p.example", ["new", "old"])
    assert new.verify("unsubscribe", old.unsubscribe_token(3), NOW).subscriber_id == 3
    with pytest.raises(LinkError):
        old.verify("unsubscribe", new.unsubscribe_token(3), NOW)


def test_addresses_are_plain_and_short_enough_for_a_text_mail() -> None:
    assert LINKS.paper("arxiv:hep-th/9901001") == "https://papers.example.org/papers/arxiv:hep-th/9901001"
    assert LINKS.paper("doi:10.1/<x> y") == "https://papers.example.org/papers/doi:10.1/%3Cx%3E%20y"
    assert LINKS.feed("s3cret", "atom") == "https://papers.example.org/feeds/s3cret.atom"
    assert len(LINKS.rate(1234567, "arxiv:2510.02613", "dislike")) < 110
    assert LINKS.host == "papers.example.org"


def test_links_without_a_secret_or_an_aware_time_are_refused() -> None:
    with pytest.raises(ValueError, match="PAPERWATCH_SECRET"):
        Links("https://p.example", "")
    with pytest.raises(ValueError, match="time zone"):
        LINKS.preferences(3, datetime(2025, 10, 28))  # noqa: DTZ001 - the naive time is the point
