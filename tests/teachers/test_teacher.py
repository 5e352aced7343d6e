import pytest
import torch
from teacher_cases import CLASSES, SHAPE, SIGNATURE, small_task, trained_module
from torch import nn

from automl_kd.core import Input, Signature, UserError
from automl_kd.onnxio import export
from automl_kd.tasks import TeacherInput
from automl_kd.teachers import OnnxTeacher, load_teacher, module_teacher


def _state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def _same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class TestModuleTeacher:
    def test_outputs_are_those_of_the_module_in_evaluation_mode(self):
        module = trained_module()
        teacher = module_teacher(module, SIGNATURE)
        images = torch.randn(5, *SHAPE)
        outputs = teacher.outputs(images, ["stage3", "stage1"])
        with torch.no_grad():
            stage1 = module.stage1(module.stem(images))
            torch.testing.assert_close(outputs.logits, module(images))
            torch.testing.assert_close(outputs.maps["stage1"], stage1)
            torch.testing.assert_close(outputs.maps["stage3"], module.stage3(module.stage2(stage1)))
        assert list(outputs.maps) == ["stage3", "stage1"]

    def test_a_module_in_training_neither_changes_nor_is_changed(self):
        module = trained_module().train()
        before = _state(module)
        teacher = module_teacher(module, SIGNATURE)
        sha256 = teacher.sha256
        images = torch.randn(5, *SHAPE, requires_grad=True)
        first = teacher.outputs(images, teacher.stage_names())
        teacher.feature_shapes()
        assert module.training
        assert all(parameter.requires_grad for parameter in module.parameters())
        assert _same(before, _state(module))
        assert not first.logits.requires_grad
        assert not any(features.requires_grad for features in first.maps.values())

        module(images)  # moves the module's own batch-norm statistics
        assert not _same(before, _state(module))
        assert torch.equal(teacher.outputs(images).logits, first.logits)
        assert module_teacher(module, SIGNATURE).sha256 != sha256

    def test_outputs_can_stand_in_a_loss(self):
        outputs = module_teacher(trained_module(), SIGNATURE).outputs(torch.randn(4, *SHAPE), ["stage3"])
        weight = torch.ones((), requires_grad=True)
        (weight * (outputs.logits.sum() + outputs.maps["stage3"].sum())).backward()
        assert weight.grad is not None

    def test_the_hash_is_of_the_weights_alone(self):
        same = module_teacher(trained_module(), SIGNATURE)
        assert same.sha256 == module_teacher(trained_module(), SIGNATURE).sha256
        module = trained_module()
        with torch.no_grad():
            module.head[0].linear.bias[0] += 1e-6
        assert module_teacher(module, SIGNATURE).sha256 != same.sha256

    def test_stages_have_the_shapes_that_are_stated(self):
        teacher = module_teacher(trained_module(), SIGNATURE)
        assert teacher.feature_shapes() == {"stage1": (4, 8, 8), "stage2": (8, 4, 4), "stage3": (16, 2, 2)}
        maps = teacher.outputs(torch.randn(3, *SHAPE), teacher.stage_names()).maps
        assert {name: tuple(features.shape[1:]) for name, features in maps.items()} == teacher.feature_shapes()

    def test_what_does_not_fit_is_said_in_one_line(self):
        module = trained_module()
        with pytest.raises(UserError, match=r"returns \(3,\) for inputs of shape \(1, 8, 8\); the task needs \(7,\)"):
            module_teacher(module, Signature.of_images(SHAPE, 7))
        with pytest.raises(UserError, match=r"does not accept inputs of shape \(3, 8, 8\)"):
            module_teacher(module, Signature.of_images((3, 8, 8), CLASSES))
        with pytest.raises(UserError, match="unknown teacher stage 'stage9'"):
            module_teacher(module, SIGNATURE).outputs(torch.randn(2, *SHAPE), ["stage9"])

    def test_a_teacher_on_its_device_is_itself(self):
        teacher = module_teacher(trained_module(), SIGNATURE)
        assert teacher.to("cpu") is teacher


