"""A tab of the browser that notices whatever goes wrong in it."""

from playwright.sync_api import ConsoleMessage, Page, Response

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1440, "height": 900}
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_NEXT_FRAME = "new Promise((done) => requestAnimationFrame(done))"
_AXE = "window.found = axe.run(document, {resultTypes: ['violations']}); null"
_LINKS = "[...document.querySelectorAll('a[href], link[href]')].map((link) => link.href)"


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
        self.begin_opening(path)
        self.page.wait_for_load_state("load")
        return self.page

    def begin_opening(self, path: str) -> None:
        """Go to a path, without waiting for its end: `page.wait_for_load_state` does."""
        response = self.page.goto(self.url + path, wait_until="commit")
        assert response is not None
        assert response.status == 200, f"{path}: {response.status}"

    def resize(self, size: dict[str, int]) -> None:
        self.page.set_viewport_size(size)  # type: ignore[arg-type]
        self.page.evaluate(_NEXT_FRAME)  # the page has heard of it

    def links(self) -> list[str]:
        """Where the page leads, as the browser reads it."""
        found: list[str] = self.page.evaluate(_LINKS)
        return list(dict.fromkeys(found))

    def overflow_at(self, size: dict[str, int]) -> int:
        """By how many pixels the page is wider than the window."""
        self.resize(size)
        found: int = self.page.evaluate(_OVERFLOW)
        return found

    def find_barriers(self) -> list[str]:
        """What axe finds in the page as it is shown now."""
        self.begin_search()
        return self.end_search()

    def begin_search(self) -> None:
        """Let axe look at the page as it is shown now, while other tabs do something else."""
        self.page.evaluate(_AXE)

    def end_search(self) -> list[str]:
        """Wait for axe, and give what it found."""
        found = self.page.evaluate("window.found")
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
