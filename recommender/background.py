"""What papers in general look like: the other side of every reader's likes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender import npz
from recommender.fitting import Fitting
from recommender.frequencies import split_keys
from recommender.sample import Others
from recommender.vectors import Edition, Matrix

Floats = NDArray[np.floating[Any]]

FEWEST = 300
"""From fewer papers than this nothing is derived: their common directions would be their topics."""
OTHERS = 2_000
"""So many papers stand for all that a reader did not choose."""
SEEN = 20_000
"""So many are looked at for the directions in which papers differ most."""
TERMS = 10_000
DIRECTIONS = 128


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A sample of papers on the columns of one fitting, and the directions in which their words differ most.

    ``others`` is the sample, m × base_size, by column. ``mean`` is the mean vector of the papers' words and
    pairs. The rows of ``directions`` (k × terms) are the leading singular vectors over ``terms``, the
    commonest words and pairs in ascending order; ``variances`` (k) are their mean squares, and ``centre``
    (k) is the mean in them. ``covered`` is the share of the papers' squared length that lies on ``terms``.
    ``sample`` are the others made ready to be scored.
    """

    others: sparse.csc_matrix[np.float32]
    mean: NDArray[np.float32]
    terms: NDArray[np.int64]
    directions: NDArray[np.float32]
    variances: Floats
    centre: Floats
    covered: float
    sample: Others = field(init=False)
    _place: NDArray[np.int16] = field(init=False)

    def __post_init__(self) -> None:
        # A reader takes some hundred of the directions' columns: they are to lie together in memory.
        object.__setattr__(self, "directions", np.asfortranarray(self.directions))
        # A table: to search for each of a reader's columns takes three times as long.
        place = np.full(len(self.mean), -1, np.int16)
        place[self.terms] = np.arange(len(self.terms))
        object.__setattr__(self, "_place", place)
        object.__setattr__(self, "sample", Others(self.others, len(self.mean)))

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
        npz.save(
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

    def within(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of ``columns`` are among the terms whose directions are known, and where those are."""
        place = self._place[columns]
        found = np.flatnonzero(place >= 0)
        return found, place[found].astype(np.int64)

    def shrunk(
        self, places: NDArray[np.int64], values: Floats, noise: float, centre: Floats | float = 0.0
    ) -> NDArray[np.float32]:
        """(Σ + λI)⁻¹ Σ times ``values`` at ``places`` among the terms, less ``centre``; λ is ``noise``."""
        # In float32 throughout: numpy would copy the directions to float64 for each product.
        directions = self.directions.T.take(places, axis=0)
        along = values.astype(np.float32) @ directions - centre
        return np.asarray(directions @ (self.shrinking(noise) * along).astype(np.float32))

    def shrinking(self, noise: float) -> Floats:
        """How far (Σ + λI)⁻¹ Σ shrinks each direction (k)."""
        return self.variances / (self.variances + noise)


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
