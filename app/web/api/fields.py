"""The kinds of text that the API takes, and what all its models share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from app.web.api import rules
from profiles.request import LONGEST

# Those of C1 (U+0080 to U+009F) too: to Python U+0085 is a space, to the patterns of JSON Schema it is none.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _without_controls(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("holds a control character")
    return text


class _Visible:
    """Says in the schema what `_without_controls` checks, whose words are kinder than those of a pattern."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(core) | {"pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"}


Text = Annotated[str, AfterValidator(_without_controls), _Visible()]
Short = Annotated[Text, Field(max_length=300)]
Category = Annotated[str, Field(max_length=60, pattern=r"^[a-z][a-z-]*(\.([A-Za-z-]{2,}|\*))?$")]
MOST = 500  # of a kind in one request
MOST_LIKES = 1_000  # what a library brings at most (jobs.importing.MOST)
Person = Annotated[Text, Field(max_length=LONGEST["author"])]
Phrase = Annotated[Text, Field(max_length=LONGEST["term"])]
Named = Annotated[Short, Field(json_schema_extra=rules.REFERENCE)]


class Model(BaseModel):
    """What is not among its fields is refused."""

    model_config = ConfigDict(extra="forbid")
