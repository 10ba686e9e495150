"""A tab of the browser that notices whatever goes wrong in it."""

from playwright.sync_api import ConsoleMessage, Page, Response

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1440, "height": 900}
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_NEXT_FRAME = "new Promise((done) => requestAnimationFrame(done))"


class Tab:
    """One tab, on one server."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("response", self._see)
        page.on("request", lambda request: self._judge(request.url))

    def begin(self) -> None:
        self.faults.clear()

    def open(self, path: str) -> Page:
        """Go to a path of the site; it must be there."""
        response = self.page.goto(self.url + path)
        assert response is not None
        assert response.status == 200, f"{path}: {response.status}"
        return self.page

    def overflow_at(self, size: dict[str, int]) -> int:
        """By how many pixels the page is wider than the window."""
        self.page.set_viewport_size(size)  # type: ignore[arg-type]
        self.page.evaluate(_NEXT_FRAME)  # the page has heard of it
        found: int = self.page.evaluate(_OVERFLOW)
        return found

    def find_barriers(self) -> list[str]:
        """What axe finds in the page as it is shown now."""
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{fault['id']}: {node['html'][:200]}" for fault in found["violations"] for node in fault["nodes"]
        ]

    def assert_silent(self) -> None:
        """Nothing was logged, nothing failed to load, and nobody else was asked for anything."""
        faults, self.faults = self.faults, []
        assert faults == []

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _see(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url}")

    def _judge(self, url: str) -> None:
        if not url.startswith((f"{self.url}/", "data:")):
            self.faults.append(f"elsewhere: {url}")
