"""Bytes of unknown encoding become text with one kind of line end."""

from __future__ import annotations

import codecs
import re

from jobs.sources.parsed import SourceError

# The longer mark first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Controls that no text needs and that neither XML nor mail may carry; tab, line feed and return stay.
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def text(data: bytes) -> str:
    """The text of a payload: byte order mark gone, line ends made ``\\n``, stray control characters blanked.

    A mark decides; without one, UTF-16 is told by its zero bytes and all else is UTF-8. Lines that are not
    are read as Windows-1252 (of which Latin-1's letters are a part), each for itself, so that one bad byte
    costs no other line its accents. A character cut at the very end is dropped.
    Raises `SourceError` for packed or binary data.
    """
    for magic, kind in _PACKED.items():
        if data.startswith(magic):
            raise SourceError(f"{kind} data, no text: unpack it first")
    decoded = _decoded(data)
    if (zero := decoded.find("\0")) >= 0:
        raise SourceError(f"binary data, no text: a zero character at position {zero}")
    if len(_CONTROL.findall(decoded[:4096])) > len(decoded[:4096]) // 10:
        raise SourceError("binary data, no text: more than a tenth of its beginning is control characters")
    if "\r" in decoded:
        decoded = decoded.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub(" ", decoded)


def peek(head: bytes) -> str:
    """The text of a payload's beginning, for recognising it; empty for data that is no text. Never raises."""
    try:
        return text(head)
    except SourceError:
        return ""


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            body = data[len(mark) :]
            if encoding == "utf-8":
                return _utf8(body)
            return _whole_units(body, encoding).decode(encoding, errors="replace")
    if guess := _unmarked_utf16(data[:4096]):
        return _whole_units(data, guess).decode(guess, errors="replace")
    return _utf8(data)


def _whole_units(body: bytes, encoding: str) -> bytes:
    unit = 4 if "32" in encoding else 2
    return body[: len(body) - len(body) % unit]


def _unmarked_utf16(head: bytes) -> str:
    """UTF-16 without a mark: nearly every other byte of Western text is zero."""
    half = len(head) // 2
    if half < 4:
        return ""
    for encoding, zero, other in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if zero.count(0) > 0.7 * half and other.count(0) == 0:
            return encoding
    return ""


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        # A file cut inside a character is still UTF-8; at most three bytes of it are lost.
        if error.reason == "unexpected end of data" and error.end == len(data):
            return data[: error.start].decode()
    return "\n".join(_line(line) for line in data.split(b"\n"))


def _line(line: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")
