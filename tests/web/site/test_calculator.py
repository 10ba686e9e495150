"""The calculator: the price of a pasted request, for anybody, by the arithmetic that charges."""

import json
import re
from urllib.parse import urlencode

import pytest

from fakes import http
from fakes.server import Gateway
from runapi.flows.front_desk import MOST_PRICED
from runapi.web.site.calculator import MOST_BODY_BYTES, MOST_CHARACTERS
from web.site.visits import BROWSER, library

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": BROWSER}
PROMPT = "Say hello to the world in one short sentence."


@pytest.fixture(scope="module")
def priced(tmp_path_factory) -> Gateway:  # type: ignore[misc]
    """A server of its own: how often one address may ask is counted."""
    gateway = Gateway(tmp_path_factory.mktemp("calculator")).start()
    yield gateway
    gateway.stop()
    gateway.assert_clean_log()


def send(gateway: Gateway, path: str = "/pricing", **fields: object) -> http.Response:
    body = urlencode({"model": "", "output": "100", **fields}).encode()
    return http.request(gateway.url, "POST", path, body=body, headers=FORM)


def result(response: http.Response) -> str:
    [found] = re.findall(r'<div class="result[^>]*>(.*?)</div>', response.body.decode(), re.DOTALL)
    return re.sub(r"<[^>]+>", " ", found)


def test_prompt_costs_what_a_key_is_told(priced: Gateway):
    response = send(priced, request=PROMPT, model="gpt-5.4")
    assert response.status == 200
    assert response.headers["cache-control"] == "no-store"
    body = {"model": "gpt-5.4", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 100}
    told = http.post(priced.url, body, key=priced.test_key, path="/v1/estimate").json
    said = result(response)
    assert f"{told['input_tokens']} tokens of input, 100 of output" in said  # type: ignore[index]
    assert f"${told['typical_usd']}" in said  # type: ignore[index]


def test_prompt_costs_what_it_is_charged(priced: Gateway):
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": PROMPT}]}
    usage = http.post(priced.url, body, key=priced.test_key).json["usage"]  # type: ignore[index]
    response = send(priced, request=json.dumps(body), output=usage["completion_tokens"])
    assert f"{usage['prompt_tokens']} tokens of input" in result(response)
    shown = re.findall(r"\$([\d.]+)", result(response))
    assert float(shown[0]) == usage["cost"]
    assert float(shown[1]) == pytest.approx(2 * usage["cost"])


def test_model_of_the_form_goes_before_that_of_the_request(priced: Gateway):
    body = json.dumps({"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}]})
    assert "gpt-5.5:" in result(send(priced, request=body))
    assert "gpt-5.2:" in result(send(priced, request=body, model="gpt-5.2"))


def test_form_keeps_what_was_sent_and_shows_it_as_text(priced: Gateway):
    page = send(priced, request='</textarea><script>alert("x")</script>', output="7").body.decode()
    assert "<script>alert" not in page
    assert "&lt;/textarea&gt;&lt;script&gt;" in page
    assert 'name="output" min="0" max="1000000" value="7"' in page


def test_request_that_would_be_refused_is_told_why(priced: Gateway):
    for body, reason in [
        ('{"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}', "gpt-9"),
        ('{"model": "gpt-5.5"}', "messages"),
        ('{"model": ', "JSON"),
        (
            '{"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}], "temperature": 9}',
            "temperature",
        ),
    ]:
        response = send(priced, request=body)
        assert response.status == 400
        assert reason in result(response)


@pytest.mark.parametrize(
    "body", [b"", b"request=", b"a=1&b=2&c=3&d=4&e=5", b"request=%ff", b"\xff\xfe", b"request=+%0a+"]
)
def test_form_with_nothing_in_it_is_told_so(priced: Gateway, body: bytes):
    response = http.request(
        priced.url, "POST", "/pricing", body=body, headers={**FORM, "content-length": str(len(body))}
    )
    assert response.status == 400
    assert "nothing to price" in result(response)


@pytest.mark.parametrize("output", ["", "-1", "1e9", "x", "99999999999999", "\N{FULLWIDTH DIGIT ONE}"])
def test_odd_counts_are_bounded(priced: Gateway, output: str):
    assert " 0 of output" in result(send(priced, request="x", output=output))


def test_long_requests_are_refused_before_they_are_counted(priced: Gateway):
    assert send(priced, request="x" * (MOST_CHARACTERS + 1)).status == 413
    too_long = http.request(priced.url, "POST", "/pricing", body=b"x" * (MOST_BODY_BYTES + 1), headers=FORM)
    assert (too_long.status, too_long.headers["content-type"]) == (413, "application/json")


def test_only_the_price_list_takes_forms(priced: Gateway):
    for path in ("/", "/docs", "/pricing.md", "/pricing/", "/models/gpt-5.5", "/llms.txt"):
        assert send(priced, path, request="x").status == 404, path
    body = urlencode({"request": "x"}).encode()
    kind = {"content-type": "application/json"}
    assert http.request(priced.url, "POST", "/pricing", body=body, headers=kind).status == 404


@pytest.mark.parametrize(
    "locale", [name for name in library().locales if name != "en" and library().find(name, "pricing")]
)
def test_form_answers_in_its_language(priced: Gateway, locale: str):
    response = send(priced, f"/{locale}/pricing", request=PROMPT)
    assert f'<html lang="{locale}">' in response.body.decode()
    assert "gpt-5.5" in result(response)


def test_who_asks_again_and_again_has_to_wait(start_gateway):
    gateway = start_gateway()
    statuses = [send(gateway, request="x").status for _ in range(MOST_PRICED + 2)]
    assert statuses == [200] * MOST_PRICED + [429, 429]
    assert http.request(gateway.url, "GET", "/pricing", headers={"accept": BROWSER}).status == 200


def test_who_does_not_stop_gets_no_page_for_each_form(priced: Gateway):
    for _ in range(3 * MOST_PRICED):
        response = send(priced)
    assert response.status == 429
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["retry-after"]) <= 60
    assert "prices may be asked for in a minute" in response.json["error"]["message"]  # type: ignore[index]
