"""JSON from strangers, read without crashes or hangs."""

from __future__ import annotations

import json
import re
from typing import Any

from jobs.sources import decode
from jobs.sources.parsed import SourceError
from jobs.sources.safe_xml import refuse_oversize, refuse_page

_DECODE = json.JSONDecoder().decode
# What JSON may write and no database or XML may hold: control characters and halves of surrogate pairs.
_ODD = re.compile(r"\\u(?:00[01]|[dD][89a-fA-F])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def loads(text: str) -> Any:
    """The value that JSON text holds, its strings free of control characters and lone surrogates.

    Raises json.JSONDecodeError, ValueError or RecursionError.
    """
    value = _DECODE(text)
    return _cleaned(value) if "\\u" in text and _ODD.search(text) else value


def document(data: bytes, what: str) -> Any:
    """The value that a payload holds. Raises `SourceError` with the line for what is no JSON."""
    refuse_oversize(data, what)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        refuse_page(data, what)
    try:
        return loads(decode.text(data))
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{what}: no JSON (line {error.lineno}: {error.msg}); it may have been cut short"
        ) from None
    except (RecursionError, ValueError) as error:
        # Deep nesting, and integers of more digits than Python converts.
        raise SourceError(f"{what}: JSON that no paper needs ({error})") from None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(each) for name, each in value.items()}
    return value
