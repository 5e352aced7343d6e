"""Nobody in without a token, and with one nobody further than it says."""

import re
import time

import pytest
from served import TINY, awaited, events, new_token, serve

from automl_kd.storage import Database, TokenStore

OPEN = ["/healthz", "/readyz"]
CLOSED = [
    ("GET", "/"),
    ("GET", "/searches"),
    ("POST", "/searches"),
    ("GET", "/searches/cam"),
    ("GET", "/searches/cam/events"),
    ("GET", "/searches/cam/artifacts/kit.zip"),
    ("POST", "/searches/cam/cancel"),
    ("POST", "/uploads?name=a.csv"),
    ("GET", "/hardware"),
    ("GET", "/schema"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/dashboard/"),
    ("GET", "/api/studies"),
    ("GET", "/static/app.js"),
    ("GET", "/nothing/here"),
    ("GET", "/ui/new"),
    ("GET", "/ui/static/none.css"),
    ("GET", "/ui/static/page.css/"),
    ("POST", "/ui/static/page.css"),
    ("POST", "/ui/new/files"),
    ("DELETE", "/uploads/" + 64 * "0"),
]
SECURITY = {
    "content-security-policy": "default-src 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def problem(answer, status):
    """The one line of a problem document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document.keys() == {"type", "title", "status", "detail"}
    assert "\n" not in document["detail"]
    assert "Traceback" not in answer.text
    return document["detail"]


@pytest.mark.parametrize("path", OPEN)
def test_only_whether_it_lives_is_told_without_a_token(nobody, path):
    assert nobody.get(path).status_code == 200


def test_the_page_that_asks_for_a_token_has_its_style_without_one(nobody):
    page = nobody.get("/ui/", headers={"Accept": "text/html"})
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert len(styles) == 2
    for address in styles:
        answer = nobody.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize("sent", [None, "Bearer", "Bearer akd_wrong", "Bearer ÜÜÜ"])
def test_every_other_address_is_closed_and_says_so_safely(nobody, method, path, sent):
    answer = nobody.request(method, path, headers={} if sent is None else {"Authorization": sent.encode()})
    if sent and answer.status_code == 429:  # many wrong ones came from here by now
        assert answer.headers["Retry-After"]
    else:
        problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    for name, value in SECURITY.items():
        assert value in answer.headers[name]


def test_other_kinds_of_credentials_are_none(served, nobody):
    secret = served.tokens["boss"]
    for value in (secret, f"Basic {secret}", f"Token {secret}", f"Bearer {secret}x", f"Bearer x{secret}"):
        assert nobody.get("/searches", headers={"Authorization": value}).status_code in (401, 429)
    assert nobody.get("/searches", headers={"Cookie": f"akd_session={secret}"}).status_code in (401, 429)
    assert nobody.get("/searches", headers={"Authorization": f"bearer  {secret}"}).status_code == 200


def test_answers_and_errors_carry_the_same_headers(alice):
    for path in ("/searches", "/schema", "/searches/none", "/nothing", "/uploads/x"):
        headers = alice.get(path).headers
        for name, value in SECURITY.items():
            assert value in headers[name], path
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
    assert alice.get("/searches", headers={"Origin": "https://other.example"}).headers.get("vary") is None


def test_a_token_that_expired_or_was_revoked_lets_in_no_more_nor_does_its_cookie_nor_what_it_listens_to(
    served, command, nobody
):
    brief = new_token(command, served.folder, "brief", "--expires", "90m")
    spare = new_token(command, served.folder, "spare", "--expires", "3s", "--owner", "brief")
    with served.client(brief) as client:
        assert client.post("/searches", json={**TINY, "study": "of-brief"}).status_code == 201
        entered = nobody.get("/searches", params={"token": brief})
        assert entered.status_code == 303
        cookie = {"Cookie": entered.headers["set-cookie"].split(";")[0]}
        assert nobody.get("/searches", headers=cookie).status_code == 200
        with client.stream("GET", "/searches/of-brief/events") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("id: 1")
            assert command("token", "revoke", "brief", cwd=served.folder).code == 0
            assert client.get("/searches").status_code in (401, 429)
            assert nobody.get("/searches", headers=cookie).status_code in (401, 429)
            list(lines)  # the stream comes to its end
    listed = {each["name"]: each for each in command("token", "list", "--json", cwd=served.folder).document["tokens"]}
    assert listed["brief"]["state"] == "revoked"
    with served.client(spare) as client:
        awaited(lambda: client.get("/searches").status_code in (401, 429), seconds=20)
    assert not any("token" in each for each in listed.values())


def test_what_a_scope_does_not_hold_is_forbidden_and_leaves_nothing(looker, alice):
    sent = looker.get("/uploads").json()
    before = alice.get("/searches").json()
    refused = [
        ("POST", "/searches", {"json": TINY}),
        ("POST", "/searches/plan", {"json": TINY}),
        ("POST", "/searches/any/cancel", {}),
        ("POST", "/searches/any/resume", {}),
        ("POST", "/searches/any/extend", {"json": {"by": "1h"}}),
        ("POST", "/searches/any/exports", {"json": {}}),
        ("POST", "/searches/any/measurements", {"content": b"{}"}),
        ("GET", "/searches/any/kit", {}),
        ("POST", "/uploads?name=a.csv", {"content": b"a,b\n1,2\n"}),
        ("DELETE", "/uploads/" + 64 * "0", {}),
        ("POST", "/hardware/jetson-nano/predict", {"content": b"x"}),
    ]
    for method, path, options in refused:
        detail = problem(looker.request(method, path, **options), 403)
        assert detail == "token looker has the scope read; this needs run"
    assert looker.get("/searches").json() == before == alice.get("/searches").json()
    assert looker.get("/uploads").json() == sent


def test_searches_and_files_of_another_owner_are_as_if_they_were_not(served, alice, bob, looker, boss):
    made = alice.post("/searches", json={**TINY, "study": "private"})
    assert (made.status_code, made.json()["owner"]) == (201, "alice")
    sent = alice.post("/uploads", params={"name": "words.csv"}, content=b"text,label\na,b\n").json()
    absent = problem(bob.get("/searches/never"), 404)
    for method, path in [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/result"),
        ("GET", "/trials"),
        ("GET", "/report"),
        ("GET", "/kit"),
        ("GET", "/artifacts"),
        ("GET", "/artifacts/kit.zip"),
        ("POST", "/cancel"),
        ("POST", "/resume"),
    ]:
        detail = problem(bob.request(method, f"/searches/private{path}"), 404)
        assert detail.replace("private", "never") == absent
    assert problem(bob.post("/searches/private/extend", json={"by": "1h"}), 404)
    assert problem(bob.post("/searches/private/exports", json={}), 404)
    assert "private" not in bob.get("/searches").text
    assert sent["sha256"] not in bob.get("/uploads").text
    problem(bob.delete(f"/uploads/{sent['sha256']}"), 404)
    named = bob.post("/searches", json={**TINY, "data": f"upload:{sent['sha256']}/words.csv"})
    assert "neither something that comes with automl-kd" in problem(named, 422)
    assert problem(bob.post("/searches", json={**TINY, "study": "private"}), 409)
    assert looker.get("/searches/private").json()["state"] == "queued"
    assert boss.get("/searches/private").json()["owner"] == "alice"
    assert alice.get("/searches/private").json() == looker.get("/searches/private").json()
    assert events(alice, "private", until=1)[0][:2] == (1, "state")


def test_a_first_start_makes_a_token_that_its_address_gives_once_to_a_cookie(command, tmp_path):
    first = serve(command, tmp_path, "--runners", "0")
    secret = first.printed["url"].split("?token=")[1]
    with first.client() as browser:
        entered = browser.get("/searches", params={"token": secret, "page": "2"})
        assert entered.status_code == 303
        assert entered.headers["location"] == "/searches?page=2"
        cookie = entered.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert secret not in cookie
        assert browser.get("/searches").status_code == 200
        assert problem(browser.get("/", params={"token": secret}), 401).startswith("the address was used")
    with first.client(secret) as client:
        assert client.get("/searches").status_code == 200
        assert [each["token"] for each in first.audit if each["status"] == 303] == ["first"]
    assert first.stop() == 0
    again = serve(command, tmp_path, "--runners", "0")
    assert "token" not in again.printed["url"]
    again.stop()
    everything = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert secret.encode() not in everything + "".join(first.log + again.log).encode()
    assert cookie.split(";")[0].split("=")[1].encode() not in everything


def test_an_address_leads_to_no_other_host_and_into_no_header(command, served, nobody):
    targets = ["//evil.example", "/\\evil.example", "/%2F%2Fevil.example", "/a%0d%0aSet-Cookie:%20x=1", "/%09/evil"]
    for number, target in enumerate(targets):
        secret = new_token(command, served.folder, f"led-{number}")
        answer = served.raw(f"GET {target}?token={secret} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        head = answer.split(b"\r\n\r\n")[0].decode().splitlines()
        location = next(line.split(": ")[1] for line in head if line.startswith("location"))
        assert head[0].split()[1] == "303"
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))
        assert not any(line.lower().startswith("set-cookie: x") for line in head)


def test_the_sign_in_form_takes_a_token_and_tells_a_browser_what_is_wrong(served, nobody):
    page = nobody.get("/searches", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 401
    assert '<form method="post" action="/login">' in page.text
    assert "script" not in page.text
    wrong = nobody.post("/login", data={"token": "<b>no</b>"}, headers={"Accept": "text/html"})
    assert wrong.status_code in (401, 429)
    assert "<b>" not in wrong.text
    assert nobody.post("/login", content=b'{"token": "x"}').status_code in (401, 429)
    assert nobody.post("/login", data={"token": 200_000 * "x"}).status_code == 413
    for site in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "http://["}):
        problem(nobody.post("/login", data={"token": served.tokens["bob"]}, headers=site), 403)
    right = nobody.post("/login", data={"token": served.tokens["bob"]}, headers={"Origin": served.url})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    assert nobody.get("/searches").status_code == 200
    assert served.audit[-1]["token"] == "bob"


def test_a_cookie_changes_nothing_without_what_its_own_pages_carry(served, nobody):
    assert nobody.post("/login", data={"token": served.tokens["bob"]}).status_code == 303
    store = TokenStore(Database(str(served.folder / "automl-kd.db")))
    csrf = store.browser(nobody.cookies["akd_session"]).csrf
    ask = {"json": {**TINY, "study": "forged"}}
    for headers in (
        {},
        {"X-CSRF-Token": "wrong"},
        {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-site"},
        {"X-CSRF-Token": csrf, "Origin": "https://evil.example"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ):
        problem(nobody.post("/searches", headers=headers, **ask), 403)
    form = {"csrf": "wrong", "study": "forged"}
    problem(nobody.post("/searches", data=form), 403)
    problem(nobody.post("/searches", data={**form, "long": 200_000 * "x"}), 413)
    problem(nobody.delete("/uploads/" + 64 * "0"), 403)
    assert nobody.get("/searches/forged").status_code == 404
    own = nobody.post("/searches", headers={"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-origin"}, **ask)
    assert own.status_code == 201
    passed = nobody.post("/searches", data={"csrf": csrf})  # through the gate, to the schema
    assert passed.status_code == 422


def test_one_token_asks_only_so_often_and_wrong_ones_from_an_address_less_while_right_ones_pass(command, tmp_path):
    secret = new_token(command, tmp_path, "one")
    other = new_token(command, tmp_path, "other")
    found = serve(command, tmp_path, "--runners", "0", "--rate", "2")
    with found.client(secret) as client, found.client(other) as second, found.client("akd_no") as wrong:
        answers = [client.get("/schema") for _ in range(30)]
        refused = [each for each in answers if each.status_code == 429]
        assert [each.status_code for each in answers[:8]] == 8 * [200]
        assert refused
        assert all(int(each.headers["Retry-After"]) >= 1 for each in refused)
        assert "token one makes too many requests" in problem(refused[0], 429)
        assert second.get("/schema").status_code == 200
        tried = [wrong.get("/schema").status_code for _ in range(40)]
        assert tried[:20] == 20 * [401]
        assert tried[-1] == 429
        time.sleep(1)
        assert second.get("/schema").status_code == 200
    found.stop()


def test_what_happened_is_written_down_by_the_tokens_name_and_without_secrets(served, alice, nobody):
    secret = served.tokens["alice"]
    alice.post("/searches?priority=7", json={**TINY, "study": "written"})
    nobody.get("/searches?token=akd_mistyped&page=1")
    alice.get("/searches/written?secret=in-query")
    lines = awaited(lambda: [each for each in served.audit if each["path"] == "/searches"][-2:])
    made = next(each for each in served.audit if each["path"] == "/searches" and each["status"] == 201)
    assert made.keys() == {"time", "from", "token", "owner", "method", "path", "status"}
    assert (made["from"], made["method"]) == ("127.0.0.1", "POST")
    assert lines[-1]["status"] in (401, 429)
    whole = "".join(served.log)
    assert not any(each in whole for each in (secret, "akd_mistyped", "in-query", "priority=7"))
