"""Files that are sent or named: what leads out of its place, holds code or grows beyond its bound is refused whole."""

import hashlib
import io
import json
import stat
import struct
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from served import TINY, events
from test_who_may import problem

import automl_kd
from automl_kd.storage import Database, EventLog, SearchClaims

TASK = """\
name: own
data: {kind: csv, path: words.csv, text: text, label: label}
teacher:
  train:
    student: {family: conv_text, stages: [{depth: 1, channels: 16, kernel: 3}]}
    train: {epochs: 1}
"""
ELSEWHERE = "neither something that comes with automl-kd"


def archive(*entries, method=zipfile.ZIP_DEFLATED):
    """A zip file; an entry is a name or a ZipInfo, and its content."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        for name, text in entries:
            file.writestr(name, text)
    return content.getvalue()


def link(name, target):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target


def doubled():
    with pytest.warns(UserWarning, match="Duplicate name"):
        return archive(("a.csv", "x,y\n"), ("a.csv", "z,w\n"))


def encrypted():
    content = bytearray(archive(("a.csv", "x,y\n1,2\n"), method=zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def understated():
    """An archive whose list says that a file is small."""
    content = bytearray(archive(("a.csv", 300_000_000 * b"0")))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(mark) + place
        content[at : at + 4] = struct.pack("<I", 100)
    return bytes(content)


BAD = {
    "up": (lambda: archive(("../a.csv", "x")), "leads out of its folder"),
    "deep up": (lambda: archive(("a/b/../../../c.csv", "x")), "leads out of its folder"),
    "absolute": (lambda: archive(("/etc/a.csv", "x")), "leads out of its folder"),
    "backslash": (lambda: archive(("..\\a.csv", "x")), "leads out of its folder"),
    "drive": (lambda: archive(("C:a.csv", "x")), "leads out of its folder"),
    "link": (lambda: archive(link("a.csv", "/etc/passwd")), "is a link or no plain file"),
    "link to folder": (lambda: archive(link("up", ".."), ("up/a.csv", "x")), "is a link or no plain file"),
    "twice": (doubled, "twice"),
    "file and folder": (lambda: archive(("a", "x"), ("a/b", "y")), "'a' twice"),
    "encrypted": (encrypted, "cannot be unpacked"),
    "lzma": (lambda: archive(("a.csv", "x"), method=zipfile.ZIP_LZMA), "is not deflated"),
    "ratio": (lambda: archive(("a.csv", 300_000_000 * b"0")), "unpacks to more than"),
    "many of them": (lambda: archive(*((f"{n}.csv", 30_000_000 * b"0") for n in range(10))), "unpacks to more than"),
    "understated": (understated, "cannot be unpacked"),
    "pickle": (lambda: archive(("model/data.pkl", "x")), "may hold pickled objects"),
    "pickle by content": (lambda: archive(("model.safetensors", b"\x80\x04K\x01.")), "may hold pickled objects"),
    "torch by content": (lambda: archive(("t.safetensors", archive(("t/data", "x")))), "may hold pickled objects"),
    "code": (lambda: archive(("a/loss.py", "x")), "is code"),
    "long name": (lambda: archive((300 * "n" + ".csv", "x")), "cannot be unpacked"),
    "no archive": (lambda: b"PK\x03\x04 nothing", "cannot be unpacked"),
    "cut": (lambda: archive(("a.csv", 5000 * "x,y\n"))[:-30], "cannot be unpacked"),
    "other files": (lambda: archive(("l.csv", "path,label\n../../x.png,a\n")), "leads out of the folder that was sent"),
    "all files": (lambda: archive(("d/l.csv", "path,label\n/root/x.png,a\n")), "leads out of the folder that was sent"),
}


def kept(served):
    """All files beside the database that were sent."""
    uploads = served.folder / "automl-kd-files" / ".service" / "uploads"
    return sorted(each for each in uploads.rglob("*") if each.is_file())


@pytest.mark.parametrize("name", BAD)
def test_an_archive_that_is_not_what_it_should_be_is_refused_whole(served, alice, name):
    make, said = BAD[name]
    before, listed = kept(served), alice.get("/uploads").json()
    answer = alice.post("/uploads", params={"name": "data.zip"}, content=make())
    detail = problem(answer, 422)
    assert said in detail
    assert str(served.folder) not in detail
    assert kept(served) == before
    assert alice.get("/uploads").json() == listed


@pytest.mark.parametrize("cut", range(20))
def test_an_archive_with_damaged_bytes_is_refused_or_unpacked_but_never_a_fault(alice, cut):
    content = bytearray(archive(("a.csv", 900 * "x,y\n"), ("b/c.txt", bytes(range(256)))))
    noise = np.random.default_rng(cut)
    for place in noise.integers(0, len(content), 1 + cut // 4):
        content[place] = noise.integers(0, 256)
    assert alice.post("/uploads", params={"name": "noise.zip"}, content=bytes(content)).status_code in (201, 422)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("teacher.pt", b"x"),
        ("teacher.PKL", b"x"),
        ("loss.py", b"x"),
        ("teacher.safetensors", b"\x80\x02}q\x00."),
        (".hidden", b"x"),
        ("", b"x"),
        ("..", b"x"),
        ("a\nb.csv", b"x"),
        ("a\x00.csv", b"x"),
        (256 * "n", b"x"),
        ("list.csv", b"path,label\n../../../etc/x.png,a\n"),
    ],
)
def test_a_file_by_a_name_or_of_a_kind_that_is_not_taken_leaves_nothing(served, alice, name, content):
    before = kept(served)
    problem(alice.post("/uploads", params={"name": name}, content=content), 422)
    assert kept(served) == before


def test_a_file_whose_hash_is_another_than_was_said_is_not_kept(served, alice):
    before = kept(served)
    problem(alice.post("/uploads", params={"name": "a.csv", "sha256": 64 * "0"}, content=b"x,y\n"), 422)
    problem(alice.post("/uploads", params={"name": "a.csv", "sha256": "x" + 64 * "0"}, content=b"x,y\n"), 422)
    assert kept(served) == before


def test_what_is_sent_is_kept_by_its_hash_named_in_searches_and_deleted(served, alice, bob):
    rows = "".join(f"word {n} here,{'ab'[n % 2]}\n" for n in range(60))
    content = archive(("mine/own.yaml", TASK), ("mine/words.csv", f"text,label\n{rows}"))
    sent = alice.post("/uploads", params={"name": "../up/my own.zip"}, content=content)
    assert sent.status_code == 201
    view = sent.json()
    assert (view["name"], view["sha256"]) == ("../up/my own.zip", hashlib.sha256(content).hexdigest())
    assert alice.post("/uploads", params={"name": "again.zip"}, content=content).json() == view
    task = f"upload:{view['sha256']}/mine/own.yaml"
    made = alice.post("/searches", json={**TINY, "task": task, "space": "tiny_text", "study": "of-words"})
    assert made.status_code == 201, made.text
    assert made.json()["request"]["task"] == task
    problem(bob.post("/searches", json={**TINY, "task": task, "space": "tiny_text"}), 422)
    assert bob.post("/uploads", params={"name": "c.zip"}, content=content).status_code == 201
    assert alice.delete(f"/uploads/{view['sha256']}").status_code == 204
    assert alice.get("/uploads").json() == {"uploads": []} or view not in alice.get("/uploads").json()["uploads"]
    problem(alice.post("/searches", json={**TINY, "task": task, "space": "tiny_text"}), 422)
    theirs = bob.post("/searches", json={**TINY, "task": task, "space": "tiny_text", "study": "of-words-2"})
    assert theirs.status_code == 201, "what another sent stays"
    assert bob.delete(f"/uploads/{view['sha256']}").status_code == 204


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../secret.csv", "mine/../../secret.csv", "~/x.csv", "~root/x.csv", "/proc/self/environ"],
)
def test_a_task_that_was_sent_names_files_of_its_own_folder_alone(served, alice, path):
    (served.folder / "secret.csv").write_text("text,label\na b,c\n")
    content = archive(("mine/own.yaml", TASK.replace("words.csv", path)), ("mine/words.csv", "text,label\na b,c\n"))
    sent = alice.post("/uploads", params={"name": "t.zip"}, content=content).json()["sha256"]
    answer = alice.post("/searches", json={**TINY, "task": f"upload:{sent}/mine/own.yaml", "space": "tiny_text"})
    assert ELSEWHERE in problem(answer, 422)


def test_a_document_that_unfolds_to_millions_of_parts_is_refused_at_once(alice):
    bomb = "a: &a [0, 0, 0, 0, 0, 0, 0, 0]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True):
        bomb += f"{name}: &{name} [{', '.join(8 * [f'*{before}'])}]\n"
    sent = alice.post("/uploads", params={"name": "t.yaml"}, content=bomb.encode()).json()["sha256"]
    problem(alice.post("/searches", json={**TINY, "task": f"upload:{sent}/t.yaml"}), 422)


@pytest.fixture
def roots(served):
    """The operator's folder with a task, and what lies beside it."""
    (served.folder / "outside.yaml").write_text(TASK)
    (served.folder / "outside.safetensors").write_bytes(b"x")
    if not (served.root / "out").exists():
        (served.root / "out").symlink_to(served.folder)
        (served.root / "out.yaml").symlink_to(served.folder / "outside.yaml")
    return served


