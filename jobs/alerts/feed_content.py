"""What a feed's reader sees under a title: the paper, the reason with its numbers, and the rating links."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from jobs.alerts import wording
from jobs.alerts.digest import BARS, Contribution, Item, Part
from jobs.alerts.links import Links
from jobs.alerts.readable import readable
from recommender.paper import Paper

# A paper has some hundred words; a feed that listed what each brings would weigh a megabyte.
_PARTS = 8
_VIA = 40  # characters of a liked paper's title, which the reason above has in full


def content(item: Item, profile_id: int | None, links: Links) -> str:
    """The item as plain HTML that needs no style sheet; all text of strangers is escaped.

    The strongest contributions are listed, the others summed; together they add up to the score. Without a
    ``profile_id`` there is nobody to rate for, and no reason or rating links are shown.
    """
    paper = item.paper
    about = " · ".join(part for part in (wording.facts(paper), wording.provenance(paper)) if part)
    blocks = [
        _paragraph(escape(about)),
        _paragraph(escape(wording.blurb(paper, sentences=12, characters=2400))),
    ]
    if profile_id is not None:
        blocks += [_why(item), _parts(item), _explore(item)]
    blocks += [_similar(item.similar), _paragraph(" · ".join(_links(item, profile_id, links)))]
    return "\n".join(block for block in blocks if block)


def _paragraph(inner: str) -> str:
    return f"<p>{inner}</p>" if inner else ""


def _why(item: Item) -> str:
    filled = BARS[item.strength]
    bar = f"{'▮' * filled}{'▯' * (4 - filled)} {item.strength}"
    reason = readable(item.reason)
    return _paragraph(f"{bar}<br><strong>Why:</strong> {escape(reason)}" if reason else bar)


def strongest(parts: Sequence[Part]) -> list[Part]:
    """The strongest parts of a score and the sum of the others, strongest first; they add up to the same."""
    ordered = sorted(parts, key=lambda part: -abs(part.value))
    # One more takes no more room than the line that would stand for it.
    cut = len(ordered) if len(ordered) <= _PARTS + 1 else _PARTS
    shown, rest = ordered[:cut], ordered[cut:]
    if rest:
        words = wording.count(len(rest), "smaller part")
        shown.append(Contribution("rest", words, sum(part.value for part in rest), parts=len(rest)))
    return shown


def _parts(item: Item) -> str:
    if not item.contributions:
        return ""
    rows = "".join(
        f"<li>{part.value:+.3f} {escape(_named(part))}</li>" for part in strongest(item.contributions)
    )
    rows += f"<li>{item.score:+.3f} in all</li>"
    return f"<details><summary>The score in parts</summary><ul>{rows}</ul></details>"


def _named(part: Part) -> str:
    name = readable(part.name)
    if part.kind == "rest":
        return name
    via = wording.ellipsis(readable(part.via), _VIA) if part.via else ""
    return f"{name} ({part.kind}, from “{via}”)" if via else f"{name} ({part.kind})"


def _explore(item: Item) -> str:
    if item.explore is None:
        return ""
    return _paragraph("<strong>Explore:</strong> a pick from outside your usual range.")


def _similar(papers: tuple[Paper, ...]) -> str:
    titles = []
    for paper in papers:
        name, address = escape(wording.title(paper)), wording.address(paper)
        titles.append(f'<a href="{escape(address)}">{name}</a>' if address else name)
    return _paragraph(f"<strong>Similar:</strong> {'; '.join(titles)}" if titles else "")


def _links(item: Item, profile_id: int | None, links: Links) -> list[str]:
    found = [f'<a href="{escape(url)}">{label}</a>' for label, url in wording.addresses(item.paper)]
    if profile_id is not None:
        rate = escape(links.rate_base(profile_id, item.paper.id))
        found += [
            f'<a href="{rate}/like?via=feed">👍 more like this</a>',
            f'<a href="{rate}/dislike?via=feed">👎 less</a>',
            f'<a href="{rate}/save?via=feed">☆ save</a>',
        ]
    return found
