"""The API does everything that the pages do: each page is named here with the operations that do the same."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import ROUTERS, create_app
from jobs.service import Service
from tests.conftest import NOW

MINE = "/preferences/{token}"
PROFILE = MINE + "/profiles/{number}"

# What a page shows or does, by method and path, and the operations that a program has for it.
DONE = {
    "GET /": "list_labels list_days",
    "POST /preview": "preview_interest",
    "POST /read": "read_library read_author read_orcid",
    "POST /subscribe": "create_subscription",
    "GET /pick": "pick_papers",
    "POST /pick": "pick_papers",
    "GET /papers": "search_papers list_papers list_days list_labels",
    "GET /papers/day/{day}": "list_papers list_days",
    "GET /papers/category/{name}": "list_papers",
    "GET /papers/topic/{name}": "list_papers",
    "GET /papers/area/{name}": "list_papers",
    "GET /papers/institution/{name}": "list_papers",
    "GET /papers/author/{name}": "list_papers",
    "GET /papers/{key:path}": "get_paper list_similar_papers",
    "GET /trends": "get_trends",
    "POST /preferences": "send_link",
    f"GET {MINE}": "list_digests list_feedback get_me",
    f"GET {MINE}/papers/{{key:path}}": "explain_paper",
    f"POST {MINE}/rate": "rate_paper",
    f"GET {MINE}/new": "preview_interest",
    f"POST {MINE}/new": "create_profile",
    f"POST {MINE}/new/read": "read_library read_author read_orcid",
    f"GET {MINE}/pick": "pick_papers",
    f"POST {MINE}/pick": "pick_papers",
    f"GET {MINE}/saved": "list_kept_papers",
    f"GET {MINE}/saved/{{form}}": "list_saved_papers list_kept_papers",
    f"GET {MINE}/history": "list_mails",
    f"GET {MINE}/history/{{number}}": "get_mail",
    f"GET {MINE}/profiles": "list_profiles get_volume",
    f"GET {MINE}/delivery": "list_profiles get_feeds",
    f"GET {MINE}/feeds.opml": "export_feeds",
    f"GET {MINE}/export.json": "export_me",
    f"GET {MINE}/erase": "erase_me",
    f"POST {MINE}/erase": "erase_me",
    f"POST {MINE}/leave": "stop_mail",
    f"POST {MINE}/return": "resume_mail",
    f"GET {MINE}/keys": "list_keys",
    f"POST {MINE}/keys/{{number}}/revoke": "revoke_key",
    f"GET {PROFILE}": "get_profile preview_profile",
    f"POST {PROFILE}": "change_profile replace_profile",
    f"POST {PROFILE}/read": "read_library read_author read_orcid",
    f"POST {PROFILE}/preview": "preview_profile",
    f"POST {PROFILE}/pause": "pause_profile resume_profile",
    f"POST {PROFILE}/renew": "renew_feeds",
    f"POST {PROFILE}/delete": "delete_profile",
    f"GET {PROFILE}/export.txt": "export_profile",
    f"GET {PROFILE}/weights": "list_weights",
    f"POST {PROFILE}/weights": "compare_profile change_profile",
    f"GET {PROFILE}/backtest": "backtest_profile",
    "GET /operator": "get_standing get_month list_sources list_checks list_outbox",
    "GET /operator/{kind}/{number}/{act}": "get_source",
    "POST /operator/{kind}/{number}/{act}": "pause_source resume_source check_source retry_mail",
}

_BY_MAIL = "stands in a mail, and shows that who follows it has the address"
_SAID = "says that something was done"
_HERE = "mails of a service without a relay, for whoever tries it on a machine of their own"
_MACHINE = "is for programs already"
# What no operation does, and why.
LEFT_OUT = {
    f"POST {MINE}/keys": "no key makes another: who has one for a moment would have one for good",
    "GET /preferences": "a form and nothing else",
    "GET /erased": _SAID,
    "GET /subscribed": _SAID,
    "GET /preferences/sent": _SAID,
    "GET /confirm/{token}": _BY_MAIL,
    "POST /confirm/{token}": _BY_MAIL,
    "GET /unsubscribe/{token}": _BY_MAIL,
    "POST /unsubscribe/{token}": _BY_MAIL,
    "GET /rate/{token}/{opinion}": _BY_MAIL,
    "POST /rate/{token}/{opinion}": _BY_MAIL,
    "GET /outbox": _HERE,
    "GET /outbox/{name}": _HERE,
    "GET /outbox/{name}/html": _HERE,
    "GET /outbox/{name}/raw": _HERE,
    "POST /bounces": _MACHINE,
    "POST /bounces/{key}": _MACHINE,
    "GET /healthz": _MACHINE,
    "GET /readyz": _MACHINE,
    "GET /metrics": _MACHINE,
    "GET /robots.txt": _MACHINE,
    "GET /favicon.ico": "a picture",
    "GET /static/{name}": "what pages are drawn with",
}


def pages() -> set[str]:
    """Every page and every form of the site, by method and path."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}" for route in routes for method in route.methods - {"HEAD"}}


def test_every_page_has_its_operations_or_a_reason_to_have_none() -> None:
    assert not DONE.keys() & LEFT_OUT.keys()
    assert pages() == DONE.keys() | LEFT_OUT.keys()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_operation_that_is_named_for_a_page_exists(service: Service) -> None:
    app = create_app(service, Settings(), lambda: NOW)
    with TestClient(app) as client:
        paths = client.get("/api/openapi.json").json()["paths"]
    found = {one["operationId"] for path in paths.values() for one in path.values() if "operationId" in one}
    named = {name for names in DONE.values() for name in names.split()}
    assert named <= found
    assert found <= named, "an operation that no page has is named here as well"
