"""The YAML reaches users from a wheel, from an editable install and from a checkout, whatever folder they are in."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

SPACES = {"tiny_cnn", "tiny_resnet", "mobile_cnn"}
DEVICES = {"jetson-nano", "raspberry-pi-4", "local"}


def run(*words, cwd, **more):
    """Run without what the tests' own environment would add to the search path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more
    ended = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def source(root, tmp_path_factory):
    """A copy of what is in version control here, so that building leaves nothing behind."""
    folder = tmp_path_factory.mktemp("source") / "automl-kd"
    names = ("automl_kd", "search_spaces", "hardware_profiles", "cli.py", "pyproject.toml", "README.md", "LICENSE")
    for name in names:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(root / name, folder / name)
    return folder


def environment_with(folder, *install):
    """A fresh environment that sees this one's dependencies but not its automl-kd, with a package installed."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    (site,) = (folder / "lib").glob("python*/site-packages")
    # A path in a .pth file is searched, but its own .pth files (this environment's editable install) are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    run(*pip, "--no-build-isolation", "--ignore-installed", *install, cwd=folder.parent)
    return folder / "bin" / "automl-kd", python


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", source, "--no-deps", "--no-build-isolation", "-w", folder, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def finds_its_yaml(words, cwd):
    config = {"XDG_CONFIG_HOME": str(cwd / "config")}
    spaces = json.loads(run(*words, "space", "list", "--json", cwd=cwd, **config))["spaces"]
    devices = json.loads(run(*words, "hw", "list", "--json", cwd=cwd, **config))["devices"]
    return {each["name"] for each in spaces} >= SPACES and {each["name"] for each in devices} >= DEVICES


def test_a_wheel_carries_its_yaml(wheel, tmp_path):
    command, python = environment_with(tmp_path / "venv", wheel)
    (tmp_path / "elsewhere").mkdir()
    home = run(python, "-c", "import automl_kd; print(automl_kd.__file__)", cwd=tmp_path / "elsewhere")
    assert Path(home.strip()).is_relative_to(tmp_path / "venv"), "it is the wheel that answers"
    assert finds_its_yaml([command], tmp_path / "elsewhere")


def test_a_wheel_holds_the_package_and_the_yaml_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"automl_kd/search_spaces/{name}.yaml" for name in SPACES} <= set(names)
    assert "automl_kd/tasks/cluttered_digits_teacher.safetensors" in names
    assert {f"automl_kd/hardware_profiles/{name}.yaml" for name in DEVICES} <= set(names)
    assert "automl_kd/hardware/kernels/runtimes/tensorrt.yaml" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"automl_kd"}
    assert not [name for name in names if "test" in name.lower()]


@pytest.mark.long
def test_an_editable_install_reads_the_yaml_that_users_edit(source, tmp_path):
    command, _ = environment_with(tmp_path / "venv", "--editable", source)
    (tmp_path / "elsewhere").mkdir()
    assert finds_its_yaml([command], tmp_path / "elsewhere")
    mine = source / "search_spaces" / "mine.yaml"
    shutil.copy(source / "search_spaces" / "tiny_cnn.yaml", mine)
    try:
        assert "mine" in run(command, "space", "list", cwd=tmp_path / "elsewhere")
    finally:
        mine.unlink()


@pytest.mark.long
def test_a_checkout_runs_without_being_installed(source, tmp_path):
    assert finds_its_yaml([sys.executable, source / "cli.py"], tmp_path)
    where = f"import sys; sys.path.insert(0, {str(source)!r}); import automl_kd; print(automl_kd.__file__)"
    assert Path(run(sys.executable, "-c", where, cwd=tmp_path).strip()).is_relative_to(source)
