"""Escapes of Markdown, MDX, HTML and LaTeX in running text are undone; maths stays as written."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from pylatexenc.latex2text import LatexNodes2Text

_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
_QUOTED = r"\{\s?(?P<quote>['\"`])(?P<quoted>[^{}]{1,20}?|[{}])(?P=quote)\s?\}"
# An accent on one letter (\'a, \'{\i}, \c{c}), or a letter of its own (\l, {\i}, \ss), with braces around.
# A word's final \'s is an apostrophe that some program escaped far more often than it is a Polish name's end.
_ACCENT = (
    r"\{?\\(?!'s\b)(?:['\"`^~=.](?:\{\\?[A-Za-z]\}|\\[ij](?![A-Za-z])|[A-Za-z])"
    r"|[uvHtcdbkr](?:\{\\?[A-Za-z]{1,2}\}|\s[A-Za-z](?![A-Za-z])))\}?"
    r"|\{\\(?:ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|[oOlLij])\s?\}"
    r"|\\(?:ss|ae|AE|oe|OE|aa|AA|[oOlL]|[ij])(?:\{\}|\s|(?![A-Za-z]))"
)
_STYLE = (
    r"\\(?:text(?:it|bf|tt|sc|sf|rm|sl|normal|up)|math(?:sf|bf|rm|it|tt)|emph|underline)"
    r"\{(?P<styled>[^{}$]{0,400})\}"
)
# One pass over all of them, so that what one escape yields is never read as another.
_RUNNING = re.compile(
    rf"(?P<entity>{_ENTITY})|{_QUOTED}|{_STYLE}|(?P<accent>{_ACCENT})|\\(?P<literal>[\\{{}}_*\[\]<>#&%+|!.'\"`^~=-])"
)
_MDX_MATHS = re.compile(rf"(?P<entity>{_ENTITY})|{_QUOTED}|\\(?P<literal>[\\{{}}_*<>\[\]])")
_PLAIN_MATHS = re.compile(rf"(?P<entity>{_ENTITY})")
_MATHS = re.compile(r"((?<!\\)\$\$?[^$\n]+(?<!\\)\$\$?)")
_LATEX = LatexNodes2Text(keep_comments=True)


def plain(text: str, *, mdx: bool = False) -> str:
    """Running text as a person reads it, on one line.

    Entities, escaped punctuation, ``{'<'}``, LaTeX accents and ``\\textit{…}`` are undone. Between dollar
    signs only entities are, and with ``mdx`` also MDX's backslashes before braces (``D$^\\{2\\}$Stream``).
    """
    return " ".join(undone(text, mdx=mdx).split())


def undone(text: str, *, mdx: bool = False) -> str:
    """`plain` without touching white space."""
    if "\\" not in text and "&" not in text and "{" not in text:
        return text
    maths = _MDX_MATHS if mdx else _PLAIN_MATHS
    parts = _MATHS.split(text)
    return "".join((maths if i % 2 else _RUNNING).sub(_meant, part) for i, part in enumerate(parts))


@lru_cache(maxsize=4096)
def _letter(latex: str) -> str:
    """One accented or special letter in Unicode, by pylatexenc; as it stood if that knows no letter for it.

    Only single letters are given to it: of whole texts it would drop what follows a per-cent sign and
    mangle dollar signs without a partner.
    """
    read = str(_LATEX.latex_to_text(latex)).strip()
    return read if any(map(str.isalpha, read)) else latex


def _meant(match: re.Match[str]) -> str:
    kind = match.lastgroup
    found = match.groupdict()
    if kind == "entity":
        return html.unescape(match[0])
    if found.get("quoted") is not None:
        return found["quoted"] or ""
    if found.get("styled") is not None:
        return _RUNNING.sub(_meant, found["styled"] or "")
    if found.get("accent") is not None:
        return _letter(match[0])
    return match["literal"]
