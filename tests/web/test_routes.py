"""The URL table: who may call what, and what everything else is told."""

import pytest

from fakes import http, specification
from fakes.server import Gateway
from runapi.web.routes import ROUTES, Route, Who
from web.exchange import BODY

EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY", "REPORT"]
CUSTOMERS_WITHOUT_V1 = ["/chat/completions", "/models", "/models/gpt-5.5", "/me/usage", "/requests/x/receipt"]
SERVED_BODY = {
    "/v1/chat/completions",
    "/v1/estimate",
    "/v1/messages/count_tokens",
}  # the others refuse BODY as well, and say why


def named(route: Route) -> str:
    return "resp_1" if "/responses/" in route.path else "req_1"


def path_of(route: Route) -> str:
    """A path that the row takes."""
    known = {
        "/v1/models/": "/v1/models/gpt-5.5",
        "/v1/requests/": "/v1/requests/req_1",
        "/v1/responses/": "/v1/responses/resp_1",
        "/v1/topups/": "/v1/topups/top_1",
        "/admin/v1/": "/admin/v1/accounts.list",
    }
    return known[route.path] if route.path.endswith("/") else route.path.replace("{id}", named(route))


def is_served(route: Route, response: http.Response) -> bool:
    """Whether the row's own handler answered: with what was asked for, or with a refusal of its own."""
    if route.method == "POST" and route.path not in SERVED_BODY and "/responses/{id}" not in route.path:
        return response.status in {400, 503} and b"unknown_url" not in response.body
    if "/requests/" in route.path or "/topups/" in route.path:
        return response.status == 404 and b"_not_found" in response.body
    if "/responses/" in route.path:
        return response.status == 404 and b"resp_1' not found" in response.body
    if (route.method, route.path) == ("GET", "/v1/chat/completions"):
        return response.status == 400
    return response.status == 200


def call(gateway: Gateway, method: str, path: str, credential: str | None = None) -> http.Response:
    """Send one request of any method and read its answer, a HEAD's without a body."""
    with http.Connection(gateway.url) as connection:
        headers = {"connection": "close"} | ({"authorization": f"Bearer {credential}"} if credential else {})
        connection.send_request(method, path, body=BODY if method == "POST" else b"", headers=headers)
        head = connection.read_head()
        return http.Response(head.status, head.fields, connection.read_to_end())


def error_of(response: http.Response) -> dict[str, str]:
    specification.check_error(response.json)
    return response.json["error"]  # type: ignore[index, no-any-return]


def message_of(response: http.Response) -> str:
    """What an error says, in OpenAI's shape or in Anthropic's, which the client's URL asks for."""
    if response.json.get("type") == "error":  # type: ignore[union-attr, attr-defined]
        return str(response.json["error"]["message"])  # type: ignore[index, call-overload]
    assert error_of(response)["code"] == "method_not_supported"
    return error_of(response)["message"]


# ---- who -------------------------------------------------------------------------------------------------


