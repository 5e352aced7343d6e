"""What others add: the files of docs/extending.md, installed outside the package, in the commands that a user runs."""

import hashlib
import json
import os
import re
import tomllib
from dataclasses import replace

import pytest

SPACE = """
search_epochs: 3
student: {family: resnet, depth: 8, width: {choice: [0.25, 0.5]}, stem: {stride: 2}}
distill: {losses: {task: {weight: 1.0}, logit_mse: {weight: {choice: [0.03, 0.3]}}}}
train: {epochs: 3, batch_size: 128, optimizer: {name: sgd, lr: 0.1}}
"""


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


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "extending.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def modules(page):
    """The files that the page shows, by module."""
    return dict(re.findall(r"^`(\w+)\.py`\n\n```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def extended(command, page, modules, tmp_path_factory):
    """The command with the page's files installed."""
    folder = tmp_path_factory.mktemp("site-packages")
    project = tomllib.loads(re.search(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[1])["project"]
    points = project["entry-points"]["automl_kd.extensions"]
    assert sorted(points.values()) == sorted(modules), "the page names the modules that it shows"
    install(folder, project["name"], project["version"], points, **modules)
    return with_path(command, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    (folder / "space.yaml").write_text(SPACE)
    return folder


@pytest.fixture(scope="module")
def found(extended, folder, digits_teacher):
    """What a search with everything that the page adds found."""
    arguments = ("--task", "digits", "--space", "space.yaml", "--hw", "jetson-nano", "--device", "cpu", "--study", "s")
    more = ("--workers", "2", "--sampler", "sobol", "--executor", "half", "--budget", "10m", "--json")
    return extended("search", *arguments, *more, cwd=folder).document


@pytest.fixture(scope="module")
def exported(extended, folder, found):
    """The knee of its front, delivered."""
    return extended("export", "--study", "s", "--pick", "knee", "--out", "winner", "--json", cwd=folder).document


def test_a_search_in_worker_processes_finds_what_extensions_add(found):
    assert found["trials"]["complete"] >= len(found["front"]) >= 1
    assert found["trials"]["failed"] == 0
    assert all("logit_mse" in entry["recipe"]["distill"]["losses"] for entry in found["front"])


def test_the_report_and_the_manifest_name_the_package(extended, folder, exported):
    told = extended("report", "--study", "s", cwd=folder)
    assert told.code == 0, told.err
    manifest = json.loads((folder / "winner" / "manifest.json").read_text())
    assert manifest["versions"]["extensions"] == {"akd-examples": "1.0"}


def test_a_replay_gives_the_same_student(extended, folder, exported):
    replayed = extended("distill", "winner/recipe.yaml", "--out", "again", "--device", "cpu", "--json", cwd=folder)
    assert replayed.code == 0, replayed.err
    first, second = (
        hashlib.sha256((folder / name / "student.safetensors").read_bytes()).hexdigest() for name in ("winner", "again")
    )
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("distill", "winner/recipe.yaml", "--out", "other"), "distill.losses.logit_mse: "),
        (("search", "--hw", "jetson-nano", "--budget", "1m", "--sampler", "sobol"), "unknown sampler 'sobol'"),
        (("search", "--hw", "jetson-nano", "--budget", "1m", "--executor", "half"), "unknown executor 'half'"),
    ],
)
def test_without_the_package_the_same_is_refused_in_a_line_that_says_what_is_unknown(
    command, folder, exported, arguments, told
):
    ended = command(*arguments, cwd=folder)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert told in ended.err


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


def test_a_sampler_that_is_not_what_its_contract_says_is_refused(command, tmp_path):
    text = (
        "from optuna.samplers import RandomSampler\n"
        "from automl_kd.samplers import SAMPLERS, SamplerSpec\n"
        "SAMPLERS.add('vain', SamplerSpec(lambda asked: RandomSampler(asked.seed), knows_worth=True))\n"
    )
    install(tmp_path / "site", "akd-vain", "0.1", {"it": "vain"}, vain=text)
    search = ("search", "--hw", "jetson-nano", "--budget", "1m", "--device", "cpu", "--sampler", "vain")
    ended = with_path(command, tmp_path / "site")(*search, cwd=tmp_path)
    assert (ended.code, ended.err.splitlines()[-1].count("knows_worth=True")) == (2, 1), ended.err
