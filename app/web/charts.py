"""Small plots as inline SVG: a row of days as bars, stacked where there are several series, or as ranges.

They take colours from the page's style sheet, hold no script, and say in words what they show; every day has
its numbers as a tooltip. A month without anything is a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from html import escape

from markupsafe import Markup

_WIDTH, _HEIGHT = 360, 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 2, 8, 18
_STEPS = (1, 2, 5)
# So many series have a colour of their own; the others share the last one.
COLOURS = 6


def bars(days: Sequence[date], series: Mapping[str, Sequence[float]], what: str) -> Markup:
    """Bars for each day, the series of a day on top of each other; ``what`` they count, for the tooltip."""
    totals = [sum(values[n] for values in series.values()) for n in range(len(days))]
    if not any(totals):
        return _nothing(days)
    top = _top(max(totals, default=0))
    drawn = []
    for n, day in enumerate(days):
        below = 0.0
        for colour, values in enumerate(series.values()):
            if values[n]:
                drawn.append(_bar(n, len(days), below / top, values[n] / top, min(colour, COLOURS - 1)))
                below += values[n]
        parts = [f"{name}: {values[n]:,.10g}" for name, values in series.items() if values[n]]
        told = f"{_words(day)}: {totals[n]:,.10g} {what}" + (
            f" ({', '.join(parts)})" if len(parts) > 1 else ""
        )
        drawn.append(_touch(n, len(days), told))
    label = f"{what}: {sum(totals):,.10g} in {len(days)} days, at most {max(totals, default=0):,.10g} a day"
    return _plot(days, "".join(drawn), top, lambda value: f"{value:,.10g}", label)


def ranges(days: Sequence[date], values: Sequence[tuple[timedelta, timedelta] | None], what: str) -> Markup:
    """For each day a line from the median up to the 95th percentile, in hours."""
    if not any(values):
        return _nothing(days)
    hours = [tuple(each / timedelta(hours=1) for each in pair) if pair else None for pair in values]
    top = _top(max((pair[1] for pair in hours if pair), default=0))
    drawn = []
    for n, (day, pair) in enumerate(zip(days, values, strict=True)):
        if pair is None:
            continue
        low, high = (each / timedelta(hours=1) / top for each in pair)
        drawn.append(_bar(n, len(days), low, high - low, 1))
        drawn.append(_bar(n, len(days), max(low - 0.015, 0), 0.03, 0))
        told = f"{_words(day)}: half within {wait(pair[0])}, 95 % within {wait(pair[1])}"
        drawn.append(_touch(n, len(days), told))
    known = [pair for pair in hours if pair]
    label = f"{what}: the median was between {min(p[0] for p in known):.1f} and "
    label += f"{max(p[0] for p in known):.1f} hours"
    return _plot(days, "".join(drawn), top, lambda value: f"{value:,.10g} h", label)


def wait(span: timedelta) -> str:
    """A span of time as people say it."""
    minutes = span / timedelta(minutes=1)
    if minutes < 1:
        return f"{span.total_seconds():.0f} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    number, unit = (minutes / 60, "h") if minutes < 36 * 60 else (minutes / 1440, "days")
    return f"{number:.1f}".removesuffix(".0") + f" {unit}"


def _nothing(days: Sequence[date]) -> Markup:
    return Markup('<p class="quiet">None in these {} days.</p>').format(len(days))


def _plot(days: Sequence[date], drawn: str, top: float, tick: Callable[[float], str], label: str) -> Markup:
    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_y(share)}" y2="{_y(share)}"/>'
        f'<text x="{_LEFT - 5}" y="{_y(share)}" dy=".35em" text-anchor="end">{tick(top * share)}</text>'
        for share in (0.0, 0.5, 1.0)
    )
    marks = "".join(
        f'<text x="{_x(n, len(days)) + _step(len(days)) / 2:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">'
        f"{day.day} {day:%b}</text>"
        for n, day in enumerate(days)
        if day.weekday() == 0 and 1 <= n < len(days) - 1
    )
    return Markup(  # noqa: S704  # numbers of our own, and words that are escaped
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{grid}{drawn}{marks}</svg>"
    )


def _bar(n: int, of: int, below: float, height: float, colour: int) -> str:
    step = _step(of)
    tall = height * (_HEIGHT - _TOP - _BOTTOM)
    return (
        f'<rect class="c{colour}" x="{_x(n, of) + step * 0.12:.1f}" y="{_y(below) - tall:.1f}" '
        f'width="{step * 0.76:.1f}" height="{tall:.1f}"/>'
    )


def _touch(n: int, of: int, told: str) -> str:
    """The whole column of a day, invisible, with its numbers."""
    return (
        f'<rect class="day" x="{_x(n, of):.1f}" y="{_TOP}" width="{_step(of):.1f}" '
        f'height="{_HEIGHT - _TOP - _BOTTOM}"><title>{escape(told)}</title></rect>'
    )


def _x(n: int, of: int) -> float:
    return _LEFT + n * _step(of)


def _step(of: int) -> float:
    return (_WIDTH - _LEFT - _RIGHT) / max(1, of)


def _y(share: float) -> float:
    return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def _top(most: float) -> float:
    """The round number at the upper end of an axis: 1, 2 or 5 times a power of ten, with an even middle."""
    power = 0.1 if most < 1 else 1.0
    while True:
        for step in _STEPS:
            if step * power * 2 >= most:
                return step * power * 2
        power *= 10


def _words(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"
