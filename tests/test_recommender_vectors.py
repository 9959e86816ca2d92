"""Editions: one vocabulary, the same values in every extension, files without pickle."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from math import inf, log

import numpy as np
import pytest

from recommender import related, shipped
from recommender.features import Feature
from recommender.fitting import Fitting
from recommender.interest import Interests
from recommender.paper import Paper
from recommender.vectors import Edition

PAPERS = [
    Paper(
        id="arxiv:2510.00001",
        title="Speculative decoding with a compressed KV cache",
        abstract="Large language models decode slowly. We draft tokens and keep their KV-cache small.",
        authors=("Ada Lovelace", "J. Smith"),
        institutions=("University of Somewhere",),
        categories=("cs.LG", "cs.DC"),
        topics=("LLM inference",),
    ),
    Paper(
        id="arxiv:2510.00002",
        title="Weather on exoplanets",
        abstract="Spectra of hot Jupiters show clouds.",
        authors=("John Smith",),
        categories=("astro-ph.EP",),
    ),
    Paper(id="arxiv:2510.00003", title="基于推测解码的高效推理", summary="我们压缩KV缓存。"),
]


def test_the_shipped_edition_knows_what_a_hundred_thousand_abstracts_say() -> None:
    edition = Edition.shipped()

    assert edition is Edition.shipped()
    rare, common = edition.index("term", "speculative decoding"), edition.index("term", "language model")
    assert rare is not None
    assert common is not None
    assert edition.idf[rare] > edition.idf[common] + 2
    assert edition.written(edition.index("term", "kv caches") or -1) == "KV cache"
    assert edition.written(edition.index("term", "mixture of experts") or -1) == "mixture-of-experts"


def test_the_shipped_files_are_small_and_say_what_they_were_made_of() -> None:
    figures = shipped.figures()

    assert figures["papers"] > 200_000
    assert figures["word_floor"] >= 2
    assert related.figures()["edition"] == Edition.shipped().name, "derive the related terms anew"
    folder = shipped.files("recommender") / "data"
    assert sum(len(file.read_bytes()) for file in folder.iterdir()) <= 4_000_000


def test_the_text_of_a_row_has_length_one_and_the_title_counts_more() -> None:
    edition = Edition.shipped()
    plain = Paper(id="a", title="cache", abstract="cache decoding")
    X = edition.transform([*PAPERS, plain])

    lengths = np.sqrt(X[:, edition.text_columns].multiply(X[:, edition.text_columns]).sum(axis=1))
    assert np.allclose(np.asarray(lengths).ravel()[[0, 1, 3]], 1, atol=1e-6)
    titled = replace(plain, title="cache decoding", abstract="cache")
    decoding = edition.index("term", "decoding")
    assert edition.transform([titled])[0, decoding] > X[3, decoding]


def test_repeats_count_less_in_prose_than_in_bags_of_words() -> None:
    prose = Edition.shipped()
    bags = Edition(Fitting(prose.fitting.frequencies.kept(0, inf)))
    paper = Paper(id="a", title="", abstract="galaxy telescope galaxy galaxy galaxy")

    def times_once(edition: Edition) -> float:
        row = edition.transform([paper])
        galaxy, telescope = (edition.index("term", word) for word in ("galaxy", "telescope"))
        return float(
            row[0, galaxy] / row[0, telescope] * (edition.idf[telescope] / edition.idf[galaxy]) ** 0.5
        )

    assert times_once(bags) == pytest.approx(1 + log(4), rel=1e-5)
    assert times_once(prose) == pytest.approx((1 + log(4)) ** 0.75, rel=1e-5)


def test_a_paper_without_known_words_is_an_empty_row() -> None:
    X = Edition.shipped().transform([Paper(id="a", title=""), Paper(id="b", title="zzqqxy")])

    assert X.shape == (2, Edition.shipped().size)
    assert X.nnz == 0


def test_no_papers_give_a_matrix_without_rows() -> None:
    assert Edition.shipped().transform([]).shape == (0, Edition.shipped().size)


def test_an_extension_adds_columns_and_changes_no_value() -> None:
    edition = Edition.shipped()
    wide = edition.extended(PAPERS, [Interests(statement="zk-rollup provers", authors=("Grace Hopper",))])
    before, after = edition.transform(PAPERS), wide.transform(PAPERS)

    assert wide.name == edition.name
    assert wide.base_size == edition.size < wide.size
    assert (before != after[:, : edition.size]).nnz == 0
    for kind, name in (
        ("author", "Lovelace, Ada"), ("institution", "university of somewhere"), ("author", "grace hopper"),
        ("tag", "llm-inference"), ("term", "zk rollup"),
    ):  # fmt: skip
        assert edition.index(kind, name) is None, name
        assert wide.index(kind, name) is not None, name
    assert after[0, wide.index("author", "Ada Lovelace")] == 1


def test_a_rare_term_of_a_profile_is_found_in_papers() -> None:
    wide = Edition.shipped().extended(interests=[Interests(terms=(("zkrollup provers", 1.0),))])
    X = wide.transform(
        [Paper(id="a", title="Fast zkrollup provers"), Paper(id="b", title="Zkrollup for provers")]
    )

    column = wide.index("term", "zkrollup prover")
    assert X[0, column] > 0
    assert X[1, column] > 0  # stop words are stepped over


def test_a_fitting_blends_local_counts_with_the_shipped_ones() -> None:
    shipped_edition = Edition.shipped()
    local = [
        Paper(id=str(n), title="Qubitron lattice", abstract="A qubitron lattice is cold.", topics=("qubits",))
        for n in range(50)
    ]
    edition = Edition.fit([*local, *PAPERS], extra_terms=["zk-rollup provers"])

    assert edition.name != shipped_edition.name
    assert shipped_edition.index("term", "qubitron lattice") is None
    column = edition.index("term", "qubitron lattices")
    assert column is not None
    assert edition.written(column) == "qubitron lattice"
    assert edition.index("term", "zk rollup") is not None
    assert edition.index("tag", "Qubits") is not None
    common = edition.index("term", "language model"), shipped_edition.index("term", "language model")
    assert edition.idf[common[0]] == pytest.approx(shipped_edition.idf[common[1]], abs=0.05)


def test_a_tag_that_every_tagged_paper_has_is_no_news() -> None:
    tagged = [Paper(id=str(n), title=f"Paper {n}", topics=("systems",)) for n in range(40)]
    edition = Edition.fit([*tagged, *PAPERS])

    column = edition.index("tag", "systems")
    assert column is not None
    assert edition.shares[column] > 0.9
    wide = edition.extended(PAPERS, [Interests(terms=(("glorpish", 1.0), ("glorpish caches", 1.0)))])
    columns = np.arange(wide.size)[::-1]
    assert wide.size > edition.size
    assert wide.shares_at(columns).tolist() == wide.shares[columns].tolist()


def test_a_saved_edition_is_the_same_when_loaded_and_holds_no_pickle() -> None:
    edition = Edition.fit(PAPERS * 3, extra_terms=["zk-rollup"])
    file, again = io.BytesIO(), io.BytesIO()
    edition.save(file)
    edition.save(again)

    loaded = Edition.load(io.BytesIO(file.getvalue()))

    assert file.getvalue() == again.getvalue()
    assert loaded.name == edition.name
    assert (loaded.transform(PAPERS) != edition.transform(PAPERS)).nnz == 0
    assert [loaded.written(i) for i in range(0, loaded.size, 997)] == [
        edition.written(i) for i in range(0, edition.size, 997)
    ]
    with zipfile.ZipFile(io.BytesIO(file.getvalue())) as stored:
        for name in stored.namelist():
            assert np.lib.format.read_magic(stored.open(name))
            np.load(stored.open(name), allow_pickle=False)


@pytest.mark.parametrize("content", [b"", b"not an npz", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_edition_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="fit the edition anew"):
        Edition.load(io.BytesIO(content))


def test_feature_and_index_are_inverses() -> None:
    edition = Edition.shipped().extended(PAPERS)
    row = edition.transform(PAPERS)
    for column in row.indices.tolist():
        assert edition.column(edition.feature(column)) == column
    with pytest.raises(IndexError):
        edition.feature(edition.size)
    with pytest.raises(ValueError, match="no kind of feature 'colour'"):
        edition.index("colour", "red")


def test_chinese_summaries_are_read() -> None:
    edition = Edition.shipped().extended(interests=[Interests(statement="推测解码")])

    assert edition.transform(PAPERS)[2, edition.index("term", "解码")] > 0


def test_judged_papers_are_remembered_as_they_are_transformed() -> None:
    edition = Edition.fit(PAPERS)
    fresh = edition.transform(PAPERS)[:, : edition.base_size]

    for asked in (PAPERS, [PAPERS[1], PAPERS[0]], [*PAPERS, PAPERS[0]]):
        rows = edition.remembered(asked)
        expected = fresh[[PAPERS.index(paper) for paper in asked]]
        assert (rows != expected).nnz == 0


def test_people_with_initials_share_columns_with_their_full_names() -> None:
    edition = Edition.shipped().extended(PAPERS)

    columns = edition.columns_of(Feature.of("author", "John Smith"))
    assert {edition.feature(c).name for c in columns} == {"j smith", "john smith"}
    assert edition.columns_of(Feature.of("author", "Jane Smith")) == [edition.index("author", "J. Smith")]


def test_only_the_latest_judged_papers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.vectors.REMEMBERED", 2)
    edition = Edition.fit(PAPERS)

    assert edition.remembered(PAPERS).shape == (3, edition.base_size)
    assert list(edition.fitting.memory) == PAPERS[1:]
    assert (edition.remembered(PAPERS) != edition.transform(PAPERS)[:, : edition.base_size]).nnz == 0


def test_related_terms_are_those_of_the_same_subject() -> None:
    near = dict(related.related("speculative decoding"))

    assert {"draft", "draft model"} <= near.keys()
    assert sum(weight**2 for weight in near.values()) == pytest.approx(1)
    assert related.related("zzqqxy") == ()
    assert related.related("") == ()
