"""Reference libraries: four formats in, bad entries named, good ones kept, papers on hand found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db import index_store, library_store, migrate, paper_store, source_store
from db.session import Database
from jobs import importing, indexing, libraries
from jobs.libraries import Entry
from jobs.service import Service
from jobs.sources.parsed import SourceError
from recommender.paper import Paper
from tests.conftest import NOW
from tests.steps import counted

BIBTEX = r"""
@article{kv, title={{KV} Caches: $k$-means for {GPU}s}, author={Doe, Jane and R\'emi Roe},
  eprint={2510.21419}, archivePrefix={arXiv}}
@article{two, title="By its DOI", doi={https://doi.org/10.1145/3600006.3613165}}
@article{cut, title={Never closed
@misc{old, title={Attention}, journal={arXiv preprint arXiv:1706.03762}}
@book{none, year=2001}
@string{unused = {x}}
"""
RIS = """TY  - JOUR
TI  - By its DOI
AU  - Doe, Jane
DO  - 10.1145/3600006.3613165
ER  -

no entry
ER  -
TY  - PREP
T1  - KV caches
AU  - Roe, R.
UR  - http://arxiv.org/abs/2510.21419
"""
CSL = [
    {"title": "By its DOI", "DOI": "10.1145/3600006.3613165", "author": [{"family": "Doe", "given": "Jane"}]},
    {"title": "KV caches", "URL": "https://arxiv.org/abs/2510.21419v2", "author": [{"literal": "R. Roe"}]},
    5,
    {"publisher": "nobody"},
]
RDF = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:bib="http://purl.org/net/biblio#"
 xmlns:z="http://www.zotero.org/namespaces/export#" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:dcterms="http://purl.org/dc/terms/" xmlns:foaf="http://xmlns.com/foaf/0.1/">
<bib:Article rdf:about="http://arxiv.org/abs/2510.21419"><dc:title>KV caches</dc:title>
 <bib:authors><rdf:Seq><rdf:li><foaf:Person><foaf:surname>Doe</foaf:surname>
 <foaf:givenName>Jane</foaf:givenName></foaf:Person></rdf:li></rdf:Seq></bib:authors></bib:Article>
<rdf:Description rdf:about="#item_2"><dc:title>By its DOI</dc:title><dcterms:isPartOf><bib:Journal>
 <dc:identifier>DOI 10.1145/3600006.3613165</dc:identifier></bib:Journal></dcterms:isPartOf></rdf:Description>
<z:Attachment rdf:about="#item_3"><dc:title>PDF</dc:title></z:Attachment>
</rdf:RDF>"""


def keys(library: libraries.Library) -> set[str]:
    return {entry.key for entry in library.entries}


BOTH = {"arxiv:2510.21419", "doi:10.1145/3600006.3613165"}


def test_bibtex_keeps_the_good_entries_and_names_the_bad_lines() -> None:
    found = libraries.read(BIBTEX.encode(), "mine.bib")
    assert keys(found) == {*BOTH, "arxiv:1706.03762"}
    assert found.entries[0] == Entry(
        "line 2 (kv)", "KV Caches: k-means for GPUs", ("Jane Doe", "Remi Roe"), "arxiv:2510.21419"
    )
    assert [r.where for r in found.rejected] == ["line 7 (none)", "line 5"]


def test_two_bibtex_entries_of_one_key_are_both_read() -> None:
    twice = b'@misc{a, title={One}, eprint={2510.21419}}\n@misc{a, title="Two", doi = {10.1000/two}}\n'
    found = libraries.read(twice, "mine.bib")
    assert [(e.title, e.key) for e in found.entries] == [
        ("One", "arxiv:2510.21419"), ("Two", "doi:10.1000/two"),
    ]  # fmt: skip


def test_ris_csl_and_zotero_say_the_same() -> None:
    ris = libraries.read(RIS.encode(), "mine.ris")
    csl = libraries.read(json.dumps(CSL).encode(), "mine.json")
    rdf = libraries.read(RDF.encode(), "mine.rdf")
    assert keys(ris) == keys(csl) == keys(rdf) == BOTH
    assert [r.where for r in ris.rejected] == ["line 7"]
    assert [(r.where, r.why) for r in csl.rejected] == [
        ("item 3", "not an object but 5"), ("item 4", "neither a title nor an id")
    ]  # fmt: skip
    assert rdf.rejected == () and rdf.entries[0].authors == ("Jane Doe",)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"just words", "no BibTeX, RIS, CSL-JSON or Zotero RDF"),
        (b"PK\x03\x04zip", "unpack it first"),
        (b"@article{a, title={x", "no entry with a title or an id in this BibTeX"),
        (b"[" * 100_000 + b'"title"', "JSON"),
        (b'{"items": null, "author": "title"}', "no entry with a title or an id in this CSL-JSON"),
        (
            b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///x">]><rdf:RDF>&b;</rdf:RDF>',
            "entities of its own",
        ),
        (b"@" * (libraries.MAX_BYTES + 1), "at most"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        libraries.read(data, "a file")


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='@{}"=,\n TYER-[]<>:rdfRDF', max_size=200)))
def test_no_file_is_a_fault(data: bytes | str) -> None:
    try:
        found = libraries.read(data if isinstance(data, bytes) else data.encode(), "a file")
    except SourceError:
        return
    assert found.entries


def test_items_that_are_no_list_are_no_items() -> None:
    for items in (b"null", b"5", b"true", b'"words"', b'{"title": "inside"}'):
        found = libraries.read(b'{"title": "KV caches", "items": %s}' % items, "mine.json")
        assert [entry.title for entry in found.entries] == ["KV caches"]


def test_entries_become_papers_on_hand_and_the_others_count_by_their_words(service: Service) -> None:
    titled = Paper(
        id="arxiv:2511.00001", title="An exceedingly particular title of a paper", authors=("Ada Lovelace",)
    )
    by_doi = Paper(id="doi:10.1145/3600006.3613165", title="PagedAttention", authors=("W. Kwon",))
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, [titled, by_doi], source.id, NOW)
    mine = (
        "@article{a, title={An Exceedingly Particular Title of a Paper}, author={Lovelace, Ada}}\n"
        "@article{b, title={An exceedingly particular title of a paper}, author={Somebody Else}}\n"
        "@article{c, doi={10.1145/3600006.3613165}}\n@article{d, title={Unseen}, eprint={2512.00001}}"
    )
    found = importing.library(service, mine.encode(), "mine.bib")
    assert found.seeds == ("arxiv:2511.00001", "doi:10.1145/3600006.3613165", "arxiv:2512.00001")
    assert found.titles == ("An exceedingly particular title of a paper", "Unseen")
    assert str(found).startswith("BibTeX: 2 of 4 entries are papers on hand here. The other 2 count")
    one = importing.library(service, b"@article{d, title={Unseen}, eprint={2512.00001}}", "mine.bib")
    assert str(one).endswith("The other one counts by the words of its title.")
    assert [p.id for p in importing.papers_by(service, "Lovelace, A.")] == ["arxiv:2511.00001"]
    assert list(importing.papers_by(service, "Bob Lovelace")) == []


def test_own_papers_are_found_by_name_before_and_after_the_search_knows_them(service: Service) -> None:
    by = {
        "1": ("Jürgen Müller-Lüdenscheidt",), "2": ("J. Muller-Ludenscheidt", "Wei Wang"), "3": ("Wei Fang",),
        "4": ("Wei Li", "Fang Wang"), "5": ("Ada W. Wang", "W. Wang"), "6": ("Walter Wang", "Wei Chen"),
        "7": ("Wang, Wei",),
    }  # fmt: skip
    papers = [Paper(f"arxiv:2511.0000{number}", f"Title {number}", authors=own) for number, own in by.items()]
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, papers, source.id, NOW)

    def found(name: str) -> str:
        return "".join(sorted(p.id[-1] for p in importing.papers_by(service, name)))

    for knows in (False, True):
        if knows:
            indexing.index(service, NOW)
        assert found("Jurgen Müller-Lüdenscheidt") == found("muller-ludenscheidt, J.") == "12", knows
        assert found("Wei Wang") == found("WANG, Wei") == "257", "an initial may be he, Walter is not"
        assert found("W. Wang") == "2567"
        assert found("Wang") == found("Nobody Wang") == ""
    assert [p.id[-1] for p in importing.papers_by(service, "Wei Wang", at_most=2)] == ["7", "5"]


def test_finding_papers_by_name_costs_what_is_found(tmp_path: Path) -> None:
    few, many = (_steps_to_find(tmp_path / str(size), size) for size in (200, 6_000))

    assert many < 2 * few


def _steps_to_find(folder: Path, size: int) -> int:
    """Tens of SQLite's steps to find the only paper by an author among so many."""
    database = Database(f"sqlite:///{folder}.db")
    migrate.upgrade(database)
    archive = [Paper(f"arxiv:2510.{n:05}", "Title", authors=(f"Ada Nr{n}",)) for n in range(size)]
    with database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, archive, source.id, NOW, archive=True)
        while waiting := index_store.waiting(session, at_most=1_000):
            indexing.put(session, waiting, NOW)
    with counted(database) as steps, database.reading() as session:
        (own,) = library_store.by_author(session, "Ada Nr7", at_most=40)
    database.dispose()
    assert own.paper.id == "arxiv:2510.00007"
    return steps.tens
