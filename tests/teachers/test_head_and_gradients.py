import pytest
import torch
from teacher_cases import CLASSES, SHAPE, SIGNATURE, STUDENT, small_task, tiny_vit, trained_module
from torch import nn
from torch.nn import functional

from automl_kd.core import Input, UserError
from automl_kd.onnxio import export
from automl_kd.teachers import CheckpointTeacher, OnnxTeacher, load_teacher, module_teacher


class TestHead:
    def test_it_makes_the_logits_out_of_the_last_map(self):
        teacher = module_teacher(trained_module(), SIGNATURE)
        weight, bias = teacher.head()
        images = torch.randn(6, *SHAPE)
        outputs = teacher.outputs(images, ["stage3"])
        pooled = outputs.maps["stage3"].mean(dim=(2, 3))
        torch.testing.assert_close(functional.linear(pooled, weight, bias), outputs.logits, rtol=1e-5, atol=1e-6)

    def test_outputs_in_another_order_have_their_head_and_gradients(self, tmp_path):
        torch.save(trained_module().state_dict(), tmp_path / "t.pt")
        plain, moved, fewer = (
            load_teacher(CheckpointTeacher(checkpoint=str(tmp_path / "t.pt"), student=STUDENT, classes=names), task)
            for names, task in (
                (None, small_task()),
                (("c", "a", "b"), small_task()),
                (("c", "a", "b"), small_task(names=("a", "b"))),
            )
        )
        images = torch.randn(6, *SHAPE)
        for teacher, order in ((moved, [1, 2, 0]), (fewer, [1, 2])):
            weight, bias = teacher.head()
            outputs = teacher.outputs(images, ["stage3"])
            assert torch.equal(outputs.logits, plain.outputs(images).logits[:, order])
            pooled = outputs.maps["stage3"].mean(dim=(2, 3))
            torch.testing.assert_close(functional.linear(pooled, weight, bias), outputs.logits, rtol=1e-4, atol=1e-5)
        assert torch.equal(moved.input_gradients(images), plain.input_gradients(images))
        assert len({plain.sha256, moved.sha256, fewer.sha256}) == 3

    def test_who_trains_it_does_not_change_the_teacher(self):
        teacher = module_teacher(trained_module(), SIGNATURE)
        images = torch.randn(2, *SHAPE)
        before = teacher.outputs(images).logits
        for tensor in teacher.head():
            tensor.zero_()
        assert torch.equal(teacher.outputs(images).logits, before)

    def test_a_layer_without_bias_has_one_of_zeros(self):
        class Biasless(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Conv2d(1, 5, 3, stride=2, padding=1)
                self.classifier = nn.Linear(5, CLASSES, bias=False)

            def forward(self, images):
                return self.classifier(self.features(images).mean(dim=(2, 3)))

        _, bias = module_teacher(Biasless(), SIGNATURE).head()
        assert torch.equal(bias, torch.zeros(CLASSES))

    def test_there_is_none_where_something_else_stands_between(self):
        class Rectified(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Conv2d(1, 5, 3, padding=1)
                self.classifier = nn.Linear(5, CLASSES)

            def forward(self, images):
                return self.classifier(self.features(images).mean(dim=(2, 3)).relu())

        assert module_teacher(Rectified(), SIGNATURE).head() is None
        assert module_teacher(tiny_vit(), SIGNATURE).head() is None  # it reads the class token


class TestInputGradients:
    def test_of_a_linear_network_they_are_the_weights_of_the_top_class(self):
        linear = nn.Linear(64, CLASSES)
        teacher = module_teacher(nn.Sequential(nn.Flatten(), linear), SIGNATURE)
        images = torch.randn(7, *SHAPE)
        top = teacher.outputs(images).logits.argmax(dim=1)
        assert len(set(top.tolist())) > 1
        expected = linear.weight.detach()[top].view(7, *SHAPE)
        torch.testing.assert_close(teacher.input_gradients(images), expected)

    def test_each_image_has_the_gradient_that_it_has_alone(self):
        teacher = module_teacher(trained_module(), SIGNATURE)
        images = torch.randn(4, *SHAPE)
        together = teacher.input_gradients(images)
        alone = torch.cat([teacher.input_gradients(image[None]) for image in images])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
        assert together.abs().sum() > 0

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    def test_they_can_be_had_where_gradients_are_off_and_leave_none_behind(self, mode):
        teacher = module_teacher(trained_module(), SIGNATURE)
        images = torch.randn(2, *SHAPE)
        with mode():
            gradients = teacher.input_gradients(images)
        assert not gradients.requires_grad
        assert torch.equal(gradients, teacher.input_gradients(images))
        assert images.grad is None
        assert not images.requires_grad

    def test_an_onnx_file_has_none(self, tmp_path):
        export(trained_module(), tmp_path / "t.onnx", Input.of_images(SHAPE))
        teacher = load_teacher(OnnxTeacher(onnx=str(tmp_path / "t.onnx")), small_task())
        with pytest.raises(UserError, match=r"t\.onnx gives outputs only: a loss on input gradients needs"):
            teacher.input_gradients(torch.randn(2, *SHAPE))
        assert teacher.head() is None
