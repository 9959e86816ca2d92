"""OAI-PMH 2.0 answers of arXiv and of other archives: arXiv, arXivRaw, arXivOld and oai_dc records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from lxml import etree

from jobs.sources.arxiv_fields import announcement_day, instant, is_withdrawn, split_categories
from jobs.sources.author_names import plain_name, split_authors
from jobs.sources.parsed import Parsed, Rejection, SourceError
from jobs.sources.safe_xml import children, document, local, text
from recommender.paper import Paper, abs_url, arxiv_id, doi, hash_key

NAME = "oai-pmh"

_LISTS = ("ListRecords", "GetRecord", "ListIdentifiers")
_OTHER_VERBS = ("Identify", "ListSets", "ListMetadataFormats")
# What to do about each error of the protocol,
# http://www.openarchives.org/OAI/openarchivesprotocol.html#ErrorConditions
_ADVICE = {
    "badArgument": "correct the dates, set or metadataPrefix in the source's address",
    "badVerb": "correct the verb in the source's address",
    "cannotDisseminateFormat": "ask for metadataPrefix arXiv, arXivRaw or oai_dc",
    "idDoesNotExist": "correct the identifier, such as oai:arXiv.org:0906.3421",
    "noMetadataFormats": "ask for another record",
    "noSetHierarchy": "ask without a set",
}


def recognises(head: bytes) -> bool:
    """Whether this is an OAI-PMH answer."""
    return b"<OAI-PMH" in head or b"http://www.openarchives.org/OAI/2.0/" in head


def parse(data: bytes) -> Parsed:
    """Read one answer; ``next_page`` is the resumption token, ``cursor`` the responseDate for the next
    ``from``.

    Deleted records are noted in ``deleted``. The protocol states no announcement day: the record's datestamp
    moves with every change of metadata, and ``created`` is the day of submission. ``announced`` is therefore
    the day that arXiv's schedule gives for the first version. noRecordsMatch is a valid, empty answer; every
    other error of the protocol raises `SourceError`.
    """
    page = document(data, "record", "OAI-PMH")
    if local(page.root) != "OAI-PMH":
        raise SourceError(f"OAI-PMH: <{local(page.root)}> instead of an OAI-PMH answer; correct the address")
    cursor = text(next(children(page.root, "responseDate"), None))
    if (refusal := next(children(page.root, "error"), None)) is not None:
        return Parsed(NAME, (), note=_no_records(refusal), cursor=cursor)
    body = next((element for element in page.root if local(element) in _LISTS), None)
    if body is None:
        verb = next((local(element) for element in page.root if local(element) in _OTHER_VERBS), "")
        if verb:
            return Parsed(NAME, (), note=f"an answer to {verb}, which holds no papers", cursor=cursor)
        raise SourceError("OAI-PMH: an answer without records; it is asked again later", permanent=False)
    return _records(body, page.flaw, page.cut, cursor)


def _no_records(refusal: etree._Element) -> str:
    """The note for noRecordsMatch. Raises `SourceError` for every other error of the protocol."""
    code, said = refusal.get("code", ""), text(refusal)
    if code == "noRecordsMatch":
        return "no records changed in the time asked for"
    if code == "badResumptionToken":
        raise SourceError(
            f"OAI-PMH badResumptionToken: {said} Tokens expire daily; the harvest starts again from its date",
            permanent=False,
        )
    raise SourceError(f"OAI-PMH {code or 'error'}: {said} To do: {_ADVICE.get(code, 'correct the address')}")


def _records(body: etree._Element, flaw: str, cut: bool, cursor: str) -> Parsed:
    papers: list[Paper] = []
    rejected: list[Rejection] = []
    deleted: list[str] = []
    records = [element for element in body if local(element) in ("record", "header")]
    for number, record in enumerate(records, 1):
        where = f"record {number}"
        if cut and number == len(records):
            rejected.append(Rejection(where, f"the answer stops inside it ({flaw})"))
            break
        try:
            header = record if local(record) == "header" else next(children(record, "header"), record)
            if header.get("status") == "deleted":
                deleted.append(_key(text(next(children(header, "identifier"), None)), ()))
            elif header is not record:
                papers.append(_paper(record, header))
        except ValueError as error:
            rejected.append(Rejection(where, str(error)))
    if flaw and not cut:
        rejected.append(Rejection("the answer", f"damaged XML, read as far as possible ({flaw})"))
    note = ""
    if not papers and not rejected:
        note = f"{len(deleted)} deleted records" if deleted else "a list of headers, without papers"
    token = text(next(children(body, "resumptionToken"), None))
    return Parsed(
        NAME, tuple(papers), tuple(rejected), note, next_page=token, cursor=cursor, deleted=tuple(deleted)
    )


@dataclass(slots=True)
class _Fields:
    """A record's metadata by local element name, whatever its format."""

    one: dict[str, str] = field(default_factory=dict)
    many: dict[str, list[str]] = field(default_factory=dict)
    authors: list[str] = field(default_factory=list)
    affiliations: list[str] = field(default_factory=list)
    versions: list[tuple[int, str, str]] = field(default_factory=list)


