"""Commands while the server runs: they go through it, and what they change holds at once."""

import json
import stat
import threading
from collections.abc import Callable

import pytest

from fakes import http
from fakes.server import CommandFailed, Gateway
from fakes.upstream import ScriptedUpstream

BODY = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello!"}]}


def admin(
    gateway: Gateway, token: str | None, command: str = "accounts.list", body: bytes = b"{}"
) -> http.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return http.request(gateway.url, "POST", f"/admin/v1/{command}", headers=headers, body=body)


def models(connection: http.Connection, key: str) -> int:
    connection.send_request("GET", "/v1/models", headers={"authorization": f"Bearer {key}"})
    return connection.read_response().status


def test_key_works_as_soon_as_it_is_shown_and_not_after_it_is_revoked_on_the_same_connection(
    gateway: Gateway,
):
    gateway.cli("accounts", "create", "revoked-soon")
    key = gateway.cli("keys", "create", "--account", "revoked-soon", "--mode", "test")["key"]  # type: ignore[index]
    gateway.secrets.append(key)
    with http.Connection(gateway.url) as connection:
        assert models(connection, key) == 200
        gateway.cli("keys", "revoke", key[:16])
        assert models(connection, key) == 401


def test_upstream_is_called_as_soon_as_it_is_added_and_not_after_it_is_removed(
    start_gateway: Callable[[], Gateway],
):
    gateway = start_gateway()
    key = gateway.live_key()
    headers = {"authorization": f"Bearer {key}"}

    def chat() -> int:
        body = json.dumps(BODY).encode()
        return http.request(gateway.url, "POST", "/v1/chat/completions", headers=headers, body=body).status

    assert chat() == 503
    with ScriptedUpstream() as upstream:
        gateway.secrets.append("sk-canary-added")
        added = ("--base-url", upstream.base_url, "--api-key", "sk-canary-added", "--models", "gpt-5.5")
        gateway.cli("upstreams", "add", "scripted", *added)
        tested = gateway.cli("upstreams", "test", "scripted")
        assert isinstance(tested, dict)
        assert tested["ok"] is True
        assert chat() == 200
        gateway.cli("upstreams", "remove", "scripted")
        assert chat() == 503
        assert len(upstream.calls) == 1
    (request, *_) = [row for row in gateway.cli("requests", "list") if row["status"] == 200]  # type: ignore[attr-defined]
    assert (request["upstream"], request["account"]) == ("scripted", "tester")


def test_refusals_are_the_same_whether_the_server_runs_or_not(start_gateway: Callable[[], Gateway]):
    gateway = start_gateway()
    asked = ("accounts", "show", "nobody", "--json")
    through_the_server = gateway.command(*asked)
    gateway.stop()
    on_the_folder = gateway.command(*asked)
    assert through_the_server.returncode == on_the_folder.returncode == 1
    assert through_the_server.stdout == on_the_folder.stdout
    assert through_the_server.stderr == on_the_folder.stderr


def test_token_is_for_the_owner_alone_and_gone_after_the_stop(start_gateway: Callable[[], Gateway]):
    gateway = start_gateway()
    path = gateway.home / "server.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = gateway.admin_token
    gateway.stop()
    assert not path.exists()
    gateway.start()
    assert gateway.admin_token != first


def test_commands_work_after_a_kill_that_left_server_json_behind(start_gateway: Callable[[], Gateway]):
    gateway = start_gateway()
    gateway.cli("accounts", "create", "acme")
    gateway.kill()
    assert (gateway.home / "server.json").exists()
    names = [account["name"] for account in gateway.cli("accounts", "list")]  # type: ignore[attr-defined]
    assert names == ["default", "acme"]


def test_old_token_in_server_json_is_no_way_in_and_said_plainly(start_gateway: Callable[[], Gateway]):
    gateway = start_gateway()
    file = gateway.home / "server.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"token": "x" * 43}))
    refused = gateway.command("accounts", "create", "acme")
    assert refused.returncode == 1
    assert "does not take commands" in refused.stderr


def test_admin_api_is_not_there_for_who_has_no_token(gateway: Gateway):
    token = gateway.admin_token
    assert admin(gateway, token).status == 200
    for wrong in (None, "", "x", token[:-1], token + "x", token.swapcase(), gateway.test_key):
        refused = admin(gateway, wrong)
        assert refused.status == 404
        assert refused.json["error"]["code"] == "unknown_url"  # type: ignore[index]
        assert token not in refused.body.decode()


def test_token_opens_no_customers_url(gateway: Gateway):
    with http.Connection(gateway.url) as connection:
        assert models(connection, gateway.admin_token) == 401


@pytest.mark.parametrize(
    ("command", "body", "status"),
    [
        ("accounts.drop", b"{}", 404),
        ("accounts.create", b"{", 400),
        ("accounts.create", b'{"name": "a b"}', 400),
    ],
)
def test_admin_api_refuses_in_the_shape_of_all_errors(
    gateway: Gateway, command: str, body: bytes, status: int
):
    refused = admin(gateway, gateway.admin_token, command, body)
    assert refused.status == status
    assert set(refused.json["error"]) == {"message", "type", "param", "code"}  # type: ignore[index]


def test_commands_at_the_same_time_are_all_carried_out(gateway: Gateway):
    def create(number: int) -> None:
        gateway.cli("accounts", "create", f"at-once-{number}")

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {account["name"] for account in gateway.cli("accounts", "list")}  # type: ignore[attr-defined]
    assert {f"at-once-{number}" for number in range(4)} <= names


def test_refused_command_through_the_server_has_changed_nothing(gateway: Gateway):
    gateway.cli("accounts", "create", "taken-once")
    with pytest.raises(CommandFailed, match="There is an account named 'taken-once' already"):
        gateway.cli("accounts", "create", "taken-once")
    names = [account["name"] for account in gateway.cli("accounts", "list")]  # type: ignore[attr-defined]
    assert names.count("taken-once") == 1


def test_proxy_of_the_environment_gets_no_command(start_gateway: Callable[..., Gateway]):
    """A proxy variable must not send the token elsewhere; nothing listens where this one points."""
    gateway = start_gateway(
        environment={"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    )
    assert len(gateway.cli("accounts", "list")) == 1  # type: ignore[arg-type]
