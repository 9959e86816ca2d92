"""HTML with holes: rendered and inlined once, filled for each reader by joining bytes."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

# Private-use characters, which `readable.clean` takes out of everything that strangers wrote, so that no
# title can open a hole. Templates use them for attributes and for text alike.
_OPEN, _CLOSE = "\ue010", "\ue011"
_HOLE = re.compile(f"{_OPEN}([a-z]+){_CLOSE}")
_BLANK_LINES = re.compile(r"\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Fragment:
    """ASCII HTML with CRLF line ends, cut at its holes: ``parts`` has a place for each hole."""

    parts: tuple[bytes, ...]
    holes: tuple[tuple[int, str], ...]

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """The HTML with every hole filled; KeyError names a hole that was forgotten."""
        parts = list(self.parts)
        for place, name in self.holes:
            parts[place] = values[name]
        return b"".join(parts)


def text(value: str) -> bytes:
    """A reader's text for a hole: escaped for element and attribute alike, in ASCII."""
    return html.escape(value).encode("ascii", "xmlcharrefreplace")


def fragment(template: str, **values: object) -> Fragment:
    """Render a template of this folder, inline its CSS, and cut it at its holes."""
    source = _environment().get_template(template).render(css=_our_own(css()), hole=_hole, **values)
    whole = "<html" in source
    source = _inliner().inline(source) if whole else _inliner().inline_fragment(source, css())
    source = _BLANK_LINES.sub("\r\n", source.strip())
    pieces = _HOLE.split(source)
    parts = [piece.encode("ascii", "xmlcharrefreplace") for piece in pieces]
    holes = tuple((place, pieces[place]) for place in range(1, len(pieces), 2))
    return Fragment(tuple(parts), holes)


@lru_cache(maxsize=1)
def css() -> str:
    """The style sheet of all mails."""
    source, _, _ = PackageLoader("jobs.alerts").get_source(_environment(), "mail.css")
    return source


def _hole(name: str) -> Markup:
    return _our_own(f"{_OPEN}{name}{_CLOSE}")


def _our_own(source: str) -> Markup:
    """Text of this folder, which needs no escaping."""
    return Markup(source)  # noqa: S704 - never given anything but our style sheet and hole names


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("jobs.alerts"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )


@lru_cache(maxsize=1)
def _inliner() -> css_inline.CSSInliner:
    # A mail must not make the server fetch anything, hence no remote style sheets.
    return css_inline.CSSInliner(keep_at_rules=True, minify_css=True, load_remote_stylesheets=False)
