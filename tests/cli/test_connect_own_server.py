"""`runapi connect` on the machine of the server itself: where customers reach it, whose key, and what it says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import http
from fakes.server import Gateway

StartGateway = Callable[..., Gateway]


@pytest.fixture
def public(tmp_path_factory: pytest.TempPathFactory, start_gateway: StartGateway) -> Gateway:
    """A server that was started with a public URL, which the operator's own shell does not know."""
    made = start_gateway(tmp_path_factory.mktemp("public"), environment={"RUNAPI_BRAND": "x"})
    made.stop()
    made.environment["RUNAPI_PUBLIC_URL"] = f"http://localhost:{made.port}"
    made.start()
    del made.environment["RUNAPI_PUBLIC_URL"]
    return made


def test_clients_get_the_url_that_the_running_server_was_given(public: Gateway, tmp_path: Path):
    done = public.cli("connect", "env", "--file", str(tmp_path / ".env"))
    assert done["base_url"] == f"http://localhost:{public.port}/v1"  # type: ignore[index]
    assert done["trial"]["ok"] is True  # type: ignore[index]


def test_server_file_names_the_public_url_and_commands_go_to_this_machine_s(public: Gateway):
    said = json.loads((public.home / "server.json").read_text())
    assert (said["url"], said["public_url"]) == (public.url, f"http://localhost:{public.port}")
    assert public.perform("accounts.list")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
def test_own_server_s_test_key_is_used_though_its_address_was_given(
    gateway: Gateway, tmp_path: Path, host: str, path: str
):
    file = tmp_path / ".env"
    given = f"http://{host}:{gateway.port}{path}"
    ended = gateway.command("connect", "env", "--base-url", given, "--file", str(file))
    assert ended.returncode == 0, ended.stderr
    assert gateway.test_key in file.read_text()
    assert gateway.test_key not in ended.stdout


def test_own_server_s_test_key_is_for_no_other_address(gateway: Gateway, start_gateway: StartGateway):
    other = start_gateway()
    ended = gateway.command("connect", "env", "--base-url", other.base_url)
    assert (ended.returncode, "There is no key" in ended.stderr) == (2, True)


def test_folders_that_are_made_are_named(gateway: Gateway, tmp_path: Path):
    deep = tmp_path / "not" / "there" / ".env"
    shown = gateway.cli("connect", "env", "--file", str(deep), "--dry-run")
    assert shown["made_folder"] is None  # type: ignore[index]
    assert not (tmp_path / "not").exists()
    ended = gateway.command("connect", "env", "--file", str(deep))
    assert f"Made the folder {tmp_path / 'not'}." in ended.stdout
    again = gateway.cli("connect", "env", "--file", str(deep))
    assert again["made_folder"] is None  # type: ignore[index]


def test_json_names_the_folder_and_the_next_command_itself(gateway: Gateway, tmp_path: Path):
    done = gateway.cli("connect", "codex", "--file", str(tmp_path / "new" / "config.toml"))
    assert done["made_folder"] == str(tmp_path / "new")  # type: ignore[index]
    assert done["next"].startswith("codex ")  # type: ignore[index]
    said = gateway.command("connect", "codex", "--file", str(tmp_path / "new" / "config.toml")).stdout
    assert said.splitlines()[-1] == f"Next: {done['next']}"  # type: ignore[index]


def test_server_without_a_site_can_be_connected_to(start_gateway: StartGateway, tmp_path: Path):
    gateway = start_gateway(site="off")
    done = gateway.cli("connect", "openclaw", "--file", str(tmp_path / "openclaw.json"))
    assert done["trial"]["ok"] is True  # type: ignore[index]
    models = json.loads((tmp_path / "openclaw.json").read_text())["models"]["providers"]["runapi"]["models"]
    assert [one["id"] for one in models] == [row["id"] for row in gateway.cli("models", "list")]  # type: ignore[attr-defined]


def test_offer_of_a_server_without_a_site_follows_the_prices(start_gateway: StartGateway):
    gateway = start_gateway(site="off")

    def price() -> str:
        got = http.request(gateway.url, "GET", "/models.json")
        assert (got.status, got.headers["content-type"]) == (200, "application/json")
        [model] = [one for one in got.json["models"] if one["id"] == "gpt-5.5"]  # type: ignore[index]
        return str(model["price"]["input"])

    assert price() == price() == "2.5"
    gateway.cli("prices", "publish", "--ratio", "0.8", "--yes")
    assert price() == "4"
    for method, path in (("POST", "/models.json"), ("GET", "/pricing"), ("GET", "/")):
        assert http.request(gateway.url, method, path).status == 404