@pytest.mark.parametrize(
    "fields",
    [
        {"task": "/etc/passwd"},
        {"task": "../outside.yaml"},
        {"task": "out.yaml"},
        {"task": "out/outside.yaml"},
        {"task": "~/outside.yaml"},
        {"task": "a\x00.yaml"},
        {"task": "upload:../outside.yaml"},
        {"task": f"upload:{64 * '0'}/own.yaml"},
        {"data": "/etc"},
        {"data": "out"},
        {"space": "../outside.yaml"},
        {"space": "/etc/passwd"},
        {"hw": "../outside.yaml"},
        {"hw": "/etc/passwd"},
        {"hw": "./jetson-nano"},
        {"objectives": ["latency@../outside.yaml"]},
        {"teacher": "/etc/passwd@{family: resnet, depth: 8}"},
        {"teacher": "../outside.safetensors@{family: resnet, depth: 8}"},
        {"teacher": "{checkpoint: out/outside.safetensors, student: {family: resnet, depth: 8}}"},
        {"teacher": "{train: {student: {family: resnet, depth: 8, start: {weights: /etc/passwd}}}}"},
        {"teacher": "{timm: /root}"},
        {"teacher": "{onnx: ../../x.onnx}"},
        {"pins": ["student.start={weights: /etc/passwd}"]},
        {"pins": ["student.start={weights: ../outside.safetensors}"]},
        {"pins": ["distill.losses.custom={file: loss.py}"]},
    ],
    ids=str,
)
def test_a_search_names_no_file_outside_of_the_operators_folders(roots, alice, fields):
    before = alice.get("/searches").text
    answer = alice.post("/searches", json={**TINY, **fields})
    assert problem(answer, 422)
    assert "root:" not in answer.text
    assert alice.get("/searches").text == before


