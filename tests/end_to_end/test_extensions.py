"""What others add: the files of docs/extending.md, installed outside the package, in the commands that a user runs."""

import ast
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib import import_module

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from automl_kd.core import Registry, UserError
from automl_kd.recipes import load_recipe
from automl_kd.tasks import open_task


def install(folder, package, version, points, **modules):
    """Write modules, and what an installer leaves of a package: its name, its version and its entry points."""
    folder.mkdir(exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    left = folder / f"{package}-{version}.dist-info"
    left.mkdir()
    (left / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = "".join(f"{name} = {module}\n" for name, module in points.items())
    (left / "entry_points.txt").write_text(f"[automl_kd.extensions]\n{lines}")


def with_path(command, folder):
    """The command where the packages of a folder are installed."""
    path = os.pathsep.join(filter(None, [str(folder), command.environment.get("PYTHONPATH")]))
    return replace(command, environment=command.environment | {"PYTHONPATH": path})


def blocks(page, language):
    """What a page shows in a language, by what stands in code quotes above it."""
    return dict(re.findall(rf"^`([\w.]+)`\n\n```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "extending.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def modules(page):
    """The files that the page shows, by module."""
    return {name.removesuffix(".py"): text for name, text in blocks(page, "python").items()}


@pytest.fixture(scope="module")
def commands(page):
    """The commands that the page shows, by verb."""
    (shown,) = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return {words[1]: words[1:] for words in map(shlex.split, shown.splitlines())}


@pytest.fixture(scope="module")
def extended(command, page, modules, tmp_path_factory):
    """The command with the page's files installed."""
    folder = tmp_path_factory.mktemp("site-packages")
    (project,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    project = tomllib.loads(project)["project"]
    points = project["entry-points"]["automl_kd.extensions"]
    assert sorted(points.values()) == sorted(modules), "the page shows the modules that it names"
    install(folder, project["name"], project["version"], points, **modules)
    return with_path(command, folder)


@pytest.fixture(scope="module")
def folder(page, tmp_path_factory):
    """The page's documents, recordings whose grade is how high they lie, and a linear model that knows it."""
    folder = tmp_path_factory.mktemp("work")
    for name, text in blocks(page, "yaml").items():
        (folder / name).write_text(text)
    weights = np.full(32, 32**-0.5)
    recordings = np.random.default_rng(0).normal(size=(600, 32)).round(3)
    bounds = (-0.7, 0.0, 0.7)
    table = np.column_stack([np.digitize(recordings @ weights, bounds), recordings])
    np.savetxt(folder / "level.tsv", table, fmt="%g", delimiter="\t")
    np.savez(folder / "level.npz", coef=np.stack([8 * weights] * len(bounds)), intercept=-8 * np.array(bounds))
    return folder


@pytest.fixture(scope="module")
def found(extended, folder, commands):
    """What the page's search found."""
    return extended(*commands["search"], "--device", "cpu", "--json", cwd=folder).document


@pytest.fixture(scope="module")
def exported(extended, folder, commands, found):
    """What the page's export delivered."""
    return extended(*commands["export"], "--json", cwd=folder).document


def test_the_page_shows_one_file_for_each_registry_and_how_long_it_is(page, modules):
    rows = re.findall(
        r"^\| [\w ]+ \| `automl_kd\.(\w+)\.(\w+)` \| `(\w+)` \| `[\w/]+` \| (\d+) lines \|$", page, re.MULTILINE
    )
    assert [int(length) for *_, length in rows] == [text.count("\n") for text in modules.values()]
    for (room, registry, contract, _), text in zip(rows, modules.values(), strict=True):
        public = import_module(f"automl_kd.{room}")
        assert isinstance(getattr(public, registry), Registry)
        assert hasattr(public, contract)
        assert text.count(f"\n{registry}.add(") == 1


def test_the_files_take_public_names_alone(modules):
    for name, text in modules.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("automl_kd"):
                assert {each.name for each in node.names} <= set(import_module(node.module).__all__), name


def test_a_search_in_worker_processes_finds_what_all_files_add(found):
    assert (found["trials"]["complete"], found["trials"]["failed"]) == (4, 0)
    assert [each["name"] for each in found["objectives"]] == ["grade_error", "latency_ms"]
    for entry in found["front"]:
        recipe = entry["recipe"]
        assert recipe["student"]["family"] == "conv_series"
        assert "logit_mse" in recipe["distill"]["losses"]
        assert recipe["compress"] == [{"stage": "sparsify", "share": 0.25}]
    assert min(pick["test_score"] for pick in found["picks"]) < 0.75, "always the best grade: about 1"
    assert found["understood"]["data"]["modality"] == "series"
    assert found["understood"]["data"]["problem"] == "ordinal"
    assert found["understood"]["teacher"]["members"][0]["form"] == "linear model level.npz"


def test_a_delivery_names_the_package_and_ships_what_was_compressed(extended, folder, exported):
    manifest = json.loads((folder / "winner" / "manifest.json").read_text())
    assert manifest["versions"]["extensions"] == {"akd-examples": "1.0"}
    weights = [numpy_helper.to_array(each) for each in onnx.load(folder / "winner" / "student.onnx").graph.initializer]
    zeros = [float((each == 0).mean()) for each in weights if each.ndim > 1]
    assert min(zeros) >= 0.2, "a quarter of every layer"
    told = extended("report", "--study", "level", cwd=folder)
    assert told.code == 0, told.err
    assert "grade error" in (folder / "report.html").read_text()


def test_what_is_delivered_speaks_of_recordings_and_its_code_runs_in_their_folder(folder, exported):
    card = (folder / "winner" / "model_card.md").read_text()
    report = re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", (folder / "report.html").read_text(), flags=re.DOTALL)
    for text in (card, report):
        assert " recordings " in text
        assert re.findall(r"(?i)\bimages?\b|\baccuracy|\bclass(?:es)?\b", text) == []
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1].replace("'your recording'", "[1.5] * 32")
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        cwd=folder / "winner",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.stdout == "[[ True  True  True]]\n", ended.stderr


def test_a_delivery_of_others_runs_by_itself_and_is_checked_with_their_package(extended, inside, folder, exported):
    np.save(folder / "one.npy", np.full(32, 1.5))
    ended = subprocess.run(
        [sys.executable, "-I", "winner/run.py", "one.npy"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert re.fullmatch(r"one\.npy: above 0 \(.*above 2 \(\d+\.\d %\)\n", ended.stdout), ended.stderr
    checks = extended("verify", "winner", "--json", cwd=folder).document["checks"]
    assert [each["outcome"] for each in checks] == ["ok"] * 6
    without = inside("verify", "winner", "--json", cwd=folder).document["checks"]
    assert [each["outcome"] for each in without] == ["ok"] * 3 + ["not checked"] * 3
    assert "unknown stage 'sparsify'" in without[3]["told"]


def test_a_replay_gives_the_same_student(extended, folder, commands, exported):
    replayed = extended(*commands["distill"], "--device", "cpu", "--json", cwd=folder)
    assert replayed.code == 0, replayed.err
    first, second = (
        hashlib.sha256((folder / name / "student.safetensors").read_bytes()).hexdigest() for name in ("winner", "again")
    )
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("distill", "winner/recipe.yaml", "--out", "other"),
            r"winner/recipe.yaml: .*unknown (field 'logit_mse'|stage 'sparsify'); known: ",
        ),
        (
            ("search", "--hw", "jetson-nano", "--budget", "1m", "--sampler", "sobol"),
            "unknown sampler 'sobol'; known: gp, ",
        ),
        (
            ("search", "--hw", "jetson-nano", "--budget", "1m", "--executor", "half"),
            "unknown executor 'half'; known: inl",
        ),
    ],
)
def test_without_the_package_a_command_is_refused_in_a_line_that_says_what_is_unknown(
    inside, folder, exported, arguments, told
):
    ended = inside(*arguments, cwd=folder)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert re.search(told, ended.err), ended.err


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("data: {kind: series-table, path: a.tsv}", "file.yaml: data: unknown kind 'series-table'; known: "),
        ("data: {kind: npz, path: a.npz}\nproblem: ordinal", "problem: unknown problem type 'ordinal'; known: "),
        (
            "data: {kind: digits}\nmetric: grade_error",
            "metric: unknown metric 'grade_error'; a multiclass problem has: ",
        ),
        (
            "data: {kind: digits}\nteacher: {linear: a.npz}",
            'file.yaml: teacher: {"linear": "a.npz"} is not allowed: a tea',
        ),
    ],
)
def test_without_the_package_so_is_a_task(tmp_path, document, told):
    (tmp_path / "file.yaml").write_text(f"name: level\n{document}\n")
    with pytest.raises(UserError, match=re.escape(told)):
        open_task(str(tmp_path / "file.yaml"))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("student: {family: conv_series, channels: 4}", "file.yaml: student: unknown family 'conv_series'; did you "),
        ("student: {family: resnet, depth: 8}\ncompress: [{stage: sparsify}]", "file.yaml: compress.0: unknown stage"),
    ],
)
def test_without_the_package_so_is_a_recipe(tmp_path, document, told):
    (tmp_path / "file.yaml").write_text(f"{document}\ntrain: {{epochs: 1}}\n")
    with pytest.raises(UserError, match=re.escape(told)):
        load_recipe(tmp_path / "file.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nowhere", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'; mend or uninstall it"),
        (
            "from automl_kd.samplers import SAMPLERS\nSAMPLERS.add('tpe', None)",
            "sampler 'tpe' of broken is registered by automl_kd.samplers.forms.tpe already; give it another name",
        ),
    ],
)
def test_a_broken_extension_is_one_line_that_names_its_package(command, tmp_path, text, told):
    install(tmp_path / "site", "akd-broken", "0.1", {"it": "broken"}, broken=text)
    broken = with_path(command, tmp_path / "site")
    ended = broken("space", "show", "tiny_cnn", cwd=tmp_path)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert f"extension akd-broken 0.1 (broken): {told}".replace("): cannot", ") cannot") in ended.err
    assert broken("search", "--help", cwd=tmp_path).code == 0


def test_a_sampler_that_is_not_what_its_contract_says_is_refused(command, root, tmp_path):
    text = (
        "from optuna.samplers import RandomSampler\n"
        "from automl_kd.samplers import SAMPLERS, SamplerSpec\n"
        "SAMPLERS.add('vain', SamplerSpec(lambda asked: RandomSampler(asked.seed), knows_worth=True))\n"
    )
    install(tmp_path / "site", "akd-vain", "0.1", {"it": "vain"}, vain=text)
    code = (
        "from automl_kd.recipes import load_space\n"
        "from automl_kd.samplers import Proposing, make_sampler\n"
        "make_sampler('vain', Proposing(0, load_space('tiny_cnn'), {}, dict))\n"
    )
    environment = with_path(command, tmp_path / "site").environment
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (
        "UserError: sampler vain: knows_worth=True is its contract, but RandomSampler does not derive" in ended.stderr
    )
