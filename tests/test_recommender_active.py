"""What a newcomer is asked about: likely, central and different papers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from recommender.active import LIKELY, ask
from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.vectors import Edition, Matrix

TOPICS = {
    "caches": "Key-value caches for speculative decoding of language models, draft {n}",
    "rivers": "Sediment transport and gravel in alpine rivers, gauge {n}",
    "lattices": "Lattice-based signatures in post-quantum cryptography, scheme {n}",
    "robots": "Dexterous manipulation by robot hands from human video, task {n}",
}


@pytest.fixture(scope="module")
def pool() -> tuple[Edition, list[Paper], Matrix]:
    """Twelve papers on each of four topics, one after another, and two that are about nothing else."""
    papers = [
        Paper(f"hash:{topic}{n}", title.format(n=n), categories=("cs.XX",))
        for topic, title in TOPICS.items()
        for n in range(12)
    ]
    papers += [Paper("hash:odd", "Zebrafish fin regeneration"), Paper("hash:none", "")]
    edition = Edition.shipped()
    return edition, papers, edition.transform(papers)


def words(edition: Edition, X: Matrix) -> Matrix:
    return X[:, edition.text_columns]


def topic_of(row: int) -> str:
    return [*TOPICS, "odd"][row // 12]


def chance() -> np.random.Generator:
    return np.random.default_rng(4)


def test_of_a_stranger_one_paper_of_each_large_topic_is_asked_first(
    pool: tuple[Edition, list[Paper], Matrix],
) -> None:
    edition, _, X = pool
    rows = ask(words(edition, X), 4, chance=chance())
    assert {topic_of(row) for row in rows} == set(TOPICS)


def test_what_was_asked_is_not_asked_again_nor_what_is_just_like_it(
    pool: tuple[Edition, list[Paper], Matrix],
) -> None:
    edition, _, X = pool
    rows = ask(words(edition, X), 3, chance=chance(), asked=[0])
    assert "caches" not in {topic_of(row) for row in rows}
    every = ask(words(edition, X), 100, chance=chance(), asked=[0])
    assert sorted(every) == list(range(1, 49))  # but for the empty one


def test_what_is_known_of_the_reader_narrows_the_question() -> None:
    """Five hundred papers, of which only those that score are worth asking about."""
    rng = np.random.default_rng(0)
    dense = rng.random((LIKELY + 200, 40))
    X = sparse.csr_matrix(dense / np.linalg.norm(dense, axis=1, keepdims=True), dtype=np.float32)
    scores = np.concatenate([np.full(200, 0.01), 1 + rng.random(LIKELY)])
    rows = ask(X, 20, chance=chance(), scores=scores)
    assert len(set(rows)) == 20
    assert min(rows) >= 200


def test_ten_well_chosen_papers_cover_more_than_ten_random_ones() -> None:
    rng = np.random.default_rng(1)
    dense = rng.random((200, 30)) ** 4
    X = sparse.csr_matrix(dense / np.linalg.norm(dense, axis=1, keepdims=True), dtype=np.float32)
    alike = (X @ X.T).toarray()
    chosen = alike[:, ask(X, 10, chance=chance())].max(axis=1).mean()
    random = [alike[:, rng.permutation(200)[:10]].max(axis=1).mean() for _ in range(200)]
    assert chosen > max(random)


def test_answers_lead_to_the_topic_that_the_reader_likes(
    pool: tuple[Edition, list[Paper], Matrix],
) -> None:
    """Asked one by one with scores learned from the answers, questions gather where the likes are."""
    edition, papers, X = pool
    judged: list[Judged] = []
    rows: list[int] = []
    for _ in range(8):
        scores = None
        if any(j.opinion == "like" for j in judged):
            scores = RANKERS[DEFAULT].learn(edition, Interests(), judged).scores(X)
        (row,) = ask(words(edition, X), 1, chance=chance(), scores=scores, asked=rows)
        rows.append(row)
        judged.append(Judged(papers[row], "like" if topic_of(row) == "robots" else "dislike"))
    found = [j.opinion for j in judged]
    assert "like" in found[:4]
    assert found.count("like") >= 4


def test_the_same_seed_asks_the_same(pool: tuple[Edition, list[Paper], Matrix]) -> None:
    edition, _, X = pool
    assert ask(words(edition, X), 10, chance=chance()) == ask(words(edition, X), 10, chance=chance())


def test_nothing_to_ask_about_asks_nothing() -> None:
    assert ask(sparse.csr_matrix((0, 5), dtype=np.float32), 10, chance=chance()) == []
    assert ask(sparse.csr_matrix((3, 5), dtype=np.float32), 10, chance=chance()) == []
