"""Author lists as arXiv writes them: one string, LaTeX accents, affiliations, collaborations."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# TeX's accent commands and the Unicode combining characters that they stand for (LaTeX companion, section
# 7.5.5).
_COMBINING = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331", "t": "\u0361",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "o": "ø", "O": "Ø", "l": "ł",
    "L": "Ł", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ",
    "NG": "Ŋ",
}  # fmt: skip
# More than one backslash is what remains of text that was escaped twice on its way.
_ACCENT = re.compile(
    r"\\{1,4}(?:(?P<mark>[`'^\"~=.])|(?P<command>[uvHcdbkrt])(?=[\s{\\]))\s{0,2}\{?\s{0,2}"
    r"(?:\\{1,4}(?P<dotless>[ij])(?![A-Za-z])|(?P<letter>[^\W\d_]))(?:\s?\})?"
)
_LETTER = re.compile(
    r"\\{1,4}(ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|dj|DJ|ng|NG|o|O|l|L|i|j)(?![A-Za-z])(?:\{\}|\s)?"
)
_COMMAND = re.compile(r"\\+(?:[A-Za-z]+\*?\s*|(?=\W)|(?=\w))")
_SUPERSCRIPT = re.compile(
    r"\$[^$]{0,40}\$|\\{1,4}textsuperscript\s*\{[^{}]{0,40}\}|\\{1,4}thanks\s*\{[^{}]{0,200}\}"
)

_SEPARATOR = re.compile(r"\s*[,:]\s*(?:and\s+|&\s*)?|\s+and\s+|\s+&\s+")
_GENERATION = re.compile(r"(?:Jr|Sr|II|III|IV|Ph\.?\s?D|M\.?D)\.?", re.IGNORECASE)
_INITIALS = re.compile(r"(?:[^\W\d_]\.[\s-]?){1,4}|[A-Z]{1,3}")
_ET_AL = re.compile(
    r"\bet\.?\s*al\b\.?|\band\s+\d*\s*others\b\.?|\(?\d{1,6} additional authors? not shown\)?", re.IGNORECASE
)
# arXiv itself writes "C.N. Pope" as "C. N. Pope", and "H.-W. Rix" as "H. -W. Rix" in some formats.
_TIGHT_INITIAL = re.compile(r"\.(?=[^\W\d_])")
_MARKS = " \t,;:*†‡§¶"
_ODD = ("\\", "{", "$", "~", "  ", "\t", "\xa0")
_TAG = re.compile(r"<[^<>]{0,300}>")


def plain_name(text: str) -> str:
    r"""The name in Unicode: ``Lagouti\`ere`` is Lagoutière, ``Stanis{\l}awa`` is Stanisława."""
    if "\\" in text or "$" in text:
        text = _SUPERSCRIPT.sub("", text)
        text = _LETTER.sub(lambda found: _LETTERS[found[1]], _ACCENT.sub(_accented, text))
        text = _COMMAND.sub("", text)
    if "{" in text or "}" in text or "~" in text:
        text = text.replace("{", "").replace("}", "").replace("~", " ")
    if "." in text:
        text = _TIGHT_INITIAL.sub(". ", text).replace(". -", ".-")
    return " ".join(text.split())


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """Every name by `plain_name`, those without a letter left out; lists that need nothing cost one look."""
    joined = "\n".join(names)
    if any(odd in joined for odd in _ODD):
        plain = [plain_name(name) for name in names]
    elif "." in joined:
        plain = _TIGHT_INITIAL.sub(". ", joined).replace(". -", ".-").split("\n")
    else:
        plain = joined.split("\n")
    return tuple([name for each in plain if (name := each.strip()) and name != ":"])


def split_authors(text: str) -> tuple[tuple[str, ...], bool]:
    """The authors of one string, in order, and whether the string names them all.

    Read are commas, ``and``, ``&`` and semicolons between names; "Surname, Initials" lists; affiliations and
    remarks in parentheses are dropped, collaborations kept ("HESS Collaboration: A. Abramowski, …").
    "et al." means that the list was cut short.
    """
    if "<" in text:
        text = _TAG.sub("", text)  # arXiv's feeds before 2024 wrapped every name in a link
    text = plain_name(text)
    shortened = _ET_AL.sub(",", text)
    complete = shortened == text
    text = " ".join(_without_parentheses(shortened).split())
    if ";" in text:
        names = [_surname_last(part) for part in text.split(";")]
    else:
        names = _join_generations(_SEPARATOR.split(text))
        names = _pair_initials(names)
    cleaned = (name.strip(_MARKS).removeprefix("and ") for name in names)
    return tuple(name for name in cleaned if any(c.isalpha() for c in name)), complete


def _accented(found: re.Match[str]) -> str:
    base = found["letter"] or found["dotless"]
    return unicodedata.normalize("NFC", base + _COMBINING[found["mark"] or found["command"]])


def _without_parentheses(text: str) -> str:
    """The text without what stands in parentheses, nested ones too; an unclosed one runs to the end."""
    if "(" not in text:
        return text
    kept: list[str] = []
    depth = 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(depth - 1, 0)
        elif depth == 0:
            kept.append(piece)
    return " ".join(kept)


def _surname_last(name: str) -> str:
    """``Ada Lovelace`` for ``Lovelace, Ada``; a name without one comma is left as it is."""
    surname, comma, rest = name.partition(",")
    if not comma or "," in rest or _GENERATION.fullmatch(rest.strip()):
        return name
    return f"{rest.strip()} {surname.strip()}"


def _join_generations(names: list[str]) -> list[str]:
    """``John Smith, Jr.`` is one author."""
    joined: list[str] = []
    for name in names:
        if joined and _GENERATION.fullmatch(name.strip(_MARKS)):
            joined[-1] = f"{joined[-1].strip()} {name.strip()}"
        else:
            joined.append(name)
    return joined


def _pair_initials(names: list[str]) -> list[str]:
    """``Kukla, D., Crampton, A.`` (as bioRxiv writes) are two authors, not four."""
    named = [name.strip(_MARKS) for name in names if name.strip(_MARKS)]
    surnames, initials = named[::2], named[1::2]
    if len(named) < 2 or len(surnames) != len(initials):
        return names
    if not all(_INITIALS.fullmatch(each) for each in initials) or any(
        _INITIALS.fullmatch(s) for s in surnames
    ):
        return names
    # The separator's comma took no full stop with it, so the initials are whole.
    return [f"{first} {last}" for last, first in zip(surnames, initials, strict=True)]
