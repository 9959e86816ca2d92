"""A back-test as a small plot: lines of text for the terminal, SVG for the page."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from jobs.alerts import wording
from jobs.alerts.readable import clean
from jobs.backtest import CUT, Backtest, sentence

CUTS = (5, 10, 20, 50, 100)
_WIDTH, _HEIGHT = 360, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 12, 12, 34
_Scale = Callable[[float], str]


def text_plot(found: Backtest, cells: int = 30) -> list[str]:
    """How many papers would have been in the top 5, 10, …, one bar of at most ``cells`` a line."""
    tried = len(found.trials)
    lines = []
    for cut in CUTS if tried else ():
        hits = found.within(cut)
        filled = round(cells * hits / tried)
        bar = "█" * filled + "·" * (cells - filled)
        lines.append(f"top {cut:<3} {hits:>3} of {tried}  {bar}  by chance {found.by_chance(cut):.1f}")
    return lines


def svg_plot(found: Backtest, label: str = "") -> str:
    """An SVG element: how many papers (upwards) reach which rank or better (to the right, log scale).

    The line is the back-test, the dashes are what chance would give, the dotted upright is the top
    `CUT`; each point names its paper. It takes its colour and font from the page, holds neither script nor
    style, and says in words what it shows. Empty where nothing was tried.
    """
    if not found.trials:
        return ""
    most = max(2 * CUT, *(trial.of for trial in found.trials))
    tried = len(found.trials)

    def x(rank: float) -> str:
        return f"{_LEFT + (_WIDTH - _LEFT - _RIGHT) * math.log(rank) / math.log(most):.1f}"

    def y(papers: float) -> str:
        return f"{_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * papers / tried:.1f}"

    ranked = sorted(found.trials, key=lambda trial: (trial.rank, trial.paper.id))
    line = f"M{x(1)} {y(0)}"
    for place, trial in enumerate(ranked, start=1):
        line += f"H{x(trial.rank)}V{y(place)}"
    chance = " ".join(f"{x(k)},{y(found.by_chance(k))}" for k in _spaced(most))
    points = "".join(
        f'<circle cx="{x(trial.rank)}" cy="{y(place)}" r="2.5" fill="currentColor"><title>'
        f"{_plain(wording.title(trial.paper))}: {trial.rank:,} of {trial.of:,}</title></circle>"
        for place, trial in enumerate(ranked, start=1)
    )
    said = _plain(" ".join(filter(None, (f"{label}:" if label else "", sentence(found)))))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" aria-label="{said}" font-size="10" fill="none" '
        f'stroke="currentColor"><title>{said}</title>'
        f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" stroke-opacity="0.5"/>'
        f'<path d="M{x(CUT)} {_TOP}V{_HEIGHT - _BOTTOM}" stroke-opacity="0.5" stroke-dasharray="1 3"/>'
        f'<polyline points="{chance}" stroke-opacity="0.6" stroke-dasharray="5 4"/>'
        f'<path d="{line}H{x(most)}" stroke-width="1.5"/>'
        f'<g stroke="none">{points}</g>{_labels(x, y, most, tried)}</svg>'
    )


def _labels(x: _Scale, y: _Scale, most: int, tried: int) -> str:
    ticks = [10**power for power in range(int(math.log10(most)) + 1)]
    bottom = _HEIGHT - _BOTTOM
    texts = [f'<text x="{x(rank)}" y="{bottom + 13}" text-anchor="middle">{rank:,}</text>' for rank in ticks]
    texts.append(f'<text x="{x(CUT)}" y="{bottom + 13}" text-anchor="middle">{CUT}</text>')
    texts += [
        f'<text x="{_LEFT - 5}" y="{y(number)}" dy="3" text-anchor="end">{number}</text>'
        for number in (0, tried)
    ]
    texts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">rank in its week</text>')
    return f'<g stroke="none" fill="currentColor">{"".join(texts)}</g>'


def _spaced(most: int) -> list[int]:
    """Some ranks from 1 to ``most`` that lie evenly on the log scale."""
    return sorted({round(most ** (step / 40)) for step in range(41)})


def _plain(text: str) -> str:
    return escape(clean(text), quote=True)
