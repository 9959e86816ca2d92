"""The digest as Markdown, for those who keep their papers in notes.

It holds no rating or unsubscribe links: notes are passed on, and those links are the reader's own.
"""

from __future__ import annotations

import re

from jobs.alerts import wording
from jobs.alerts.digest import BARS, Digest, Item
from jobs.alerts.readable import readable
from recommender.paper import Paper

# CommonMark, section 2.4: a backslash before any ASCII punctuation makes it plain text.
_MARKS = re.compile(r"([\\`*_\[\]<>&|~#$!])")
# What begins a list, a heading or a rule at the start of a line.
_START = re.compile(r"^(\d{0,9})([-+=.):])")
_IN_ADDRESS = str.maketrans({"<": "%3C", ">": "%3E", " ": "%20", "\\": "%5C", "\n": "", "\r": ""})


def render(digest: Digest) -> str:
    """The whole digest; every text by others is escaped, so that it is shown and never interpreted."""
    blocks = [f"# {escaped(wording.heading(digest))}", wording.local_day(digest.at, digest.zone)]
    if not digest.papers and digest.receipt.why_empty:
        blocks.append(escaped(readable(digest.receipt.why_empty)))
    number = 0
    for section in digest.sections:
        if len(digest.sections) > 1:
            blocks.append(f"## {escaped(readable(section.profile_name))}")
        for item in section.items:
            number += 1
            blocks.append(_item(number, item))
        if section.near:
            titles = "\n".join(f"- {_title(item.paper)}" for item in section.near)
            blocks.append(f"### Near misses\n\n{titles}")
    return "\n\n".join([*blocks, "---", escaped(readable(digest.receipt.line))]) + "\n"


def escaped(text: str) -> str:
    """One line of plain text as Markdown that shows exactly it."""
    return _START.sub(r"\1\\\2", _MARKS.sub(r"\\\1", text))


def _item(number: int, item: Item) -> str:
    paper = item.paper
    bar = "▮" * BARS[item.strength] + "▯" * (4 - BARS[item.strength])
    lines = [f"**{_title(paper)}** {bar} {item.strength}"]
    lines += [escaped(part) for part in (wording.facts(paper), wording.provenance(paper)) if part]
    blocks = ["  \n".join(lines)]
    if blurb := wording.blurb(paper):
        blocks.append(escaped(blurb))
    if item.reason:
        blocks.append(f"*Why:* {escaped(readable(item.reason))}")
    if item.similar:
        blocks.append("*Similar:* " + ", ".join(_title(other) for other in item.similar[:5]))
    if addresses := wording.addresses(paper):
        blocks.append(" · ".join(f"[{label}]({_address(url)})" for label, url in addresses))
    start = f"{number}. "
    return start + "\n\n".join(blocks).replace("\n", "\n" + " " * len(start)).replace(
        " " * len(start) + "\n", "\n"
    )


def _title(paper: Paper) -> str:
    address = wording.address(paper)
    title = escaped(wording.title(paper))
    return f"[{title}]({_address(address)})" if address else title


def _address(url: str) -> str:
    return f"<{url.translate(_IN_ADDRESS)}>"
