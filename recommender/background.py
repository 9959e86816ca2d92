"""What papers in general look like: the other side of every reader's likes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.fitting import Fitting
from recommender.frequencies import split_keys
from recommender.liked import Liked
from recommender.vectors import Edition, Matrix

Floats = NDArray[np.float64]

FEWEST = 300
"""From fewer papers than this nothing is derived: their common directions would be their topics."""
OTHERS = 2_000
"""So many papers stand for all that a reader did not choose."""
SEEN = 20_000
"""So many are looked at for the directions in which papers differ most."""
TERMS = 10_000
DIRECTIONS = 128
_SAME = 1e-5
_SCATTERING = (2_654_435_761, 2_246_822_519)


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A sample of papers on the columns of one fitting, and the directions in which their words differ most.

    ``others`` is the sample, m × base_size, by column. ``mean`` is the mean vector of the papers' words and
    pairs. The rows of ``directions`` (k × terms) are the leading singular vectors over ``terms``, the
    commonest words and pairs in ascending order; ``variances`` (k) are their mean squares, and ``centre``
    (k) is the mean in them. ``covered`` is the share of the papers' squared length that lies on ``terms``.
    """

    others: sparse.csc_matrix[np.float32]
    mean: NDArray[np.float32]
    terms: NDArray[np.int64]
    directions: NDArray[np.float32]
    variances: Floats
    centre: Floats
    covered: float
    _by_column: Matrix = field(init=False)
    _marks: Floats = field(init=False)
    _marked: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        # A reader takes some hundred of the directions' columns: they are to lie together in memory.
        object.__setattr__(self, "directions", np.asfortranarray(self.directions))
        object.__setattr__(self, "_by_column", sparse.csr_matrix(self.others.T))
        text = sparse.coo_matrix(self.others[:, : len(self.mean)])
        marks = _marks(text.col, text.data, text.row, self.others.shape[0])
        order = np.argsort(marks[0])
        object.__setattr__(self, "_marked", order[marks[0, order] != 0])
        object.__setattr__(self, "_marks", marks[:, self._marked])

    @classmethod
    def of(cls, edition: Edition, X: Matrix, seed: int = 0) -> Background:
        """Look at ``X``, n papers of any extension of ``edition``.

        Raises ValueError for fewer than `FEWEST`, and for papers that hold no two known words.
        """
        if X.shape[0] < FEWEST:
            raise ValueError(f"{X.shape[0]} papers are no background; it takes {FEWEST}")
        rng = np.random.default_rng(seed)
        whole = X[np.sort(rng.permutation(X.shape[0])[:SEEN]), : edition.base_size]
        seen = whole[:, edition.text_columns]
        held = np.bincount(seen.indices, minlength=seen.shape[1])
        terms = np.sort(np.argsort(-held, kind="stable")[:TERMS])
        terms = terms[held[terms] > 0]
        if len(terms) < 2:
            raise ValueError(f"{X.shape[0]} papers without words are no background")
        common = sparse.csr_matrix(seen[:, terms])
        k = min(DIRECTIONS, len(terms) - 1, seen.shape[0] - 1)
        # Here, since it brings 60 MB along that a process which sends mail never needs.
        from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415

        _, sizes, directions = randomized_svd(common, k, n_iter=2, random_state=seed)
        mean = np.asarray(seen.mean(axis=0), np.float32).ravel()
        others = whole[np.sort(rng.permutation(seen.shape[0])[:OTHERS])]
        return cls(
            others=sparse.csc_matrix(others),
            mean=mean,
            terms=terms.astype(np.int64),
            directions=directions.astype(np.float32),
            variances=sizes.astype(np.float64) ** 2 / seen.shape[0],
            centre=directions.astype(np.float64) @ mean[terms],
            covered=float((common.data**2).sum() / (seen.data**2).sum()),
        )

    def save(self, file: BinaryIO) -> None:
        """Write it as npz; nothing in it is pickled."""
        others = self.others
        np.savez_compressed(
            file,
            data=others.data,
            indices=others.indices,
            indptr=others.indptr,
            shape=np.array(others.shape),
            mean=self.mean,
            terms=self.terms,
            directions=self.directions.astype(np.float16),
            variances=self.variances,
            centre=self.centre,
            covered=self.covered,
        )

    @classmethod
    def load(cls, file: BinaryIO) -> Background:
        """Read what `save` wrote. Raises ValueError for what an earlier version wrote."""
        with np.load(file, allow_pickle=False) as held:
            if "covered" not in held:
                raise ValueError("this background lacks what later versions know; make it anew")
            others = sparse.csc_matrix(
                (held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"])
            )
            return cls(
                others, held["mean"], held["terms"], held["directions"].astype(np.float32),
                held["variances"], held["centre"], float(held["covered"]),
            )  # fmt: skip

    def at(self, columns: NDArray[np.int64]) -> sparse.csc_matrix[np.float32]:
        """The sample on these columns alone, m × columns."""
        return self._by_column[columns].T

    def judged(self, liked: Liked) -> NDArray[np.bool_]:
        """Which of the sample (m) are papers that the reader judged: they must not stand for all the rest."""
        found = np.zeros(self.others.shape[0], bool)
        words = liked.where < liked.words
        columns = liked.columns[liked.where[words]]
        own, other = _marks(columns, liked.values[words], liked.owners[words], len(liked.mass)), self._marks
        begins, ends = (np.searchsorted(other[0], own[0] + far) for far in (-_SAME, _SAME))
        for paper in np.flatnonzero(begins < ends).tolist():
            near = slice(begins[paper], ends[paper])
            found[self._marked[near]] |= np.abs(other[1, near] - own[1, paper]) <= _SAME
        return found

    def within(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Which of ``columns`` (ascending) the directions know, and the directions there, found × k."""
        place = np.minimum(np.searchsorted(self.terms, columns), len(self.terms) - 1)
        found = np.flatnonzero(self.terms[place] == columns)
        return found, self.directions.T[place[found]]


def _marks(
    columns: NDArray[np.integer[Any]], values: NDArray[np.float32], owners: NDArray[np.integer[Any]], n: int
) -> Floats:
    """Two numbers by which each of n papers is known again, 2 × n, 0 for one without words.

    They are sums of its values, each times a number between -1 and 1 that the column's is scattered to.
    """
    scattered = (
        (columns.astype(np.uint32) * np.uint32(factor)).view(np.int32) / 2**31 for factor in _SCATTERING
    )
    return np.array([np.bincount(owners, values * sign, minlength=n) for sign in scattered])


def ordered(fitting: Fitting) -> bool:
    """Whether the order of words says something in what was counted, as in prose and not in bags of words.

    In abstracts 0.16 % of neighbouring words are one word twice; in bags that are written out with their
    repeats, several per cent are. Pairs of words are chance there.
    """
    first, second = split_keys(fitting.frequencies.pairs)
    counts = fitting.frequencies.pair_counts
    return float(counts[first == second].sum()) <= 0.01 * float(counts.sum())


_HELD: WeakKeyDictionary[Fitting, Background] = WeakKeyDictionary()


def attach(edition: Edition, background: Background) -> None:
    """Learn on ``edition``, in all its extensions, against this background from now on."""
    _HELD[edition.fitting] = background


def attached(edition: Edition) -> Background | None:
    """The background that was attached to ``edition``, if any."""
    return _HELD.get(edition.fitting)