def test_the_table_is_the_one_that_is_tested_here():
    """Whoever adds a row decides who may call it, and says so here."""
    assert {(route.method, route.path): route.who for route in ROUTES} == {
        ("POST", "/v1/chat/completions"): Who.KEY,
        ("GET", "/v1/chat/completions"): Who.KEY,
        ("POST", "/v1/responses"): Who.KEY,
        ("POST", "/v1/responses/input_tokens"): Who.KEY,
        ("POST", "/v1/responses/{id}/cancel"): Who.KEY,
        ("GET", "/v1/responses/{id}/input_items"): Who.KEY,
        ("GET", "/v1/responses/"): Who.KEY,
        ("DELETE", "/v1/responses/"): Who.KEY,
        ("POST", "/v1/messages"): Who.KEY,
        ("POST", "/v1/messages/count_tokens"): Who.KEY,
        ("POST", "/v1/embeddings"): Who.KEY,
        ("POST", "/v1/completions"): Who.KEY,
        ("POST", "/v1/moderations"): Who.KEY,
        ("GET", "/v1/models"): Who.KEY,
        ("GET", "/v1/models/"): Who.KEY,
        ("POST", "/v1/estimate"): Who.KEY,
        ("GET", "/v1/me"): Who.KEY,
        ("GET", "/v1/me/balance"): Who.KEY,
        ("GET", "/v1/me/usage"): Who.KEY,
        ("GET", "/v1/requests"): Who.KEY,
        ("GET", "/v1/requests/"): Who.KEY,
        ("GET", "/v1/requests/{id}/receipt"): Who.KEY,
        ("GET", "/v1/receipts/key"): Who.ANYONE,
        ("POST", "/v1/redeem"): Who.KEY,
        ("POST", "/v1/topups"): Who.KEY,
        ("GET", "/v1/topups/"): Who.KEY,
        ("POST", "/hooks/stripe"): Who.ANYONE,  # who proves by a signature who it is
        ("GET", "/healthz"): Who.ANYONE,
        ("GET", "/readyz"): Who.ANYONE,
        ("POST", "/admin/v1/"): Who.OPERATOR,
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_row_lets_in_whom_it_says_and_nobody_else(gateway: Gateway, route: Route):
    path = path_of(route)
    responses = {
        "nobody": call(gateway, route.method, path),
        "a stranger": call(gateway, route.method, path, "sk-stranger"),
        "a customer": call(gateway, route.method, path, gateway.test_key),
        "the operator": call(gateway, route.method, path, gateway.admin_token),
    }
    inside = {who for who, response in responses.items() if is_served(route, response)}
    outside = {response.status for who, response in responses.items() if who not in inside}
    match route.who:
        case Who.ANYONE if route.is_secret:
            assert (inside, outside) == (set(), {404})  # no secret is set here: there is no such URL
        case Who.ANYONE:
            assert inside == set(responses)
        case Who.KEY:
            assert (inside, outside) == ({"a customer"}, {401})
        case Who.OPERATOR:
            assert (inside, outside) == ({"the operator"}, {404})


@pytest.mark.parametrize("method", EVERY_METHOD)
@pytest.mark.parametrize(
    "path", ["/admin/v1/accounts.list", "/admin/v1/nonesuch", "/admin/v1/", "/admin", "/admin/"]
)
def test_the_operators_urls_look_like_any_that_does_not_exist(gateway: Gateway, method: str, path: str):
    for credential in (None, gateway.test_key, gateway.live_key()):
        response = call(gateway, method, path, credential)
        assert response.status == 404
        assert "allow" not in response.headers
        if method != "HEAD":
            missing = error_of(call(gateway, method, "/nonesuch", credential))
            assert error_of(response) == {**missing, "message": missing["message"].replace("/nonesuch", path)}


# ---- what does not exist ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CUSTOMERS_WITHOUT_V1)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_base_url_without_v1_is_told_to_add_it(gateway: Gateway, method: str, path: str):
    for credential in (None, gateway.test_key):
        response = call(gateway, method, path, credential)
        assert (response.status, response.headers["content-type"]) == (404, "application/json")
        message = error_of(response)["message"]
        assert "base URL must end in /v1" in message
        assert f"/v1{path}" in message


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/", "/v1/nope", "/v1/models/", "/v1/chat/completions/", "/v1/chat"),
        *("//v1/models", "/v1//models", "/v1/../v1/models", "/V1/models", "/v1/models;x", "/healthz/"),
        *("/healthz%00", "/.env", "/metrics", "/v1/images"),
        "/a" * 2000,
    ],
)
def test_unknown_url_is_a_short_404_in_json(gateway: Gateway, path: str):
    for credential in (None, gateway.test_key):
        response = call(gateway, "GET", path or "/", credential)
        assert (response.status, response.headers["content-type"]) == (404, "application/json")
        error = error_of(response)
        assert error["code"] == "unknown_url"
        assert len(error["message"]) < 300


# ---- methods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.is_secret], ids=lambda r: r.path)
@pytest.mark.parametrize("method", EVERY_METHOD)
def test_other_methods_are_405_and_told_the_right_one(gateway: Gateway, route: Route, method: str):
    response = call(gateway, method, path_of(route), gateway.test_key)
    taken = [row.method for row in ROUTES if row.path == route.path]
    if method in taken or (method == "HEAD" and "GET" in taken):
        assert response.status != 405
        return
    assert (response.status, set(response.headers["allow"].split(", "))) == (405, set(taken))
    if method != "HEAD":
        assert "Not allowed to" in message_of(response)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/models", "/v1/models/gpt-5.5", "/healthz", "/readyz", "/v1/models/nope", "/nope"),
        *(
            "/v1/me",
            "/v1/me/balance",
            "/v1/me/usage",
            "/v1/requests?limit=1",
            "/v1/requests/x",
            "/v1/receipts/key",
        ),
    ],
)
def test_head_is_get_without_the_body(gateway: Gateway, path: str):
    got, head = (call(gateway, method, path, gateway.test_key) for method in ("GET", "HEAD"))
    varying = {"date", "x-request-id", "x-runapi-request-id", "content-length"}
    assert head.status == got.status
    assert head.body == b""
    assert {n: v for n, v in head.fields if n not in varying} == {
        n: v for n, v in got.fields if n not in varying
    }
    if path != "/nope":  # whose body names the method
        assert head.headers["content-length"] == got.headers["content-length"]


# ---- health ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
def test_health_needs_no_key_and_is_not_cached(gateway: Gateway, path: str, status: str):
    response = call(gateway, "GET", path)
    assert (response.status, response.json) == (200, {"status": status})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


def test_query_string_changes_nothing(gateway: Gateway):
    assert call(gateway, "GET", "/v1/models?limit=1&x=%00#y", gateway.test_key).status == 200
