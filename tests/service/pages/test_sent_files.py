"""Files that a page's form sends: as over the API in what is kept and what is refused, and what was typed stays."""

import hashlib
import io
import re
import zipfile

import pytest
from screens import DESK, PHONE
from test_who_may import problem

TASK = """\
name: own
data: {kind: csv, path: words.csv, text: text, label: label}
teacher: {train: {student: {family: conv_text, stages: [{depth: 1, channels: 16, kernel: 3}]}, train: {epochs: 1}}}
"""
ROWS = "text,label\n" + "".join(f"word {n} here,{'ab'[n % 2]}\n" for n in range(60))


def archive(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            file.writestr(name, text)
    return content.getvalue()


def send(page, name, content):
    """The status of the answer once the form has sent a file."""
    page.set_input_files("#file", {"name": name, "mimeType": "application/octet-stream", "buffer": content})
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        page.get_by_role("button", name="Send", exact=True).click()
    return answered.value.status


@pytest.fixture
def seen(visit, served):
    """The page of a new search without scripts, begun to be filled in."""
    found = visit(served, served.tokens["alice"], java_script_enabled=False)
    found.open("/ui/new")
    found.page.select_option("#hw", "jetson-nano")
    found.page.fill("#budget", "7m")
    return found


def test_a_task_is_sent_chosen_and_searched_without_scripts(seen, alice):
    page = seen.page
    content = archive(**{"mine/own.yaml": TASK, "mine/words.csv": ROWS})
    assert send(page, "my <own>.zip", content) == 200
    sha256 = hashlib.sha256(content).hexdigest()
    assert [each["name"] for each in alice.get("/uploads").json()["uploads"] if each["sha256"] == sha256] == [
        "my <own>.zip"
    ]
    assert "my <own>.zip is here" in page.locator("#files [role=status]").inner_text()
    assert (page.input_value("#hw"), page.input_value("#budget")) == ("jetson-nano", "7m")
    page.get_by_role("button", name="Use as task my <own>.zip").click()
    name = f"upload:{sha256}/mine/own.yaml"
    assert (page.input_value("#task"), page.input_value("#budget")) == (name, "7m")
    page.fill("#space", "tiny_text")
    page.get_by_role("button", name="Start search").click()
    assert page.url.endswith("/ui/searches/own-jetson-nano-tiny_text")

    page.goto(f"{seen.url}/ui/new")
    page.fill("#budget", "9m")
    page.get_by_role("button", name="Delete my <own>.zip").click()
    assert page.input_value("#budget") == "9m"
    assert sha256 not in alice.get("/uploads").text


NAMED = [
    ("space.yaml", b"student: {family: resnet}\n", "space", "/space.yaml"),
    ("teacher.onnx", b"any", "teacher", "/teacher.onnx"),
    ("words.csv", ROWS.encode(), "data", "/words.csv"),
    ("photos.zip", archive(**{"photos/a/1.png": "x", "photos/b/2.png": "y"}), "data", "/photos"),
]


def test_what_is_sent_is_named_for_the_field_that_takes_it(seen, alice):
    for name, content, field, value in NAMED:
        assert send(seen.page, name, content) == 200
        sha256 = hashlib.sha256(content).hexdigest()
        seen.page.get_by_role("button", name=f"Use as {field} {name}").click()
        assert seen.page.input_value(f"#{field}") == f"upload:{sha256}{value}"
        assert alice.delete(f"/uploads/{sha256}").status_code == 204


BAD = [
    ("teacher.pt", b"x"),
    ("loss.py", b"x"),
    ("data.zip", archive(**{"../a.csv": "x"})),
    ("data.zip", b"no archive"),
    ("large.csv", 2_500_000 * b"x"),
]


def test_what_the_api_refuses_the_form_refuses_in_the_same_line(seen, alice):
    before = alice.get("/uploads").json()
    for name, content in BAD:
        answer = alice.post("/uploads", params={"name": name}, content=content)
        told = problem(answer, answer.status_code)
        assert send(seen.page, name, content) == answer.status_code
        assert seen.page.locator("#files-mistake").inner_text() == told
        assert (seen.page.input_value("#hw"), seen.page.input_value("#budget")) == ("jetson-nano", "7m")
    assert alice.get("/uploads").json() == before


def test_without_a_file_the_form_says_so(seen):
    with seen.page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        seen.page.get_by_role("button", name="Send", exact=True).click()
    assert answered.value.status == 422
    assert "choose one to send" in seen.page.locator("#files-mistake").inner_text()


def test_a_file_whose_form_another_page_made_up_is_not_read(visit, served, alice):
    before = alice.get("/uploads").json()
    found = visit(served, served.tokens["alice"])
    found.open("/ui/new")
    found.page.eval_on_selector("#new-search [name=csrf]", "field => { field.value = 'made up' }")
    assert send(found.page, "words.csv", ROWS.encode()) == 403
    found.open("/ui/new")
    found.page.eval_on_selector("#new-search [name=csrf]", "field => field.closest('form').append(field)")
    assert send(found.page, "words.csv", ROWS.encode()) == 403, "the token stands before all else"
    assert alice.get("/uploads").json() == before


FILE = b'Content-Disposition: form-data; name="file"; filename="w.csv"\r\n\r\na,b\r\n'


FORM = "multipart/form-data; boundary=x"
FIELD = b'--x\r\nContent-Disposition: form-data; name="budget"\r\n\r\n' + 200_000 * b"x" + b"\r\n--x--\r\n"
FORMS = {
    "whole": (FORM, b"--x\r\n" + FILE + b"--x--\r\n", 200),
    "without its end": (FORM, b"--x\r\n" + FILE, 400),
    "cut in a head": (FORM, b"--x\r\n" + FILE[:40], 400),
    "two files": (FORM, b"--x\r\n" + FILE + b"--x\r\n" + FILE + b"--x--\r\n", 400),
    "empty": (FORM, b"", 400),
    "noise": (FORM, bytes(range(256)), 400),
    "long boundary": (FORM + 400 * "x", b"--x--", 400),
    "no boundary": ("multipart/form-data", b"--x\r\n" + FILE + b"--x--\r\n", 400),
    "no form": ("application/json", b"{}", 400),
    "name in no text": (FORM, b"--x\r\n" + FILE.replace(b"w.csv", b"\xff\xfe") + b"--x--\r\n", 400),
    "long field": (FORM, FIELD, 413),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_none_is_refused_and_nothing_of_it_kept(alice, name):
    kind, body, status = FORMS[name]
    before = alice.get("/uploads").json()
    answer = alice.post("/ui/new/files", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    if status == 200:
        assert alice.delete(f"/uploads/{hashlib.sha256(b'a,b').hexdigest()}").status_code == 204
    assert alice.get("/uploads").json() == before


@pytest.mark.parametrize(("scheme", "screen"), [("light", DESK), ("dark", PHONE)], ids=["light", "dark phone"])
def test_files_a_mistake_and_the_page_that_asks_for_a_token_are_accessible(visit, served, axe, scheme, screen):
    found = visit(served, served.tokens["bob"], screen, scheme)

    def flaws():
        return axe(found.page), found.overflows

    found.open("/ui/new")
    assert send(found.page, "my-teacher.safetensors", b"none") == 200
    assert flaws() == ([], False)
    assert send(found.page, "loss.py", b"x") == 422
    assert found.page.evaluate("document.activeElement.id") == "file"
    assert flaws() == ([], False)
    ground = "getComputedStyle(document.body).backgroundColor"
    look = found.page.evaluate(ground)
    found.context.clear_cookies()
    assert found.open("/ui/new") == 401
    assert (found.page.evaluate(ground), flaws()) == (look, ([], False))
    found.page.fill("#token", "akd_mistyped")
    found.page.get_by_role("button", name="Sign in").click()
    assert re.match("This token is not valid|Too many", found.page.get_by_role("alert").inner_text())
    assert flaws() == ([], False)
    found.page.fill("#token", served.tokens["bob"])
    found.page.get_by_role("button", name="Sign in").click()
    assert found.page.url == f"{served.url}/ui/"
