"""schemathesis sends the API whatever its schema allows, and what it does not."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from limits import RateLimitItemPerMinute
from schemathesis import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from starlette.testclient import TestClient

from app.settings import Settings
from app.web import keeper
from app.web.server import create_app
from db import alert_store, key_store
from jobs import subscribe
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW
from tests.months import add_source

OPERATOR = "an operator's key for tests"
UNSAID = {
    "POST /v1/read/library": "whether a text is BibTeX, RIS or JSON with papers in it",
    "GET /v1/papers": "whether a text holds a letter or digit of any script that is not to be left out",
    "GET /v1/search": "the same",
    "POST /v1/subscriptions": "domains such as .test and .local are kept for special use, and take no mail",
    "POST /v1/links": "the same",
}
"""What JSON Schema cannot say of an operation's request, so that what it allows may be refused."""
BOUNDED = settings(
    max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True,
    suppress_health_check=list(HealthCheck), database=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (GenerationMode.POSITIVE, {200, 201, 204, 404}),
        (GenerationMode.NEGATIVE, {200, 401, 404, 422}),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_that_is_sent_breaks_the_api(
    ingested: Service, tmp_path: Path, mode: GenerationMode, expected: set[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # schemathesis tries each operation with wrong keys as well.
    monkeypatch.setattr(keeper, "_TRIES", RateLimitItemPerMinute(1_000_000))
    unlimited = Settings(
        data=tmp_path / "var",
        api_per_minute=0,
        previews_per_minute=0,
        mail_requests_per_hour=0,
        operator_key=OPERATOR,
    )
    app = create_app(ingested, unlimited, lambda: NOW)
    with TestClient(app):
        schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) > 15
        answers = {operation.label: statuses(ingested, operation, mode) for operation in operations}
    assert expected <= set().union(*answers.values()), "each kind of answer was met"
    assert answers.keys() >= UNSAID.keys()
    if mode is GenerationMode.POSITIVE:
        refused = {label for label, seen in answers.items() if 422 in seen}
        assert refused <= UNSAID.keys(), "the schema says all that is asked for"


def statuses(service: Service, operation: APIOperation, mode: GenerationMode) -> set[int]:
    """What an operation answered. Whatever it deletes, the next one begins with a profile and a key."""
    made = subscribe.create(service, request(name="First", statement="speculative decoding"), NOW)
    key = secrets.token_urlsafe(32)
    with service.database.writing() as session:
        key_store.add(session, made.subscriber_id, "fuzzing", key, NOW)
    is_operators = {"OperatorKey": []} in operation.definition.raw.get("security", [])
    shown = OPERATOR if is_operators else key
    numbers = {"sources": add_source(service), "mails": _failed_mail(service, made.subscriber_id)}
    seen: set[int] = set()
    known = {parameter.name for parameter in operation.query}

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def sent(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE and "number" in case.path_parameters:
            # A number drawn from all there are would never be that of a profile, say.
            of = next((number for name, number in numbers.items() if f"/{name}/" in operation.path), made.id)
            case.path_parameters["number"] = of
        response = case.call(headers={"Authorization": f"Bearer {shown}"})
        seen.add(response.status_code)
        assert response.status_code != 204 or "content-type" not in response.headers, (
            "give it response_class=Response"
        )
        # A parameter that the operation does not have is passed over, as on most of the web.
        more = [negative_data_rejection] if set(case.query or {}) - known else []
        more += [positive_data_acceptance] if operation.label in UNSAID else []
        case.validate_response(response, excluded_checks=more)

    sent()
    # In negative mode schemathesis leaves the key out, too.
    assert mode is GenerationMode.NEGATIVE or not (is_operators and 401 in seen), "it took the operator's key"
    return seen


def _failed_mail(service: Service, reader: int) -> int:
    """A mail that failed; what an operation before made of the last one is not told from it."""
    period = secrets.token_hex(8)
    with service.database.writing() as session:
        number = alert_store.queue(
            session, subscriber_id=reader, kind="digest", period=period, message_id=f"<{period}@x.org>",
            content={}, now=NOW, state="failed",
        )  # fmt: skip
    assert number is not None
    return number
