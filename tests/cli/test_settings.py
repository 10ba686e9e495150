"""The environment: defaults, faults named all at once, and variables that nothing reads."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from runapi.settings import SETTINGS, SettingsFault, load_settings, unknown_settings, variable


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(variable(name), raising=False)


def test_without_any_variable_it_binds_to_loopback_and_keeps_its_data_here():
    settings = load_settings()
    assert (settings.home, settings.host, settings.port) == (Path(".runapi"), "127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "1", 1),
        ("port", "65535", 65535),
        ("host", "192.0.2.1", "192.0.2.1"),
        ("host", "[::1]", "::1"),
        ("home", "/var/lib/runapi", Path("/var/lib/runapi")),
        ("home", "~/x", Path.home() / "x"),
        ("log_level", "debug", "debug"),
        ("heartbeat_first_s", "0.5", 0.5),
        ("max_body_bytes", "1024", 1024),
        ("most_drains", "0", 0),
        ("port", "", 8000),
    ],
)
def test_variable_sets_its_setting(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object):
    monkeypatch.setenv(variable(name), text)
    assert getattr(load_settings(), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "0"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", "http"),
        ("port", "8000.5"),
        ("host", "a b"),
        ("host", "http://a"),
        ("host", "a\n"),
        ("log_level", "loud"),
        ("total_timeout_s", "nan"),
        ("total_timeout_s", "inf"),
        ("total_timeout_s", "0"),
        ("total_timeout_s", "-1"),
        ("total_timeout_s", "10s"),
        ("max_body_bytes", "32MB"),
        ("max_body_bytes", "0"),
        ("drain_bytes", "99999999999999"),
        ("most_drains", "-1"),
    ],
)
def test_value_that_cannot_be_used_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
):
    monkeypatch.setenv(variable(name), text)
    with pytest.raises(SettingsFault) as fault:
        load_settings()
    message = str(fault.value)
    assert message.startswith("1 setting is wrong:\n")
    assert f"{variable(name)} is {text!r}. Allowed: " in message


def test_all_faults_are_named_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNAPI_PORT", "x" * 10_000)
    monkeypatch.setenv("RUNAPI_LOG_LEVEL", "loud")
    with pytest.raises(SettingsFault) as fault:
        load_settings()
    heading, port, level = str(fault.value).splitlines()
    assert heading == "2 settings are wrong:"
    assert port.endswith("...'. Allowed: a whole number from 1 to 65535. Without it: 8000.")
    assert level == "  RUNAPI_LOG_LEVEL is 'loud'. Allowed: debug, info, warning, error. Without it: info."


def test_variable_that_nothing_reads_is_named_with_the_nearest_setting():
    assert unknown_settings({"RUNAPI_POTR": "1", "RUNAPI_PORT": "1", "PATH": "/"}) == [
        "RUNAPI_POTR is not a setting and is not used. Did you mean RUNAPI_PORT?"
    ]


def test_variables_of_clients_and_tests_are_nobodys_mistake():
    mine = {"RUNAPI_API_KEY": "k", "RUNAPI_BASE_URL": "u", "RUNAPI_TEST_ALL": "1", "RUNAPI_TEST_X": "1"}
    assert unknown_settings(mine) == []


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        load_settings().port = 1


def test_a_dotenv_file_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / ".env").write_text("RUNAPI_PORT=1\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().port == 8000
