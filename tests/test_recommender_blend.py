"""The blended ranker: each of its models, their scale, and what it needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from recommender import background, leave_one_out
from recommender.background import Background
from recommender.blend import Blend
from recommender.counting import count
from recommender.fitting import Fitting
from recommender.interest import Interests, Judged
from recommender.liked import Liked
from recommender.logistic import logistic
from recommender.logodds import LogOdds
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.vectors import Edition
from recommender.whitened import Whitened

FIELDS = {
    "serving": "cache decoding speculative batch prefill latency scheduler throughput token serving",
    "exoplanets": "exoplanet transit spectra atmosphere clouds photometry orbit stellar telescope dwarf",
    "proteins": "protein folding residue docking ligand binding sequence structure mutation enzyme",
    "graphs": "graph vertex colouring planar minor treewidth clique matching spanning hypergraph",
}

COMMON = "model method results data analysis approach large study"


def papers(n: int, seed: int, fields: tuple[str, ...] = tuple(FIELDS)) -> list[Paper]:
    dice = np.random.default_rng(seed)
    made = []
    for at in range(n):
        field = fields[at % len(fields)]
        common = dice.choice(COMMON.split(), 6)
        words = [*dice.choice(FIELDS[field].split(), 12), *common]
        dice.shuffle(words)
        made.append(Paper(f"p{seed}.{at}", f"{field} {at}", abstract=" ".join(words)))
    return made


CORPUS = papers(600, 1)


@pytest.fixture(scope="module")
def edition() -> Iterator[Edition]:
    fitted = Edition.fit(CORPUS)
    background.attach(fitted, Background.of(fitted, fitted.transform(CORPUS)))
    yield fitted


def liked(found: list[Paper], opinion: str = "like") -> list[Judged]:
    return [Judged(paper, opinion) for paper in found]


def ndcg_order(edition: Edition, examples: list[Judged], candidates: list[Paper]) -> list[str]:
    weights = Blend().learn(edition, Interests(), examples)
    wide = edition.extended(candidates)
    scores = weights.on(wide).scores(wide.transform(candidates))
    return [candidates[at].title.split()[0] for at in np.argsort(-scores, kind="stable")]


def test_the_blend_is_the_default_ranker() -> None:
    assert DEFAULT == "blend"
    assert isinstance(RANKERS[DEFAULT], Blend)


@pytest.mark.parametrize("likes", [3, 60, 350])
def test_few_and_many_likes_bring_their_field_to_the_top(edition: Edition, likes: int) -> None:
    examples = liked(papers(likes, 2, ("proteins",)))
    order = ndcg_order(edition, examples, papers(80, 3))

    assert order[:20] == ["proteins"] * 20


def test_a_dislike_pushes_its_field_below_one_that_was_never_judged(edition: Edition) -> None:
    examples = liked(papers(4, 2, ("proteins",))) + liked(papers(4, 4, ("graphs",)), "dislike")
    order = ndcg_order(edition, examples, papers(80, 3))

    assert set(order[-20:]) == {"graphs"}


def test_without_likes_the_stated_interest_is_weighed_as_log_odds_do(edition: Edition) -> None:
    interests = Interests(statement="protein folding")
    blended, plain = (ranker.learn(edition, interests) for ranker in (Blend(), LogOdds()))

    assert blended.ranker == "blend"
    assert (blended.rows != plain.rows).nnz == 0


def test_a_statement_counts_beside_likes_of_another_field(edition: Edition) -> None:
    examples = liked(papers(4, 2, ("proteins",)))
    without = ndcg_order(edition, examples, papers(80, 3))
    weights = Blend().learn(edition, Interests(statement="exoplanet transit photometry"), examples)
    found = papers(80, 3)
    scores = weights.on(edition).scores(edition.transform(found))
    order = [found[at].title.split()[0] for at in np.argsort(-scores)]

    assert set(order[:40]) == {"proteins", "exoplanets"}
    assert set(without[:40]) != {"proteins", "exoplanets"}


def test_it_ranks_without_a_background() -> None:
    bare = Edition.fit(CORPUS[:-1])

    assert background.attached(bare) is None
    assert ndcg_order(bare, liked(papers(4, 2, ("graphs",))), papers(80, 3))[:20] == ["graphs"] * 20


def test_only_terms_of_judged_papers_get_weights(edition: Edition) -> None:
    examples = liked(papers(60, 2, ("proteins",)))
    weights = Blend().learn(edition, Interests(), examples)
    own = set(edition.transform([e.paper for e in examples]).indices.tolist())

    assert set(weights.rows.indices.tolist()) <= own
    assert np.sqrt((weights.rows.data**2).sum()) == pytest.approx(1, abs=1e-3)  # weights have half precision


def test_weights_survive_their_blob(edition: Edition) -> None:
    weights = Blend().learn(edition, Interests(), liked(papers(9, 2, ("graphs",))))
    again = type(weights).from_bytes(weights.to_bytes()).on(edition)

    assert (again.rows != weights.rows).nnz == 0
    assert again.ranker == "blend"


def test_the_same_background_comes_of_the_same_papers(edition: Edition) -> None:
    X = edition.transform(CORPUS)
    one, two = Background.of(edition, X, seed=7), Background.of(edition, X, seed=7)

    assert np.array_equal(one.directions, two.directions)
    assert (one.others != two.others).nnz == 0


def test_a_background_of_an_earlier_version_is_refused() -> None:
    file = BytesIO()
    np.savez_compressed(file, mean=np.zeros(3))

    with pytest.raises(ValueError, match="make it anew"):
        Background.load(BytesIO(file.getvalue()))


def test_a_handful_of_papers_is_no_background(edition: Edition) -> None:
    with pytest.raises(ValueError, match="it takes 300"):
        Background.of(edition, edition.transform(CORPUS[:20]))


def test_papers_without_words_are_no_background(edition: Edition) -> None:
    with pytest.raises(ValueError, match="without words"):
        Background.of(edition, edition.transform([Paper(f"p{n}", "", "") for n in range(400)]))


@pytest.mark.parametrize("likes", [1, 120, 400])
def test_where_every_paper_says_what_a_liked_one_says_weights_are_numbers(likes: int) -> None:
    corpus = [replace(CORPUS[0], id=f"same{n}") for n in range(400)]
    fitted = Edition.fit(corpus)
    background.attach(fitted, Background.of(fitted, fitted.transform(corpus)))
    weights = Blend().learn(fitted, Interests(), liked(corpus[:likes]))
    assert (weights.scores(fitted.transform(corpus[-2:])) > 0.5).all()


def test_readers_who_are_learned_together_get_the_weights_that_each_gets_alone(edition: Edition) -> None:
    proteins, graphs = papers(120, 2, ("proteins",)), papers(40, 3, ("graphs",))
    nothing = Paper("nothing", "")
    readers: list[tuple[Interests, list[Judged]]] = [
        (Interests(), liked(proteins[:1])),
        (Interests("transit photometry, not clouds", (("zkrollup", 2.0),)), liked(graphs[:7])),
        (Interests("protein folding"), []),
        (Interests(), liked([nothing])),
        (Interests(categories=("cs.LG",)), liked(proteins)),
        (Interests(), [*liked(graphs[:9]), *liked(proteins[:4], "dislike"), Judged(CORPUS[5], "open")]),
        (Interests(authors=("Ada Lovelace",)), [*liked(CORPUS[2:40:4]), *liked([nothing], "dislike")]),
        (Interests(), liked(proteins[:3], "dislike")),
        *[(Interests(), liked(graphs[at : at + 5])) for at in range(35)],
    ]
    for ranker in RANKERS.values():
        together = ranker.learn_all(edition, readers)
        X = edition.transform([example.paper for _, examples in readers for example in examples])
        given = ranker.learn_all(edition, readers, X)
        for found, same, (interests, examples) in zip(together, given, readers, strict=True):
            alone = ranker.learn(edition, interests, examples)
            assert found.rows.indices.tolist() == alone.rows.indices.tolist()
            assert found.rows.data == pytest.approx(alone.rows.data, rel=1e-3, abs=1e-6)  # half precision
            assert found.named == alone.named
            assert same.to_bytes() == found.to_bytes()


def test_a_reader_is_learned_by_one_thread(edition: Edition, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads() -> list[int]:
        return [held["num_threads"] for held in threadpool_info() if held["user_api"] == "blas"]

    before, seen = threads(), []
    of = Liked.of.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Liked, "of", classmethod(lambda cls, *given: seen.append(threads()) or of(cls, *given))
    )
    Blend().learn(edition, Interests(), liked(CORPUS[:3]))

    assert set(seen[0]) == {1}
    assert threads() == before


def test_a_reader_of_few_likes_has_the_weights_of_the_plain_formulas() -> None:
    """The closed form written out on dense arrays, word by word and paper by paper."""
    fitted = Edition.fit(CORPUS)
    held = replace(Background.of(fitted, fitted.transform(CORPUS)), covered=0.3)
    background.attach(fitted, held)
    examples = [*liked([*papers(6, 2, ("proteins",)), CORPUS[3]]), *liked(papers(2, 4), "dislike")]
    own, others = fitted.transform([e.paper for e in examples]), sparse.csr_matrix(held.others)
    used = np.unique(own[:, fitted.text_columns].indices)
    values, sample = own[:, used].toarray().astype(np.float64), others[:, used].toarray().astype(np.float64)
    share, mine = fitted.shares[used], np.arange(9) < 7
    raw = values / np.sqrt(-np.log(share))
    tf = raw / np.array([row[row > 0].min() for row in raw])[:, None]
    pair = np.where(used >= fitted.fitting.pairs_start, 0.5, 1.0)

    def bent(side: np.ndarray, p: np.ndarray) -> np.ndarray:
        r, count = (values[side] > 0).sum(axis=0), side.sum()
        inside = (r + p) / (count + 1)
        logodds = np.log(inside / (1 - inside)) - np.log(p / (1 - p))
        mean = np.divide(tf[side].sum(axis=0), r, out=np.zeros(len(r)), where=r > 0)
        return pair * np.maximum(logodds, 0) ** 1.5 * mean**0.5 * (r / count) ** 0.05

    strangers = np.abs(sample - values[6]).max(axis=1) > 1e-4
    assert strangers.sum() == len(sample) - 1  # one of the likes is in the sample
    loadings = np.zeros((len(used), len(held.variances)))
    known = np.isin(used, held.terms)
    loadings[known] = held.directions.T[np.searchsorted(held.terms, used[known])]
    liking = values[mine].mean(axis=0)
    pull = held.variances / (held.variances + 1e-3) * (liking @ loadings - held.centre)
    white = liking - held.mean[used] - loadings @ pull
    worth = 0.3 / (sample @ white)[strangers].std()
    closed = bent(mine, share) - 0.5 * bent(~mine, share)
    near = sample @ closed / (sample @ closed)[strangers].std() + worth * (sample @ white)
    near[~strangers] = -np.inf
    field = np.argsort(-near)[:60]
    around = ((sample[field] > 0).sum(axis=0) + 15 * share) / 75
    moved = np.minimum(share * np.maximum(around / share, 1) ** (0.8 * 0.7), 0.99)
    closed = bent(mine, moved) - 0.5 * bent(~mine, share)
    expected = closed / (sample @ closed)[strangers].std() + worth * white
    expected /= np.sqrt((expected**2).sum())
    found = Blend().learn(fitted, Interests(), examples).rows[:, used].toarray()[0]

    assert found == pytest.approx(expected, rel=2e-3, abs=1e-6)  # kept in half precision


def test_the_whitened_mean_is_fishers_discriminant(edition: Edition) -> None:
    """(Σ + λI)⁻¹(μ − μ₀) by a dense solve over all columns, where every direction is kept."""
    X = edition.transform(CORPUS)[:, edition.text_columns]
    used = np.unique(X.indices)
    dense = X[:, used].toarray().astype(np.float64)
    _, sizes, every = np.linalg.svd(dense, full_matrices=False)
    held = Background.of(edition, X)
    whole = replace(
        held, mean=np.asarray(X.mean(axis=0)).ravel(), terms=used.astype(np.int64),
        directions=every.astype(np.float32), variances=sizes**2 / len(dense),
        centre=every @ dense.mean(axis=0),
    )  # fmt: skip
    own = Liked.of(edition, X[:40], np.ones(40))
    found = Whitened.of(whole, own, np.array([0.01])).weights
    second = dense.T @ dense / len(dense)
    mean = dense[:40].mean(axis=0) - dense.mean(axis=0)
    exact = 0.01 * np.linalg.solve(second + 0.01 * np.eye(len(used)), mean)

    assert np.abs(found - exact[np.searchsorted(used, own.columns[: own.words])]).max() < 1e-5


def test_the_logistic_fit_is_scikit_learns(edition: Edition) -> None:
    X = edition.transform(CORPUS)
    likes, others = X[2:200:4], X[200:]
    columns = np.unique(likes.indices)
    likes, others = likes[:, columns], others[:, columns]
    nothing = np.zeros(len(columns))
    found = logistic(likes, np.ones(likes.shape[0]), sparse.csc_matrix(others), nothing, 1.0, 500)
    both = sparse.vstack([likes, others]).astype(np.float64)
    truth = np.r_[np.ones(likes.shape[0]), np.zeros(others.shape[0])]
    theirs = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-8, max_iter=2_000).fit(both, truth)

    assert np.abs(found - theirs.coef_[0]).max() < 0.01


def test_without_freedom_the_logistic_fit_leaves_what_is_known(edition: Edition) -> None:
    X = edition.transform(CORPUS)
    columns = np.unique(X[2:200:4].indices)
    likes, others = X[2:200:4][:, columns], sparse.csc_matrix(X[200:][:, columns])
    known = np.asarray(likes.mean(axis=0), np.float64).ravel()
    found = logistic(likes, np.ones(likes.shape[0]), others, known, 1e-3, 200)
    freed = logistic(likes, np.ones(likes.shape[0]), others, known, 10.0, 200)

    assert np.corrcoef(found, known)[0, 1] > 0.999 > np.corrcoef(freed, known)[0, 1]


def test_what_a_whole_field_holds_says_less_than_what_sets_the_reader_apart() -> None:
    """The same reader, once with and once without a look at the field around them."""
    # Without pairs every word's covariance would be known, and nothing be left to the field.
    fitted = Edition.fit(CORPUS)
    held = Background.of(fitted, fitted.transform(CORPUS))
    background.attach(fitted, replace(held, covered=0.3))
    own = [replace(p, abstract=f"{p.abstract} kinase kinase") for p in papers(6, 2, ("proteins",))]

    def ratio(local: float) -> float:
        weights = Blend(local=local).learn(fitted, Interests(), liked(own)).rows
        return float(
            weights[0, fitted.index("term", "kinase")] / weights[0, fitted.index("term", "proteins")]
        )

    assert ratio(0.8) > 1.1 * ratio(0.0) > 0


def test_the_field_counts_for_few_likes_and_where_the_covariance_does_not_tell_it() -> None:
    fitted = Edition.fit(CORPUS)
    held = Background.of(fitted, fitted.transform(CORPUS))

    def moved(likes: int, covered: float) -> float:
        background.attach(fitted, replace(held, covered=covered))
        judged = liked(papers(likes, 2, ("proteins",)))
        near, far = (Blend(local=local).learn(fitted, Interests(), judged).rows for local in (0.8, 0.0))
        return float(abs(near - far).max())

    assert moved(6, 0.3) > 0.01
    assert moved(6, 1.0) == 0
    assert moved(60, 0.3) == 0


def in_categories(found: list[Paper], names: tuple[str, ...]) -> list[Paper]:
    return [replace(paper, categories=(names[at % len(names)],)) for at, paper in enumerate(found)]


def test_categories_count_as_much_as_the_likes_show() -> None:
    """One reader keeps to a category, the other reads across all; the words say the same of both."""
    corpus = in_categories(papers(600, 1), ("cs.A", "cs.B", "cs.C"))
    fitted = Edition.fit(corpus)
    background.attach(fitted, Background.of(fitted, fitted.transform(corpus)))
    likes = papers(120, 2)

    def weight(names: tuple[str, ...]) -> float:
        weights = Blend().learn(fitted, Interests(), liked(in_categories(likes, names)))
        return float(weights.rows[0, fitted.index("category", "cs.A")])

    usual = float(
        Blend(doubt=1e9)
        .learn(fitted, Interests(), liked(in_categories(likes, ("cs.A",))))
        .rows[0, fitted.index("category", "cs.A")]
    )
    assert weight(("cs.A",)) > 1.5 * usual > 0
    assert weight(("cs.A", "cs.B", "cs.C")) < usual


def test_a_score_that_parts_likes_from_others_counts_more_and_noise_less() -> None:
    dice = np.random.default_rng(5)
    others = dice.normal(size=(1_000, 2))
    both = dice.normal([2.0, 2.0], 1.0, (60, 2))
    telling = dice.normal([1.0, 3.0], 1.0, (60, 2))
    noise = dice.normal([2.0, 0.0], 1.0, (60, 2))
    mass = np.ones(60)
    ratio = leave_one_out.ratio

    assert ratio(both, mass, others, 2.0) == pytest.approx(1, abs=0.35)
    assert ratio(telling, mass, others, 2.0) > 1.7
    assert ratio(noise, mass, others, 2.0) < 0.35
    assert ratio(telling, mass, others, 1e6) == pytest.approx(1, abs=0.01)
    assert 1 < ratio(telling[:4], mass[:4], others, 2.0) < ratio(telling, mass, others, 2.0)


def test_a_liked_paper_scores_by_the_others_as_if_it_had_not_been_liked(edition: Edition) -> None:
    """The whitened mean's shortcut against learning anew without each paper."""
    X = edition.transform(papers(12, 9, ("proteins", "graphs")))
    held = background.attached(edition)
    assert held is not None
    own = Liked.of(edition, X, np.ones(12))
    whole = Whitened.of(held, own, np.array([1e-3]))
    text = own.text()
    found = text @ whole.weights + whole.alone(held, own, text)
    for at in range(12):
        mass = np.ones(12)
        mass[at] = 0.0
        without = Whitened.of(held, Liked.of(edition, X, mass), np.array([1e-3])).weights
        assert found[at] == pytest.approx(float((text[[at]] @ without)[0]), abs=1e-4)


