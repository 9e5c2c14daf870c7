"""A tab of headless Chromium with a gallery in it."""

from urllib.parse import parse_qs


class Window:
    """A tab that notes whatever goes wrong in it."""

    def __init__(self, browser, **facts):
        self.tab = browser.new_page(**{"viewport": {"width": 1300, "height": 900}} | facts)
        self.tab.set_default_timeout(120_000)
        self.wrong, self.asked = [], []
        self.tab.on("console", lambda message: self.wrong.append(message.text) if message.type != "log" else None)
        self.tab.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("dialog", lambda dialog: (self.wrong.append("a dialog"), dialog.dismiss()))

    def open(self, file, part=""):
        self.tab.goto("about:blank")
        self.tab.goto(file.as_uri() + part)
        return self

    def go(self, part):
        """To another part of the page that is open; returns when it is drawn."""
        self.tab.evaluate("part => { location.hash = part; }", part.removeprefix("#"))
        self.drawn()

    def drawn(self):
        """Waits until what the address says is drawn, for which the page has an event."""
        self.until("address(parse(location.hash)) === address(state)")

    def until(self, claim):
        """Waits for a claim; the page forbids what Playwright's own way of waiting needs."""
        for _ in range(500):
            if self.tab.evaluate(claim):
                return
            self.tab.wait_for_timeout(20)
        raise AssertionError(f"never: {claim}")

    @property
    def ids(self):
        return self.tab.eval_on_selector_all("article.case", "cards => cards.map(card => card.id.slice(5))")

    @property
    def status(self):
        return self.tab.inner_text("#status")

    @property
    def part(self):
        """What the address says besides the first page."""
        said = {name: values[0] for name, values in parse_qs(self.tab.evaluate("location.hash").lstrip("#")).items()}
        return {name: value for name, value in said.items() if (name, value) != ("page", "1")}

    def everything(self, part):
        """Ids of the cases that a part of the page selects, over its pages."""
        self.go(part + "&size=100")
        return self.ids
