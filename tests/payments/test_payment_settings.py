"""The secrets of payments in the environment: long enough, or nothing starts; and never shown."""

import pytest

from runapi.settings import SETTINGS, SettingsFault, load_settings, variable


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(variable(name), raising=False)


def test_without_secrets_there_are_no_payments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNAPI_STRIPE_WEBHOOK_SECRET", "")
    settings = load_settings()
    assert (settings.stripe_secret_key, settings.webhook_secrets) == (None, ())


def test_two_webhook_secrets_count_during_a_rotation(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNAPI_STRIPE_WEBHOOK_SECRET", "whsec_new_56789abcdef")
    monkeypatch.setenv("RUNAPI_STRIPE_WEBHOOK_SECRET_BEFORE", "whsec_old_56789abcdef")
    assert load_settings().webhook_secrets == (b"whsec_new_56789abcdef", b"whsec_old_56789abcdef")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STRIPE_WEBHOOK_SECRET", "canary"),
        ("STRIPE_WEBHOOK_SECRET", "canary_56789abc"),
        ("STRIPE_WEBHOOK_SECRET_BEFORE", "canary"),
        ("STRIPE_SECRET_KEY", "canary_that_is_no_key_of_stripe"),
        ("STRIPE_SECRET_KEY", "pk_live_canary_published"),
        ("STRIPE_SECRET_KEY", "sk_live_canary"),
    ],
)
def test_a_secret_that_cannot_be_used_stops_the_start_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
):
    monkeypatch.setenv(f"RUNAPI_{name}", text)
    with pytest.raises(SettingsFault) as fault:
        load_settings()
    assert f"RUNAPI_{name} cannot be used. Allowed: " in str(fault.value)
    assert "canary" not in str(fault.value)


@pytest.mark.parametrize(
    "url",
    ["http://api.stripe.com", "https://", "stripe", "https://u@api.stripe.com", "https://a/b", "ftp://a"],
)
def test_the_key_is_sent_only_over_tls(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("RUNAPI_STRIPE_API_BASE", url)
    with pytest.raises(SettingsFault, match="an https URL"):
        load_settings()


def test_secrets_do_not_stand_in_the_settings_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNAPI_STRIPE_SECRET_KEY", "sk_live_canary_0123456789")
    monkeypatch.setenv("RUNAPI_STRIPE_WEBHOOK_SECRET", "whsec_canary_0123456789")
    assert "canary" not in repr(load_settings()) + str(load_settings())
