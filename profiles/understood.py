"""What a person typed into one field, sorted: papers, categories, people, weighed terms, and the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from profiles.request import LONGEST
from recommender.paper import paper_key

_LEFT = "([{<\"'“„«"
_RIGHT = ")]}>\"'”»,;:.!?"
# "arXiv: 2510.21419" is one reference, though it has a gap.
_GAP = re.compile(r"\b(arxiv|doi):[ \t]+(?=\d)", re.IGNORECASE)
_REFERENCE = re.compile(r"\d{4}\.\d{4,5}|\b10\.\d{4,9}/|arxiv|^[a-z-]+(?:\.[a-z]{2})?/\d{7}", re.IGNORECASE)
# Of arXiv's archives those whose bare name is no word of English; the others need their subject class.
_ALONE = "astro-ph|cond-mat|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|nucl-ex|nucl-th|quant-ph"
_PARTED = "astro-ph|cond-mat|cs|econ|eess|math|nlin|physics|q-bio|q-fin|stat"
_CATEGORY = re.compile(rf"(?:{_ALONE})|(?:{_PARTED})\.(?:[A-Z]{{2}}|optics|soft|other|[a-z]+-[a-z]+|\*)")
_LABELLED = re.compile(r"\s*(?P<kind>[a-z]+)\s*:\s*(?P<value>\S.*)", re.IGNORECASE)
_KINDS = {
    "author": "authors", "authors": "authors", "by": "authors", "follow": "authors", "people": "authors",
    "category": "categories", "categories": "categories", "term": "terms", "terms": "terms",
    "like": "likes", "likes": "likes", "paper": "likes", "papers": "likes",
    "mute": "mutes", "mutes": "mutes", "never": "mutes",
}  # fmt: skip
_WEIGHED = re.compile(r"[^\s=,;:.][^=,;]{0,100}=\s*[+-]?\d(?:\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Understood:
    """What stood in the field: ``statement`` is what is left in words, the lists are as people type them."""

    statement: str
    terms: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    mutes: tuple[str, ...] = ()

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """The lists by the name of their field."""
        return {
            "terms": self.terms, "likes": self.likes, "authors": self.authors,
            "categories": self.categories, "mutes": self.mutes,
        }  # fmt: skip


def understood(text: str) -> Understood:
    """Sort what was typed, in time linear in its length; a text in which nothing is found stays as it is.

    arXiv ids and links, DOIs and categories such as cs.DC are found wherever they stand. A line that begins
    with ``by:``, ``category:``, ``like:``, ``term:`` or ``never:`` says itself what it is, and so does
    ``KV cache = 2`` between commas.
    """
    found: dict[str, list[str]] = {name: [] for name in ("terms", "likes", "authors", "categories", "mutes")}
    rest = [kept for line in text.split("\n") if (kept := _line(line, found)) is not None]
    if not any(found.values()):
        return Understood(text)
    lists = {name: tuple(dict.fromkeys(words)) for name, words in found.items()}
    return Understood("\n".join(rest).strip(), **lists)


def _line(line: str, found: dict[str, list[str]]) -> str | None:
    """What is left of a line; None where nothing is."""
    labelled = _LABELLED.fullmatch(line)
    field = _KINDS.get(labelled["kind"].lower()) if labelled else None
    if labelled and field:
        value = _GAP.sub(r"\1:", labelled["value"])
        between = {"authors": r"[;,]", "categories": r"[\s,;]+", "likes": r"[\s,;]+"}.get(field, r"[;,]")
        found[field] += [word.strip() for word in re.split(between, value) if word.strip()]
        return None
    parts = re.split(r"([,;])", line) if "=" in line else [line]
    words = [part for part in parts if not _weighed(part, found)]
    kept = [word for word in _GAP.sub(r"\1:", "".join(words)).split(" ") if not _reference(word, found)]
    left = re.sub(r"\s*([,;])(?:\s*[,;])+", r"\1", " ".join(kept)).strip(" ,;")
    return left if left or not line.strip() else None


def _weighed(part: str, found: dict[str, list[str]]) -> bool:
    if not _WEIGHED.fullmatch(part.strip()):
        return False
    found["terms"].append(part.strip())
    return True


def _reference(word: str, found: dict[str, list[str]]) -> bool:
    """Whether a word names a paper or a category, which is then noted."""
    bare = word.strip().lstrip(_LEFT).rstrip(_RIGHT)
    if _CATEGORY.fullmatch(bare) or _CATEGORY.fullmatch(word.strip(_LEFT + ",;")):
        found["categories"].append(bare)
        return True
    if not _REFERENCE.search(bare):
        return False
    try:
        key = paper_key(bare)
    except ValueError:
        return False
    found["likes"].append(key.removeprefix("arxiv:").removeprefix("doi:"))
    return True


def spoken(titles: Iterable[str], said: str = "") -> str:
    """A statement that says these titles after what was ``said``, as many as a statement may hold."""
    for title in titles:
        longer = f"{said}\n{title.rstrip('.')}.".strip()
        if len(longer) > LONGEST["statement"]:
            break
        said = longer
    return said
