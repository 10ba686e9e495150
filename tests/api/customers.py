"""A customer's program: asks about its own account, and holds every refusal against OpenAI's specification."""

import itertools
import json
import time
from collections.abc import Mapping

from fakes import http, specification
from fakes.server import Gateway

HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello there"}]}
_numbers = itertools.count(1)


class Customer:
    """One account of a running server and one key of it."""

    def __init__(self, gateway: Gateway, *, mode: str = "test", usd: str = "0", account: str = "") -> None:
        """Make a key in `mode`, of a new account unless one is named, and credit it."""
        self.gateway = gateway
        self.account = account or f"customer-{next(_numbers)}"
        if not account:
            gateway.perform("accounts.create", name=self.account)
        if usd != "0":
            gateway.perform("accounts.credit", name=self.account, usd=usd, mode=mode)
        self.key = gateway.new_key(account=self.account, mode=mode)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | object = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> http.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return http.request(self.gateway.url, method, path, key=self.key, body=data, headers=headers)

    def limit(self, **limits: object) -> None:
        """Change limits of the key."""
        self.gateway.perform("keys.limit", key=self.key, **limits)

    def get(self, path: str) -> dict:
        """What is served there."""
        return self._served(self.send("GET", path))

    def post(self, path: str, body: object, **headers: str) -> dict:
        """What comes back, which must be a success."""
        return self._served(self.send("POST", path, body, headers=headers))

    def refused(self, method: str, path: str, body: bytes | object = b"") -> tuple[int, dict]:
        """The status and the error of a request that must be refused."""
        response = self.send(method, path, body)
        assert response.status >= 400, response.body
        specification.check_error(response.json)
        return response.status, response.json["error"]  # type: ignore[index]

    def chat(self, text: str = "Hello there", **fields: object) -> str:
        """Make a request that must be answered; its id."""
        body = {**HELLO, "messages": [{"role": "user", "content": text}], **fields}
        response = self.send("POST", "/v1/chat/completions", body)
        assert response.status == 200, response.body
        return response.headers["x-request-id"]

    def available_nano(self) -> int:
        return int(self.get("/v1/me/balance")["available_nano"])

    def wait_for_row(self, request_id: str) -> dict:
        """The explanation of a request; rows of refused ones are written together, a moment later."""
        deadline = time.monotonic() + 10
        while True:
            response = self.send("GET", f"/v1/requests/{request_id}")
            if response.status == 200 or time.monotonic() > deadline:
                return self._served(response)
            time.sleep(0.02)

    def _served(self, response: http.Response) -> dict:
        assert response.status == 200, response.body
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        served = response.json
        assert isinstance(served, dict)
        return served
