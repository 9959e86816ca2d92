"""The log-odds ranker: what each thing that a reader says does to the scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from recommender.interest import Examples, Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS, Weights, score_all
from recommender.vectors import Edition

SERVING = Paper(
    id="arxiv:2510.00001",
    title="Speculative decoding with a compressed KV cache",
    abstract="A small draft model proposes tokens for LLM inference and the KV cache is kept short.",
    authors=("Ada Lovelace", "Grace Hopper"),
    categories=("cs.DC", "cs.LG"),
)
ROUTING = Paper(
    id="arxiv:2510.00002",
    title="Routing tokens to experts",
    abstract="Mixture-of-experts models are trained with a balanced router on many GPUs.",
    authors=("Barbara Liskov",),
    categories=("cs.LG",),
)
PLANETS = Paper(
    id="arxiv:2510.00003",
    title="Clouds on hot Jupiters",
    abstract="Transmission spectra of exoplanets show clouds in their atmospheres.",
    authors=("J. Smith",),
    categories=("astro-ph.EP",),
)
EMPTY = Paper(id="arxiv:2510.00004", title="")
PAPERS = [SERVING, ROUTING, PLANETS, EMPTY]


def learn(interests: Interests, examples: Examples = ()) -> Weights:
    return RANKERS[DEFAULT].learn(Edition.shipped(), interests, examples)


def scores(interests: Interests, examples: Examples = (), papers: list[Paper] = PAPERS) -> list[float]:
    wide = Edition.shipped().extended(papers, [interests])
    return [float(s) for s in learn(interests, examples).on(wide).scores(wide.transform(papers))]


def test_every_ranker_goes_by_its_own_name() -> None:
    assert DEFAULT in RANKERS
    assert all(ranker.name == name for name, ranker in RANKERS.items())


def test_a_reader_who_said_nothing_scores_nothing() -> None:
    assert scores(Interests()) == [0, 0, 0, 0]


def test_a_statement_finds_its_papers() -> None:
    serving, routing, planets, empty = scores(Interests(statement="speculative decoding for LLMs"))

    assert serving > 5 * max(routing, planets, 0.001)
    assert empty == 0


def test_a_short_statement_reaches_papers_that_use_other_words() -> None:
    other = Paper(
        id="x", title="Accepting draft tokens", abstract="The draft model proposes, the target verifies."
    )

    near, far = scores(Interests(statement="speculative decoding"), papers=[other, PLANETS])
    assert near > far + 0.02


def test_a_term_counts_by_its_strength_and_a_negative_one_pushes_down() -> None:
    def serving_over_routing(strength: float) -> float:
        serving, routing, *_ = scores(Interests(terms=(("KV cache", strength), ("router", 1.0))))
        return serving - routing

    assert serving_over_routing(3) > serving_over_routing(0.5) > 0 > serving_over_routing(-1)
    assert scores(Interests(terms=(("exoplanets", -1.0),)))[2] < 0


def test_what_a_statement_rules_out_is_pushed_down() -> None:
    assert scores(Interests(statement="LLM inference, not exoplanets"))[2] < 0


def test_a_followed_author_counts_on_a_new_paper_and_adds_the_same_to_each() -> None:
    interests = Interests(statement="speculative decoding")
    followed = replace(interests, authors=("John Smith",))

    before, after = scores(interests), scores(followed)
    assert after[2] - before[2] == pytest.approx(0.3, abs=1e-6)
    assert after[:2] == pytest.approx(before[:2])


def test_the_same_weights_score_alike_on_every_extension() -> None:
    interests = Interests(
        statement="speculative decoding", authors=("John Smith",), terms=(("zkrollup", 1.0),)
    )
    papers = [*PAPERS, Paper(id="z", title="A zkrollup")]
    edition = Edition.shipped()
    learned = learn(interests)

    wide = edition.extended(papers, [interests])
    wider = wide.extended([Paper(id="y", title="T", authors=("A. Stranger", "Zoe Last"))])
    on_wide = learned.on(wide).scores(wide.transform(papers))
    on_wider = learned.on(wide).on(wider).scores(wider.transform(papers))

    assert on_wide[4] > 0.5
    assert np.array_equal(on_wide, on_wider)


def test_likes_lift_and_dislikes_lower_papers_of_their_kind() -> None:
    like = Paper(id="l", title="Draft models", abstract="KV cache and LLM inference with draft tokens.")
    liked = scores(Interests(), [Judged(like, "like")])
    disliked = scores(Interests(), [Judged(like, "dislike")])
    both = scores(Interests(), [Judged(like, "like"), Judged(PLANETS, "dislike")])

    assert liked[0] > 2 * liked[2]
    assert disliked[0] < 0
    assert both[2] < 0 < both[0]


def test_an_opened_paper_says_less_than_a_liked_one() -> None:
    ratings = [Judged(PLANETS, "like"), Judged(ROUTING, "open")]

    _, routing, planets, _ = scores(Interests(), ratings)
    assert planets > routing > 0


def test_seed_papers_and_saves_count_as_likes() -> None:
    liked, seed, saved = (scores(Interests(), [Judged(SERVING, o)]) for o in ("like", "seed", "save"))

    assert liked == seed == saved


def test_people_of_liked_papers_count_a_little() -> None:
    by_hopper = Paper(id="h", title="", authors=("Grace Hopper",))

    (score,) = scores(Interests(), [Judged(SERVING, "like")], papers=[by_hopper])
    assert 0 < score < 0.1


def test_a_listed_category_lifts_its_papers() -> None:
    serving, _, planets, _ = scores(Interests(categories=("astro-ph.EP",)))

    assert planets > 0 == serving


def test_a_statement_still_counts_beside_many_likes() -> None:
    likes = [Judged(replace(PLANETS, id=str(n)), "like") for n in range(100)]

    without, with_statement = scores(Interests(), likes), scores(Interests(statement="KV cache"), likes)
    assert with_statement[0] > without[0] + 0.05


def test_scores_stay_on_one_scale_however_much_is_known() -> None:
    one = scores(Interests(), [Judged(SERVING, "like")])[0]
    many = scores(Interests(), [Judged(replace(SERVING, id=str(n)), "like") for n in range(50)])[0]

    assert one == pytest.approx(many, rel=0.5)
    assert 0.2 < one < 2


def test_learning_is_the_same_each_time() -> None:
    interests = Interests(statement="KV cache", authors=("B", "A"), terms=(("x y", 1.0),))

    assert (
        learn(interests, [Judged(SERVING, "like")]).to_bytes()
        == learn(interests, [Judged(SERVING, "like")]).to_bytes()
    )


def test_given_vectors_are_used_instead_of_reading_the_papers_again() -> None:
    edition = Edition.shipped()
    examples = [Judged(SERVING, "like"), Judged(PLANETS, "dislike")]
    nameless = [Judged(Paper(id=e.paper.id, title="", authors=e.paper.authors), e.opinion) for e in examples]

    X = edition.transform([e.paper for e in examples])
    given = RANKERS[DEFAULT].learn(edition, Interests(), nameless, X)
    assert given.to_bytes() == learn(Interests(), examples).to_bytes()


def test_weights_survive_being_stored() -> None:
    interests = Interests(statement="KV cache", authors=("Ada Lovelace",), terms=(("zkrollup", 2.0),))
    learned = learn(interests, [Judged(ROUTING, "like")])
    wide = Edition.shipped().extended(PAPERS, [interests])
    X = wide.transform(PAPERS)

    again = Weights.from_bytes(learned.to_bytes())

    assert np.array_equal(again.on(wide).scores(X), learned.on(wide).scores(X))
    assert again.ranker == DEFAULT
    assert again.edition == Edition.shipped().name
    assert len(learned.to_bytes()) < 4_000


def test_weights_far_apart_and_rows_without_any_survive_being_stored() -> None:
    chance = np.random.default_rng(2)
    rows = sparse.random(5, 800_000, 2e-5, format="lil", dtype=np.float32, random_state=chance)
    rows[1], rows[4] = 0, 0
    rows[2, [0, 65_534, 131_069, 799_999]] = 0.5
    held = sparse.csr_matrix(rows)
    held.eliminate_zeros()

    again = Weights.from_bytes(Weights("e", "r", held, 800_000).to_bytes()).rows

    assert np.array_equal(again.indptr, held.indptr)
    assert np.array_equal(again.indices, held.indices)
    assert again.data == pytest.approx(held.data, rel=5e-4, abs=1e-7)


@pytest.mark.parametrize("blob", [b"", b"nonsense that is long enough to have a head", b"PWW2"])
def test_a_blob_that_holds_no_weights_is_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="learn them anew"):
        Weights.from_bytes(blob)


def test_a_cut_blob_is_refused() -> None:
    blob = learn(Interests(statement="KV cache")).to_bytes()
    with pytest.raises(ValueError, match="learn them anew"):
        Weights.from_bytes(blob[:-3])


def test_weights_of_another_fitting_are_refused() -> None:
    other = Edition.fit(PAPERS)
    with pytest.raises(ValueError, match=f"weights of edition {Edition.shipped().name} on {other.name}"):
        learn(Interests(statement="x")).on(other)


def test_papers_and_weights_of_different_extensions_are_refused() -> None:
    wide = Edition.shipped().extended(PAPERS)
    with pytest.raises(ValueError, match="bring both onto one extension"):
        learn(Interests(statement="x")).scores(wide.transform(PAPERS))


def test_many_profiles_are_scored_in_one_product_as_each_alone() -> None:
    wide = Edition.shipped().extended(PAPERS)
    X = wide.transform(PAPERS)
    profiles = [
        learn(Interests(statement=words)).on(wide)
        for words in ("speculative decoding", "exoplanets", "mixture of experts", "")
    ] * 300
    two_topics = Weights.made(wide, "two", profiles[0].rows[[0, 0], : wide.base_size], ())

    together = score_all(X, [*profiles, two_topics])

    assert together.shape == (4, 1201)
    for at in (0, 1, 2, 3, 1199):
        assert together[:, at] == pytest.approx(profiles[at].scores(X), abs=1e-6)
    assert together[:, 1200] == pytest.approx(together[:, 0])


def test_the_best_of_several_rows_counts() -> None:
    wide = Edition.shipped().extended(PAPERS)
    X = wide.transform(PAPERS)
    serving, planets = (
        learn(Interests(statement=words)).rows for words in ("speculative decoding", "exoplanets clouds")
    )
    from scipy import sparse

    both = Weights.made(wide, "two", sparse.csr_matrix(sparse.vstack([serving, planets])), ())

    assert np.array_equal(both.scores(X), both.row_scores(X).max(axis=1))
    assert both.row_scores(X)[:, 0].argmax() == 0
    assert both.row_scores(X)[:, 1].argmax() == 2
