"""Programs of torch.export as teachers."""

import io
import json
import os
import zipfile

import pytest
import torch
from teacher_cases import CLASSES, SHAPE, SIGNATURE, reader, small_task, telling_task, tiny_vit, trained_module
from torch import nn

from automl_kd.core import UserError, sha256_of
from automl_kd.teachers import ProgramTeacher, load_teacher, module_teacher


def _export(path, module=None, *, dynamic=False, shape=SHAPE):
    sizes = ({0: torch.export.Dim("batch", min=1, max=4096)},) if dynamic else None
    program = torch.export.export(module or trained_module(), (torch.randn(2, *shape),), dynamic_shapes=sizes)
    torch.export.save(program, path)
    return path


def _load(path):
    return load_teacher(ProgramTeacher(program=str(path)), small_task())


def _message(path):
    with pytest.raises(UserError) as caught:
        _load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    return _export(tmp_path_factory.mktemp("fixed") / "t.pt2")


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory):
    return _export(tmp_path_factory.mktemp("dynamic") / "t.pt2", dynamic=True)


@pytest.mark.parametrize("batches", ["fixed", "dynamic"])
def test_it_answers_batches_of_any_size_as_the_module_does(request, batches):
    teacher = _load(request.getfixturevalue(batches))
    expected = module_teacher(trained_module(), SIGNATURE)
    assert teacher.stage_names() == expected.stage_names()
    assert teacher.feature_shapes() == expected.feature_shapes()
    assert teacher.head() is None
    paths = [*teacher.stage_names(), "stem.0.0"]
    for count in (1, 2, 5):
        images = torch.randn(count, *SHAPE)
        ours, theirs = teacher.outputs(images, paths), expected.outputs(images, paths)
        torch.testing.assert_close(ours.logits, theirs.logits, rtol=1e-4, atol=1e-5)
        for path in paths:
            torch.testing.assert_close(ours.maps[path], theirs.maps[path], rtol=1e-4, atol=1e-5)
        gradients = expected.input_gradients(images)
        torch.testing.assert_close(teacher.input_gradients(images), gradients, rtol=1e-3, atol=1e-5)


def test_a_transformer_keeps_its_blocks(tmp_path):
    teacher = _load(_export(tmp_path / "vit.pt2", tiny_vit()))
    assert teacher.feature_shapes() == module_teacher(tiny_vit(), SIGNATURE).feature_shapes()


def test_a_program_that_changes_as_it_answers_is_refused(tmp_path):
    path = _export(tmp_path / "t.pt2", trained_module().train())
    assert "was exported in training mode" in _message(path)


def test_what_does_not_fit_the_task_is_told(tmp_path):
    path = _export(tmp_path / "input.pt2", nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES)), shape=(1, 6, 6))
    assert "takes inputs of shape (1, 6, 6); the task needs (1, 8, 8)" in _message(path)
    path = _export(tmp_path / "classes.pt2", nn.Sequential(nn.Flatten(), nn.Linear(64, 5)))
    assert "returns (5,) for inputs of shape (1, 8, 8); the task needs (3,)" in _message(path)


def test_files_that_are_no_program(tmp_path):
    assert "does not exist" in _message(tmp_path / "none.pt2")
    (tmp_path / "text.pt2").write_bytes(b"no program")
    assert "cannot be read as a program of torch.export" in _message(tmp_path / "text.pt2")
    torch.save(trained_module().state_dict(), tmp_path / "state.pt2")
    assert "is not read" in _message(tmp_path / "state.pt2")


def _altered(source, target, change):
    """A copy of a program's file in which ``change`` made other parts of the parts."""
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in change(parts).items():
            archive.writestr(name, content)
    return target


class _Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def _pickled(path):
    buffer = io.BytesIO()
    torch.save({"x": _Payload(path)}, buffer)
    return buffer.getvalue()


