"""Requests that are too large, too slow, malformed or of another schema: each with its status, and nothing stored."""

import json
import socket
import ssl
import subprocess
import threading

import pytest
from served import TINY, new_token, serve
from test_who_may import problem

import automl_kd

HOST = b"Host: a\r\n"


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


def post(served, path, *more, token="alice"):
    """The head of a request, cut before its end."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {served.tokens[token]}\r\n".encode()
    return head + b"".join(line + b"\r\n" for line in more) + b"\r\n"


@pytest.mark.parametrize(("path", "size"), [("/searches", 1_000_001), ("/uploads?name=a.csv", 2_000_001)])
def test_a_body_that_says_it_is_too_large_is_refused_unread(served, path, size):
    answer = served.raw(post(served, path, b"Content-Length: %d" % size))
    assert status(answer) == 413
    assert b"application/problem+json" in answer
    assert b"x-content-type-options: nosniff" in answer


@pytest.mark.parametrize("path", ["/searches", "/uploads?name=a.csv"])
def test_a_body_in_parts_is_refused_once_it_is_too_large(served, alice, path):
    before = alice.get("/uploads").json()
    parts = [b"%x\r\n%b\r\n" % (100_000, 100_000 * b" ")] * 30
    answer = served.raw(post(served, path, b"Transfer-Encoding: chunked") + parts[0], *parts[1:])
    assert status(answer) in (413, None), "or closed while the rest was on its way"
    assert alice.get("/uploads").json() == before
    folder = served.folder / "automl-kd-files" / ".service" / "uploads"
    assert not list(folder.rglob(".sending-*"))


def test_a_body_that_a_gzip_header_calls_packed_is_read_as_it_is(alice):
    answer = alice.post("/searches", content=json.dumps(TINY), headers={"Content-Encoding": "gzip"})
    assert answer.status_code in (201, 415, 422)


def test_who_sends_slowly_or_nothing_is_not_waited_for(command, tmp_path):
    secret = new_token(command, tmp_path, "slow")
    found = serve(command, tmp_path, "--runners", "0", "--patience", "1")
    found.tokens = {"slow": secret}
    body = post(found, "/searches", b"Content-Length: 1000", token="slow")
    form = b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    form += b"Content-Length: 99\r\n\r\n"
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + 99 * b"x"
    sent = {
        "nothing": ((), 0),
        "half a head": ((b"GET /searches HTTP/1.1\r\n", b"Host: a\r\n"), 0.3),
        "head by letters": (tuple(bytes([each]) for each in head), 0.1),
        "no body": ((body,), 0),
        "half a body": ((body, b"{"), 0),
        "body by letters": ((body, *([b" "] * 60)), 0.2),
        "no form": ((form, b"token="), 0),
        "after an answer": ((b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /heal"), 0.2),
    }
    answers = {}

    def send(name, parts, wait):
        answers[name] = found.raw(*parts, wait=wait)

    threads = [threading.Thread(target=send, args=(name, *each)) for name, each in sent.items()]
    for thread in threads:
        thread.start()
    with found.client(secret) as client:
        assert client.get("/searches").json() == {"searches": []}, "others are answered meanwhile"
        for thread in threads:
            thread.join(40)
        assert client.get("/searches").json() == {"searches": []}
    found.stop()
    seen = {name: status(answer) for name, answer in answers.items()}
    slow = ("no body", "half a body", "body by letters", "no form")
    assert {name: seen[name] for name in slow} == dict.fromkeys(slow, 408)
    assert (seen["nothing"], seen["half a head"], seen["head by letters"]) == (None, None, None)
    assert seen["after an answer"] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /heal thz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /searches HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /searches HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST /searches HTTP/1.1\r\nHost: a\r\nContent-Length: " + 5000 * b"9" + b"\r\n\r\n",
        b"POST /searches HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + 1_000_000 * b"x" + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + 100 * b"\x00",
    ],
    ids=range(12),
)
def test_what_is_no_http_is_refused_as_a_problem(served, sent):
    answer = served.raw(sent)
    assert status(answer) in (400, 413, 501), answer
    assert b"problem+json" in answer
    assert b"nosniff" in answer
    assert served.client().get("/healthz").status_code == 200


def test_a_body_that_breaks_off_in_the_middle_leaves_nothing(served, alice):
    before = alice.get("/searches").text
    served.raw(post(served, "/searches", b"Transfer-Encoding: chunked") + b'5\r\n{"hw\r\nzzz\r\n')
    head = post(served, "/uploads?name=a.csv", b"Content-Length: 500")
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(head + b"a,b\n")
    assert alice.get("/searches").text == before
    assert alice.get("/uploads").status_code == 200


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"x"', 422),
        (b"{}", 422),
        (b'{"hw": "jetson-nano"}', 422),
        (b'{"hw": 1, "budget": "10m"}', 422),
        (b'{"hw": "jetson-nano", "budget": 1e999}', 422),
        (b'{"hw": "jetson-nano", "budget": NaN}', 422),
        (b'{"hw": "jetson-nano", "budget": ' + 4000 * b"9" + b"}", 422),
        (b'{"hw": "jetson-nano", "budget": ' + 5000 * b"9" + b"}", 400),
        (b'{"hw": "jetson-nano", "budget": -1}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "max_latency": 1e999}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "seed": 1e30}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "study": "a\\u0000b"}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "study": "\\ud800"}', 422),
        (b'{"hw": "\\ud800", "budget": "10m"}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "study": "a\\r\\nSet-Cookie: x=1"}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "study": "../x"}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "study": "artifacts"}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "pins": "a=1"}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "pins": ["a: [b"]}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "pins": ["train.epochs=!!python/object:os.system x"]}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "nothing": 1}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "task": "none-such"}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "workers": -1}', 422),
        (b'{"hw": "jetson-nano", "budget": "10m", "objectives": ["latency", "x\\u0000"]}', 422),
    ],
    ids=range(30),
)
def test_a_search_that_is_none_is_refused_in_one_line_and_not_stored(alice, content, code):
    before = alice.get("/searches").text
    headers = {"Content-Type": "application/json"}
    assert problem(alice.post("/searches", content=content, headers=headers), code)
    assert alice.get("/searches").text == before


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"metric": "f2"}, "unknown metric 'f2'; a multiclass problem has: accuracy"),
        ({"metric": "top_1_accuracy"}, "is called accuracy"),
        ({"task": "tiled-digits", "metric": "accuracy"}, "a multilabel problem has: micro_f1"),
        ({"pins": ["nonsense.x=1"]}, "unknown field in --set nonsense.x=1: 'nonsense'"),
        ({"pins": ["student.width=99"]}, "tiny_cnn.yaml: student.width: 99 is not allowed"),
        ({"task": "tiled-digits", "pins": ["student.model=x"]}, "tiny_cnn.yaml: student: unknown field 'model'"),
        ({"objectives": ["energy"]}, "--objective energy: jetson-nano"),
    ],
    ids=str,
)
def test_what_shows_without_data_is_refused_at_once_with_the_line_of_the_command(alice, tmp_path, fields, said):
    asked = {"task": "digits", "hw": "jetson-nano", "budget": "10m", "device": "cpu"} | fields
    before = alice.get("/searches").text
    detail = problem(alice.post("/searches", json=asked), 422)
    assert said in detail
    assert alice.get("/searches").text == before
    with pytest.raises(automl_kd.UserError) as error:
        automl_kd.search(**asked, storage=str(tmp_path / "automl-kd.db"))
    assert detail == str(error.value)


def test_pins_of_which_the_data_decide_whether_they_fit_are_taken(served, alice):
    (served.root / "pictures.yaml").write_text("name: p\ndata: {kind: csv, path: list.csv, image: path}\n")
    (served.root / "list.csv").write_text("path,label\na.png,a\n")
    asked = {"task": "pictures.yaml", "hw": "jetson-nano", "budget": "10m"}
    made = alice.post("/searches", json={**asked, "pins": ["student.model=fbnetc_100"]})
    assert made.status_code == 201, made.text
    assert "student.width" in problem(alice.post("/searches", json={**asked, "pins": ["student.width=99"]}), 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_search_of_another_kind_of_content_is_refused(alice, kind):
    answer = alice.post("/searches", content=json.dumps(TINY), headers={"Content-Type": kind})
    assert problem(answer, 422)


@pytest.mark.parametrize("by", ["", "soon", 0, -5, "1e999", 1e400, "99999999999d", [], None, True])
def test_time_that_is_none_is_not_added(alice, by):
    alice.post("/searches", json={**TINY, "study": "not-extended"})
    content = json.dumps({"by": by})
    answer = alice.post("/searches/not-extended/extend", content=content, headers={"Content-Type": "application/json"})
    if by is True:  # counts as one second, as JSON's readers in Python have it
        assert answer.status_code in (200, 422)
    else:
        assert problem(answer, 422)
        assert alice.get("/searches/not-extended").json()["budget"] in (600.0, 601.0)


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣", "99999999999", "1\t2"])
def test_a_listener_that_says_no_number_is_refused(alice, number):
    alice.post("/searches", json={**TINY, "study": "listened"})
    answer = alice.get("/searches/listened/events", headers={"Last-Event-ID": number.encode()})
    assert problem(answer, 422)


@pytest.mark.parametrize("name", ["%00", "a%0d%0aX:%20y", "%2e%2e", "%ff", "Ü", 3000 * "n", "%F0%9F%98%80"])
def test_a_name_that_no_search_has_is_not_found(served, alice, name):
    answer = alice.get(f"/searches/{name}")
    assert answer.status_code in (401, 404)
    assert "x" not in [each.lower() for each in answer.headers]


def test_methods_that_are_none_are_refused_and_counted_as_others(alice, boss):
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "BREW", "HEAD"):
        assert alice.request(method, "/searches").status_code == 405
    measured = boss.get("/metrics").text
    assert 'method="other"' in measured
    assert "BREW" not in measured


def test_an_owner_has_as_many_searches_as_allowed_whether_new_resumed_or_extended(command, tmp_path):
    secret = new_token(command, tmp_path, "few")
    found = serve(command, tmp_path, "--runners", "0", "--max-searches", "2")
    with found.client(secret) as client:
        for name in ("one", "two"):
            assert client.post("/searches", json={**TINY, "study": name}).status_code == 201
        full = "2 searches of yours are queued or running; 2 may be at a time"
        assert problem(client.post("/searches", json={**TINY, "study": "three"}), 429) == full
        assert client.post("/searches/one/cancel").json()["state"] == "cancelled"
        assert client.post("/searches", json={**TINY, "study": "three"}).json()["position"] == 2
        assert problem(client.post("/searches/one/resume"), 429) == full
        assert client.post("/ui/searches/one/resume", data={"csrf": ""}).status_code == 429
        assert problem(client.post("/searches/one/extend", json={"by": "1h"}), 409)
        assert client.post("/searches/two/extend", json={"by": "1h"}).json()["budget"] == 4200
    found.stop()


def test_others_than_loopback_are_not_served_without_a_token(command, tmp_path, free_port):
    ended = command("serve", "--host", "0.0.0.0", "--port", str(free_port), cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert "make one first: automl-kd token create NAME" in ended.err
    command("token", "create", "gone", cwd=tmp_path)
    command("token", "revoke", "gone", cwd=tmp_path)
    assert command("serve", "--host", "::", "--port", str(free_port), cwd=tmp_path).code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--port", "70000"), "must be from 0 to 65535"),
        (("--host", "nowhere.invalid"), "choose another with --port"),
        (("--runners", "-1"), "must be at least 0"),
        (("--runners", "3", "--cores", "2"), "3 runners need one each"),
        (("--rate", "0"), "must be above 0"),
        (("--rate", "nan"), "must be above 0"),
        (("--patience", "-1"), "must be above 0"),
        (("--root", "nothing"), "no such folder"),
        (("--max-upload", "large"), "max_upload"),
        (("--certificate", "c.pem"), "go together"),
        (("--certificate", "c.pem", "--key", "k.pem"), "no such file"),
        (("--certificate", "text", "--key", "text"), "no certificate with its key"),
        (("--storage", "nothing/a.db"), "folder nothing does not exist"),
    ],
    ids=str,
)
def test_an_operators_mistake_is_told_in_one_line(inside, tmp_path, options, said):
    (tmp_path / "text").write_text("no certificate")
    if options[0] in ("--host", "--certificate"):
        inside("token", "create", "one", cwd=tmp_path)
    ended = inside("serve", *(("--port", "0") if "--port" not in options else ()), *options, cwd=tmp_path)
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert said in ended.err


def test_a_port_that_is_taken_is_told(served, command, tmp_path):
    ended = command("serve", "--port", str(served.port), cwd=tmp_path)
    assert ended.code == 2
    assert f"127.0.0.1:{served.port}: Address already in use; choose another with --port" in ended.err


def test_tls_by_files_makes_cookies_secure(command, tmp_path):
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    subprocess.run(
        [*make.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=tmp_path, check=True, capture_output=True
    )
    found = serve(command, tmp_path, "--runners", "0", "--certificate", "cert.pem", "--key", "key.pem")
    assert found.url.startswith("https://127.0.0.1:")
    trusted = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    secret = found.printed["url"].split("?token=")[1]
    with found.client(verify=trusted) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        entered = client.get("/searches", params={"token": secret})
        assert "Secure" in entered.headers["set-cookie"].split("; ")
        assert client.get("/searches").status_code == 200
    plain = found.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"200" not in plain[:20]
    assert found.stop() == 0
