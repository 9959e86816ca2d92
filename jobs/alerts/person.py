"""A person's name in its two parts, as bibliographies want it."""

from __future__ import annotations

import re

from jobs.alerts.readable import readable

# Words in lower case before a family name belong to it (van der Berg, de la Cruz, al-Khatib); so do these.
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV")
# A group, not a person: it has no family name.
_GROUP = re.compile(r"\b(?:Collaboration|Consortium|Team|Group|Project|Initiative|Network)\b", re.IGNORECASE)


def parts(name: str) -> tuple[str, str]:
    """Family name and the rest: ("van der Berg", "Anna M."), ("Lind", "Rosa"); a group is one name.

    The family name comes last, unless a comma says that it came first. Where that is wrong (Hungarian names,
    two family names in Spanish) nothing in the sources would tell.
    """
    name = readable(name)
    family, comma, given = name.partition(",")
    if comma and given.strip():
        return family.strip(), given.strip()
    words = name.split()
    if len(words) < 2 or _GROUP.search(name):
        return name, ""
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else ""
    at = len(words) - 1
    while at > 1 and words[at - 1][:1].islower():
        at -= 1
    return " ".join(words[at:]), " ".join([*words[:at], suffix]).strip()
