"""Weights as bytes, one profile's or a whole shard's at once."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from recommender.features import Feature, Kind

Ints = NDArray[np.int64]

_MAGIC = b"PWW3"
# Magic, bytes of text, rows, named features, fitted columns, values.
_HEAD = struct.Struct("<4sIHHII")
_HEADS = np.dtype([("magic", "S4"), ("text", "<u4"), ("rows", "<u2"), ("names", "<u2"), ("fitted", "<u4"),
                   ("values", "<u4")])  # fmt: skip
_ROWS = np.dtype([("length", "<u4"), ("last", "<u4")])
_FAR = 0xFFFF  # a step between columns that does not fit into two bytes is made in several
_CURE = "not the weights of a profile ({}); learn them anew"


def mark(feature: Feature) -> int:
    """A number that tells quickly what a batch cannot hold: people who may be the same have the same one
    (`names.same_author`), as has every other name with itself; terms, which stand anywhere in a text, have 0.
    """
    if feature.kind == "term":
        return 0
    name = feature.name
    if feature.kind == "author":
        parts = name.split() or [""]
        name = f"{parts[-1]} {parts[0][:1]}"
    return crc32(f"{feature.kind}\t{name}".encode()) or 1


def readable(blob: bytes) -> bool:
    """Whether these are weights as this version writes them; others are learned anew."""
    return blob[:4] == _MAGIC


def pack(
    edition: str, ranker: str, fitted: int, rows: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]],
    named: Sequence[tuple[Feature, tuple[float, ...]]],
) -> bytes:  # fmt: skip
    """One profile's weights: ascending columns and values for each row, and a number a row for each name.

    It takes four bytes a weight: the step from the column before, and the weight in half precision.
    """
    parts = [_stepped(columns, values) for columns, values in rows]
    lengths = np.zeros(len(rows), _ROWS)
    lengths["length"] = [len(steps) for steps, _ in parts]
    lengths["last"] = [columns[-1] if len(columns) else 0 for columns, _ in rows]
    # A byte each that no name in its normal form holds.
    lines = "\n".join(f"{feature.kind}\t{feature.name}" for feature, _ in named)
    text = f"{edition}\n{ranker}\n{lines}".encode()
    numbers = np.array([held for _, held in named], "<f4").reshape(len(named), len(rows))
    count = sum(len(steps) for steps, _ in parts)
    return b"".join(
        (
            _HEAD.pack(_MAGIC, len(text), len(rows), len(named), fitted, count),
            lengths.tobytes(),
            np.array([mark(feature) for feature, _ in named], "<u4").tobytes(),
            numbers.tobytes(),
            *(steps.astype("<u2").tobytes() for steps, _ in parts),
            *(values.astype("<f2").tobytes() for _, values in parts),
            text,
        )
    )


def _stepped(columns: NDArray[np.int32], values: NDArray[np.float32]) -> tuple[Ints, NDArray[np.float32]]:
    """Steps between the columns, the first from 0; a longer one than two bytes hold is made in several, with
    values of 0 on the way."""
    steps = np.ediff1d(columns.astype(np.int64), to_begin=columns[:1]).astype(np.int64)
    extra = steps // _FAR
    places = np.repeat(np.arange(len(steps)), extra)
    return np.insert(steps % _FAR, places, _FAR), np.insert(values, places, np.float32(0))


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The weights of some profiles: rows r of all of them in order, those of profile p from ``begins[p]`` on.

    Row r holds ``values[starts[r] : starts[r + 1]]`` in ``columns`` that ascend; some values are 0. What goes
    by name are ``marks``, those of profile p from ``names[p]`` on, each with as many ``numbers`` as the
    profile has rows, those of profile p from ``numbers_of[p]`` on; `lines` reads the names. ``fitted`` is the
    number of fitted columns.
    """

    fitted: int
    begins: Ints
    starts: Ints
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    names: Ints
    marks: NDArray[np.uint32]
    numbers_of: Ints
    numbers: NDArray[np.float32]
    _texts: bytes
    _lines_of: Ints

    @classmethod
    def of(cls, blobs: Sequence[bytes]) -> Unpacked:
        """Unpack what `pack` wrote. Raises ValueError where a blob is cut short, is something else, or is on
        other columns than the first."""
        heads = _heads(blobs)
        rows, names, values = (heads[part].astype(np.int64) for part in ("rows", "names", "values"))
        marks = _HEAD.size + _ROWS.itemsize * rows
        numbers = marks + 4 * names
        steps = numbers + 4 * names * rows
        halves = steps + 2 * values
        texts = halves + 2 * values
        held = np.frombuffer(_cut(blobs, np.full(len(blobs), _HEAD.size), marks), _ROWS)
        starts = _begins(held["length"].astype(np.int64))
        if starts[-1] != values.sum():
            raise ValueError(_CURE.format("its rows have other lengths than the head says"))
        columns = np.frombuffer(_cut(blobs, steps, halves), "<u2").astype(np.int32)
        # One running sum over all rows: what a row came to is taken off where the next one begins.
        some = np.flatnonzero(held["length"])
        columns[starts[some[1:]]] -= held["last"][some[:-1]].astype(np.int32)
        np.cumsum(columns, out=columns)
        return cls(
            int(heads["fitted"][0]) if len(blobs) else 0, _begins(rows), starts, columns,
            np.frombuffer(_cut(blobs, halves, texts), "<f2").astype(np.float32),
            _begins(names), np.frombuffer(_cut(blobs, marks, numbers), "<u4"),
            _begins(names * rows), np.frombuffer(_cut(blobs, numbers, steps), "<f4"),
            b"\n".join([blob[at:] for blob, at in zip(blobs, texts.tolist(), strict=True)]),
            _begins(2 + np.maximum(names, 1)),
        )  # fmt: skip

    def header(self, profile: int) -> tuple[str, str]:
        """The name of a profile's edition, and its ranker."""
        edition, ranker = self._text()[self._lines_of[profile] :][:2]
        return edition, ranker

    def lines(self, places: Ints) -> tuple[list[str], Ints]:
        """The names at these places of ``marks``, as kind and name with a tab between, and whose they are."""
        owners = np.searchsorted(self.names, places, side="right") - 1
        at = places - self.names[owners] + self._lines_of[owners] + 2
        text = self._text() if len(at) else []
        return [text[line] for line in at.tolist()], owners

    def _text(self) -> list[str]:
        return self._texts.decode().split("\n")


