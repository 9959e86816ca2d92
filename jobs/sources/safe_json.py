"""JSON from strangers, read without crashes or hangs."""

from __future__ import annotations

import json
from typing import Any

from jobs.sources import decode
from jobs.sources.parsed import SourceError
from jobs.sources.safe_xml import refuse_oversize, refuse_page


def document(data: bytes, what: str) -> Any:
    """The value that a payload holds. Raises `SourceError` with the line for what is no JSON."""
    refuse_oversize(data, what)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        refuse_page(data, what)
    try:
        return json.loads(decode.text(data))
    except json.JSONDecodeError as error:
        raise SourceError(
            f"{what}: no JSON (line {error.lineno}: {error.msg}); it may have been cut short"
        ) from None
    except (RecursionError, ValueError) as error:
        # Deep nesting, and integers of more digits than Python converts.
        raise SourceError(f"{what}: JSON that no paper needs ({error})") from None
