"""What a person of the field would pick: profiles that only have a statement, and the papers they expect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from jobs.sources import daily, weekly
from recommender.explain import Explainer
from recommender.interest import Interests
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.vectors import Edition

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "../shared/data/digests/weekly/20251027-20251102.md"


@dataclass(frozen=True)
class Expected:
    """A statement, papers that must be in its top 20, and words one of which any paper there must show."""

    statement: str
    papers: tuple[str, ...]
    words: tuple[str, ...]
    among: int = 20


ON_THE_REFERENCE_DIGEST = [
    Expected(
        "KV cache and speculative decoding for LLM inference",
        (
            "2509.01083",  # DSDE: dynamic speculative decoding
            "2510.20064",  # Not-a-Bandit: drafter selection
            "2510.10302",  # SP-MoE: speculative decoding and prefetching
            "2508.21706",  # offloading latency hidden by speculative decoding
            "2510.19779",  # AdaSPEC: distilled speculative decoders
            "2508.06297",  # KV cache compression, a review
            "2508.06526",  # PiKV
            "2509.00579",  # KVComp
            "2510.16807",  # skip connections for a smaller KV cache
            "2510.13223",  # BanaServe: KV cache and module migration
            "2509.16857",  # ShadowServe: KV cache fetching
            "2509.24626",  # SparseServe
            "2509.06261",  # FineServe: KV slabs
            "2508.18572",  # Strata: hierarchical context caching
            "2509.12211",  # TinyServe: cache selection
        ),
        ("kv", "speculative", "cache", "decod", "prefill"),
    ),
    Expected(
        "training large models on thousands of GPUs: pipeline parallelism, fault tolerance, checkpointing",
        (
            "2509.21275",  # elastic pipeline parallelism
            "2509.21221",  # churn-tolerant decentralised training
            "2510.05186",  # OptPipe
            "2510.05112",  # a programmable pipeline parallelism framework
            "2509.23722",  # AdaPtis: pipeline bubbles
            "2509.16293",  # robust training infrastructure
            "2510.00606",  # ElasWave: elastic training
            "2507.13522",  # Checkmate: checkpointing by gradient replication
            "2509.04084",  # LowDiff: frequent checkpointing
            "2508.21613",  # Odyssey: resilient training
        ),
        ("parallel", "train", "checkpoint", "fault", "gpu"),
    ),
    Expected(
        "serverless computing and cloud resource scheduling",
        (
            "2510.08180",  # serverless with hardware isolation
            "2509.22068",  # green code translation for serverless
            "2509.14292",  # cold starts through OS co-design
            "2509.09525",  # TrEnv: shared execution environments
            "2507.23431",  # a testbed for FaaS platforms
            "2509.14920",  # serverless against GPU training
            "2509.03104",  # what keeping warm costs
            "2510.11938",  # FlexPipe in fragmented serverless clusters
            "2510.00541",  # VM placement
        ),
        ("serverless", "faas", "cloud", "schedul", "cluster", "function", "microservice"),
    ),
]
ON_THE_SAMPLES = [
    Expected(
        "KV cache and speculative decoding for LLM inference",
        ("2509.01083", "2510.20064", "2510.10302", "2508.06297", "2508.06526", "2509.00579", "2510.19779"),
        ("kv", "speculative", "cache", "decod"),
        among=8,
    ),
    Expected("serverless functions and cold starts", ("2509.14292", "2511.13728"), ("serverless",), among=2),
    Expected("RISC-V processors", ("2407.16026",), ("risc-v",), among=1),
]


@cache
def reference() -> tuple[Paper, ...]:
    return weekly.parse(REFERENCE.read_bytes()).papers


@cache
def samples() -> tuple[Paper, ...]:
    (weekly_sample,) = (ROOT / "samples").glob("weekly-*.md")
    (daily_sample,) = (ROOT / "samples").glob("daily-*.md")
    return (
        *weekly.parse(weekly_sample.read_bytes()).papers,
        *daily.parse(daily_sample.read_bytes()).papers,
    )


def best(papers: tuple[Paper, ...], interests: Interests, among: int) -> list[Paper]:
    edition = Edition.shipped().extended(papers, [interests])
    scores = RANKERS[DEFAULT].learn(edition, interests).scores(edition.transform(papers))
    return [papers[at] for at in (-scores).argsort(kind="stable")[:among]]


def check(papers: tuple[Paper, ...], expected: Expected) -> None:
    top = best(papers, Interests(statement=expected.statement), expected.among)
    missing = {f"arxiv:{name}" for name in expected.papers}.difference(paper.id for paper in top)
    assert not missing, [paper.title for paper in papers if paper.id in missing]
    for paper in top:
        said = " ".join((paper.title, paper.text, *paper.keywords)).lower()
        assert any(word in said for word in expected.words), paper.title


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference digest in ../shared is absent")
@pytest.mark.parametrize("expected", ON_THE_REFERENCE_DIGEST, ids=lambda e: e.statement[:30])
def test_the_top_of_the_reference_digest_is_what_a_person_would_pick(expected: Expected) -> None:
    check(reference(), expected)


@pytest.mark.parametrize("expected", ON_THE_SAMPLES, ids=lambda e: e.statement[:30])
def test_the_top_of_the_samples_is_what_a_person_would_pick(expected: Expected) -> None:
    check(samples(), expected)


def test_a_fitting_on_the_samples_ranks_as_the_shipped_edition_does() -> None:
    interests = Interests(statement="KV cache and speculative decoding for LLM inference")
    local = Edition.fit(samples()).extended(samples(), [interests])
    scores = RANKERS[DEFAULT].learn(local, interests).scores(local.transform(samples()))
    top = {samples()[at].id for at in (-scores).argsort()[:8]}

    assert len(top.intersection(paper.id for paper in best(samples(), interests, 8))) >= 7


def test_every_paper_of_the_top_says_why() -> None:
    interests = Interests(statement="KV cache and speculative decoding for LLM inference")
    edition = Edition.shipped().extended(samples(), [interests])
    X = edition.transform(samples())
    weights = RANKERS[DEFAULT].learn(edition, interests)
    explainer = Explainer(edition, weights, (), interests)

    for paper in best(samples(), interests, 8):
        row = samples().index(paper)
        why = explainer.explain(X[row], paper)
        assert any(phrase in why.reason for phrase in ("KV cache", "speculative decoding")), why.reason
        assert sum(part.value for part in why.contributions) == pytest.approx(
            float(weights.scores(X[row])[0]), abs=1e-6
        )