def _read(metadata: etree._Element) -> _Fields:
    fields = _Fields()
    for element in metadata:
        name = local(element)
        if name == "authors" and len(element):
            for author in children(element, "author"):
                parts = {local(each): text(each) for each in author}
                named = " ".join(filter(None, (parts.get(p, "") for p in ("forenames", "keyname", "suffix"))))
                fields.authors.append(plain_name(named))
                fields.affiliations.extend(plain_name(text(each)) for each in children(author, "affiliation"))
        elif name == "version":
            parts = {local(each): text(each) for each in element}
            number = (element.get("version") or "").lstrip("v")
            if number.isascii() and number.isdigit() and len(number) < 4:
                fields.versions.append((int(number), parts.get("date", ""), parts.get("source_type", "")))
        else:
            content = text(element)
            fields.one.setdefault(name, content)
            fields.many.setdefault(name, []).append(content)
    return fields


def _paper(record: etree._Element, header: etree._Element) -> Paper:
    """One record. Raises ValueError with the reason if it holds no paper."""
    holder = next(children(record, "metadata"), None)
    if holder is None or not len(holder):
        raise ValueError("no metadata in it")
    identifier = text(next(children(header, "identifier"), None))
    fields = _read(holder[0])
    if local(holder[0]) == "dc":
        return _dublin_core(identifier, header, fields)
    one = fields.one
    key = _key(identifier, (one.get("id", ""),))
    title, abstract, comment = one.get("title", ""), one.get("abstract", ""), one.get("comments", "")
    if not title:
        raise ValueError(f"{key} has no title")
    authors, complete = tuple(name for name in fields.authors if name), True
    if not authors:
        authors, complete = split_authors(one.get("authors", ""))
    versions = sorted(fields.versions)
    return Paper(
        id=key,
        title=title,
        version=versions[-1][0] if versions else None,
        abstract=abstract,
        authors=authors,
        authors_complete=complete,
        institutions=tuple(dict.fromkeys(fields.affiliations)),
        categories=split_categories(one.get("categories", "")),
        url=abs_url(key),
        doi=doi(one.get("doi", "")),
        journal_ref=one.get("journal-ref", ""),
        comment=comment,
        announced=_announced(versions[0][1] if versions else one.get("created", "")),
        # arXiv marks the source of a withdrawn version "I", to be ignored.
        withdrawn=is_withdrawn(comment, abstract) or bool(versions and "I" in versions[-1][2]),
    )


def _dublin_core(identifier: str, header: etree._Element, fields: _Fields) -> Paper:
    many = fields.many
    references = tuple(many.get("identifier", ()))
    key = _key(identifier, references)
    title = fields.one.get("title", "")
    if not title:
        raise ValueError(f"{key} has no title")
    # arXiv puts the abstract first and the comment second.
    descriptions = [*many.get("description", ()), "", ""]
    categories = (_category(text(each)) for each in children(header, "setSpec"))
    return Paper(
        id=key,
        title=title,
        abstract=descriptions[0],
        authors=tuple(_given_first(name) for name in many.get("creator", ()) if name),
        categories=split_categories(" ".join(categories)) if key.startswith("arxiv:") else (),
        keywords=() if key.startswith("arxiv:") else tuple(many.get("subject", ())),
        url=abs_url(key) or next((each for each in references if each.startswith("http")), ""),
        doi=next((found for found in map(doi, references) if found and "arxiv" not in found), ""),
        comment=descriptions[1],
        announced=_announced(min(many.get("date", [""]))),
        withdrawn=is_withdrawn(descriptions[1], descriptions[0]),
    )


def _key(identifier: str, references: tuple[str, ...]) -> str:
    """The canonical key of a record, from its identifier or what its metadata refers to."""
    for reference in (identifier, *references):
        if found := arxiv_id(reference):
            return f"arxiv:{found[0]}"
    for reference in (*references, identifier):
        if name := doi(reference):
            return f"doi:{name}"
    if not identifier:
        raise ValueError("no identifier")
    return hash_key(identifier, "")


def _category(set_spec: str) -> str:
    """``math.AG`` for the set ``math:math:AG``, ``hep-th`` for ``physics:hep-th``."""
    _group, _, name = set_spec.partition(":")
    return name.replace(":", ".")


def _given_first(name: str) -> str:
    surname, comma, given = plain_name(name).partition(", ")
    return f"{given} {surname}" if comma and "," not in given else plain_name(name)


def _announced(stated: str) -> date | None:
    submitted = instant(stated)
    if submitted is None:
        return None
    if len(stated) == len("2009-09-14"):
        # A date alone is taken as noon, Eastern: before the day's deadline, as most submissions are.
        submitted = submitted.replace(hour=17)
    return announcement_day(submitted)