def test_files_under_the_operators_folders_are_named_by_relative_and_whole_paths(served, alice):
    (served.root / "own.yaml").write_text(TASK)
    (served.root / "words.csv").write_text("text,label\n" + "".join(f"word {n} x,{'ab'[n % 2]}\n" for n in range(40)))
    for number, name in enumerate(("own.yaml", str(served.root / "own.yaml"))):
        made = alice.post("/searches", json={**TINY, "task": name, "space": "tiny_text", "study": f"rooted-{number}"})
        assert made.status_code == 201, made.text
        assert made.json()["request"]["task"] == "own.yaml", "told as it may be named"


def nowhere(served, *texts):
    """No text tells where the service keeps its files."""
    for text in texts:
        assert text
        for secret in (str(served.folder), ".service", "/home/", "site-packages"):
            assert secret not in text


def test_mistakes_name_what_was_sent_and_what_is_served_as_their_callers_do(served, alice):
    sent = alice.post("/uploads", params={"name": "bad.onnx"}, content=b"no network at all").json()["sha256"]
    (served.root / "deep").mkdir(exist_ok=True)
    (served.root / "deep" / "broken.yaml").write_text(TASK)
    (served.root / "deep" / "words.csv").write_text("text,other\na b,c\n")
    teacher = problem(alice.post("/searches/plan", json={**TINY, "teacher": f"upload:{sent}/bad.onnx"}), 422)
    assert f"upload:{sent}/bad.onnx is not a complete ONNX model" in teacher
    data = problem(alice.post("/searches/plan", json={**TINY, "task": "deep/broken.yaml", "space": "tiny_text"}), 422)
    assert "task deep/broken.yaml: deep/words.csv: " in data
    nowhere(served, teacher, data)


