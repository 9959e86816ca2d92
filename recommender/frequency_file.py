"""Document frequencies as a file: a small npz without pickle, the same bytes for the same frequencies."""

from __future__ import annotations

import json
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from recommender import npz
from recommender.features import Feature
from recommender.frequencies import Frequencies, pair_keys, split_keys

FORMAT = 1


def save(frequencies: Frequencies, file: BinaryIO, figures: dict[str, Any] | None = None) -> None:
    """Write ``frequencies`` and the ``figures`` of their making.

    Words that are written as their normal form and plurals made with an s are left out; pairs stand by their
    first word, the second words as differences; the bytes of the numbers lie apart. Together that deflates to
    about a third of the plain arrays.
    """
    held = frequencies.ordered()
    first, second = split_keys(held.pairs)
    steps = second.astype(np.int64)
    steps[1:] -= np.where(first[1:] == first[:-1], second[:-1], 0)
    forms = list(zip(held.words, held.written, held.plurals, strict=True))
    written = {str(at): form for at, (word, form, _) in enumerate(forms) if form != word}
    plurals = {str(at): plural for at, (_, form, plural) in enumerate(forms) if plural != f"{form}s"}
    about = {
        "format": FORMAT,
        "documents": held.documents,
        "unseen": held.unseen,
        "names": [[*feature, n] for feature, n in held.names.items()],
        "naming": held.naming,
        "figures": figures or {},
    }
    npz.save(
        file,
        about=_letters(json.dumps(about, sort_keys=True, ensure_ascii=False)),
        words=_letters("\n".join(held.words)),
        written=_letters(json.dumps(written, ensure_ascii=False)),
        plurals=_letters(json.dumps(plurals, ensure_ascii=False)),
        word_counts=_planes(held.word_counts),
        followers=_planes(np.bincount(first, minlength=len(held.words)).astype(np.float64)),
        steps=_planes(steps.astype(np.float64)),
        pair_counts=_planes(held.pair_counts),
        shapes=held.shapes,
    )


def load(file: BinaryIO) -> tuple[Frequencies, dict[str, Any]]:
    """Read what `save` wrote: the frequencies and the figures. Raises ValueError if the file is another."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(_text(arrays["about"]))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, expected {FORMAT}")
        return _assemble(arrays, about), about["figures"]
    except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"no file of document frequencies ({error}); fit the edition anew") from error


def _assemble(arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> Frequencies:
    joined = _text(arrays["words"])
    words = tuple(joined.split("\n")) if joined else ()
    written = list(words)
    for at, form in json.loads(_text(arrays["written"])).items():
        written[int(at)] = form
    plurals = [f"{form}s" for form in written]
    for at, form in json.loads(_text(arrays["plurals"])).items():
        plurals[int(at)] = form
    followers = _numbers(arrays["followers"]).astype(np.int64)
    steps = _numbers(arrays["steps"]).astype(np.int64)
    first = np.repeat(np.arange(len(words)), followers)
    # Sums restart with each first word.
    sums = np.cumsum(steps)
    starts = np.r_[0, np.cumsum(followers)[:-1]] if len(words) else np.empty(0, np.int64)
    before = np.r_[0, sums][starts]
    second = sums - np.repeat(before, followers)
    return Frequencies(
        documents=about["documents"],
        words=words,
        word_counts=_numbers(arrays["word_counts"]),
        written=tuple(written),
        plurals=tuple(plurals),
        pairs=pair_keys(first.astype(np.int32), second.astype(np.int32)),
        pair_counts=_numbers(arrays["pair_counts"]),
        shapes=arrays["shapes"],
        names={Feature(kind, name): n for kind, name, n in about["names"]},
        naming=about["naming"],
        unseen=tuple(about["unseen"]),
    )


def _letters(string: str) -> NDArray[np.uint8]:
    return np.frombuffer(string.encode(), np.uint8)


def _text(letters: NDArray[Any]) -> str:
    return letters.tobytes().decode()


def _planes(numbers: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The bytes of whole numbers under 2^32 as four rows, of others as the eight of a float."""
    whole = numbers.astype(np.uint32)
    if np.array_equal(whole, numbers):
        return np.ascontiguousarray(whole.view(np.uint8).reshape(-1, 4).T)
    return np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 8).T)


def _numbers(planes: NDArray[np.uint8]) -> NDArray[np.float64]:
    kind = np.uint32 if len(planes) == 4 else np.float64
    return np.ascontiguousarray(planes.T).view(kind).ravel().astype(np.float64)