def _in_model(old, new):
    def change(parts):
        (name,) = (name for name in parts if name.endswith("models/model.json"))
        assert old in parts[name]
        return parts | {name: parts[name].replace(old, new)}

    return change


def _pickled_weight(ran):
    def change(parts):
        (name,) = (name for name in parts if name.endswith("model_weights_config.json"))
        config = json.loads(parts[name])
        payload = config["config"]["stem.0.0.weight"]
        payload["use_pickle"] = True
        weight = name.replace("model_weights_config.json", payload["path_name"])
        return parts | {name: json.dumps(config).encode(), weight: _pickled(ran)}

    return change


def _legacy_weights(ran):
    def change(parts):
        name = next(name for name in parts if name.endswith("model_weights_config.json"))
        return parts | {name.replace("model_weights_config.json", "model.pt"): _pickled(ran)}

    return change


def test_what_could_run_code_is_refused_and_not_run(tmp_path, dynamic):
    ran = tmp_path / "ran"
    evaluated = f"""__import__('pathlib').Path('{ran}').mkdir()""".encode()
    for change, refused in [
        (_pickled_weight(ran), "stem.0.0.weight is pickled"),
        (_legacy_weights(ran), "holds data/weights/model.pt, which is neither a tensor nor a graph"),
        (_in_model(b'"expr_str": "Symbol(', b'"expr_str": "' + evaluated + b"+Symbol("), "is not evaluated"),
        (_in_model(b"torch.ops.aten.relu.default", b"torch.hub.load"), "calls torch.hub.load, which is no operator"),
        (_in_model(b"torch.ops.aten.relu.default", b"torch.ops.aten.from_file"), "calls torch.ops.aten.from_file"),
        (_in_model(b"builtins.tuple", b"os.system"), "takes or returns os.system"),
    ]:
        assert refused in _message(_altered(dynamic, tmp_path / "bad.pt2", change))
        assert not ran.exists()


def test_sample_inputs_and_guards_are_left_unread(tmp_path, dynamic):
    ran = tmp_path / "ran"
    evaluated = f""""guards_code": ["__import__('pathlib').Path('{ran}').mkdir()"]""".encode()

    def change(parts):
        (name,) = (name for name in parts if name.endswith("sample_inputs/model.pt"))
        return _in_model(b'"guards_code": []', evaluated)(parts) | {name: _pickled(ran)}

    altered = _altered(dynamic, tmp_path / "odd.pt2", change)
    images = torch.randn(2, *SHAPE)
    torch.testing.assert_close(_load(altered).outputs(images).logits, _load(dynamic).outputs(images).logits)
    assert not ran.exists()
    torch.load(io.BytesIO(_pickled(ran)), weights_only=False)  # the payload is real
    assert ran.is_dir()


@pytest.mark.parametrize(
    ("tail", "words"),
    [(nn.Softmax(dim=1), "probabilities, whose logarithms"), (nn.Sigmoid(), "of each output alone, whose logits")],
    ids=["softmax", "sigmoid"],
)
def test_probabilities_are_undone_and_a_gradient_goes_through_that(tmp_path, tail, words):
    task, images = telling_task(), telling_task().modality.prepare(telling_task().validation.inputs[:6])
    path = _export(tmp_path / "t.pt2", nn.Sequential(reader(scale=1.0), tail).eval(), dynamic=True)
    teacher = load_teacher(ProgramTeacher(program=str(path)), task)
    logits = reader(scale=1.0)(images).detach()
    torch.testing.assert_close(teacher.outputs(images).logits.log_softmax(1), logits.log_softmax(1), atol=1e-4, rtol=0)
    assert words in teacher.understood.outputs
    assert "outputs: logits" in teacher.understood.warnings[0]
    assert teacher.input_gradients(images).abs().sum() > 0
    raw = load_teacher(ProgramTeacher(program=str(path), outputs="logits"), task)
    torch.testing.assert_close(raw.outputs(images).logits, tail(logits))
    assert len({raw.sha256, teacher.sha256, sha256_of(path)}) == 2
