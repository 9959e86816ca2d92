"""What somebody brings to begin with: a library, a profile as a text file, a name, or an ORCID iD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.web import errands
from jobs.service import Service
from profiles.portable import Portable, PortableError, is_profile, parse
from profiles.request import RequestError
from recommender.paper import Paper

if TYPE_CHECKING:
    from jobs.importing import Imported

MAX_LIBRARY = 2 * 1024 * 1024
TOO_LARGE = f"A file may have {MAX_LIBRARY // 2**20} MB; export a part of it."


def of_file(service: Service, data: bytes, name: str) -> Imported | Portable:
    """The library or the profile in a file, which ``name`` names in faults. Raises `RequestError` on
    ``library`` where it is neither, or larger than `MAX_LIBRARY`."""
    if len(data) > MAX_LIBRARY:
        raise RequestError("library", TOO_LARGE)
    if not is_profile(data):
        return errands.imported(service, data, name, field="library")
    try:
        return parse(data.decode("utf-8", "replace"), name)
    except PortableError as exc:
        raise RequestError("library", str(exc.faults[0])) from exc


def by_author(service: Service, name: str) -> Sequence[Paper]:
    """The newest papers on hand by somebody of this name. Raises `RequestError` on ``byline`` where it is
    only a part of one."""
    if len(name.split()) < 2:
        raise RequestError("byline", "Give your first and last name, as it stands on your papers.")
    return errands.papers_by(service, name)