class _Gate(nn.Module):
    """Squeeze-excite."""

    def __init__(self, channels):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * self.conv(self.pool(x)).sigmoid()


class _Inverted(nn.Module):
    """An inverted residual as most libraries write it: expansion, depthwise convolution, gate, projection."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        hidden = 6 * inputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1),
            nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden),
            _Gate(hidden),
            nn.Conv2d(hidden, outputs, 1),
        )
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.skips else self.body(x)


class _Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.blocks = nn.Sequential(
            _Inverted(16, 16, 1), _Inverted(16, 24, 2), _Inverted(24, 24, 1), _Inverted(24, 32, 2), _Inverted(32, 96, 1)
        )

    def forward(self, x):
        return self.blocks(self.stem(x))


class _Foreign(nn.Module):
    """A network that names no stages; its backbone is no Sequential, and its pooled map is 1x1."""

    def __init__(self):
        super().__init__()
        self.backbone = _Backbone()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(96, CLASSES)

    def forward(self, x):
        return self.classifier(self.pool(self.backbone(x)).flatten(1))


class TestForeignModule:
    def test_it_is_tapped_at_results_and_not_at_expansions(self):
        teacher = module_teacher(_Foreign(), Signature.of_images((3, 32, 32), CLASSES))
        # Without the rule for blocks the first two would be expansions, of 96 and 144 channels.
        assert list(teacher.feature_shapes().values()) == [(16, 16, 16), (24, 8, 8), (96, 4, 4)]
        assert teacher.stage_names() == ("backbone.blocks.0", "backbone.blocks.2", "backbone")

    def test_a_chain_of_layers_is_tapped_before_each_change(self):
        chain = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, CLASSES),
        )  # fmt: skip
        teacher = module_teacher(chain, SIGNATURE)
        assert teacher.stage_names() == ("1", "4")
        assert teacher.feature_shapes() == {"1": (4, 8, 8), "4": (6, 4, 4)}

    def test_a_module_that_returns_no_logits_is_refused(self):
        with pytest.raises(UserError, match="the teacher returns tuple"):
            module_teacher(nn.LSTM(8, 8), Signature.of_images((8, 8), CLASSES))  # type: ignore[arg-type]


class TestOnnxTeacher:
    def test_gives_the_logits_of_the_module_and_nothing_else(self, tmp_path):
        export(trained_module(), tmp_path / "t.onnx", Input.of_images(SHAPE))
        teacher = load_teacher(OnnxTeacher(onnx=str(tmp_path / "t.onnx")), small_task())
        images = torch.randn(70, *SHAPE)
        expected = module_teacher(trained_module(), SIGNATURE).outputs(images).logits
        torch.testing.assert_close(teacher.outputs(images).logits, expected, rtol=1e-4, atol=1e-5)
        assert teacher.stage_names() == ()
        assert teacher.feature_shapes() == {}
        with pytest.raises(UserError, match="gives outputs only; no loss can use its stage 'stage1'"):
            teacher.outputs(images, ["stage1"])

    def test_shapes_must_be_those_of_the_task(self, tmp_path):
        for name, shape, classes in (("classes", SHAPE, 5), ("input", (2, 8, 8), CLASSES)):
            network = nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))
            export(network, tmp_path / f"{name}.onnx", Input.of_images(shape))
        with pytest.raises(UserError, match=r"returns logits of shape \(5\); the task needs \(3\)"):
            load_teacher(OnnxTeacher(onnx=str(tmp_path / "classes.onnx")), small_task())
        with pytest.raises(UserError, match=r"takes inputs of shape \(2, 8, 8\); the task needs \(1, 8, 8\)"):
            load_teacher(OnnxTeacher(onnx=str(tmp_path / "input.onnx"), input=TeacherInput(channels=1)), small_task())
        with pytest.raises(UserError, match="does not exist"):
            load_teacher(OnnxTeacher(onnx=str(tmp_path / "none.onnx")), small_task())
