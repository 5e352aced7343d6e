"""Where a student's weights are looked for, and how a recipe holds on to them."""

import json

import pytest

from automl_kd.core import Signature, UserError, config_dir, sha256_of
from automl_kd.recipes import Recipe
from automl_kd.students import MissingWeightsError, beginning, build, find_weights, pinned, save_weights, start

OWN = {"family": "resnet", "stages": [{"depth": 1, "channels": 4}, {"depth": 1, "channels": 8}]}
SIGNATURE = Signature.of_images((3, 8, 8), 10)


def part(student, weights, **said):
    document = {"student": student | {"start": {"weights": str(weights), **said}}, "train": {"epochs": 1}}
    return Recipe.model_validate(document).student


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, no_hub):
    """A user with an empty cache and empty settings, and no way to the hub."""
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def own(tmp_path):
    save_weights(build(OWN, SIGNATURE), tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


def brought(name):
    path = config_dir() / "weights" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_published_weights_are_found_under_their_names():
    pretrained = part({"family": "resnet", "depth": 18}, "pretrained")
    brought("resnet18d.safetensors")
    brought("resnet181.pth")
    with pytest.raises(MissingWeightsError, match="weights of resnet18 are not here"):
        find_weights(pretrained)
    for name in ("resnet18-f37072fd.pth", "resnet18.pth", "resnet18.a1_in1k.safetensors", "resnet18.safetensors"):
        path = brought(name)  # each is preferred to those before
        assert find_weights(pretrained) == path
    path = brought("mobilenet_v2-b0353104.pth")
    assert find_weights(part({"family": "mobilenet"}, "pretrained")) == path


def test_what_is_not_here_is_told_with_what_to_bring_and_where():
    with pytest.raises(MissingWeightsError) as missing:
        find_weights(part({"family": "resnet", "depth": 50, "width": 0.5}, "pretrained"))
    assert str(missing.value) == (
        "student.start.weights: weights of resnet50 are not here: bring model.safetensors of"
        f" https://huggingface.co/timm/resnet50.a1_in1k as {config_dir() / 'weights' / 'resnet50.safetensors'}"
    )
    with pytest.raises(UserError, match="no weights are published for this resnet; name a file, or say start: scratch"):
        find_weights(part(OWN, "pretrained"))


def test_a_folder_is_read_by_its_file_of_weights(own, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UserError, match=r"folder: holds no weights; a folder of weights has model.safetensors or"):
        find_weights(part(OWN, folder))
    (folder / "only.pth").write_bytes(b"1")
    assert find_weights(part(OWN, folder)).name == "only.pth"
    (folder / "another.pth").write_bytes(b"2")
    with pytest.raises(UserError, match=r"holds several files of weights \(another.pth, only.pth\); name one of them"):
        find_weights(part(OWN, folder))
    own.rename(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]}}))
    found = pinned(part(OWN, folder), SIGNATURE).start
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), "as its config.json says"
    assert pinned(part(OWN, folder, mean=[0.5] * 3, std=[0.5] * 3), SIGNATURE).start.mean == (0.5,) * 3
    with pytest.raises(UserError, match="none: no such file or folder"):
        find_weights(part(OWN, tmp_path / "none"))


def test_a_recipe_holds_its_weights_by_hash_and_starts_from_a_copy_once_they_are_gone(own):
    fixed = pinned(part(OWN, own), SIGNATURE)
    assert fixed.start.sha256 == sha256_of(own)
    assert fixed.start.mean is None, "nothing is known of its images: they are the task's"
    assert pinned(fixed, SIGNATURE) == fixed
    start(build(fixed, SIGNATURE), fixed, SIGNATURE)
    content = own.read_bytes()
    own.unlink()
    copy = beginning(fixed, SIGNATURE).path
    assert copy.read_bytes() == content
    copy.write_bytes(b"damaged")
    with pytest.raises(
        UserError, match=f"own.safetensors: no such file or folder; .* SHA-256 {fixed.start.sha256[:12]}"
    ):
        beginning(fixed, SIGNATURE)
    own.write_bytes(content)
    start(build(fixed, SIGNATURE), fixed, SIGNATURE)
    assert copy.read_bytes() == content, "a copy that was damaged is made again"


def test_weights_that_changed_are_refused(own):
    fixed = pinned(part(OWN, own), SIGNATURE)
    save_weights(build(OWN, SIGNATURE), own)
    with pytest.raises(UserError, match=r"own.safetensors changed since the recipe was made; restore it, or remove"):
        beginning(fixed, SIGNATURE)


def test_weights_that_are_not_finite_are_refused(own):
    diverged = build(OWN, SIGNATURE)
    diverged.head[-1].linear.bias.data[3] = float("nan")
    save_weights(diverged, own)
    with pytest.raises(UserError, match=r"own.safetensors: holds values that are not finite, in head.0.linear.bias"):
        beginning(part(OWN, own), SIGNATURE)


def test_weights_that_the_disk_cannot_take_are_told_with_their_place_and_leave_nothing(own, tmp_path, monkeypatch):
    fixed = pinned(part(OWN, own), SIGNATURE)
    monkeypatch.setattr("automl_kd.core.disk_space.free_bytes", lambda folder: 10)
    with pytest.raises(UserError, match=r"cache/weights/\w+: .* needed, 10 B free; make room, or set AUTOML_KD_CACHE"):
        start(build(fixed, SIGNATURE), fixed, SIGNATURE)
    assert not (tmp_path / "cache" / "weights").exists()


def test_a_start_that_is_only_a_name_is_told_how_to_say_it():
    with pytest.raises(ValueError, match=r"'w.pth' is no start; say scratch, or {weights: w.pth}"):
        Recipe.model_validate({"student": OWN | {"start": "w.pth"}, "train": {"epochs": 1}})


def test_a_family_without_published_networks_starts_from_noise(own):
    text = {"family": "conv_text", "stages": [{"depth": 1, "channels": 8}]}
    with pytest.raises(UserError, match="students of the family conv_text start from noise only; leave it out"):
        beginning(part(text, own), SIGNATURE)
