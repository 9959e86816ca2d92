"""Two rankers in one list: the team draft, and which of the two a reader's clicks speak for."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Team = Literal["first", "second"]


@dataclass(frozen=True, slots=True)
class Drafted:
    """One place of an interleaved list: the paper's id and the ranker that put it there."""

    paper: str
    team: Team


def team_draft(
    first: Sequence[str], second: Sequence[str], limit: int, chance: np.random.Generator
) -> list[Drafted]:
    """Interleave two rankings of paper ids, best first, to at most ``limit`` papers, each once.

    In each round a coin decides which ranker picks first; each then picks its best paper that is not in the
    list yet (Radlinski, Kurup and Joachims 2008). A ranker that has nothing left lets the other go on.
    """
    drafted: list[Drafted] = []
    taken: set[str] = set()
    sides: dict[Team, Iterable[str]] = {"first": iter(first), "second": iter(second)}
    open_to: list[Team] = ["first", "second"]
    while open_to and len(drafted) < limit:
        order = open_to if len(open_to) == 1 or chance.random() < 0.5 else open_to[::-1]
        for team in list(order):
            paper = next((p for p in sides[team] if p not in taken), None)
            if paper is None:
                open_to.remove(team)
            elif len(drafted) < limit:
                taken.add(paper)
                drafted.append(Drafted(paper, team))
    return drafted


@dataclass(frozen=True, slots=True)
class Credit:
    """How many liked papers each ranker put into one list."""

    first: int
    second: int

    @property
    def winner(self) -> Team | None:
        """The ranker with more of them; None for a tie."""
        if self.first == self.second:
            return None
        return "first" if self.first > self.second else "second"


def credited(drafted: Iterable[Drafted], liked: Collection[str]) -> Credit:
    """What a reader's likes say about one interleaved list."""
    teams = [place.team for place in drafted if place.paper in liked]
    return Credit(teams.count("first"), teams.count("second"))


def sign_test(wins: int, losses: int) -> float:
    """The two-sided probability that so uneven a result is chance, ties left out; 1 where there is none."""
    games = wins + losses
    at_least = sum(math.comb(games, k) for k in range(max(wins, losses), games + 1))
    return min(1.0, 2 * at_least / (1 << games))
