"""A form of teachers that an installed package adds."""

import json
import os
import subprocess
import sys

import pytest
import torch

from automl_kd.students import build
from automl_kd.tasks import open_task

_FORM = '''
import torch
from torch import nn

from automl_kd.core import UserError
from automl_kd.tasks import BroughtTeacher, Card
from automl_kd.teachers import TEACHER_FORMS, Opened, Source, TeacherForm, module_teacher


class Linear(BroughtTeacher):
    """One linear layer in a file of torch."""

    linear: str


def look(spec, task):
    form = f"linear layer {spec.linear}"

    def opened(signature):
        weight = torch.load(spec.linear, weights_only=True)
        if len(weight) != signature.output.width:
            raise UserError(f"{spec.linear}: has {len(weight)} outputs; the task needs {signature.output.width}")
        layer = nn.Linear(*weight.T.shape, bias=False)
        layer.load_state_dict({"weight": weight})
        return Opened(module_teacher(nn.Sequential(nn.Flatten(), layer), signature), form)

    return Source(Card(), form, opened)


TEACHER_FORMS.add("linear", TeacherForm(Linear, look, "{linear: FILE}", endings=(".linear",)))
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of such a package, and of a task file whose teacher is of its form."""
    folder = tmp_path_factory.mktemp("package")
    information = folder / "linear_teachers-1.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: linear-teachers\nVersion: 1.2\n")
    (information / "entry_points.txt").write_text("[automl_kd.extensions]\nlinear = linear_teachers\n")
    (folder / "linear_teachers.py").write_text(_FORM)
    torch.save(torch.randn(10, 64, generator=torch.Generator().manual_seed(0)), folder / "t.linear")
    (folder / "task.yaml").write_text(
        "name: mine\ndata: {kind: digits}\nsplits: {validation: 300, train: 1000}\nteacher: {linear: t.linear}\n"
    )
    return folder


def _run(folder, *arguments, extended=True):
    path = os.pathsep.join([*([str(folder)] if extended else []), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", "from automl_kd.cli import main; main()", "task", "check", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [("task.yaml",), ("digits", "--teacher", "{linear: t.linear}"), ("digits", "--teacher", "t.linear")],
    ids=["task file", "braces", "file alone"],
)
def test_it_stands_wherever_a_teacher_stands(installed, arguments):
    ran = _run(installed, *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    (member,) = json.loads(ran.stdout)["teacher"]["members"]
    assert member["form"].startswith("linear layer ")
    assert member["images"] == 300


def test_without_the_package_it_is_unknown_in_one_line(installed):
    ran = _run(installed, "task.yaml", extended=False)
    assert ran.returncode == 2
    (line,) = ran.stderr.strip().splitlines()
    assert (
        "a teacher is {train: …}, {checkpoint: FILE, student: …}, {onnx: FILE}, {program: FILE}, {timm: FOLDER}" in line
    )


def test_what_it_says_of_a_file_that_does_not_fit_is_one_line(installed):
    torch.save(torch.zeros(3, 64), installed / "three.linear")
    ran = _run(installed, "digits", "--teacher", "three.linear")
    assert ran.returncode == 2
    assert "three.linear: has 3 outputs; the task needs 10" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_the_forms_of_the_project_are_read_beside_it(installed):
    task = open_task("digits")
    torch.manual_seed(0)
    student = {"family": "resnet", "depth": 8, "width": 0.25}
    torch.save(build(student, task.signature).state_dict(), installed / "t.pt")
    ran = _run(installed, "digits", "--teacher", "t.linear + t.pt@{family: resnet, depth: 8, width: 0.25}", "--json")
    assert [each["form"].split()[0] for each in json.loads(ran.stdout)["teacher"]["members"]] == [
        "linear",
        "checkpoint",
    ]
