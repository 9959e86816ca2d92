"""One entry of a weekly digest: its lines gathered, then read as a paper."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from jobs.sources import bylines, marks
from jobs.sources.escapes import plain, undone
from recommender.paper import Paper, hash_key, normal_title

# What digests call their fields, in lower case, and what each is here.
LABELS = {
    **dict.fromkeys(("tags", "tag", "标签"), "tags"),
    **dict.fromkeys(("authors", "author", "author(s)", "by", "作者"), "authors"),
    **dict.fromkeys(
        ("institution", "institutions", "institution(s)", "affiliation", "affiliations", "机构", "单位"),
        "institutions",
    ),
    **dict.fromkeys(("link", "links", "url", "pdf", "paper", "arxiv", "arxiv id", "链接"), "link"),
    **dict.fromkeys(("doi",), "doi"),
    **dict.fromkeys(("code", "github", "repository", "代码"), "code"),
    **dict.fromkeys(("contributions", "contribution", "贡献"), "contributions"),
    **dict.fromkeys(("thumbnail", "image"), "thumbnail"),
    **dict.fromkeys(("abstract", "摘要"), "abstract"),
    **dict.fromkeys(("categories", "category", "subjects", "分类"), "categories"),
    **dict.fromkeys(("comment", "comments"), "comment"),
    **dict.fromkeys(
        (
            "simple llm summary",
            "llm summary",
            "simple summary",
            "ai summary",
            "summary",
            "tl;dr",
            "tldr",
            "总结",
        ),
        "summary",
    ),
    **dict.fromkeys(("mindmap", "mind map", "思维导图"), ""),
}
# An entry of this many characters is no paper. The limit also bounds what any pattern below has to read.
LONGEST = 400_000
_LINK_WORD = re.compile(r"links?|pdf|paper|url|arxiv|abs|html|doi|code|github|page|project", re.IGNORECASE)
_SCHEME = re.compile(r"\s*<?[A-Za-z][A-Za-z0-9+.-]{0,15}:")
_MARK_DAY = re.compile(r"(\d\d)(\d\d)(\d\d)$")
_WIDE = str.maketrans("［］【】，；、", "[][],;,")


@dataclass(slots=True)
class Entry:
    """The lines of one entry as they are gathered: its title's and its fields', and where it stood.

    ``source`` is the mark before the title without its brackets ("arXiv251028"), empty for an entry without
    one; ``bold`` whether the title opened bold.
    """

    line: int
    source: str
    bold: bool
    day: date | None = None
    categories: tuple[str, ...] = ()
    title: list[str] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)
    indent: int | None = None
    size: int = 0
    _open: list[str] | None = None
    _gap: bool = False

    def __post_init__(self) -> None:
        self._open = self.title

    def begin(self, name: str, value: str, indent: int) -> None:
        """A field's first line; an empty name is a field that nobody here reads."""
        self.indent = indent if self.indent is None else min(self.indent, indent)
        self._open = self.fields.setdefault(name, []) if name else None
        self._gap = False
        self.more(value, indent)

    def more(self, text: str, indent: int) -> None:
        """Another line of what is open; behind an empty line only an indented one belongs to a field."""
        self.size += len(text)
        if self._gap and (self._open is self.title or indent == 0):
            self._open = None
        if self._open is not None and self.size <= LONGEST:
            self._open.append(text)

    def ends_field(self, indent: int) -> bool:
        """Whether a bullet this deep stands beside the field that is open, rather than being part of it."""
        empty = self._open is not None and not any(map(str.strip, self._open))
        return self.indent is not None and indent <= self.indent and not empty

    def gap(self) -> None:
        """An empty line."""
        self._gap = True

    def text(self, name: str) -> str:
        """A field's lines as one, empty where the entry has none."""
        return " ".join(self.fields.get(name, ())).strip()


def paper_of(entry: Entry) -> Paper | None:
    """The paper that an entry describes; None for a bullet that never set out to be one.

    Raises ValueError with the reason for an entry that is none: no title, neither link nor authors, a link
    whose bracket never closes, more than `LONGEST` characters.
    """
    if entry.size > LONGEST:
        raise ValueError(f"an entry of {entry.size:,} characters is no paper (at most {LONGEST:,})")
    if (
        not entry.source
        and not entry.fields
        and not any("arxiv" in line or "10." in line for line in entry.title)
    ):
        return None
    raw, inline = _title(entry)
    title = plain(raw, mdx=True)
    key, page, version, doi = _reference(entry, inline)
    if not entry.source and not entry.fields and not key:
        return None
    if not any(map(str.isalnum, title)):
        raise ValueError("the entry has no title")
    by = bylines.authors(entry.text("authors"))
    if not (key or page or by.names):
        raise ValueError("the entry has neither an http link nor authors")
    area, topics, keywords = tags(entry.text("tags"))
    summary = _said(entry.text("summary"))
    # Compared only where the lengths allow it: folding every summary took a quarter of the parsing time.
    if len(summary) <= 2 * len(title) and normal_title(summary) == normal_title(title):
        summary = ""
    institutions = bylines.institutions(entry.text("institutions"))
    code = entry.text("code") or next((link for word, link in inline if word in ("code", "github")), "")
    return Paper(
        id=key or hash_key(page, title, by.names),
        title=title,
        version=version,
        abstract=_said(entry.text("abstract")),
        summary=summary,
        authors=by.names,
        authors_complete=by.complete,
        institutions=tuple(dict.fromkeys(institutions + by.institutions)),
        categories=tuple(dict.fromkeys(entry.categories + marks.categories(entry.text("categories")))),
        area=area,
        topics=topics,
        keywords=keywords,
        url=page,
        doi=doi,
        comment=_said(entry.text("comment")),
        # "github.com/your-repo/…" is what a language model writes when it was not told the address.
        code_url=next((link for link in marks.links(code) if "/your-" not in link.lower()), ""),
        contributions=_said(entry.text("contributions")),
        thumbnail=next(iter(marks.links(entry.text("thumbnail"))), ""),
        announced=entry.day or _mark_day(entry.source),
    )


