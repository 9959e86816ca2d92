"""Strangers' text as a reader should see it: no control characters, LaTeX as plain characters."""

from __future__ import annotations

import re
from functools import lru_cache

from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, get_default_latex_context_db

# C0 and C1 controls, lone surrogates, the private use area (which the templates' holes live in),
# noncharacters, and the two bidirectional override characters, which could turn a whole line around.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ue000-\uf8ff"
    "\ufdd0-\ufdef\ufeff\ufff9-\ufffc\ufffe\uffff]|[\U000f0000-\U0010ffff]"
)
_SPACE = re.compile(r"\s+")
_LATEX = re.compile(r"[\\${}^_~]")
# Pandoc's rule for dollars: an opening one has no space after it, a closing one no space before it and no
# digit after it, so that "$10 and $20" is money.
_MATH = re.compile(r"(?<!\\)\$(?=[^\s$])((?:\\.|[^$\\])*?)(?<=[^\s])\$(?!\d)|\\\((.+?)\\\)", re.DOTALL)
_SCRIPT = re.compile(r"([_^])\s*(?:\{([^{}]*)\}|(\\[A-Za-z]+|[^\s{}\\]))")
_SUPERSCRIPT = str.maketrans("0123456789+-−=()niTk*′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱᵀᵏ*′")
_SUBSCRIPT = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_RELATION = re.compile(r"\s*([≤≥≈≠∼≃≅≪≫∈∉⊂⊆⊃⊇→←↔⇒⇔↦]|<=|>=)\s*")
_OPERATOR = re.compile(r"\\(arg|cos|det|dim|exp|inf|lim|ln|log|max|min|mod|Pr|sin|sup|tan)\s+(?=\w)")
_HREF = re.compile(r"\\href\{[^{}]*\}(?=\{)")
_BRACED_WORD = re.compile(r"\{(\w+)\}")
# Literal marks that must outlive pylatexenc; `clean` has removed these characters from the input.
_CARET, _UNDERSCORE = "\ue000", "\ue001"
# pylatexenc's letter variants (𝒪, 𝐱) are missing from many mail fonts, so these only show their argument.
_DRESS = ("mathcal", "mathbf", "mathrm", "mathsf", "mathit", "mathtt", "mathfrak", "mathscr", "url")
_DROPPED = ("cite", "citep", "citet", "ref", "eqref", "label", "footnote")
_SILENT_NAMES = (
    "left right big Big bigg Bigg bigl bigr Bigl Bigr bf em it sc rm tt sf sl cal small large tiny "
    "normalsize displaystyle textstyle limits nolimits protect noindent xspace operatorname boldsymbol bm "
    "pmb mathscr / , ; : ! > -"
)
_SILENT = frozenset(_SILENT_NAMES.split())


def clean(text: str) -> str:
    """The text on one line, without characters that mail, XML or a terminal cannot carry."""
    return _SPACE.sub(" ", _UNWANTED.sub(_replacement, text)).strip()


def readable(text: str) -> str:
    """The text on one line with its LaTeX read out: ``$O(n^2)$`` becomes O(n²), ``G\\"odel`` becomes Gödel.

    What is no LaTeX stays: prices, percentages, ``~10``, paths, a lonely ``$`` or brace.
    """
    # Names, reasons and titles come again and again; abstracts would only fill the memory.
    return _read_often(text) if len(text) <= 300 else _read(text)


@lru_cache(maxsize=16_384)
def _read_often(text: str) -> str:
    return _read(text)


def _read(text: str) -> str:
    text = clean(text)
    if not _LATEX.search(text):
        return text
    parts: list[str] = []
    end = 0
    for match in _MATH.finditer(text):
        parts += [_prose(text[end : match.start()]), _math(match[1] or match[2])]
        end = match.end()
    parts.append(_prose(text[end:]))
    return clean("".join(parts))


def _replacement(match: re.Match[str]) -> str:
    char = match[0]
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    return " " if char in "\x0b\x0c\x1c\x1d\x1e\x1f\x85" else ""


def _prose(text: str) -> str:
    """Text outside math: accents, font commands and escapes are read, everything else is left alone."""
    if "\\" not in text:
        return _BRACED_WORD.sub(r"\1", re.sub(r"(?<=\w)~(?=\w)", " ", text))
    text = _HREF.sub("", text)
    # A percent sign would begin a comment, & and # would vanish, a lonely $ would begin math.
    safe = re.sub(r"(?<!\\)([%&#$_^])", r"\\\1", re.sub(r"(?<=\w)~(?=\w)", " ", text))
    safe = re.sub(r"~", r"\\textasciitilde{}", safe)
    return _latex(safe, text)


def _math(text: str) -> str:
    """Math as one would type it: sub- and superscripts as characters where Unicode has them."""
    text = _OPERATOR.sub(r"\\\1{}\\ ", re.sub(r"(?<!\\)([%&#])", r"\\\1", text))
    for _ in range(3):  # innermost first; deeper nesting than this is no longer readable anyway
        text, changed = _SCRIPT.subn(_script, text)
        if not changed:
            break
    plain = clean(_latex(text, text).replace(_CARET, "^").replace(_UNDERSCORE, "_"))
    return _RELATION.sub(r" \1 ", plain)


def _script(match: re.Match[str]) -> str:
    inner = match[2] if match[2] is not None else match[3]
    plain = clean(_latex(inner, inner)) if "\\" in inner else inner.strip()
    table = _SUPERSCRIPT if match[1] == "^" else _SUBSCRIPT
    if plain and all(ord(c) in table for c in plain):
        # The empty group keeps the character from becoming part of a macro's name before it.
        return "{}" + plain.translate(table)
    mark = _CARET if match[1] == "^" else _UNDERSCORE
    return f"{mark}{inner}" if len(plain) <= 1 else f"{mark}({inner})"


def _latex(text: str, otherwise: str) -> str:
    """pylatexenc's reading of the text, or ``otherwise`` where it cannot read it."""
    try:
        return str(_reader().latex_to_text(text))
    except Exception:  # its parser raises many kinds on broken input; the raw text is still readable
        return otherwise


@lru_cache(maxsize=1)
def _reader() -> LatexNodes2Text:
    context = get_default_latex_context_db()
    macros = [MacroTextSpec(name, simplify_repl="%s") for name in _DRESS]
    macros += [MacroTextSpec(name, discard=True) for name in _DROPPED]
    context.add_context_category("paperwatch", prepend=True, macros=macros)
    context.set_unknown_macro_spec(MacroTextSpec("", simplify_repl=_unknown_macro))
    # Without keep_comments everything after a percent sign is dropped.
    return LatexNodes2Text(
        latex_context=context, keep_comments=True, math_mode="text", strict_latex_spaces=False
    )


def _unknown_macro(node: object, l2tobj: LatexNodes2Text) -> str:
    """A macro that pylatexenc has no text for: nothing, its arguments, or itself."""
    name = str(getattr(node, "macroname", ""))
    arguments = [a for a in getattr(getattr(node, "nodeargd", None), "argnlist", None) or [] if a is not None]
    if arguments:
        return " ".join(str(l2tobj.nodelist_to_text([a])) for a in arguments)
    if name in _SILENT:
        return ""
    if name in {"quad", "qquad"}:
        return " "
    return name if not name.isalpha() else "\\" + name + str(getattr(node, "macro_post_space", ""))
