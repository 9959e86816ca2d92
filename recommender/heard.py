"""What a statement was heard to say, in a few phrases to show."""

from __future__ import annotations

from recommender import text
from recommender.statement import asked
from recommender.vectors import Edition

_TOGETHER = 1.5  # as in explanations: a pair is a phrase where it stands e^1.5 times as often as by chance


def heard(edition: Edition, statement: str, at_most: int = 8) -> list[str]:
    """The wanted phrases and words of a statement as people write them, in its order.

    A word stands alone only where no phrase holds it; the rarest are kept where there are too many.
    """
    wanted = asked(statement)[0]
    pairs = [term for term in wanted if " " in term and _is_phrase(edition, term)]
    covered = {word for term in pairs for word in term.split()}
    alone = [term for term in wanted if " " not in term and term not in covered]
    rarity = {term: _rarity(edition, term) for term in (*pairs, *alone)}
    kept = set(sorted(rarity, key=lambda term: (-rarity[term], term))[:at_most])
    spoken = [term for word in text.terms(statement) for term in _holding(word, kept)]
    return [_written(edition, term) for term in dict.fromkeys((*spoken, *sorted(kept))) if term in kept]


def _holding(word: str, terms: set[str]) -> list[str]:
    return sorted(term for term in terms if word == term or word == term.partition(" ")[0])


def _is_phrase(edition: Edition, term: str) -> bool:
    column = edition.index("term", term)
    return column is not None and edition.togetherness(column) >= _TOGETHER


def _rarity(edition: Edition, term: str) -> float:
    column = edition.index("term", term)
    return 99.0 if column is None else float(edition.idf[column])


def _written(edition: Edition, term: str) -> str:
    column = edition.index("term", term)
    return term if column is None else edition.written(column)
