"""Settings of the site that name what is not there: nothing starts, and it is said what there is."""

from pathlib import Path

import pytest

from fakes.server import Gateway


@pytest.fixture
def unstarted(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def refused(gateway: Gateway, **settings: str) -> str:
    gateway.environment.update({f"RUNAPI_{name.upper()}": value for name, value in settings.items()})
    ended = gateway.command("serve")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert not (gateway.home / "runapi.db").exists()
    return ended.stderr


def test_language_that_the_site_has_not_is_named_with_those_that_it_has(unstarted: Gateway):
    said = refused(unstarted, site_locales="ja,xx")
    assert "1 setting is wrong:" in said
    assert "RUNAPI_SITE_LOCALES names 'xx'. The site speaks en, ja, zh-CN, zh-TW." in said


def test_page_that_the_site_has_not_is_named_with_those_that_it_has(unstarted: Gateway):
    said = refused(unstarted, site_hide="/pricing,/nosuch,/modls", site_locales="xx")
    assert "2 settings are wrong:" in said
    assert "RUNAPI_SITE_HIDE names '/nosuch', '/modls', where the site has no page." in said
    assert "Did you mean /models?" in said
    assert " /pricing, /privacy, /status, /terms" in said


@pytest.mark.parametrize("path", ["/", "/pricing.md", "/ja/pricing", "/models/gpt-9"])
def test_path_that_would_hide_nothing_is_refused(unstarted: Gateway, path: str):
    assert f"RUNAPI_SITE_HIDE names '{path}'" in refused(unstarted, site_hide=path)


def test_own_pages_and_languages_may_be_named_and_folders_and_models_too(start_gateway, tmp_path: Path):
    folder = tmp_path / "server"
    content = folder / "home" / "site" / "content" / "de"
    content.mkdir(parents=True)
    (folder / "home").chmod(0o700)
    (content / "imprint.md").write_text("---\ntitle: A\ndescription: B\nsection: about\n---\nText.\n")
    locales = content.parent.parent / "locales"
    locales.mkdir()
    (locales / "de.yaml").write_text("language: Deutsch\n")
    start_gateway(folder, site_locales="de,ja,en", site_hide="imprint, /docs, /models/gpt-5.2, /llamaindex/")


def test_server_without_a_site_does_not_care(start_gateway):
    start_gateway(site="off", site_hide="/nosuch", site_locales="xx")
