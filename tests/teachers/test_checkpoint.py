import argparse
import os

import numpy as np
import pytest
import safetensors.torch
import torch
from teacher_cases import SHAPE, SIGNATURE, STUDENT, small_task, trained_module

from automl_kd.core import UserError
from automl_kd.students import ResNet
from automl_kd.tasks import parse_teacher
from automl_kd.teachers import CheckpointTeacher, load_teacher, module_teacher


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
    expected = module_teacher(module, SIGNATURE).sha256
    torch.save(state, tmp_path / "plain.pt")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "wrapped.pth")
    torch.save({"model": state}, tmp_path / "model.pth")
    safetensors.torch.save_file(state, tmp_path / "t.safetensors")
    for file in tmp_path.iterdir():
        assert _load(file).sha256 == expected, file


def _under(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def _forms(state):
    """What training code writes of a state dict, by file name."""
    yield from ((f"{prefix}pt", _under(prefix, state)) for prefix in _PREFIXES)
    yield from ((f"{key}.pth", {key: state, "epoch": 3, "best": 93.1}) for key in _KEYS)
    yield "nested.pth.tar", {"checkpoint": {"model": {"state_dict": _under("module.", state)}}, "args": {"lr": 0.1}}
    yield (
        "lightning.ckpt",
        {
            "state_dict": {**_under("model.", state), "criterion.weight": torch.ones(3)},
            "callbacks": {},
            "loops": {3: []},
        },
    )
    yield "averaged.bin", {**_under("module.", state), "n_averaged": torch.tensor(7)}
    yield "counted.pt", {**state, "total_ops": torch.zeros(1), "stem.total_params": torch.zeros(1)}
    yield "within.pt", {name.replace("stage1.", "stage1._orig_mod."): tensor for name, tensor in state.items()}
    optimizer = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(4)}}, "param_groups": [{"lr": 0.1}]}
    yield "beside.pt", {"optimizer": optimizer, "net": state}


_PREFIXES = (
    "module.", "_orig_mod.", "model.", "net.", "_forward_module.", "student.", "module._orig_mod.", "model.module.net.",
)  # fmt: skip
_KEYS = ("model_state_dict", "net", "network", "ema", "model_ema", "ema_state_dict", "params", "weights", "module")


def test_what_training_code_writes_gives_the_same_teacher_and_is_said(tmp_path):
    module = trained_module()
    expected = module_teacher(module, SIGNATURE).sha256
    for name, content in _forms(module.state_dict()):
        torch.save(content, tmp_path / name)
        spec = parse_teacher(f"{tmp_path / name}@{{family: resnet, depth: 8, width: 0.25}}")
        teacher = load_teacher(spec, small_task())
        assert teacher.sha256 == expected, name
        assert teacher.understood.warnings == (), name
        assert ("weights" in teacher.understood.form.removeprefix(f"checkpoint {tmp_path / name}")) is (
            name != "counted.pt"
        )


def test_where_it_was_is_told(tmp_path):
    torch.save({"ema": _under("module.", trained_module().state_dict())}, tmp_path / "t.pt")
    assert _load(tmp_path / "t.pt").understood.form.endswith("weights under ema, without the prefix module.")


def test_files_of_old_versions_and_without_counters_are_read(tmp_path):
    module = trained_module()
    state = module.state_dict()
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert _load(tmp_path / "old.pt").sha256 == module_teacher(module, SIGNATURE).sha256
    torch.save({name: each for name, each in state.items() if "num_batches" not in name}, tmp_path / "t.pt")
    images = torch.randn(4, *SHAPE)
    assert torch.equal(
        _load(tmp_path / "t.pt").outputs(images).logits, _load(tmp_path / "old.pt").outputs(images).logits
    )


@pytest.mark.parametrize("first", ["model", "ema"])
def test_of_several_the_plain_weights_are_taken_and_the_others_named(tmp_path, first):
    state = trained_module().state_dict()
    both = {"model": state, "ema": trained_module(seed=1).state_dict()}
    torch.save({first: both.pop(first), **both}, tmp_path / "t.pt")
    teacher = _load(tmp_path / "t.pt")
    assert teacher.sha256 == module_teacher(trained_module(), SIGNATURE).sha256
    (warning,) = teacher.understood.warnings
    assert "under model are taken" in warning
    assert "(under ema)" in warning
    torch.save({"model": state, "ema": state}, tmp_path / "t.pt")
    assert _load(tmp_path / "t.pt").understood.warnings == ()


@pytest.mark.parametrize("beside", [argparse.Namespace(lr=0.1), np.float64(0.9)], ids=["Namespace", "numpy"])
def test_what_cannot_be_read_without_running_it_is_told_with_a_way_out(tmp_path, beside):
    torch.save({"state_dict": trained_module().state_dict(), "x": beside}, tmp_path / "t.pt")
    message = _message(tmp_path / "t.pt")
    assert "holds more than tensors (" in message
    assert message.endswith("save its state_dict() alone")


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
    assert "resnet for task small (input (1, 8, 8), 3 outputs) needs (16, 1, 3, 3)" in wider
    deeper = _message(tmp_path / "t.pt", ResNet(family="resnet", depth=14, width=0.25))
    assert "lacks stage1.1.body.0.0.weight" in deeper

    torch.save(state | {"extra.weight": torch.zeros(2)}, tmp_path / "t.pt")
    assert "holds extra.weight" in _message(tmp_path / "t.pt")
    torch.save({"model": {"module.conv1.weight": torch.zeros(2)}}, tmp_path / "t.pt")
    alien = _message(tmp_path / "t.pt")
    assert "(under model): lacks stem.0.0.weight" in alien
    assert "it holds module.conv1.weight instead" in alien
    torch.save({"model": _under("module.", state | {"extra.weight": torch.zeros(2)})}, tmp_path / "t.pt")
    assert "(under model, without the prefix module.): holds extra.weight" in _message(tmp_path / "t.pt")
    state["head.0.linear.weight"] = torch.zeros(100, 16)
    torch.save(state, tmp_path / "t.pt")
    assert "head.0.linear.weight has shape (100, 16)" in _message(tmp_path / "t.pt")


def test_files_that_are_no_checkpoint(tmp_path):
    assert "does not exist" in _message(tmp_path / "none.pt")
    for content in (b"", b"no checkpoint", b"PK\x03\x04 cut short"):
        for ending in ("pt", "safetensors"):
            file = tmp_path / f"t.{ending}"
            file.write_bytes(content)
            assert any(word in _message(file) for word in ("damaged", "it is empty", "zip archive"))
    for name, content in (("list.pt", [1, 2]), ("optimizer.pt", {"state": {}, "param_groups": [{"lr": 0.1}]})):
        torch.save(content, tmp_path / name)
        assert "holds no state dict" in _message(tmp_path / name)
    (tmp_path / "pointer.pt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert "git lfs pull" in _message(tmp_path / "pointer.pt")
