"""From the form of a new search to a downloaded student, by keyboard alone on a phone's screen."""

import io
import zipfile

from screens import ODD, PHONE
from served import measured


def go_to(page, selector):
    """Press Tab until the focus is there; from the form's start where a page has just been loaded."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("found => document.activeElement.matches(found)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def write(page, selector, text):
    go_to(page, selector)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def test_a_search_by_keyboard(visit, running, axe):
    seen = visit(running, running.tokens["alice"], PHONE)
    page = seen.page
    seen.open("/")
    go_to(page, 'nav a[href="/ui/new"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/new")

    go_to(page, "#hw")
    page.keyboard.type("jetson-nano")
    write(page, "#budget", "5m")
    write(page, "#task", str(running.root / "odd.yaml"))
    write(page, "#space", str(running.root / "two.yaml"))
    go_to(page, 'button[value="plan"]')
    page.keyboard.press("Enter")
    page.get_by_text("Buys about").wait_for(timeout=120_000)
    assert (seen.overflows, axe(page)) == (False, [])
    assert page.locator("#space").input_value() == "two.yaml", "as searches may name it"

    go_to(page, '#plan button[value="start"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/searches/odd-jetson-nano-two", timeout=60_000)
    page.evaluate("window.loadedOnce = true")
    page.locator("#badge", has_text="running").wait_for(timeout=60_000)
    page.locator("#front svg.plot:visible").wait_for(timeout=120_000)
    assert axe(page) == []
    page.locator("#badge", has_text="done").wait_for(timeout=180_000)
    page.locator("#picks table").first.wait_for(timeout=20_000)
    assert page.evaluate("window.loadedOnce"), "events alone brought the page to the end"
    assert not seen.overflows

    go_to(page, "#picks button")
    page.keyboard.press("Enter")
    page.locator("#artifacts a").wait_for(timeout=120_000)
    go_to(page, "#artifacts a")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    content = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    assert "winner/student.onnx" in content.namelist()

    go_to(page, "form[action$='/kit'] button")
    page.keyboard.press("Enter")
    page.locator("#artifacts a", has_text="kit.zip").wait_for(timeout=120_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="kit.zip").click()
    lines = measured(download.value.path().read_bytes(), 1.01)
    for content, answer in ((b"no results", "#measurements-mistake"), (lines, "#verified table")):
        page.set_input_files("#results", {"name": "results.jsonl", "mimeType": "text/plain", "buffer": content})
        go_to(page, "form[action$='/measurements'] button")
        page.keyboard.press("Enter")
        page.locator(answer).wait_for(timeout=60_000)
        assert (seen.overflows, axe(page)) == (False, [])
    rows = page.locator("#verified tbody tr").all_inner_texts()
    assert rows
    assert all("+1 %" in each and "inside the interval" in each for each in rows)

    go_to(page, "#trials a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/trials/*")
    matrix = page.locator("table.matrix")
    assert sorted(matrix.locator("tbody th").all_inner_texts()) == sorted(ODD)
