"""What a subscription takes in: addresses that mail can reach, and words about those that it cannot."""

from __future__ import annotations

import pytest

from jobs.alerts.mime import mailbox
from profiles.request import RequestError, request


@pytest.mark.parametrize(
    "address", ["ada@example.com", "Ada.L+papers@Example.COM", "ada@münchen.de", "o'neill@straße.de"]
)
def test_an_address_that_is_taken_can_be_written_to(address: str) -> None:
    made = request(email=f" {address} ", name="x", terms=["cache"])

    assert mailbox(made.email).isascii()


@pytest.mark.parametrize("address", ["müller@example.com", "用户@例子.广告", "a b@example.com", "a@b@c.com"])
def test_an_address_that_no_mail_would_reach_is_refused_with_the_reason(address: str) -> None:
    with pytest.raises(RequestError, match="is no e-mail address: "):
        request(email=address, name="x", terms=["cache"])
