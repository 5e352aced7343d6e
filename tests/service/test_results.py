"""What a finished search shows and gives over HTTP is what the command says of it."""

import io
import json
import zipfile

import pytest
from served import awaited, events, measured
from test_who_may import problem


@pytest.fixture
def boss(finished):
    with finished.client(finished.tokens["boss"]) as client:
        yield client


@pytest.fixture
def name(finished):
    return finished.document["study"]


def test_a_study_of_the_command_line_is_a_search_that_is_done_for_who_sees_all(finished, boss, name):
    (found,) = boss.get("/searches").json()["searches"]
    assert (found["name"], found["state"], found["owner"]) == (name, "done", "command-line")
    assert found["request"]["hw"] == "x86-server"
    best = awaited(lambda: (boss.get(f"/searches/{name}").json()["progress"] or {}).get("best"))
    assert best["score"] == max(each["score"] for each in finished.document["front"])
    with finished.client(finished.tokens["bob"]) as bob:
        assert bob.get("/searches").json() == {"searches": []}
        for path in ("", "/result", "/report", "/kit", "/artifacts"):
            problem(bob.get(f"/searches/{name}{path}"), 404)


def test_its_result_and_trials_are_those_that_the_command_printed(finished, boss, name):
    found = boss.get(f"/searches/{name}/result").json()
    printed = finished.document
    for key in ("study", "task", "hw", "front", "picks", "trials"):
        assert found[key] == printed[key], key
    trials = boss.get(f"/searches/{name}/trials").json()
    assert len(trials["complete"]) == printed["trials"]["complete"]
    assert {each["trial"] for each in trials["complete"]} >= {each["trial"] for each in printed["front"]}


def test_an_export_is_a_whole_folder_to_download(boss, name):
    made = boss.post(f"/searches/{name}/exports", json={"pick": "best"})
    assert made.status_code == 201, made.text
    assert "path" not in made.json()
    archive = made.json()["archive"]
    assert archive in [each["name"] for each in boss.get(f"/searches/{name}/artifacts").json()["artifacts"]]
    answer = boss.get(f"/searches/{name}/artifacts/{archive}")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{archive}"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        assert folder.testzip() is None
        names = {each.split("/", 1)[1] for each in folder.namelist()}
        assert {"student.onnx", "recipe.yaml", "manifest.json"} <= names
        listed = json.loads(folder.read(next(each for each in folder.namelist() if each.endswith("manifest.json"))))
        assert listed
    again = boss.post(f"/searches/{name}/exports", json={"pick": "best"}).json()
    assert again["archive"] == archive
    for wrong in ("none", "../x", 99, "fastest on nothing"):
        problem(boss.post(f"/searches/{name}/exports", json={"pick": wrong}), 422)


def test_the_report_runs_its_own_scripts_and_reaches_nothing(boss, name):
    answer = boss.get(f"/searches/{name}/report")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox")
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy


def test_a_kit_goes_to_a_device_and_what_it_measured_is_put_beside_the_predictions(finished, boss, name):
    problem(boss.post(f"/searches/{name}/measurements", content=b"{}"), 422)
    answer = boss.get(f"/searches/{name}/kit")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as folder:
        assert any(each.endswith("measure.py") for each in folder.namelist())
    for wrong in (b"", b"{}", b"no lines", b"[1, 2]\n", b'{"network": "../x", "ms": 1}\n', b"\xff\xfe"):
        detail = problem(boss.post(f"/searches/{name}/measurements", content=wrong), 422)
        assert str(finished.folder) not in detail
    seen = boss.get(f"/searches/{name}").json()["events"]
    found = boss.post(f"/searches/{name}/measurements", content=measured(answer.content, 50.0)).json()
    assert [each["trial"] for each in found["picks"]] == [each["trial"] for each in finished.document["picks"]]
    for each in found["picks"]:
        assert each["measured_ms"] == pytest.approx(50 * each["latency_ms"], rel=0.01)
        assert not each["measured_inside"]
    shown = boss.get(f"/searches/{name}/result").json()["picks"]
    assert [each["measured_ms"] for each in shown] == [each["measured_ms"] for each in found["picks"]]
    told = events(boss, name, after=seen, most=1)[0][2]["text"]
    assert f"{len(shown)} pick" in told
    assert "0 inside" in told


def test_a_search_that_has_not_begun_has_no_result_yet(boss):
    boss.post("/searches", json={"hw": "jetson-nano", "budget": "10m", "study": "waits"})
    for path in ("result", "trials", "report", "kit", "front"):
        assert "has not begun; it is queued" in problem(boss.get(f"/searches/waits/{path}"), 409)
