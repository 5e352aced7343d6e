"""Brought networks of other classes, or without any, fine-tuned on a task and kept."""

import json
import shutil

import pytest
import torch
from teacher_cases import SHAPE, STUDENT, telling_task

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import evaluate_teacher, expect_teacher, find_teacher
from automl_kd.students import build, start
from automl_kd.tasks import parse_teacher
from automl_kd.teachers import KeptTeacher, TeacherStore, load_teacher, student_of

SPELLED = "{family: resnet, depth: 8, width: 0.25}"
VIT = {"img_size": 8, "patch_size": 2, "depth": 2, "embed_dim": 24, "num_heads": 2, "in_chans": 1}
SHORT = "fine_tune: {epochs: 1, batch_size: 30}"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def task():
    return telling_task()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Weights of a network of five other classes."""
    torch.manual_seed(0)
    module = build(STUDENT, input_shape=SHAPE, classes=5)
    for _ in range(3):
        module(torch.randn(16, *SHAPE))
    path = tmp_path_factory.mktemp("weights") / "five.pt"
    torch.save(module.state_dict(), path)
    return path


def _found(task, text, stop=lambda progress: False):
    told = []

    def watch(progress):
        told.append(progress)
        return stop(progress)

    return find_teacher(task, text, watch=watch, device="cpu"), told


class TestCheckpoint:
    def _text(self, file, how):
        return f"{{checkpoint: {file}, student: {SPELLED}, fine_tune: {how}}}"

    def test_it_learns_the_task_s_classes_and_is_kept_wherever_its_file_lies(self, task, file, tmp_path):
        how = "{epochs: 40, batch_size: 20, optimizer: {name: adamw, lr: 0.01}, augment: []}"
        text = self._text(file, how)
        expected = expect_teacher(task, text)
        train = expected.missing[0].train.train
        assert expected.status == "to be trained"
        assert (train.freeze, train.layer_decay, train.label_smoothing) == (0.333, 0.75, 0.1)
        resolved, told = _found(task, text)
        assert told[0].doing == "fine-tuning the teacher, epoch 1 of 40"
        assert evaluate_teacher(resolved.teacher, task, task.validation).score > 0.8
        shutil.copy(file, tmp_path / "elsewhere.pt")
        again, nothing = _found(task, self._text(tmp_path / "elsewhere.pt", how))
        assert nothing == []
        assert again.teacher.sha256 == resolved.teacher.sha256

    def test_stopped_while_the_trunk_is_held_it_goes_on_and_ends_the_same(self, task, file, tmp_path, monkeypatch):
        text = self._text(file, "{epochs: 3, batch_size: 30}")
        whole, steps = _found(task, text)
        monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "other"))
        with pytest.raises(Interrupted):
            _found(task, text, stop=lambda progress: progress.done > 0.1)
        went_on, told = _found(task, text)
        assert len(told) < len(steps)
        assert went_on.teacher.sha256 == whole.teacher.sha256

    def test_a_probe_alone_leaves_the_network_as_it_was_brought(self, task, file):
        probed, _ = _found(task, self._text(file, "{epochs: 2, batch_size: 30, freeze: 1}"))
        shown = load_teacher(parse_teacher(f"{{checkpoint: {file}, student: {SPELLED}, use: features}}"), task)
        images = task.modality.prepare(task.test.inputs[:4])
        stages = shown.stage_names()
        ours, theirs = probed.teacher.outputs(images, stages).maps, shown.outputs(images, stages).maps
        assert all(torch.equal(ours[stage], theirs[stage]) for stage in stages)

    def test_weights_of_another_architecture_are_told_before_anything_is_trained(self, task, file):
        text = f"{{checkpoint: {file}, student: {{family: resnet, depth: 14, width: 0.25}}, fine_tune: true}}"
        with pytest.raises(UserError, match="lacks") as caught:
            expect_teacher(task, text)
        assert "\n" not in str(caught.value)

    def test_a_student_of_another_resolution_teaches_as_it_was_trained(self, task, file, tmp_path):
        text = f"{{checkpoint: {file}, student: {SPELLED}, input: {{size: 16, mean: [0.3], std: [0.4]}}, {SHORT}}}"
        resolved, _ = _found(task, text)
        teacher = resolved.teacher
        assert "images (1, 16, 16)" in teacher.understood.input
        assert teacher.feature_shapes()["stage1"] == (4, 16, 16)
        (facts,) = [
            json.loads(path.read_text())["record"]["facts"] for path in (tmp_path / "cache" / "teachers").glob("*.json")
        ]
        score = evaluate_teacher(teacher, task, task.validation).score
        assert score == pytest.approx(
            facts["validation_score"], abs=0.02
        )  # resized once with antialiasing, once without
        assert isinstance(resolved.spec, KeptTeacher)
        assert load_teacher(resolved.spec, task).sha256 == teacher.sha256
        elsewhere = TeacherStore().place(resolved.spec.sha256)
        assert load_teacher(elsewhere, task).sha256 == teacher.sha256


class TestFolders:
    @pytest.mark.parametrize("classes", [0, 5])
    def test_timm_with_and_without_a_classifier(self, task, tmp_path, classes):
        timm = pytest.importorskip("timm", reason="the extra timm is not installed")
        torch.manual_seed(0)
        module = timm.create_model("vit_tiny_patch16_224", num_classes=classes, **VIT).eval()
        timm.models.save_for_hf(module, tmp_path / "vit", safe_serialization=True, model_args=VIT)
        text = f"{{timm: {tmp_path / 'vit'}, "
        with pytest.raises(UserError, match=r"fine_tune: \{\} to train it on the task first, or use: features"):
            load_teacher(parse_teacher(f"{{timm: {tmp_path / 'vit'}}}"), task)
        shown = load_teacher(parse_teacher(f"{text}use: features}}"), task)
        assert list(shown.feature_shapes().values()) == [(24, 4, 4)] * 2
        resolved, _ = _found(task, f"{text}{SHORT}}}")
        assert resolved.teacher.understood.form == "trained here: vit_tiny_patch16_224, fine-tuned"
        assert resolved.teacher.stage_names() == shown.stage_names()
        elsewhere = TeacherStore().place(resolved.teacher.sha256)
        assert load_teacher(elsewhere, task).sha256 == resolved.teacher.sha256

    def test_a_network_of_colours_sees_grey_images_as_it_knows_them(self, task, tmp_path):
        timm = pytest.importorskip("timm", reason="the extra timm is not installed")
        torch.manual_seed(0)
        module = timm.create_model("resnet10t", num_classes=5).eval()
        timm.models.save_for_hf(module, tmp_path / "r", safe_serialization=True)
        spec = parse_teacher(f"{{timm: {tmp_path / 'r'}, input: {{size: 16}}, fine_tune: {{}}}}")
        student = student_of(spec, task)
        assert student.transform.after == (3, 16, 16)
        assert student.shown.startswith("images (3, 16, 16), mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225)")
        seen = task.at(student)
        built = build(student, seen.signature).eval()
        start(built, student, seen.signature)
        images = task.modality.prepare(task.test.inputs[:4])
        assert torch.equal(seen.modality.prepare(task.test.inputs[:4]), images)
        with torch.no_grad():
            expected = module.forward_head(module.forward_features(student.transform(images)), pre_logits=True)
            torch.testing.assert_close(built.trunk(images).flatten(1), expected)

    @pytest.mark.parametrize("kind", ["ViTForImageClassification", "ViT", "Dinov2", "CLIPVision", "CLIP"])
    def test_networks_of_transformers_give_what_a_classifier_would_read(self, task, tmp_path, kind):
        transformers = pytest.importorskip("transformers", reason="the extra text is not installed")
        sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 8, "patch_size": 2}
        pictured = {**sizes, "num_channels": 1, "intermediate_size": 32}
        read = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
                "vocab_size": 9, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}  # fmt: skip
        torch.manual_seed(0)
        module = {
            "ViTForImageClassification": lambda: transformers.ViTForImageClassification(
                transformers.ViTConfig(**pictured, num_labels=5)
            ),
            "ViT": lambda: transformers.ViTModel(transformers.ViTConfig(**pictured)),
            "Dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**sizes, num_channels=1, mlp_ratio=2)),
            "CLIPVision": lambda: transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**pictured)),
            "CLIP": lambda: transformers.CLIPModel(transformers.CLIPConfig(vision_config=pictured, text_config=read)),
        }[kind]().eval()
        module.save_pretrained(tmp_path / "net")
        if kind != "ViTForImageClassification":
            with pytest.raises(UserError, match="its network has no classifier"):
                load_teacher(parse_teacher(f"{{transformers: {tmp_path / 'net'}}}"), task)
        student = student_of(parse_teacher(f"{{transformers: {tmp_path / 'net'}, use: features}}"), task)
        built = build(student, task.signature).eval()
        inherited = start(built, student, task.signature)
        images = task.modality.prepare(task.test.inputs[:3])
        with torch.no_grad():
            torch.testing.assert_close(built.trunk(images).flatten(1), _vector(kind, module, images))
        unused = {name.split(".")[0] for name in inherited.unused}
        assert unused <= {"network", "pooler", "text_model", "text_projection", "visual_projection", "logit_scale"}
        shown = load_teacher(parse_teacher(f"{{transformers: {tmp_path / 'net'}, use: features}}"), task)
        assert list(shown.feature_shapes().values()) == [(24, 4, 4)] * 2


def _vector(kind, module, images):
    """What the library's own classifier of such a network reads."""
    if kind == "ViTForImageClassification":
        return module.vit(images).last_hidden_state[:, 0]
    if kind == "CLIP":
        return module.vision_model(images).last_hidden_state[:, 1:].mean(dim=1)
    answer = module(images)
    if kind == "CLIPVision":
        return answer.pooler_output
    tokens = answer.last_hidden_state
    return torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], 1) if kind == "Dinov2" else tokens[:, 0]
