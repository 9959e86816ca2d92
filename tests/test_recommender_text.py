"""What counts as a word, and when two spellings are the same one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender import text
from recommender.statement import asked


@pytest.mark.parametrize(
    ("written", "same_as"),
    [
        ("KV-Caches", "KV cache"),
        ("speculative-decoding", "Speculative decoding"),
        ("mixture-of-experts", "mixture of experts"),
        ("LLMs", "llm"),
        ("GPUs", "gpu"),
        ("gpus", "GPU"),
        (r"\emph{sparse} attention", "sparse attention"),
        ("$k$-means", "k-means"),
        (r"Schr\"odinger", "Schrödinger"),
        (r"Schr{\"o}dinger", "Schrodinger"),
        (r"Erd\H{o}s R\'{e}nyi", "Erdős Rényi"),
        (r"\alpha-divergence", "α-divergence"),
        (r"$\mathcal{X}$-ray {GPU}s", "X-ray GPU"),
        ("quantisation", "quantization"),
        ("behaviours", "behavior"),
        ("matrices", "matrix"),
        ("caches", "cache"),
        ("batches", "batch"),
        ("queries", "query"),
        ("Newton's method", "Newton method"),
        ("Łukasiewicz Straße", "lukasiewicz strasse"),
        ("ﬁne‑tuning", "fine-tuning"),
    ],
)
def test_spellings_of_one_term_are_the_same(written: str, same_as: str) -> None:
    assert text.term(written) == text.term(same_as) != ""


@pytest.mark.parametrize(
    ("one", "other"), [("bias", "base"), ("C++", "C"), ("C#", "C"), ("analysis", "analyst"), ("GPU", "CPU")]
)
def test_different_terms_stay_apart(one: str, other: str) -> None:
    assert text.term(one) != text.term(other)


def test_grams_step_over_stop_words_and_leave_lone_numbers_out() -> None:
    grams = text.terms("the mixture of experts in 2025 for Llama 3")

    assert "mixture expert" in grams
    assert "llama 3" in grams
    assert not {"the", "of", "2025", "3", "of expert"}.intersection(grams)


def test_chinese_is_cut_into_words() -> None:
    grams = text.terms("高效的KV缓存管理")

    assert {"缓存", "管理", "kv", "kv 缓存", "缓存 管理"} <= set(grams)
    assert "的" not in grams


def test_links_and_citations_in_latex_are_no_words() -> None:
    assert text.terms(r"code at \url{https://example.org/abc} as in \cite{knuth84}") == ["code"]


def test_a_percent_sign_does_not_swallow_the_rest() -> None:
    assert "faster" in text.terms(r"10\% faster and 5% slower")
    assert "slower" in text.terms(r"10\% faster and 5% slower")


@settings(deadline=None)  # the first Chinese character loads a dictionary
@given(st.text())
def test_any_text_is_read_into_words_and_pairs_without_stop_words(written: str) -> None:
    for gram in text.terms(written):
        assert gram == gram.strip()
        assert 1 <= len(gram.split(" ")) <= 2
        assert all(part not in {"the", "of"} for part in gram.split(" "))


def test_a_statement_pairs_words_only_within_a_clause() -> None:
    wanted, unwanted = asked("I am interested in KV cache and speculative decoding for LLM inference")

    assert {"kv cache", "speculative decoding", "llm inference"} <= set(wanted)
    assert not {"cache speculative", "decoding llm", "interested", "am"}.intersection(wanted)
    assert unwanted == []


@pytest.mark.parametrize("no", ["not", "but not", "except", "no", "rather than"])
def test_what_a_statement_rules_out_is_unwanted(no: str) -> None:
    wanted, unwanted = asked(f"sparse kernels, {no} computer vision. Also compilers")

    assert {"sparse", "compiler"} <= set(wanted)
    assert "computer vision" in unwanted
    assert "vision" not in wanted


def test_a_word_both_wanted_and_ruled_out_is_wanted() -> None:
    wanted, unwanted = asked("graph learning, not graph drawing")

    assert "graph" in wanted
    assert "graph" not in unwanted
    assert "graph drawing" in unwanted
