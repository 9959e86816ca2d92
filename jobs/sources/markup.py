"""HTML in feeds becomes text, while maths that only looks like HTML (n<m and p<q) stays."""

from __future__ import annotations

import html
import re

# What publishers put into titles and abstracts: HTML, JATS (<jats:p>) and MathML (<mml:mi>).
_NAMES = (
    "p|br|hr|div|span|a|b|i|u|s|em|strong|sub|sup|small|big|tt|code|pre|q|cite|"
    "blockquote|ul|ol|li|dl|dt|dd|h[1-6]|img|figure|figcaption|table|thead|tbody|tr|"
    "td|th|caption|section|article|header|footer|title|sec|italic|bold|sc|abstract|"
    "label|list|list-item|inline-formula|disp-formula|tex-math|alternatives|ext-link|xref|"
    "math|semantics|mrow|mi|mn|mo|ms|mtext|mspace|msup|msub|msubsup|mfrac|msqrt|mroot|"
    "mover|munder|munderover|mfenced|mtable|mtr|mtd|mstyle|mpadded|mphantom|menclose|"
    "annotation|annotation-xml|font|center|abbr|wbr|nobr"
)
_ATTRIBUTE = (
    r"""\s+[A-Za-z_][\w:.-]{0,40}\s{0,5}=\s{0,5}(?:"[^"<>]{0,2000}"|'[^'<>]{0,2000}'|[^\s"'<>=]{1,300})"""
)
_TAG = re.compile(
    rf"<(?P<end>/?)(?:[a-z]{{2,8}}:)?(?P<name>{_NAMES})(?:{_ATTRIBUTE}){{0,20}}\s{{0,5}}/?>", re.IGNORECASE
)
_HIDDEN = re.compile(
    r"<(script|style)\b[^<>]{0,500}>.*?(?:</\1\s{0,5}>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL
)
_ALT_MATHS = re.compile(
    r'<(?:mml:)?math\b[^<>]{0,500}?\balttext="([^"<>]{1,2000})"[^<>]{0,500}>', re.IGNORECASE
)
_TEX = re.compile(r"<(?:mml:)?annotation\b[^<>]{0,200}>[^<>]{0,5000}</(?:mml:)?annotation>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAKS = frozenset(
    [
        "p",
        "br",
        "hr",
        "div",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "tr",
        "td",
        "th",
        "table",
        "section",
        "article",
        "sec",
        "blockquote",
        "title",
        "figure",
    ]
)


def plain_text(text: str) -> str:
    """The text of an HTML fragment on one line: tags gone, entities read, MathML's own TeX in dollar signs.

    A tag is taken for one only if its name is known and its attributes have values, and a name of one letter
    only if it is closed somewhere: ``a<b and c>d`` stays as it is.
    """
    if "<" in text:
        if "<!--" in text or "<s" in text.lower():
            text = _HIDDEN.sub(" ", text)
        text = _TEX.sub("", _ALT_MATHS.sub(r" $\1$ <math>", text)) if "math" in text else text
        closed = {found["name"].lower() for found in _TAG.finditer(text) if found["end"]}
        text = _TAG.sub(lambda found: _replacement(found, closed), text)
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    text = " ".join(text.split())
    # Feeds that are read leniently may keep what neither XML nor a database can hold.
    return text if text.isprintable() else _CONTROL.sub("", text)


def _replacement(found: re.Match[str], closed: set[str]) -> str:
    name = found["name"].lower()
    lonely = len(name) == 1 and name not in closed and not found["end"]
    opens_text = name == "p" and not found.string[: found.start()].strip()
    if lonely and not opens_text and "=" not in found[0]:
        return found[0]
    return " " if name in _BREAKS else ""
