"""Teachers from folders that other libraries wrote; skipped where their extra is not installed."""

import json
import sys

import pytest
import safetensors.torch
import torch
from teacher_cases import CLASSES, small_task

from automl_kd.core import UserError
from automl_kd.tasks import TeacherInput
from automl_kd.teachers import TimmTeacher, TransformersTeacher, load_teacher

_VIT = {"img_size": 8, "patch_size": 2, "depth": 3, "embed_dim": 24, "num_heads": 2, "in_chans": 1}


def _message(spec):
    with pytest.raises(UserError) as caught:
        load_teacher(spec, small_task())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def timm():
    return pytest.importorskip("timm", reason="the extra timm is not installed")


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers", reason="the extra text is not installed")


_LIBRARIES = pytest.mark.parametrize(
    ("spec", "package", "extra"),
    [(TimmTeacher(timm="x"), "timm", "timm"), (TransformersTeacher(transformers="x"), "transformers", "text")],
)


@_LIBRARIES
def test_the_extra_that_is_missing_is_named(monkeypatch, spec, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    message = _message(spec)
    assert f"needs the package {package}, which is not installed: pip install 'automl-kd[{extra}]'" in message


@_LIBRARIES
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "raise RuntimeError('operator torchvision::nms does not exist\\nmore')",
            "RuntimeError: operator torchvision::nms",
        ),
        ("import a_package_that_nobody_has", "ModuleNotFoundError: No module named 'a_package_that_nobody_has'"),
        ("import json; json.nothing", "AttributeError: module 'json' has no attribute 'nothing'"),
        ("def", "SyntaxError: "),
    ],
)
def test_a_package_that_is_there_and_broken_is_told_with_its_reason(
    monkeypatch, tmp_path, spec, package, extra, line, reason
):
    (tmp_path / f"{package}.py").write_text(f"import warnings\nwarnings.warn('of no use')\n{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    message = _message(spec)
    assert f"package {package}, which is installed and cannot be imported ({reason}" in message
    assert f"'automl-kd[{extra}]'" in message


class TestTimm:
    @pytest.fixture
    def folder(self, timm, tmp_path):
        torch.manual_seed(0)
        self.module = timm.create_model("vit_tiny_patch16_224", num_classes=CLASSES, **_VIT).eval()
        timm.models.save_for_hf(self.module, tmp_path / "vit", safe_serialization="both", model_args=_VIT)
        return tmp_path / "vit"

    def test_it_is_the_network_that_was_saved(self, folder):
        teacher = load_teacher(TimmTeacher(timm=str(folder)), small_task())
        outputs = teacher.outputs(small_task().modality.prepare(torch.rand(3, 1, 8, 8)), teacher.stage_names())
        assert list(outputs.maps) == [f"blocks.{index}" for index in range(3)]
        assert teacher.feature_shapes() == {f"blocks.{index}": (24, 4, 4) for index in range(3)}

    def test_what_its_config_says_of_images_is_used_and_said(self, folder):
        task = small_task()
        teacher = load_teacher(TimmTeacher(timm=str(folder)), task)
        images = torch.rand(3, 1, 8, 8)
        with torch.no_grad():
            expected = self.module((images - 0.5) / 0.5)
        torch.testing.assert_close(
            teacher.outputs(task.modality.prepare(images)).logits, expected, rtol=1e-4, atol=1e-5
        )
        by_hand = TeacherInput(size=8, channels=1, mean=(0.5,), std=(0.5,))
        assert load_teacher(TimmTeacher(timm=str(folder), input=by_hand), task).sha256 == teacher.sha256
        assert "mean (0.5), std (0.5) (stated by its config.json)" in teacher.understood.input

    def test_the_user_has_the_last_word_on_images(self, folder):
        task = small_task()
        own = TeacherInput(mean=task.modality.mean, std=task.modality.std)
        teacher = load_teacher(TimmTeacher(timm=str(folder), input=own), task)
        images = torch.randn(3, 1, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(teacher.outputs(images).logits, self.module(images), rtol=1e-4, atol=1e-5)
        assert teacher.understood.warnings == ("input.std: (0.29) is used; its config.json states (0.5)",)

    def test_its_label_names_decide_the_order(self, folder):
        def named(**changes):
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps(config | changes))
            return load_teacher(TimmTeacher(timm=str(folder)), small_task())

        images = torch.randn(3, 1, 8, 8)
        logits = named().outputs(images).logits
        moved = named(label_names=["c", "a", "b"])
        assert torch.equal(moved.outputs(images).logits, logits[:, [1, 2, 0]])
        assert moved.understood.classes == "matched by name, in another order (its config.json)"
        described = named(label_names=["n2", "n3", "n1"], label_descriptions={"n1": "a, first", "n2": "b", "n3": "c"})
        assert torch.equal(described.outputs(images).logits, logits[:, [2, 0, 1]])

    def test_a_network_of_other_images_sees_them(self, timm, tmp_path):
        module = timm.create_model("resnet10t", num_classes=CLASSES).eval()
        timm.models.save_for_hf(module, tmp_path / "r", safe_serialization=True)
        seen = TeacherInput(size=64, channels=3, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        teacher = load_teacher(TimmTeacher(timm=str(tmp_path / "r"), input=seen), small_task())
        assert teacher.feature_shapes()["layer4"] == (512, 2, 2)
        assert teacher.head() is not None
        itself = load_teacher(TimmTeacher(timm=str(tmp_path / "r")), small_task())
        assert "images (3, 176, 176) (stated by its config.json)" in itself.understood.input
        assert itself.feature_shapes()["layer4"] == (512, 6, 6)
        blind = TimmTeacher(timm=str(tmp_path / "r"), input=TeacherInput(channels=1, mean=(0.5,), std=(0.5,)))
        assert "does not accept inputs of shape (1, 176, 176)" in _message(blind)

    def test_mistakes_are_one_line(self, folder, tmp_path):
        assert "does not exist" in _message(TimmTeacher(timm=str(tmp_path / "none")))
        config = json.loads((folder / "config.json").read_text())

        def altered(**changes):
            (folder / "config.json").write_text(json.dumps(config | changes))
            return _message(TimmTeacher(timm=str(folder)))

        assert "'hf-hub:timm/resnet18' is no network of timm" in altered(architecture="hf-hub:timm/resnet18")
        stolen = _VIT | {"checkpoint_path": "other.pth"}
        assert "model_args.checkpoint_path: the weights are those beside it" in altered(model_args=stolen)
        assert "holds" in altered(model_args=_VIT | {"depth": 2})
        assert "timm cannot build vit_tiny_patch16_224" in altered(model_args=_VIT | {"wings": 2})
        assert "has shape (3, 24), but" in altered(num_classes=5, model_args=_VIT)
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").rename(folder / "notes.txt")
        assert "holds no weights; a folder of weights has model.safetensors or" in altered()

    def test_weights_of_torch_are_read_where_there_are_no_others(self, folder):
        teacher = load_teacher(TimmTeacher(timm=str(folder)), small_task())
        (folder / "model.safetensors").unlink()
        assert load_teacher(TimmTeacher(timm=str(folder)), small_task()).sha256 == teacher.sha256


class TestTransformers:
    @pytest.fixture
    def folder(self, transformers, tmp_path):
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=24, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
            image_size=8, patch_size=2, num_channels=1, num_labels=CLASSES,
        )  # fmt: skip
        self.module = transformers.ViTForImageClassification(config).eval()
        self.module.save_pretrained(tmp_path / "vit")
        return tmp_path / "vit"

    def test_it_is_the_network_that_was_saved(self, folder):
        teacher = load_teacher(TransformersTeacher(transformers=str(folder)), small_task())
        images = torch.randn(3, 1, 8, 8)
        outputs = teacher.outputs(images, teacher.stage_names())
        with torch.no_grad():
            torch.testing.assert_close(outputs.logits, self.module(images).logits)
        assert list(teacher.feature_shapes().values()) == [(24, 4, 4)] * 3
        assert teacher.input_gradients(images).shape == images.shape
        assert teacher.head() is None

    @pytest.mark.parametrize(
        ("processor", "mean", "std"),
        [
            ({"image_mean": [0.4], "image_std": [0.2]}, 0.4, 0.2),
            ({"image_mean": 0.4, "image_std": 0.2, "rescale_factor": 1 / 255, "size": {"shortest_edge": 8}}, 0.4, 0.2),
            ({"image_mean": [0.4] * 3, "image_std": [0.2] * 3, "do_normalize": False}, 0.0, 1.0),
            ({"image_mean": [102.0], "image_std": [51.0], "do_rescale": False, "size": 8}, 0.4, 0.2),
            (
                {"image_mean": [-0.2], "image_std": [0.4], "rescale_factor": 1 / 127.5, "rescale_offset": True},
                0.4,
                0.2,
            ),
        ],
        ids=["list", "number", "values in 0 to 1", "values in 0 to 255", "offset"],
    )
    def test_what_its_processor_does_to_images_is_done_and_said(self, folder, processor, mean, std):
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        task = small_task()
        teacher = load_teacher(TransformersTeacher(transformers=str(folder)), task)
        images = torch.rand(3, 1, 8, 8)
        with torch.no_grad():
            expected = self.module((images - mean) / std).logits
        torch.testing.assert_close(
            teacher.outputs(task.modality.prepare(images)).logits, expected, rtol=1e-4, atol=1e-5
        )
        assert "(stated by its preprocessor_config.json)" in teacher.understood.input

    def test_a_processor_of_another_size(self, folder):
        processor = {"do_center_crop": True, "crop_size": 8, "size": {"shortest_edge": 12}}
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        task = small_task(shape=(1, 10, 10))
        teacher = load_teacher(TransformersTeacher(transformers=str(folder)), task)
        assert teacher.outputs(torch.rand(2, 1, 10, 10)).logits.shape == (2, CLASSES)
        assert "resized from 10 x 10, whole, not the middle" in teacher.understood.input
        (folder / "preprocessor_config.json").write_text("{")
        assert "preprocessor_config.json: is damaged" in _message(TransformersTeacher(transformers=str(folder)))

    def test_its_labels_decide_the_order(self, folder):
        images = torch.randn(3, 1, 8, 8)

        def named(labels):
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps(config | {"id2label": labels}))
            return load_teacher(TransformersTeacher(transformers=str(folder)), small_task())

        plain = named({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"})
        assert plain.understood.classes == "by order (no names known)"
        moved = named({"0": "B", "1": "C", "2": "A"})
        assert torch.equal(moved.outputs(images).logits, plain.outputs(images).logits[:, [2, 0, 1]])
        assert len({plain.sha256, moved.sha256, named({"0": "a", "1": "b", "2": "c"}).sha256}) == 2

    def test_mistakes_are_one_line(self, folder, tmp_path):
        assert "does not exist" in _message(TransformersTeacher(transformers=str(tmp_path / "none")))
        other = TransformersTeacher(transformers=str(folder), input=TeacherInput(size=16))
        assert "does not accept inputs of shape (1, 16, 16)" in _message(other)
        spec = TransformersTeacher(transformers=str(folder))
        state = safetensors.torch.load_file(folder / "model.safetensors")
        del state["classifier.bias"]
        safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        assert "lacks classifier.bias" in _message(spec)
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        assert "holds no model.safetensors" in _message(spec)

    def test_other_classes_than_the_task_s_are_told_with_the_folder(self, transformers, tmp_path):
        config = transformers.ResNetConfig(
            num_channels=1, embedding_size=4, hidden_sizes=[4], depths=[1], layer_type="basic", num_labels=5
        )
        transformers.ResNetForImageClassification(config).save_pretrained(tmp_path / "r")
        message = _message(TransformersTeacher(transformers=str(tmp_path / "r")))
        assert (
            f"{tmp_path / 'r'}: the teacher returns (5,) for inputs of shape (1, 8, 8); the task needs (3,)" in message
        )

    def test_code_beside_the_weights_is_not_run(self, folder, tmp_path):
        config = json.loads((folder / "config.json").read_text())
        config |= {
            "model_type": "own",
            "auto_map": {"AutoConfig": "own.Config", "AutoModelForImageClassification": "own.Net"},
        }
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "own.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n")
        assert "transformers cannot load it" in _message(TransformersTeacher(transformers=str(folder)))
        assert not (tmp_path / "ran").exists()
