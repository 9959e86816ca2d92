"""Strangers' text as readers see it: LaTeX, control characters, sentences, names."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.alerts import wording
from jobs.alerts.readable import clean, readable
from recommender.paper import Paper

LATEX = {
    r"$O(n \log n)$ in $\mathcal{O}(n^2)$": "O(n log n) in O(n²)",
    r"$\epsilon$-DP with $x_{i}^{2} \leq 3$": "ϵ-DP with xᵢ² ≤ 3",
    r"Gr\"obner and \'Etale": "Gröbner and Étale",
    r"Erd\H{o}s--R\'enyi": "Erdős–Rényi",
    r"{\L}ukasz \c{C}a\u{g}lar": "Łukasz Çağlar",
    r"\textbf{bold} and \emph{soft}": "bold and soft",
    r"$\widetilde{O}(\min\{kn,n^{3/2}\})$": "O(min{kn,n^(3/2)})",
    r"$10^{-3}$, $e^{-\lambda t}$, $x_{\max}$, $A^{\top}$": "10⁻³, e^(-λt), xₘₐₓ, A^⊤",
    r"3.4$\times$ on H$_2$O": "3.4× on H₂O",
    r"$\left( x \right)$ and $\boldsymbol{\theta}$": "( x ) and θ",
    r"\(a_1\) by \texttt{x\_y}": "a₁ by x_y",
    r"\href{http://x.example}{here} \cite{foo}": "here",
    r"{\bf G}raph {B}ayes": "Graph Bayes",
    r"100\% of \$5": "100% of $5",
}
NO_LATEX = [
    "50% faster at $10 and $20",
    "A & B ~ C_d, ~10% more",
    "Unbalanced $x and } brace",
    "cost of $5 and 20%",
    r"C:\users\me",
    "snake_case_name {json: 1}",
    "100K+ tokens/s & n<m and p>q",
    "$",
    "a{b",
]


@pytest.mark.parametrize(("source", "shown"), LATEX.items())
def test_latex_is_read_out(source: str, shown: str) -> None:
    assert readable(source) == shown


@pytest.mark.parametrize("text", NO_LATEX)
def test_text_that_is_no_latex_stays_as_it_is(text: str) -> None:
    assert readable(text) == text


def test_what_no_mail_can_carry_is_taken_out() -> None:
    assert clean("a\x00b\x07 c\ud800\u202ed\ue010e\ufeff\r\n\tf") == "ab c\ufffdde f"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_becomes_one_line_that_utf8_and_xml_can_carry(text: str) -> None:
    shown = readable(text)
    assert shown == clean(shown)
    assert "\n" not in shown
    assert all(
        ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF and ord(c) not in (0xFFFE, 0xFFFF) for c in shown
    )


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "As Doe et al. (2020) show, it works. See Fig. 3.",
            ["As Doe et al. (2020) show, it works.", "See Fig. 3."],
        ),
        (
            "We gain 3.5 times, e.g. on GPUs. J. Doe agrees.",
            ["We gain 3.5 times, e.g. on GPUs.", "J. Doe agrees."],
        ),
        ("It follows Smith et al. We go further.", ["It follows Smith et al.", "We go further."]),
        ('It asks "why?" Nobody knows! 3 models do.', ['It asks "why?"', "Nobody knows!", "3 models do."]),
        ("GPT-4 vs. BERT. Done.", ["GPT-4 vs. BERT.", "Done."]),
        ("推理需要缓存。我们提出方法。", ["推理需要缓存。", "我们提出方法。"]),
        ("no full stop", ["no full stop"]),
        ("", []),
    ],
)
def test_sentences_are_cut_at_full_stops_that_end_one(text: str, sentences: list[str]) -> None:
    assert wording.cut_sentences(text) == sentences


@given(st.text())
def test_cutting_sentences_loses_no_letter(text: str) -> None:
    assert "".join("".join(wording.cut_sentences(text)).split()) == "".join(text.split())


def test_a_blurb_is_three_sentences_of_the_summary_or_the_abstract() -> None:
    abstract = "We cut the cost. It is 2.5 times lower. Doe et al. needed more. A fourth one is left out."
    three = "We cut the cost. It is 2.5 times lower. Doe et al. needed more."
    assert wording.blurb(Paper("arxiv:1", "T", abstract=abstract)) == three
    assert wording.blurb(Paper("arxiv:1", "T", abstract=abstract, summary="In short.")) == "In short."
    for empty in ("TBD", "The title", "the title."):
        assert wording.blurb(Paper("arxiv:1", "The Title", summary=empty)) == ""
        assert wording.blurb(Paper("arxiv:1", "The Title", summary=empty, abstract="Real.")) == "Real."


def test_a_first_sentence_that_is_too_long_is_cut_at_a_word() -> None:
    blurb = wording.blurb(Paper("arxiv:1", "T", abstract="word " * 300))
    assert len(blurb) <= 420
    assert blurb.endswith("word…")
    assert wording.shorten("缓存。我们。" * 3, 2, 100) == "缓存。我们。"


def test_many_authors_are_shortened_to_the_first_and_the_last() -> None:
    names = tuple(f"Author {letter}" for letter in "ABCDEFGHIJ")
    assert wording.authors(Paper("arxiv:1", "T", authors=names)) == "Author A, Author B, … Author J (10)"
    assert (
        wording.authors(Paper("arxiv:1", "T", authors=names[:4])) == "Author A, Author B, Author C, Author D"
    )
    cut = Paper("arxiv:1", "T", authors=names[:1], authors_complete=False)
    assert wording.authors(cut) == "Author A et al."
    assert wording.authors(Paper("arxiv:1", "T")) == ""


def test_facts_stand_in_one_line() -> None:
    paper = Paper(
        "arxiv:2510.02613", "T", authors=("Ada L",), institutions=("Huawei", "CMU", "A long university " * 4),
        categories=("cs.DC", "cs.LG"), topics=("LLM inference",), announced=date(2025, 10, 28), version=2,
        sources=("arXiv", "weekly mlsys digest"),
    )  # fmt: skip
    assert wording.facts(paper) == "Ada L · Huawei, CMU +1 · cs.DC cs.LG · LLM inference · 28 Oct"
    assert wording.provenance(paper) == "also in: weekly mlsys digest · v2"


def test_only_web_addresses_become_links() -> None:
    assert (
        wording.addresses(Paper("hash:1", "T", url="javascript:alert(1)", code_url="data:text/html,x")) == []
    )
    assert wording.addresses(Paper("hash:1", "T", url='https://x.example/"onclick=')) == []
    found = wording.addresses(Paper("arxiv:hep-th/9901001", "T", code_url="https://code.example/x"))
    assert found == [
        ("abs", "https://arxiv.org/abs/hep-th/9901001"),
        ("pdf", "https://arxiv.org/pdf/hep-th/9901001"),
        ("code", "https://code.example/x"),
    ]
    assert wording.addresses(Paper("doi:10.1/x", "T")) == [("paper", "https://doi.org/10.1/x")]
