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


_COMMANDS = """
import contextlib, io, json, sys
from automl_kd.cli import main
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        main(["task", "check", *arguments])
    print(json.dumps([out.getvalue(), err.getvalue()]))
"""


def _run(folder, *commands, extended=True):
    """What commands say on standard output and on standard error, one after the other in one process."""
    path = os.pathsep.join([*([str(folder)] if extended else []), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-c", _COMMANDS, json.dumps(commands)],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def _members(out):
    return json.loads(out)["teacher"]["members"]


def test_it_stands_wherever_a_teacher_stands_and_the_forms_of_the_project_beside_it(installed):
    torch.save(torch.zeros(3, 64), installed / "three.linear")
    torch.manual_seed(0)
    student = {"family": "resnet", "depth": 8, "width": 0.25}
    torch.save(build(student, open_task("digits").signature).state_dict(), installed / "t.pt")
    *alone, (both, _), (_, refused) = _run(
        installed,
        ("task.yaml", "--json"),
        ("digits", "--teacher", "{linear: t.linear}", "--json"),
        ("digits", "--teacher", "t.linear", "--json"),
        ("digits", "--teacher", "t.linear + t.pt@{family: resnet, depth: 8, width: 0.25}", "--json"),
        ("digits", "--teacher", "three.linear"),
    )
    for out, err in alone:
        assert out, err
        (member,) = _members(out)
        assert member["form"].startswith("linear layer ")
        assert member["images"] == 300
    assert [each["form"].split()[0] for each in _members(both)] == ["linear", "checkpoint"]
    (line,) = refused.strip().splitlines()
    assert "three.linear: has 3 outputs; the task needs 10" in line


def test_without_the_package_it_is_unknown_in_one_line(installed):
    ((_, err),) = _run(installed, ("task.yaml",), extended=False)
    (line,) = err.strip().splitlines()
    assert (
        "a teacher is {train: …}, {checkpoint: FILE, student: …}, {onnx: FILE}, {program: FILE}, {timm: FOLDER}" in line
    )
