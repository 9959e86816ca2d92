"""Examples of requests and answers, made from the schema.

A value is the field's own ``examples`` where it has some, else what is known for a field of its name, else
what its kind suggests.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import quote, urlencode

from app.web.api.kinds import model_of

KNOWN: Final[dict[str, Any]] = {
    "abstract": "Mixture-of-experts models grow by adding instances. We scale them out while they serve…",
    "address": "ada@example.org",
    "announced": "2025-10-28",
    "area": "systems",
    "arxiv_id": "2510.21419",
    "atom": "https://papers.example.org/feeds/….atom",
    "author": "Zhenan Fan",
    "authors": ["Gursimran Singh", "Zhenan Fan"],
    "batch": 12,
    "categories": ["cs.DC", "cs.LG"],
    "category": "cs.DC",
    "code_url": "",
    "comment": "12 pages, 9 figures",
    "contributions": "",
    "detail": "If this address is right, a mail is on its way to it.",
    "doi": "10.48550/arXiv.2510.21419",
    "email": "ada@example.org",
    "error": "",
    "explore": None,
    "heard": ["KV cache"],
    "holder": "papers-1/4242",
    "id": 1,
    "institution": "Huawei",
    "institutions": ["Huawei"],
    "job": "check",
    "journal_ref": "",
    "json_feed": "https://papers.example.org/feeds/….json",
    "key": "arxiv:2510.21419",
    "keywords": ["mixture of experts"],
    "kind": "term",
    "last_error": "",
    "liked": ["arxiv:2510.21419"],
    "likes": ["arxiv:2510.21419"],
    "location": "https://rss.arxiv.org/atom/cs.DC",
    "mutes": {"terms": ["blockchain"], "authors": [], "categories": ["cs.CR"]},
    "name": "Inference",
    "next": None,
    "number": 1,
    "page": "https://papers.example.org/…",
    "paper": "arxiv:2510.21419",
    "passage": "Speculative decoding drafts several tokens and checks them at once.",
    "passed": ["arxiv:2510.20064"],
    "paused_until": None,
    "per_day": 5,
    "q": "speculative decoding",
    "ranked": 312,
    "reason": "mixture-of-experts serving, autoscaling · follows Zhenan Fan",
    "receipt": "Checked arXiv cs.DC (Tue batch, 312 new); 5 of 312 sent.",
    "refused": ["arxiv:2511.13724"],
    "rss": "https://papers.example.org/feeds/….rss",
    "said": "312 new papers",
    "saved_atom": "https://papers.example.org/feeds/…/saved.atom",
    "saved_json_feed": "https://papers.example.org/feeds/…/saved.json",
    "saved_rss": "https://papers.example.org/feeds/…/saved.rss",
    "score": 7.25,
    "sentence": "Of 12 papers that you liked, 9 would have been among the first 10 of their week.",
    "similar": [],
    "since": "2025-10-01",
    "slug": "llm-inference",
    "source": "arXiv cs.DC",
    "sources": ["arXiv cs.DC"],
    "statement": "KV cache and speculative decoding for LLM inference",
    "summary": "Scales experts out while they serve.",
    "term": "KV cache",
    "terms": ["KV cache"],
    "text": "KV cache and speculative decoding for LLM inference",
    "title": "ElasticMoE: An Efficient Auto Scaling Method for Mixture-of-Experts Models",
    "to_do": "Start `paperwatch schedule`.",
    "topic": "LLM inference",
    "topics": ["LLM inference"],
    "until": "2026-01-31",
    "url": "https://arxiv.org/abs/2510.21419",
    "value": 1.5,
    "version": 1,
    "via": "",
    "weight": 1.5,
    "what": "digests are mailed",
    "where": "entry 4",
    "why": "no such paper is on hand",
    "zone": "Europe/Zurich",
}
"""What stands in an example for a field of this name."""

_KINDS: Final[dict[str, Any]] = {
    "date": "2025-10-28", "date-time": "2025-10-28T07:00:00Z", "integer": 3, "number": 0.5, "boolean": False,
    "null": None, "object": {},
}  # fmt: skip
_TYPES: Final[dict[str, Any]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict,
    "null": type(None),
}  # fmt: skip


class Examples:
    """Makes examples for the operations of one OpenAPI schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._models: dict[str, Any] = schema["components"]["schemas"]

    def answer(self, part: dict[str, Any]) -> Any:
        """A whole answer; a list has one item, or none where such an item stands in it already."""
        return self._value(part, "", set())

    def body(self, part: dict[str, Any]) -> Any:
        """A request body with the fields that it must have; with all that have an example where none must."""
        whole = self._whole(part)
        if "examples" in whole or "properties" not in whole:
            return self._value(part, "", set())
        fields: dict[str, Any] = whole["properties"]
        asked = whole.get("required") or [
            name for name, field in fields.items() if "examples" in field or name in KNOWN
        ]
        return {name: self._value(fields[name], name, set()) for name in asked}

    def value(self, part: dict[str, Any], name: str) -> Any:
        """A value of one field or parameter."""
        return self._value(part, name, set())

    def _whole(self, part: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._models[model_of(part)] if "$ref" in part else part
        return found

    def _value(self, part: dict[str, Any], name: str, shown: set[str]) -> Any:
        if "$ref" in part:
            known = KNOWN.get(name)
            if isinstance(known, dict) and known.keys() == self._whole(part).get("properties", {}).keys():
                return known
            shown |= {model_of(part)}
            part = self._whole(part)
        if part.get("examples"):
            return part["examples"][0]
        several = part.get("anyOf", part.get("oneOf")) if "type" not in part else None
        if several:
            none = {"type": "null"} in several and KNOWN.get(name, "") is None
            return None if none else self._value(several[0], name, shown)
        if "properties" in part:
            return {key: self._value(one, key, shown) for key, one in part["properties"].items()}
        return self._list(part, name, shown) if part.get("type") == "array" else _simple(part, name)

    def _list(self, part: dict[str, Any], name: str, shown: set[str]) -> list[Any]:
        item = part.get("items", {})
        known = KNOWN.get(name)
        if isinstance(known, list) and "$ref" not in item and all(_fits(one, item) for one in known):
            return known
        if part.get("default"):
            return list(part["default"])
        if model_of(item) in shown and not part.get("minItems"):
            return []
        return [self._value(item, name.removesuffix("s"), shown)]


def _simple(part: dict[str, Any], name: str) -> Any:
    """A value that is neither list nor object with fields."""
    choice = [part["const"]] if "const" in part else part.get("enum")
    # A name alone may mislead: the id of a paper is a text, that of a profile a number.
    known = [held for held in (KNOWN.get(name), part.get("default") or None) if _fits(held, part)]
    if known:
        return known[0]
    if choice:
        return choice[0]
    kind = part.get("type", "object")
    if kind == "string" and part.get("format") not in _KINDS:
        return KNOWN["key"] if name == "id" else name.replace("_", " ")
    found = _KINDS[part["format"] if part.get("format") in _KINDS else kind]
    if kind in ("integer", "number"):
        found = max(found, part.get("minimum", found))
        found = min(found, part.get("maximum", found))
    return found


def _fits(held: Any, part: dict[str, Any]) -> bool:
    if held is None:
        return False
    if "const" in part or "enum" in part:
        return held in part.get("enum", [part.get("const")])
    return "type" not in part or isinstance(held, _TYPES[part["type"]])


def pretty(value: Any) -> str:
    """JSON over several lines; what fits into one stays in one."""
    return _laid_out(value, 0)


_WIDE = 48  # characters in a line of half a page


def _laid_out(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    simple = (
        not isinstance(value, dict)
        or not depth
        or not any(isinstance(v, (dict, list)) for v in value.values())
    )
    if not isinstance(value, (dict, list)) or not value or (simple and len(flat) + 2 * depth <= _WIDE):
        return flat
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, list):
        rows = [inner + _laid_out(one, depth + 1) for one in value]
        return "[\n" + ",\n".join(rows) + f"\n{outer}]"
    rows = [f"{inner}{json.dumps(name)}: {_laid_out(one, depth + 1)}" for name, one in value.items()]
    return "{\n" + ",\n".join(rows) + f"\n{outer}}}"


def curl(
    method: str, address: str, places: dict[str, Any], asked: dict[str, Any], *, key: str, body: Any = None,
    file: bool = False,
) -> str:  # fmt: skip
    """A request as a command.

    ``places`` are the parameters of the path, ``asked`` those of the query; ``key`` names the variable
    that holds the key, if one is needed; ``file`` sends one as it is.
    """
    for name, value in places.items():
        address = re.sub(rf"\{{{name}\}}", quote(str(value), safe=":/"), address)
    if asked:
        address += "?" + urlencode(asked, quote_via=quote, safe=":/,")
    quoted = f"'{address}'" if re.search(r"[?&%]", address) else address
    plain = method == ("GET" if body is None and not file else "POST")
    lines = [f"curl {quoted}" if plain else f"curl -X {method} {quoted}"]
    if key:
        lines.append(f'-H "Authorization: Bearer ${key}"')
    if body is not None:
        lines.append("--json '" + pretty(body).replace("'", r"'\''") + "'")
    if file:
        lines += ["-H 'Content-Type: application/octet-stream'", "--data-binary @FILE"]
    return " \\\n  ".join(lines)