def _heads(blobs: Sequence[bytes]) -> NDArray[np.void]:
    """The heads of blobs that are whole."""
    short = next((blob for blob in blobs if len(blob) < _HEAD.size or blob[:4] != _MAGIC), None)
    if short is not None:
        raise ValueError(_CURE.format(f"it begins with {short[:4]!r}"))
    heads = np.frombuffer(b"".join([blob[: _HEAD.size] for blob in blobs]), _HEADS)
    rows, names = heads["rows"].astype(np.int64), heads["names"].astype(np.int64)
    wanted = (
        _HEAD.size + _ROWS.itemsize * rows + 4 * names * (rows + 1)
        + 4 * heads["values"].astype(np.int64) + heads["text"]
    )  # fmt: skip
    if (wanted != np.array([len(blob) for blob in blobs], np.int64)).any():
        raise ValueError(_CURE.format("it is cut short or goes on too long"))
    if len(blobs) and (heads["fitted"] != heads["fitted"][0]).any():
        raise ValueError(_CURE.format("some are on other columns"))
    return heads


def _cut(blobs: Sequence[bytes], begins: Ints, ends: Ints) -> bytes:
    """A piece of each blob, in a row."""
    return b"".join([blob[a:b] for blob, a, b in zip(blobs, begins.tolist(), ends.tolist(), strict=True)])


def _begins(lengths: Ints) -> Ints:
    """Where each of so long pieces begins, and at the end where the last one ends."""
    return np.array([0, *accumulate(lengths.tolist())], np.int64)


def feature_of(line: str) -> Feature:
    """The feature that a line of `Unpacked.named` names."""
    kind, _, name = line.partition("\t")
    return Feature(cast(Kind, kind), name)