def test_judged_papers_are_known_in_the_background(edition: Edition) -> None:
    held = background.attached(edition)
    assert held is not None
    X = sparse.csr_matrix(held.others)
    own = Liked.of(
        edition, sparse.vstack([X[[3, 70, 500]], edition.transform(papers(40, 8))], "csr"), np.ones(43)
    )

    assert np.flatnonzero(held.sample.judged(own)[0]).tolist() == [3, 70, 500]


def test_prose_is_told_from_bags_of_words() -> None:
    bags = [
        Paper(f"b{at}", "", abstract=" ".join(sorted(paper.abstract.split() * 3)))
        for at, paper in enumerate(papers(400, 5))
    ]

    assert background.ordered(Edition.shipped().fitting)
    assert not background.ordered(Fitting(count(bags)))


@pytest.mark.parametrize("likes", [50, 1_000])
def test_an_update_after_a_click_costs_less_than_a_fit_from_nothing(edition: Edition, likes: int) -> None:
    """A ratio in the same run, machines being shared; `paperwatch bench learn` measures."""
    examples = [*liked(papers(likes, 6, ("serving", "graphs"))), Judged(CORPUS[0], "like")]
    X = edition.remembered([example.paper for example in examples])
    others = edition.transform(papers(2_000, 7))
    start = time.process_time()
    Blend().learn(edition, Interests(), examples, X)
    ours = time.process_time() - start
    labels = np.r_[np.ones(X.shape[0]), np.zeros(others.shape[0])]
    both = sparse.vstack([X[:, : others.shape[1]], others], format="csr")
    start = time.process_time()
    LogisticRegression(C=1.0, max_iter=200).fit(both, labels)

    assert ours < time.process_time() - start


def test_an_edition_that_was_loaded_has_no_background_yet(edition: Edition) -> None:
    file = BytesIO()
    edition.save(file)

    assert background.attached(Edition.load(BytesIO(file.getvalue()))) is None
