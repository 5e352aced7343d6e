"""What holds for every page: nothing for a checker of accessibility to find, no script of others, no wide line."""

import pytest
from screens import DESK, PHONE

from automl_kd.storage import Database, EventLog

ODD_NOTE = "<script>alert('note')</script>"


@pytest.fixture(scope="session")
def search(finished):
    """The name of the finished search, to which a note was told that would run as a script."""
    name = finished.document["study"]
    EventLog(Database(f"sqlite:///{finished.folder}/automl-kd.db")).add(name, "note", {"text": ODD_NOTE})
    return name


@pytest.fixture(scope="session")
def paths(finished, search):
    picked, other = (each["trial"] for each in (finished.document["picks"][0], finished.document["front"][-1]))
    first, second = sorted({picked, other, 0, 1})[:2]
    return {
        "list": ("/ui/", 200),
        "new": ("/ui/new", 200),
        "search": (f"/ui/searches/{search}", 200),
        "rule": (f"/ui/searches/{search}?where=score+%3E%3D+0.1", 200),
        "rule that cannot be read": (f"/ui/searches/{search}?where=%3Cscript%3Ealert(1)%3C/script%3E", 422),
        "trial": (f"/ui/searches/{search}/trials/{picked}", 200),
        "compare": (f"/ui/searches/{search}/compare?trial={first}&trial={second}", 200),
        "another device": (f"/ui/searches/{search}/reprice?hw=raspberry-pi-4", 200),
        "no such search": ("/ui/searches/%3Cscript%3Ealert(1)%3C%2Fscript%3E", 404),
    }


@pytest.mark.parametrize(("scheme", "screen"), [("light", DESK), ("dark", PHONE)], ids=["light", "dark phone"])
def test_pages_are_accessible_and_their_own(axe, visit, finished, paths, scheme, screen):
    seen = visit(finished, finished.tokens["boss"], screen, scheme)
    for name, (path, status) in paths.items():
        assert seen.open(path) == status, name
        assert axe(seen.page) == [], name
        assert not seen.overflows, name


def test_what_somebody_wrote_is_text(visit, finished, search, paths):
    seen = visit(finished, finished.tokens["boss"])
    seen.open(paths["search"][0])
    assert seen.page.get_by_text(ODD_NOTE).count() == 1
    seen.open(paths["rule that cannot be read"][0])
    assert seen.page.locator("#where").input_value() == "<script>alert(1)</script>"
    seen.open(paths["no such search"][0])
    assert "<script>alert(1)</script>" in seen.page.locator("main").inner_text()


def test_without_scripts_forms_and_links_do_all(visit, finished, search):
    seen = visit(finished, finished.tokens["boss"], java_script_enabled=False)
    seen.open("/")
    seen.page.get_by_role("link", name=search, exact=True).click()
    seen.page.fill("#where", "params < 1")
    seen.page.get_by_role("button", name="Filter").click()
    assert "No finished trial meets the rule." in seen.page.locator("#trials").inner_text()
    seen.page.get_by_role("link", name="Show all").click()
    for box in seen.page.get_by_role("checkbox").all()[:2]:
        box.check()
    seen.page.get_by_role("button", name="Compare the marked trials").click()
    assert "side by side" in seen.page.locator("h1").inner_text()
    seen.page.get_by_role("columnheader").get_by_role("link").first.click()
    assert seen.page.locator("h1").inner_text().startswith("Trial ")


def test_a_mistake_stands_beside_its_field_with_what_was_typed(visit, finished):
    seen = visit(finished, finished.tokens["boss"], PHONE)
    seen.open("/ui/new")
    seen.page.select_option("#hw", "jetson-nano")
    seen.page.fill("#budget", '"><b>soon')
    with seen.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        seen.page.get_by_role("button", name="Start search").click()
    assert answered.value.status == 422
    budget = seen.page.locator("#budget")
    assert (budget.input_value(), seen.page.locator("#hw").input_value()) == ('"><b>soon', "jetson-nano")
    assert budget.get_attribute("aria-invalid") == "true"
    assert "soon" in seen.page.locator("#budget-mistake").inner_text()
    assert seen.page.evaluate("document.activeElement.id") == "budget"


def test_who_may_look_sees_no_button_that_is_refused(visit, finished, looker_on, search):
    seen = visit(finished, looker_on)
    seen.open(f"/ui/searches/{search}")
    buttons = [each.inner_text() for each in seen.page.get_by_role("button").all()]
    assert buttons == ["Sign out", "Filter", "Compare the marked trials"]
    assert seen.page.get_by_role("link", name="New search").count() == 0
    assert seen.open("/ui/new") == 403


def test_a_form_that_another_page_made_up_is_refused(visit, finished, search):
    seen = visit(finished, finished.tokens["boss"])
    seen.open(f"/ui/searches/{search}")
    seen.page.eval_on_selector('form[action$="/extend"] [name=csrf]', "field => { field.value = 'made up' }")
    seen.page.fill("#by", "1m")
    with seen.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        seen.page.get_by_role("button", name="Extend").click()
    assert answered.value.status == 403
    seen.open(f"/ui/searches/{search}")
    assert "done" in seen.page.locator("#badge").inner_text()


def test_signing_out_ends_the_browser(visit, finished):
    seen = visit(finished, finished.tokens["boss"])
    seen.open("/ui/")
    seen.page.get_by_role("button", name="Sign out").click()
    assert seen.page.locator("#token").count() == 1
    assert seen.open("/ui/") == 401


def test_what_cannot_be_done_is_told_with_its_status(visit, finished, search):
    seen = visit(finished, finished.tokens["boss"], PHONE)
    seen.open(f"/ui/searches/{search}")
    seen.page.fill("#by", "soon")
    with seen.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        seen.page.get_by_role("button", name="Extend").click()
    assert answered.value.status == 422
    assert (seen.page.locator("#by").input_value(), "soon" in seen.page.locator("#extend-mistake").inner_text()) == (
        "soon",
        True,
    )
    seen.open(f"/ui/searches/{search}")
    seen.page.eval_on_selector(
        'form[action$="/extend"]', "form => { form.action = form.action.replace('extend', 'stop') }"
    )
    seen.page.fill("#by", "1m")
    with seen.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        seen.page.get_by_role("button", name="Extend").click()
    assert answered.value.status == 409
    assert "is done" in seen.page.get_by_role("alert").inner_text()
