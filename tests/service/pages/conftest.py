"""A real browser in front of a real service, and what all pages must keep to."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image
from screens import CHROMIUM, DESK, ODD
from served import new_token, serve

_PATIENCE_MS = 120_000
"""What a page may take where other tests train networks beside it: how fast it answers is measured elsewhere."""


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright (extra dev) is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """What a checker of accessibility finds wrong with a page, a line a rule."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

    def axe_of(page):
        found = axe.Axe().run(page).response["violations"]
        return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}" for each in found]

    return axe_of


@dataclass
class Visit:
    """A browser that a token let in."""

    context: object
    page: object
    url: str
    wrong: list
    elsewhere: list

    def open(self, path):
        """Load a page; the answer's status."""
        return self.page.goto(self.url + path).status

    @property
    def overflows(self):
        """Whether the page is wider than the screen."""
        return self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.fixture
def visit(chromium):
    """Lets a browser in; afterwards no console may hold an error, and no other host may have been asked."""
    visits = []

    def visit(served, token, screen=DESK, scheme="light", **options):
        context = chromium.new_context(viewport=screen, color_scheme=scheme, **options)
        context.set_default_timeout(_PATIENCE_MS)
        answer = httpx.post(f"{served.url}/login", data={"token": token}, timeout=60)
        cookie = {"name": "akd_session", "value": answer.cookies["akd_session"], "url": served.url}
        context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Strict"}])
        page = context.new_page()
        found = Visit(context, page, served.url, [], [])
        page.on("console", lambda message: found.wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: found.wrong.append(str(error)))
        page.on("dialog", lambda dialog: found.wrong.append(f"a script ran: {dialog.message}"))
        host = urlsplit(served.url).netloc
        page.on("request", lambda asked: None if urlsplit(asked.url).netloc == host else found.elsewhere.append(asked))
        visits.append(found)
        return found

    yield visit
    for each in visits:
        each.context.close()
        assert [line for line in each.wrong if "the server responded with a status of 4" not in line] == []
        assert each.elsewhere == []


@pytest.fixture(scope="session")
def looker_on(command, finished):
    """A token that may look at the finished search and do no more."""
    return new_token(command, finished.folder, "onlooker", "--scope", "read", "--owner", "command-line")


@pytest.fixture(scope="session")
def running(command, tmp_path_factory):
    """A service with a runner; under its root are a task whose classes have odd names, and a space of two students."""
    folder = tmp_path_factory.mktemp("running")
    root = folder / "root"
    write_odd_task(root)
    token = new_token(command, folder, "alice")
    found = serve(command, folder, "--runners", "1", "--cores", "1", "--root", str(root), "--rate", "1000")
    found.tokens, found.root = {"alice": token}, root
    yield found
    found.stop()


def write_odd_task(root: Path):
    source = np.random.RandomState(0)
    for label, name in enumerate(ODD):
        place = root / "photos" / name
        place.mkdir(parents=True)
        for index in range(30):
            image = source.randint(0, 60, size=(8, 8)) + 90 * label
            Image.fromarray(image.astype(np.uint8)).save(place / f"{index:02}.png")
    (root / "odd.yaml").write_text(
        "name: odd\n"
        "data: {kind: image-folder, path: photos, channels: 1}\n"
        "teacher: {train: {student: {family: resnet, depth: 8, width: 0.25}, train: {epochs: 1}}}\n",
        encoding="utf-8",
    )
    (root / "two.yaml").write_text(
        "search_epochs: 2\n"
        "student: {family: resnet, depth: 8, width: {choice: [0.25, 0.5]}, stem: {stride: 2}}\n"
        "distill: {losses: {task: {weight: 1.0}}}\n"
        "train: {epochs: 1, batch_size: 64}\n",
        encoding="utf-8",
    )
