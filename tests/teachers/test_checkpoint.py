import os

import pytest
import safetensors.torch
import torch
from teacher_cases import CLASSES, SHAPE, STUDENT, small_task, trained_module

from automl_kd.errors import UserError
from automl_kd.recipes import ResNet
from automl_kd.tasks import CheckpointTeacher
from automl_kd.teachers import load_teacher, module_teacher


def _load(path, student=STUDENT):
    return load_teacher(CheckpointTeacher(checkpoint=str(path), student=student), small_task())


def _message(path, student=STUDENT):
    with pytest.raises(UserError) as caught:
        _load(path, student)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_every_kind_of_file_gives_the_same_teacher(tmp_path):
    module = trained_module()
    state = module.state_dict()
    expected = module_teacher(module, SHAPE, CLASSES).sha256
    torch.save(state, tmp_path / "plain.pt")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "wrapped.pth")
    torch.save({"model": state}, tmp_path / "model.pth")
    safetensors.torch.save_file(state, tmp_path / "t.safetensors")
    for file in tmp_path.iterdir():
        assert _load(file).sha256 == expected, file


class _Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path):
    torch.save({"state_dict": trained_module().state_dict(), "x": _Payload(tmp_path / "ran")}, tmp_path / "bad.pt")
    assert "holds more than tensors" in _message(tmp_path / "bad.pt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "bad.pt", weights_only=False)  # the payload is real
    assert (tmp_path / "ran").is_dir()


def test_a_whole_module_is_refused(tmp_path):
    torch.save(trained_module(), tmp_path / "module.pt")
    assert "save its state_dict()" in _message(tmp_path / "module.pt")


def test_the_first_tensor_that_does_not_fit_is_named(tmp_path):
    state = trained_module().state_dict()
    torch.save(state, tmp_path / "t.pt")
    wider = _message(tmp_path / "t.pt", ResNet(family="resnet", depth=8))
    assert "stem.0.0.weight has shape (4, 1, 3, 3)" in wider
    assert "resnet for task small (input (1, 8, 8), 3 classes) needs (16, 1, 3, 3)" in wider
    deeper = _message(tmp_path / "t.pt", ResNet(family="resnet", depth=14, width=0.25))
    assert "lacks stage1.1.body.0.0.weight" in deeper

    torch.save(state | {"extra.weight": torch.zeros(2)}, tmp_path / "t.pt")
    assert "holds extra.weight" in _message(tmp_path / "t.pt")
    state["head.0.linear.weight"] = torch.zeros(100, 16)
    torch.save(state, tmp_path / "t.pt")
    assert "head.0.linear.weight has shape (100, 16)" in _message(tmp_path / "t.pt")


def test_files_that_are_no_checkpoint(tmp_path):
    assert "does not exist" in _message(tmp_path / "none.pt")
    for content in (b"", b"no checkpoint", b"PK\x03\x04 cut short"):
        for ending in ("pt", "safetensors"):
            file = tmp_path / f"t.{ending}"
            file.write_bytes(content)
            assert any(word in _message(file) for word in ("damaged", "cannot be read"))
    torch.save([1, 2], tmp_path / "list.pt")
    assert "holds no state dict" in _message(tmp_path / "list.pt")