def tags(text: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Area, topics and keywords of ``[mlsys], [LLM inference, kernels], [W[1]-hardness, KV cache]``.

    The first group's first tag is the area, its others count as topics; all groups from the third on are
    keywords, and so are tags outside brackets and a lone group of several: nothing says what else they are.
    """
    text = undone(text, mdx=True).translate(_WIDE).strip(" `")
    if bylines.is_nothing(text):
        return "", (), ()
    groups, loose = _groups(text)
    if len(groups) == 1 and groups[0].startswith("["):
        groups, loose = _groups(groups[0])
    parts = [_items(group) for group in groups]
    if len(parts) == 1 and len(parts[0]) > 1:
        parts = [[], [], *parts]
    area, *others = parts[0] if parts and parts[0] else [""]
    topics = others + [tag for part in parts[1:2] for tag in part]
    keywords = [tag for part in parts[2:] for tag in part] + _items(loose)
    return area, tuple(dict.fromkeys(topics)), tuple(dict.fromkeys(keywords))


def _groups(text: str) -> tuple[list[str], str]:
    """What stands in outermost square brackets, one string a pair, and what stands outside them."""
    groups: list[str] = []
    loose: list[str] = []
    depth = start = end = 0
    for mark in re.finditer(r"[\[\]]", text):
        if mark[0] == "[":
            if depth == 0:
                loose.append(text[end : mark.start()])
                start = mark.end()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                groups.append(text[start : mark.start()].strip())
                end = mark.end()
    if depth:
        # A bracket that never closes: every opening one begins a group then, and none is nested.
        return re.findall(r"\[([^\[\]]+)", text), ""
    return groups, ",".join([*loose, text[end:]])


def _items(group: str) -> list[str]:
    tags = [" ".join(tag.split()).strip("`*") for tag in bylines.split_outside(group, "[,;]")]
    return [tag for tag in tags if not bylines.is_nothing(tag)]


def _said(text: str) -> str:
    return "" if bylines.is_nothing(text) else plain(text, mdx=True)


def _title(entry: Entry) -> tuple[str, list[tuple[str, str]]]:
    """The title as written, and the links beside it with their words in lower case."""
    lines = entry.title
    if entry.bold and (closing := [i for i, line in enumerate(lines) if "**" in line]):
        lines = lines[: closing[-1] + 1]
    text = " ".join(" ".join(lines).split())
    links: list[tuple[str, str]] = []
    bold = entry.bold
    if text.startswith("**"):
        text, bold = text[2:].strip(), not bold
    while found := _last_link(text):
        start, word, link = found
        links.insert(0, (word, link))
        text = text[:start].rstrip(" |,;·-")
    body = text.removesuffix("**").rstrip() if bold else text
    if bold and (found := _last_link(body)):
        links.insert(0, (found[1], found[2]))
        body = body[: found[0]].rstrip()
    if not body and links and not _LINK_WORD.fullmatch(links[0][0]):
        body = links[0][0]
    words = body.rsplit(maxsplit=1)
    if len(words) == 2 and words[1].startswith(("http://", "https://", "<http")):
        links.append(("link", words[1].strip("<>")))
        body = words[0]
    return body, [(word.lower(), link) for word, link in links]


def _last_link(text: str) -> tuple[int, str, str] | None:
    """Where the Markdown link that ends the text begins, its word and its target.

    Raises ValueError if it has no end: cut short, it would name another paper.
    """
    middle = text.rfind("](")
    if middle < 0:
        return None
    target = text[middle + 2 :]
    start = _opening(text, middle)
    word = text[start + 1 : middle]
    if start < 0 or not (_SCHEME.match(target) or _LINK_WORD.fullmatch(word)):
        return None
    if not target.endswith(")"):
        if ")" in target:
            return None
        raise ValueError("the link's bracket is not closed")
    return start, word, target[:-1].strip().split(" ")[0]


def _opening(text: str, closing: int) -> int:
    depth = 0
    for mark in reversed(list(re.finditer(r"[\[\]]", text[: closing + 1]))):
        depth += 1 if mark[0] == "]" else -1
        if depth == 0:
            return mark.start()
    return -1


def _reference(entry: Entry, inline: list[tuple[str, str]]) -> tuple[str, str, int | None, str]:
    """The best of what the entry's link fields, the links beside its title and its mark refer to."""
    written = [*entry.fields.get("link", ()), *entry.fields.get("doi", ())]
    written += [link for word, link in inline if word not in ("code", "github")]
    if "." in entry.source:
        written.append(entry.source)
    found = [reference for text in written if any(reference := marks.reference(text))]
    ranks = {"arxiv": 0, "doi": 1}
    best = min(found, key=lambda r: ranks.get(r[0].partition(":")[0], 2), default=("", "", None, ""))
    doi = best[3] or next((reference[3] for reference in found if reference[3]), "")
    return best[0], best[1], best[2], doi


def _mark_day(source: str) -> date | None:
    """The day in a six-digit mark (``arXiv251028``); None for ``arXiv2510`` or no real day."""
    match = _MARK_DAY.search(source)
    if match is None or source[-7:-6].isdigit():
        return None
    try:
        return date(2000 + int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
