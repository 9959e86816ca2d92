"""Whether two names may be one person, and how names are brought to one form."""

from __future__ import annotations

from itertools import product

import pytest

from recommender import names
from recommender.features import Feature
from recommender.paper import Paper
from recommender.vectors import Edition


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Erdős, Pál", "pal erdos"),
        (r"Erd\H{o}s, P\'al", "pal erdos"),
        ("Jean-Pierre Serre", "jeanpierre serre"),
        ("J. R. R. Tolkien", "j r r tolkien"),
        ("Martin Luther King Jr.", "martin luther king"),
        ("King, Jr.", "king"),
        ("Vincent Desbiolles (CERN)", "vincent desbiolles"),
        ("Conan O'Brien", "conan obrien"),
        ("王伟", "王伟"),
        ("", ""),
        (" , ", ""),
    ],
)
def test_a_name_has_one_form(written: str, key: str) -> None:
    assert names.author(written) == key


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("john smith", "j smith", True),
        ("john smith", "john a smith", True),
        ("j a smith", "john smith", True),
        ("john a smith", "john b smith", False),
        ("john smith", "jane smith", False),
        ("j smith", "j smyth", False),
        ("smith", "john smith", False),
        ("smith", "smith", True),
        ("", "", False),
        ("王伟", "王伟", True),
    ],
)
def test_an_initial_may_be_the_name_that_begins_with_it(a: str, b: str, same: bool) -> None:
    assert names.same_author(a, b) is same
    assert names.same_author(b, a) is same


def test_the_columns_of_a_person_are_those_of_all_namesakes_and_no_others() -> None:
    people = [
        "John Smith",
        "J. Smith",
        "Jane Smith",
        "John A. Smith",
        "J. A. Smith",
        "Smith",
        "K. Smith",
        "王伟",
        "J",
    ]
    edition = Edition.shipped().extended([Paper(id="a", title="T", authors=tuple(people))])

    for person, other in product(map(names.author, people), repeat=2):
        columns = edition.columns_of(Feature("author", person))
        assert len(columns) == len(set(columns))
        held = {edition.feature(column).name for column in columns}
        assert (other in held) is names.same_author(person, other), (person, other)


def test_institutions_and_tags_are_the_same_without_case_and_signs() -> None:
    assert names.label("LLM-Inference ") == names.label("llm inference") == "llm inference"
    assert names.label("Université de Montréal") == "universite de montreal"