def test_a_search_that_failed_tells_its_reason_and_events_in_the_callers_names(served, alice):
    sent = alice.post("/uploads", params={"name": "late.onnx"}, content=b"no network either").json()["sha256"]
    asked = {**TINY, "teacher": f"upload:{sent}/late.onnx", "study": "told"}
    made = alice.post("/searches", json=asked, params={"priority": 9})
    assert made.status_code == 201, made.text
    assert made.json()["request"]["teacher"] == json.dumps({"onnx": f"upload:{sent}/late.onnx"})
    database = Database(str(served.folder / "automl-kd.db"))
    claims = SearchClaims(database)
    taken = claims.take("a runner")
    assert taken.name == "told"
    with pytest.raises(automl_kd.UserError) as error:  # what its runner meets
        automl_kd.search(**taken.request, storage=str(served.folder / "runner.db"))
    EventLog(database).add("told", "note", {"text": f"reading {served.root}/deep"}, taken.claim)
    assert claims.finish("told", taken.claim, "failed", str(error.value))
    view = alice.get("/searches/told").json()
    assert f"upload:{sent}/late.onnx is not a complete ONNX model" in view["reason"]
    told = [document for _, _, document in events(alice, "told", until=view["events"])]
    assert told[-1]["reason"] == view["reason"]
    assert told[-2]["text"] == "reading deep"
    page, again = alice.get("/ui/searches/told"), alice.get("/ui/new", params={"like": "told"})
    assert f"upload:{sent}/late.onnx" in page.text
    assert f"upload:{sent}/late.onnx" in again.text
    nowhere(served, alice.get("/searches").text, json.dumps(told), page.text, again.text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("storage", "sqlite:////tmp/other.db"),
        ("allow_code", True),
        ("address", "10.0.0.1:6379"),
        ("executor", "ray"),
        ("from_study", ["other"]),
        ("extend", "1h"),
        ("per_trial", "cpu=1"),
    ],
)
def test_options_of_the_command_line_alone_are_refused_over_the_network(alice, field, value):
    assert field in problem(alice.post("/searches", json={**TINY, field: value}), 422)


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fautoml-kd.db", "%2e%2e", "..", "kit.zip%00", ".service", "driver.log", "k.zip/../../x", "%2Fetc"],
)
def test_artifacts_are_those_of_the_list_alone(served, alice, name):
    alice.post("/searches", json={**TINY, "study": "with-files"})
    path = f"/searches/with-files/artifacts/{name}"
    answer = served.raw(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {served.tokens['alice']}\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    assert answer.split()[1] in (b"404", b"405")
    assert b"SQLite" not in answer


def elsewhere(tensor, location):
    if location is not None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
    return tensor


def model(weights_at=None, shape_at=None):
    """A small network as an ONNX file, its weights or a shape in another file if wanted."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], np.zeros(108, np.float32).tobytes(), raw=True)
    shape = helper.make_tensor("s", TensorProto.INT64, [2], np.array([1, 144]).tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Reshape", ["c", "s"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [elsewhere(weights, weights_at), elsewhere(shape, shape_at)],
    )
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    found.ir_version = 8
    return found.SerializeToString()


def test_a_model_is_priced_and_nothing_of_it_is_kept(served, alice):
    before = kept(served)
    priced = alice.post("/hardware/jetson-nano/predict", content=model()).json()
    assert 0 < priced["low"] <= priced["ms"] <= priced["high"]
    missing = alice.post("/hardware/jetson-nano/predict", content=model(weights_at="/etc/passwd")).json()
    assert missing["ms"] == priced["ms"], "values of weights are not read"
    assert kept(served) == before
    left = [each for each in (served.folder / "automl-kd-files" / ".service").iterdir() if each.name != "uploads"]
    assert {each.suffix for each in left} <= {".log"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no model",
        archive(("a.csv", "x")),
        model()[:60],
        model(shape_at="../../automl-kd.db"),
        model(shape_at="/etc/passwd"),
        onnx.ModelProto().SerializeToString(),
    ],
    ids=["empty", "text", "zip", "cut", "shape above", "shape elsewhere", "hollow"],
)
def test_what_is_no_model_has_no_price(served, alice, content):
    detail = problem(alice.post("/hardware/jetson-nano/predict", content=content), 422)
    assert str(served.folder) not in detail


@pytest.mark.parametrize("device", ["..%2Fjetson-nano", "nothing", "jetson-nano.yaml", "jetson-nano:none", "%00"])
def test_a_device_that_is_none_has_no_prices(alice, device):
    answer = alice.post(f"/hardware/{device}/predict", content=model())
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
