"""A profile form on its way: what was typed, with a library read in or a chip pressed, nothing stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import FormData, UploadFile

from app.web import brought, errands
from app.web.typed import Typed
from jobs.alerts import wording
from jobs.service import Service
from profiles.portable import Portable
from profiles.request import RequestError
from recommender.paper import Paper

_MOST_BOXES = 40  # as many as a name brings


@dataclass(frozen=True, slots=True)
class Draft:
    """The form as it now stands: what was done (``note``) or was wrong, and papers to tick (``bylined``)."""

    typed: Typed
    note: str = ""
    bylined: Sequence[Paper] = ()
    error: RequestError | None = None


def drafted(service: Service, fields: FormData, *, brings: bool = False) -> Draft:
    """The form that was sent, after what its pressed button asks for.

    Only a page that ``brings`` papers looks for somebody's own: it is limited, since that may ask ORCID.
    """
    typed, note = Typed.of(fields), ""
    edit = str(fields.get("edit", ""))
    try:
        if errands.is_library(typed.statement):
            typed, note = _pasted(service, typed)
        if edit == "library":
            typed, note = _uploaded(service, typed, fields.get("library"))
        elif edit == "byline" and brings:
            if errands.means_orcid(typed.byline):
                return _works(service, typed)
            found = _papers_by(service, typed.byline)
            few = wording.count(len(found))
            note = f"{few} on hand by {typed.byline.strip()}: untick what is not yours."
            return Draft(replace(typed, byline=""), note, found)
        elif edit:
            typed = typed.edited(edit)
    except RequestError as exc:
        return Draft(typed, note, error=exc)
    return Draft(typed, note)


def _pasted(service: Service, typed: Typed) -> tuple[Typed, str]:
    found = errands.imported(service, typed.statement.encode(), "the pasted text", field="statement")
    return replace(typed, statement="").with_library(found.seeds, found.titles), str(found)


def _uploaded(service: Service, typed: Typed, file: object) -> tuple[Typed, str]:
    if not isinstance(file, UploadFile) or not file.filename:
        raise RequestError("library", "Choose a file first, then press “Read the file”.")
    name = file.filename[:80]
    found = brought.of_file(service, file.file.read(brought.MAX_LIBRARY + 1), name)
    if isinstance(found, Portable):
        return typed.with_profile(found), f"The profile of {name} stands in this form."
    return typed.with_library(found.seeds, found.titles), str(found)


def _works(service: Service, typed: Typed) -> Draft:
    """The works of an ORCID iD: boxes for those on hand, the others as those of a library."""
    found = errands.works(service, typed.byline)
    shown = found.papers[:_MOST_BOXES]
    boxes = {paper.id for paper in shown}
    rest = [key for key in found.seeds if key not in boxes]
    typed = replace(typed, byline="").with_library(rest, found.titles)
    looked_at = found.on_hand + len(found.titles)
    many = wording.count(looked_at + found.left, "work")
    note = f"ORCID lists {many}, {found.on_hand or 'none'} on hand here"
    note += ": untick what is not yours." if shown else "."
    if found.titles:
        note += " The others count by the words of their titles."
    if found.left:
        note += f" Only the latest {looked_at} were looked at."
    return Draft(typed, note, shown)


def _papers_by(service: Service, name: str) -> Sequence[Paper]:
    found = brought.by_author(service, name)
    if not found:
        raise RequestError("byline", f"No paper on hand is by {name.strip()}; give ids or DOIs instead.")
    return found
