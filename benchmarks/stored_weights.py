"""What storing weights costs in quality: nDCG@10 with weights whole, rounded, and cut to the strongest.

``python -m benchmarks.stored_weights [--set authors] [--readers N] [--json]``. The papers and readers are
those of `benchmarks.ablation`. Each line stands beside that of the weights as they were learned.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import tasks
from benchmarks.ablation import SIZES, ByQuery, quality, told, world
from recommender import weights
from recommender.blend import Blend

Way = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def in_8_bits(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights in steps of a 127th of the largest."""
    step = float(np.abs(values).max(initial=0.0)) / 127 or 1.0
    return (np.round(values / step) * step).astype(np.float32)


def strongest(most: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest so many weights as the service stores them, the others 0."""
    kept = np.zeros_like(values)
    at = np.argsort(-np.abs(values), kind="stable")[:most]
    kept[at] = AS_STORED(values[at])
    return kept


AS_STORED: Way = weights.rounded
WHOLE = "weights as they were learned"
WAYS: dict[str, Way] = {
    WHOLE: lambda values: values,
    "as they are stored: half precision, uncut": AS_STORED,
    "in 8 bits": in_8_bits,
    **{f"the strongest {most:,} alone": partial(strongest, most) for most in (400, 1_000, 2_000, 4_000)},
}


def main(arguments: Sequence[str]) -> None:
    """Read the command line, print a line as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=sorted(SIZES), default="authors", dest="name")
    parser.add_argument("--readers", type=int)
    parser.add_argument("--weeks", type=int, help="only the first so many weeks (authors)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one object a line")
    asked = parser.parse_args(arguments)
    given = {key: getattr(asked, key) for key in ("readers", "weeks") if getattr(asked, key) is not None}
    known: dict[str, ByQuery] = {}
    with threadpool_limits(1):
        whole = world(tasks.load(asked.name, **SIZES[asked.name] | given, seed=asked.seed))
        for what, way in WAYS.items():
            with mock.patch.object(weights, "rounded", way):
                known[what] = quality(whole, Blend())
            line = told("" if what == WHOLE else WHOLE, what, known[what], known)
            if asked.json:
                print(json.dumps({"set": asked.name, **line}), flush=True)
                continue
            shown = f"{line['difference']:+.4f} ± {line['error']:.4f}" if "difference" in line else ""
            print(f"{what:42} {line['ndcg@10']:.4f}  {shown}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
