"""Numbers that links in old mails name: given to one profile, and never to another."""

from __future__ import annotations

from db import mine_store, subscriber_store
from db.session import Database
from profiles.delivery import DeliveryPlan
from recommender.interest import Interests
from tests.conftest import NOW


def add_profile(database: Database, subscriber_id: int, name: str) -> int:
    with database.writing() as session:
        return subscriber_store.add_profile(
            session, subscriber_id, name, Interests(), per_day=5, delivery=DeliveryPlan(),
            feed_token=f"token-of-{name}-{subscriber_id}", now=NOW,
        ).id  # fmt: skip


def add_subscriber(database: Database, email: str) -> int:
    with database.writing() as session:
        return subscriber_store.add_subscriber(session, email, "confirmed", NOW, "in a test").id


def test_the_number_of_a_deleted_profile_is_not_given_again(database: Database) -> None:
    ada = add_subscriber(database, "ada@example.org")
    given = [add_profile(database, ada, "rivers"), add_profile(database, ada, "lakes")]
    for number in reversed(given):
        with database.writing() as session:
            subscriber_store.delete_profile(session, number)
    assert add_profile(database, ada, "seas") > max(given)


def test_the_numbers_of_an_erased_reader_are_not_given_again(database: Database) -> None:
    ada = add_subscriber(database, "ada@example.org")
    given = [add_profile(database, ada, "rivers"), add_profile(database, ada, "lakes")]
    with database.writing() as session:
        mine_store.erase(session, ada, NOW)
    bob = add_subscriber(database, "bob@example.org")
    assert bob != ada and add_profile(database, bob, "seas") > max(given)
