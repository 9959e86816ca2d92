"""Author strings and the LaTeX in them."""

from __future__ import annotations

import time

import pytest

from jobs.sources.author_names import plain_name, plain_names, split_authors


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"Fr\'ed\'eric Lagouti\`ere", "Frédéric Lagoutière"),
        (r"G\"oran \AA str\"{o}m", "Göran Åström"),
        (r"{\"O}zg{\"u}r", "Özgür"),
        (r"Mario \v{Z}itkovi\'c", "Mario Žitković"),
        (r"Stanis{\l}awa", "Stanisława"),
        (r"S\o ren {\O}stensen", "Søren Østensen"),
        (r"Fran\c{c}ois", "François"),
        (r"Gil-Mar\'{\i}n", "Gil-Marín"),
        (r"Paul Erd\H{o}s", "Paul Erdős"),
        (r"J. K\k{e}dra", "J. Kędra"),
        (r"Sa{\ss}", "Saß"),
        (r"Nore\~na", "Noreña"),
        ('Bernl\\\\\\"ohr', "Bernlöhr"),  # escaped twice on its way
        ("Andr\\\\é", "André"),
        ("A.B.~Siddique", "A. B. Siddique"),
        ("H. -W. Rix", "H.-W. Rix"),
        (r"Ada Byron$^{1,2}$", "Ada Byron"),
        (r"\textbf{Ada} Byron", "Ada Byron"),
        ("李明", "李明"),
        ("", ""),
    ],
)
def test_names_are_read_into_unicode(written: str, meant: str) -> None:
    assert plain_name(written) == meant


@pytest.mark.parametrize(
    ("text", "names", "complete"),
    [
        ("A. Abe, B. Bee and C. Cee", ["A. Abe", "B. Bee", "C. Cee"], True),
        ("A. Abe, B. Bee, and C. Cee", ["A. Abe", "B. Bee", "C. Cee"], True),
        ("A. Abe and B. Bee and C. Cee", ["A. Abe", "B. Bee", "C. Cee"], True),
        ("A. Abe (MIT, Cambridge), B. Bee (1,2) ((1) X, Y (Z), (2) W)", ["A. Abe", "B. Bee"], True),
        ("L. Oakes (for the CDF Collaboration)", ["L. Oakes"], True),
        ("HESS Collaboration: A. Abe, B. Bee", ["HESS Collaboration", "A. Abe", "B. Bee"], True),
        ("Team Phoenix,  :, A. Abe", ["Team Phoenix", "A. Abe"], True),
        ("The D0 Collaboration: V. Abazov, et al", ["The D0 Collaboration", "V. Abazov"], False),
        ("A. Abe, et al. (97 additional authors not shown)", ["A. Abe"], False),
        ("A. Abe and 12 others", ["A. Abe"], False),
        ("G. David Forney, Jr. and P. Vontobel", ["G. David Forney Jr.", "P. Vontobel"], True),
        ("Kukla, D., Crampton, A. B.", ["D. Kukla", "A. B. Crampton"], True),
        (
            "Okafor, C.; de la Cruz, M.; The Cell Group",
            ["C. Okafor", "M. de la Cruz", "The Cell Group"],
            True,
        ),
        (r"T. S. Bir\'o and P. V\'an", ["T. S. Biró", "P. Ván"], True),
        ("Anderson Sand, Mandy Band", ["Anderson Sand", "Mandy Band"], True),
        ('<a href="/a/abe">A. Abe</a>, <a href="/a/bee">B. Bee</a>', ["A. Abe", "B. Bee"], True),
        ("A. Abe (unclosed, B. Bee", ["A. Abe"], True),
        (" , ;, ", [], True),
        ("", [], True),
    ],
)
def test_author_strings_are_split_into_names(text: str, names: list[str], complete: bool) -> None:
    assert split_authors(text) == (tuple(names), complete)


def test_many_names_at_once_are_read_as_each_alone() -> None:
    names = ["Ada Byron", "A.B. Cee", r"Andr\'e", " ATLAS Collaboration", ":", ""]
    assert plain_names(names) == ("Ada Byron", "A. B. Cee", "André", "ATLAS Collaboration")
    assert plain_names(names[:2]) == ("Ada Byron", "A. B. Cee")
    assert plain_names([]) == ()


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "()",
        "\\'",
        "\\",
        "\\' ",
        "a, ",
        "{",
        "$",
        "<",
        "9",
        " ",
        "and ",
        "et ",
        ". ",
        "A.",
        ";",
        "\\textsuperscript{",
    ],
)
def test_hostile_author_strings_take_no_time(piece: str) -> None:
    began = time.process_time()
    split_authors("A. Abe" + piece * 50_000 + "B")
    split_authors(piece * 50_000)
    assert time.process_time() - began < 2
