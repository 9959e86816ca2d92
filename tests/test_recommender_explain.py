"""Explanations: sums to the last digit, people and liked papers named, one readable line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.alerts import wording
from jobs.alerts.digest import Item
from recommender.apart import TakenApart
from recommender.explain import Explainer, Explanation, explain
from recommender.interest import Examples, Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.vectors import Edition

LIKED = Paper(
    id="arxiv:2510.00009",
    title="Paged attention revisited",
    abstract="Serving with paged attention wastes no memory for the KV cache.",
    authors=("Barbara Liskov",),
)
NEW = Paper(
    id="arxiv:2510.00001",
    title="Speculative decoding with a compressed KV cache",
    abstract="Paged attention and a draft model speed up LLM inference; vision is not touched.",
    authors=("Ada Lovelace", "B. Liskov"),
    categories=("cs.DC",),
)


def explained(interests: Interests, examples: Examples = (), paper: Paper = NEW) -> tuple[Explanation, float]:
    wide = Edition.shipped().extended([paper], [interests])
    weights = RANKERS[DEFAULT].learn(wide, interests, examples)
    x = wide.transform([paper])
    return explain(wide, weights, x, paper, examples, interests), float(weights.scores(x)[0])


CASES = [
    (Interests(statement="KV cache and speculative decoding for LLM inference"), ()),
    (Interests(authors=("Ada Lovelace",), categories=("cs.DC",)), ()),
    (Interests(terms=(("draft model", 2.0), ("vision", -2.0))), ()),
    (Interests(), (Judged(LIKED, "like"),)),
    (
        Interests(statement="attention", authors=("A. Lovelace",)),
        (Judged(LIKED, "like"), Judged(NEW, "dislike")),
    ),
    (Interests(), ()),
]


@pytest.mark.parametrize(("interests", "examples"), CASES)
def test_contributions_sum_to_the_score(interests: Interests, examples: Examples) -> None:
    why, score = explained(interests, examples)

    assert why.score == pytest.approx(score, abs=1e-6)
    assert sum(part.value for part in why.contributions) == pytest.approx(score, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.sampled_from(["KV", "cache", "draft", "model", "vision", "paged", "LLM", "memory"]), max_size=8
    )
)
def test_contributions_sum_to_the_score_whatever_is_stated(words: list[str]) -> None:
    why, score = explained(Interests(statement=" ".join(words)), (Judged(LIKED, "like"),))

    assert sum(part.value for part in why.contributions) == pytest.approx(score, abs=1e-6)


def test_contributions_are_signed_and_the_strongest_come_first() -> None:
    why, _ = explained(Interests(terms=(("draft model", 1.0), ("vision", -3.0))))

    strengths = [abs(part.value) for part in why.contributions]
    assert strengths == sorted(strengths, reverse=True)
    vision = next(part for part in why.contributions if part.name == "vision")
    assert vision.value < 0


def test_the_reason_names_phrases_as_they_are_written() -> None:
    why, _ = explained(Interests(statement="KV cache and speculative decoding for LLM inference"))

    phrases = why.reason.split(", ")
    assert {"KV cache", "speculative decoding"} <= set(phrases)
    assert "cache" not in phrases


def test_the_reason_names_the_author_who_is_followed_as_the_paper_does() -> None:
    why, _ = explained(Interests(statement="speculative decoding", authors=("Barbara Liskov",)))

    assert why.reason.endswith("by an author you follow: B. Liskov")
    part = next(part for part in why.contributions if part.kind == "author")
    assert part.name == "B. Liskov"
    assert part.value == pytest.approx(0.3)
    assert part.via == ""


def test_what_a_liked_paper_brought_in_carries_its_title() -> None:
    why, _ = explained(Interests(statement="speculative decoding"), (Judged(LIKED, "like"),))

    vias = {part.name: part.via for part in why.contributions if part.kind == "term"}
    assert vias["paged"] == LIKED.title
    assert vias["speculative"] == ""
    author = next(part for part in why.contributions if part.kind == "author")
    assert author.via == LIKED.title
    assert f'like "{LIKED.title}"' in why.reason


def test_a_liked_paper_is_not_explained_by_itself() -> None:
    alone, _ = explained(Interests(), (Judged(NEW, "like"),))
    beside, _ = explained(Interests(), (Judged(NEW, "like"), Judged(LIKED, "like")))

    assert alone.score > 0
    assert "like " not in alone.reason
    assert "as a paper you liked" not in alone.reason
    assert {part.via for part in alone.contributions} == {""}
    assert {part.via for part in beside.contributions} == {"", LIKED.title}


def test_disliked_papers_are_never_given_as_the_reason() -> None:
    why, _ = explained(Interests(statement="speculative decoding"), (Judged(LIKED, "dislike"),))

    assert LIKED.title not in why.reason
    assert all(part.via == "" for part in why.contributions)


def test_a_paper_that_only_its_category_speaks_for_says_so() -> None:
    why, _ = explained(Interests(categories=("cs.DC",)))

    assert why.reason == "in cs.DC"


def test_a_paper_that_nothing_speaks_for_has_no_reason() -> None:
    why, score = explained(Interests(statement="exoplanets"), paper=Paper(id="a", title="Graph colouring"))

    assert score == 0
    assert why == Explanation(0.0, (), "")


def test_only_the_best_of_several_rows_is_explained() -> None:
    from scipy import sparse

    from recommender.weights import Weights

    wide = Edition.shipped().extended([NEW])
    rows = [
        RANKERS[DEFAULT].learn(Edition.shipped(), Interests(statement=words)).rows
        for words in ("exoplanets", "speculative decoding")
    ]
    weights = Weights.made(wide, "two", sparse.csr_matrix(sparse.vstack(rows)))
    x = wide.transform([NEW])

    why = Explainer(wide, weights).explain(x, NEW)

    assert why.score == pytest.approx(float(weights.scores(x)[0]), abs=1e-6)
    assert "speculative decoding" in why.reason


def test_a_person_whom_two_liked_names_may_mean_counts_as_in_the_score() -> None:
    liked = [
        Judged(Paper(id=f"arxiv:2510.1000{at}", title="Graph colouring", authors=(name,)), "like")
        for at, name in enumerate(("Barbara Liskov", "Barbara J. Liskov"))
    ]

    why, score = explained(Interests(), liked)

    (person,) = [part for part in why.contributions if part.kind == "author"]
    assert person.value == pytest.approx(0.04, abs=1e-4)
    assert why.score == pytest.approx(score, abs=1e-6)


def test_many_papers_explained_together_have_the_reasons_that_each_has_alone() -> None:
    papers = [
        NEW,
        Paper(id="arxiv:2510.00002", title="Nothing of the kind"),
        LIKED,
        Paper(id="a", title="", abstract=""),
        Paper(id="b", title="Draft models for vision", authors=("Ada Lovelace",), categories=("cs.DC",)),
    ]
    interests = Interests(
        "speculative decoding, paged attention",
        (("draft model", 2.0), ("vision", -2.0), ("glorpish cache", 1.0)),
        authors=("A. Lovelace",),
        categories=("cs.DC",),
    )
    examples = [Judged(LIKED, "like"), Judged(NEW, "save"), Judged(papers[4], "dislike")]
    wide = Edition.shipped().extended(papers, [interests])
    weights = RANKERS[DEFAULT].learn(wide, interests, examples)
    X = wide.transform(papers)
    explainer = Explainer(wide, weights, examples, interests)
    apart = TakenApart(wide, X, papers)

    together = explainer.explain_all(apart, [3, 0, 4, 1, 2])

    assert together == [explainer.explain(X[row], papers[row]) for row in (3, 0, 4, 1, 2)]
    assert [why.score for why in together] == pytest.approx(weights.scores(X)[[3, 0, 4, 1, 2]].tolist())
    assert explainer.explain_all(apart, []) == []
    for short, whole in zip(explainer.explain_all(apart, [3, 0, 4, 1, 2], 2), together, strict=True):
        assert (short.score, short.reason) == (whole.score, whole.reason)
        assert short.contributions[:2] == whole.contributions[:2]
        assert sum(part.value for part in short.contributions) == pytest.approx(short.score, abs=1e-9)
        rest = len(whole.contributions) - 2
        if rest > 1:
            (last,) = short.contributions[2:]
            assert (last.kind, last.name, last.parts) == ("rest", f"{rest} smaller parts", rest)
    for short, whole in zip(explainer.explain_all(apart, [3, 0], 3), together, strict=False):
        counted = dict.fromkeys(wording.score_in_words(Item(NEW, why.score, "good", "", why.contributions))
                                 for why in (short, whole))  # fmt: skip
        assert len(counted) == 1, "the words are the same for all parts and for some and their sum"
    enough = len(together[0].contributions) - 1
    assert explainer.explain_all(apart, [3], enough)[0] == together[0], "one more takes the room of a rest"
