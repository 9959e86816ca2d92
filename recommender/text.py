"""From what a paper says to the words that count: LaTeX, Unicode, hyphens, plurals, Chinese."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from recommender.words import IRREGULAR, STOPWORDS

# A leading hyphen stays on the word, so that "mixture-of-experts" can be shown as it is written.
_WORD = re.compile(r"-?[^\W_]+(?:\+\+|#)?")
_GAPS = {code: " " for code in range(128) if not chr(code).isalnum() and chr(code) != "-"}
_MARKS = re.compile("[\u0300-\u036f]+")
_CJK = re.compile(r"[㐀-䶿一-鿿豈-﫿]+")

_ACCENT = re.compile(r"\\([`'^\"~=.uvHcdbkr])\s*(?:\{\s*\\?([A-Za-z])\s*\}|\\?([A-Za-z])(?![A-Za-z]))")
_ACCENT_SIGN = re.compile(r"\\([`'^\"~=.])\s*(?:\{\s*\\?([A-Za-z])\s*\}|\\?([A-Za-z]))")
_LETTER = re.compile(r"\\(ss|ae|AE|oe|OE|aa|AA|o|O|l|L|i|j)(?![A-Za-z])\s?(?:\{\})?")
_LETTERS = {"ss": "ss", "aa": "å", "AA": "Å", "i": "i", "j": "j", "l": "ł", "L": "Ł"} | {
    name: {"ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø"}[name]
    for name in ("ae", "AE", "oe", "OE", "o", "O")
}
_COMBINING = dict(
    zip(
        "`'^\"~=.uvHcdbkr",
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0323\u0331\u0328\u030a",
        strict=True,
    )
)
_LINK = re.compile(
    r"\\(?:url|href)\s*\{[^{}]*\}|\\(?:cite[a-z]*|ref|label|footnote)\s*(?:\[[^\]]*\])?\{[^{}]*\}"
)
_MACRO = re.compile(r"\\([A-Za-z]+)\*?")
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau "
    "upsilon phi chi psi omega"
)
_GREEK = _GREEK_NAMES.split()
_SYMBOLS = {name: f" {name} " for name in _GREEK} | {
    "varepsilon": " epsilon ", "varphi": " phi ", "vartheta": " theta ", "varrho": " rho ",
    "ell": " l ", "infty": " infinity ", "LaTeX": "LaTeX", "TeX": "TeX", "log": " log ", "exp": " exp ",
}  # fmt: skip
_GREEK_LETTERS = str.maketrans(
    {chr(0x3B1 + k + (k > 16)): f" {name} " for k, name in enumerate(_GREEK)}
    | {chr(0x391 + k + (k > 16)): f" {name} " for k, name in enumerate(_GREEK)}
    | {"ς": " sigma ", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
    | {
        "đ": "d",
        "Đ": "D",
        "ß": "ss",
        "ı": "i",
        "‐": "-",
        "‑": "-",
        "–": " - ",
        "—": " - ",
        "−": "-",
        "’": "'",
    }
)


def plain(text: str) -> str:
    """The text without LaTeX and Unicode finery: accents dropped, Greek letters by name, case kept."""
    if "\\" in text or "$" in text or "{" in text:
        text = _read_latex(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_GREEK_LETTERS)
        text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    return text.replace("'s", "") if "'" in text else text


def _read_latex(text: str) -> str:
    """LaTeX as it is read out: ``\\emph{deep}`` is deep, ``$k$-means`` k-means, ``\\"o`` an ö."""
    if "\\" in text:
        text = _LINK.sub(" ", text)
        text = _ACCENT_SIGN.sub(_combine, _ACCENT.sub(_combine, text))
        text = _LETTER.sub(lambda m: _LETTERS[m[1]], text)
        text = _MACRO.sub(lambda m: _SYMBOLS.get(m[1], _SYMBOLS.get(m[1].lower(), " ")), text)
        text = text.replace("\\", " ")
    # Braces and dollars vanish without a gap: {GPU}s is one word, $k$-means two joined by a hyphen.
    return text.replace("$", "").replace("{", "").replace("}", "").replace("~", " ")


def _combine(match: re.Match[str]) -> str:
    letter = match[2] or match[3]
    return unicodedata.normalize("NFC", letter + _COMBINING[match[1]])


def words(text: str) -> list[str]:
    """The words of a text as they are written, a leading hyphen kept; Chinese is cut into words."""
    text = plain(text)
    if text.isascii() and "+" not in text and "#" not in text:
        # Four times as fast as the pattern, which is for C++, C# and other alphabets.
        return text.replace("-", " -").translate(_GAPS).split()
    found: list[str] = _WORD.findall(text)
    if text.isascii() or _CJK.search(text) is None:
        return found
    return [piece for word in found for piece in _cut_chinese(word)]


def _cut_chinese(word: str) -> list[str]:
    if _CJK.search(word) is None:
        return [word]
    import rjieba  # noqa: PLC0415  (its dictionary takes 0.1 s to load, and most texts are not Chinese)

    return [piece for piece in rjieba.cut(word) if piece.strip("-")]


@lru_cache(maxsize=1 << 18)
def normal(word: str) -> str:
    """The form that counts of a word from `words`: without case, hyphen and plural; empty for stop words."""
    word = word.lstrip("-")
    if len(word) > 2 and word[-1] == "s" and word[:-1].isupper():  # GPUs, LLMs
        return word[:-1].lower()
    word = word.lower()
    if word in STOPWORDS:
        return ""
    return IRREGULAR.get(word) or _singular(word)


def _singular(word: str) -> str:
    if word.endswith(("isation", "isations")):
        return word[: word.rindex("isation")] + "ization"
    if len(word) < 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[: -2 if word.endswith(("sses", "shes", "ches", "xes", "zzes")) else -1]


def light(word: str) -> bool:
    """Whether a word says nothing alone and counts only beside another: a single letter, a number."""
    return word.isdigit() or (len(word) == 1)


def term(text: str) -> str:
    """The form that counts of a term that a person typed: ``KV-Caches`` is ``kv cache``."""
    return " ".join(w for w in map(normal, words(text)) if w)


def terms(text: str) -> list[str]:
    """The 1-2-grams of a text in their normal form and order, repeats kept; stop words are stepped over."""
    kept = [w for w in map(normal, words(text)) if w]
    singles = [w for w in kept if not light(w)]
    return singles + [f"{a} {b}" for a, b in pairwise(kept) if not (light(a) and light(b))]
