"""Escapes of Markdown, MDX, HTML and LaTeX in running text are undone; maths stays as written."""

from __future__ import annotations

import html
import re
from functools import lru_cache

from pylatexenc.latex2text import LatexNodes2Text

_ENTITY = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
_QUOTED = r"\{\s?(?P<quote>['\"`])(?P<quoted>[^{}]{1,20}?|[{}])(?P=quote)\s?\}"
# An accent on one letter (\'a, \'{\i}, \c{c}), or a letter of its own (\l, {\i}, \ss), with braces around.
_ACCENT = (
    r"\{?\\(?:['\"`^~=.](?:\{\\?[A-Za-z]\}|\\[ij](?![A-Za-z])|[A-Za-z])"
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
_LATEX = LatexNodes2Text(keep_comments=True, math_mode="verbatim")


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
def latex_text(latex: str) -> str:
    """LaTeX as Unicode text, by pylatexenc; as it stood where that would lose letters.

    ``keep_comments`` since pylatexenc would drop all that follows a per-cent sign.
    """
    try:
        read = str(_LATEX.latex_to_text(latex))
    except Exception:  # pylatexenc raises several unrelated kinds on unbalanced input; the text still stands
        return latex
    return read if sum(map(str.isalpha, read)) >= _letters(latex) else latex


def _letters(latex: str) -> int:
    """How many letters the LaTeX shows: a macro's own name is none, but an accent macro may be one (\\l)."""
    return sum(map(str.isalpha, re.sub(r"\\[A-Za-z]+", "", latex)))


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
        return latex_text(match[0]).strip()
    return match["literal"]
