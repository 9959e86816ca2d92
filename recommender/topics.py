"""Area and topics of papers whose source gives none, learned from digests that do."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier

from recommender import names, npz
from recommender.labels import NO_TOPIC
from recommender.paper import Paper
from recommender.vectors import Edition, Matrix

AT_LEAST = 8
"""A label is learned from at least so many papers."""
MOST_TAGGED = 10_000
"""It is learned from at most so many tagged papers, the latest ones."""
OTHERS = 4_000
"""It is learned against about so many that nobody tagged, spread evenly over those on hand."""
WORTH_SHOWING = 0.3
"""A label is predicted at all where its F1 on papers left out of the learning reaches this."""


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """An area or a topic, as most digests write it.

    ``papers`` is how many it was learned from; ``cut`` the certainty from which it is predicted, and ``f1``
    how good that was on papers left out of the learning.
    """

    kind: Literal["area", "topic"]
    name: str
    papers: int = 0
    cut: float = 0.5
    f1: float = 0.0


@dataclass(frozen=True, slots=True)
class Predicted:
    """A label that no source gave: to be shown as predicted. ``share`` is how certain it is, 0 to 1."""

    label: Label
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class TopicModel:
    """One linear classifier a label, on the text columns of an edition: ``rows`` is labels × text columns."""

    edition: str
    labels: tuple[Label, ...]
    rows: Matrix
    offsets: NDArray[np.float64]

    def shares(self, edition: Edition, papers: Sequence[Paper]) -> NDArray[np.float64]:
        """How sure it is of each label: papers × labels, 0 to 1.

        What sources say of a paper's topics is not looked at. Raises ValueError for another edition.
        """
        if edition.name != self.edition:
            raise ValueError(f"topics learned on edition {self.edition}, not {edition.name}; learn them anew")
        X = _texts(edition, papers)
        return np.asarray(1 / (1 + np.exp(-((X @ self.rows.T).toarray() + self.offsets))))

    def predict(self, edition: Edition, papers: Sequence[Paper]) -> list[tuple[Predicted, ...]]:
        """The labels of each paper: at most one area, then topics, those furthest above their cut first."""
        found = []
        for row in self.shares(edition, papers).tolist():
            sure = [
                Predicted(label, share)
                for label, share in zip(self.labels, row, strict=True)
                if share >= label.cut and label.f1 >= WORTH_SHOWING
            ]
            sure.sort(key=lambda p: (p.label.cut - p.share, p.label))
            areas = [p for p in sure if p.label.kind == "area"][:1]
            found.append((*areas, *(p for p in sure if p.label.kind == "topic")))
        return found

    def save(self, file: BinaryIO) -> None:
        """Write the labels that it predicts, most of what it learned being worth no guess, as npz; nothing in
        it is pickled."""
        kept = [at for at, label in enumerate(self.labels) if label.f1 >= WORTH_SHOWING]
        labels, rows = [self.labels[at] for at in kept], self.rows[kept]
        npz.save(
            file,
            edition=np.array(self.edition),
            kinds=np.array([label.kind for label in labels], dtype=str),
            names=np.array([label.name for label in labels], dtype=str),
            papers=np.array([label.papers for label in labels]),
            cuts=np.array([label.cut for label in labels]),
            f1=np.array([label.f1 for label in labels]),
            data=rows.data,
            indices=rows.indices,
            indptr=rows.indptr,
            shape=np.array(rows.shape),
            offsets=self.offsets[kept],
        )

    @classmethod
    def load(cls, file: BinaryIO) -> TopicModel:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as held:
            columns = (held[name].tolist() for name in ("kinds", "names", "papers", "cuts", "f1"))
            labels = tuple(Label(*values) for values in zip(*columns, strict=True))
            rows = sparse.csr_matrix(
                (held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"])
            )
            return cls(str(held["edition"]), labels, rows, held["offsets"])


def learn(
    edition: Edition, papers: Iterable[Paper], others: Sequence[Paper] = (), *, at_least: int = AT_LEAST
) -> TopicModel:
    """Learn the labels that at least ``at_least`` of ``papers`` have; those without any are not looked at.

    Logistic regression, one label against the rest, and against ``others``: papers that nobody tagged, taken
    for papers without these labels. Digests choose what they show, and what is learned from them alone calls
    nearly every paper of arXiv one of theirs (3,817 of 3,834 of all subjects; with others 106). The cut of
    each label is the one with the best F1 when each third of the papers, in the order given, is labelled by
    what the other two teach: given by date, that is how later papers are met. Raises ValueError where fewer
    than two labels are frequent enough.
    """
    tagged = [paper for paper in papers if labels_of(paper)]
    third = np.concatenate([np.arange(n) * 3 // max(n, 1) for n in (len(tagged), len(others))])
    held = [labels_of(paper) for paper in tagged] + [frozenset()] * len(others)
    counts = Counter(key for keys in held for key in keys)
    frequent = sorted(key for key, n in counts.items() if at_least <= n < len(held))
    if len(frequent) < 2:
        raise ValueError(f"{len(tagged)} papers with topics, too few to learn from; ingest more digests")
    X = _texts(edition, [*tagged, *others])
    columns = np.unique(X.indices)
    given = np.array([[key in keys for key in frequent] for keys in held], np.int8)
    with warnings.catch_warnings():
        # A label may stand in one third only, or be one that words cannot tell; its F1 then says so.
        warnings.filterwarnings("ignore", message="Label .* is present in all training examples")
        warnings.simplefilter("ignore", ConvergenceWarning)
        thirds = PredefinedSplit(third)
        shares = cross_val_predict(_classifier(), X[:, columns], given, cv=thirds, method="predict_proba")
        model = _classifier().fit(X[:, columns], given)
    written = _written(tagged)
    labels = []
    for at, (kind, name) in enumerate(frequent):
        cut, f1 = _best_cut(shares[:, at], given[:, at])
        labels.append(Label(kind, written[kind, name], counts[kind, name], cut, f1))
    rows = sparse.csr_matrix(np.vstack([one.coef_ for one in model.estimators_]).astype(np.float32))
    whole = sparse.csr_matrix(
        (rows.data, columns[rows.indices], rows.indptr), shape=(len(labels), X.shape[1])
    )
    offsets = np.array([float(one.intercept_[0]) for one in model.estimators_])
    return TopicModel(edition.name, tuple(labels), whole, offsets)


def _classifier() -> OneVsRestClassifier:
    # The dual needs no BLAS, whose threads get in each other's way on a busy machine (0.6 s, not 8 s).
    one = LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear", dual=True, random_state=0)
    return OneVsRestClassifier(one)


def _best_cut(shares: NDArray[np.float64], given: NDArray[np.int8]) -> tuple[float, float]:
    """The certainty from which labelling has the best F1, and that F1."""
    order = np.argsort(-shares, kind="stable")
    hits = np.cumsum(given[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + hits[-1])
    best = int(f1.argmax())
    below = shares[order[best + 1]] if best + 1 < len(order) else 0.0
    # Halfway to the next paper, so that the cut does not hang on one paper's last digit.
    return float((shares[order[best]] + below) / 2), float(f1[best])


Key = tuple[Literal["area", "topic"], str]


def labels_of(paper: Paper) -> frozenset[Key]:
    """The area and topics that a source gave a paper, in the form that counts; "others" is none."""
    keys: set[Key] = {("area", names.label(paper.area))}
    keys.update(("topic", names.label(topic)) for topic in paper.topics)
    return frozenset(key for key in keys if key[1] not in NO_TOPIC)


def _written(papers: Iterable[Paper]) -> dict[Key, str]:
    """How each label is written most often."""
    seen: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for paper in papers:
        seen["area", names.label(paper.area)][paper.area] += 1
        for topic in paper.topics:
            seen["topic", names.label(topic)][topic] += 1
    return {key: max(forms, key=lambda form: (forms[form], form)) for key, forms in seen.items()}


def _texts(edition: Edition, papers: Sequence[Paper]) -> Matrix:
    """The text columns of the papers, without the tags that papers from feeds do not have."""
    bare = [replace(paper, area="", topics=(), keywords=()) for paper in papers]
    return edition.transform(bare)[:, edition.text_columns]
