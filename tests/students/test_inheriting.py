"""Students take the weights of published networks and of their own kind, as they are, narrowed, or joined to grey."""

import pytest
import safetensors.torch
import torch

from automl_kd.core import Signature, UserError
from automl_kd.recipes import Recipe
from automl_kd.students import FAMILIES, beginning, build, save_weights, start

SMALL = {"family": "resnet", "stages": [{"depth": 1, "channels": 16}, {"depth": 2, "channels": 32}]}
DEEP = SMALL | {"block": "bottleneck"}
MOBILE = {
    "family": "mobilenet",
    "stem": {"channels": 16},
    "stages": [
        {"depth": 1, "expand": 1, "channels": 16},
        {"depth": 2, "expand": 4, "channels": 32, "stride": 2, "squeeze_excite": True},
    ],
    "head": 64,
}


def part(student, path=None, **said):
    begun = {} if path is None else {"start": {"weights": str(path), **said}}
    return Recipe.model_validate({"student": student | begun, "train": {"epochs": 1}}).student


def signature(channels=3, classes=10, size=32):
    return Signature.of_images((channels, size, size), classes)


def begun(student, path, of=None, **said):
    """A student as it starts from a file, in evaluation."""
    asked = part(student, path, **said)
    module = build(asked, of or signature())
    taken = start(module, asked, of or signature())
    return module.eval(), taken


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


def lived_in(module):
    """The module with statistics as training leaves them."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
            torch.nn.init.normal_(layer.bias, 0, 0.1)
    return module.eval()


@pytest.mark.parametrize(
    ("library", "name", "student"),
    [
        ("torchvision", "resnet18", {"family": "resnet", "depth": 18}),
        ("torchvision", "resnet50", {"family": "resnet", "depth": 50}),
        ("torchvision", "mobilenet_v2", {"family": "mobilenet"}),
        ("timm", "resnet34", {"family": "resnet", "depth": 34}),
        ("timm", "mobilenetv2_035", {"family": "mobilenet", "width": 0.35}),
        ("timm", "mobilenetv2_140", {"family": "mobilenet", "width": 1.4}),
    ],
)
def test_published_networks_answer_as_in_their_own_library(library, name, student, tmp_path):
    models = pytest.importorskip("torchvision.models" if library == "torchvision" else library)
    torch.manual_seed(0)
    network = lived_in(getattr(models, name)() if library == "torchvision" else models.create_model(name))
    path = tmp_path / "found.pth"
    torch.save({"state_dict": {f"module.{key}": each for key, each in network.state_dict().items()}, "epoch": 3}, path)

    module, taken = begun(student, path, signature(classes=1000))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(module(images), network(images), rtol=1e-5, atol=1e-5)
    assert (taken.unused, taken.sliced) == ((), False)
    assert taken.mean == (0.485, 0.456, 0.406)
    assert library in taken.words


def test_a_classifier_of_other_classes_stays_fresh_and_is_named(tmp_path):
    save_weights(build(SMALL, signature()), tmp_path / "own.safetensors")
    _, taken = begun(SMALL, tmp_path / "own.safetensors", signature(classes=7))
    assert taken.unused == ("head.0.linear.bias", "head.0.linear.weight")
    assert "head.0.linear.weight" not in taken.state
    assert "the head of 7 outputs is learned anew: the file has one of 10" in taken.words


@pytest.mark.parametrize("student", [SMALL, DEEP, MOBILE], ids=["basic", "bottleneck", "inverted"])
def test_a_narrower_student_of_channels_that_are_all_that_counts_answers_alike(student, tmp_path):
    torch.manual_seed(0)
    wide = lived_in(build(student, signature()))
    for name, weight in wide.state_dict().items():
        if weight.ndim and "linear" not in name and "running_var" not in name:
            weight[: len(weight) // 2] = 0  # these channels are nought wherever they are read
    save_weights(wide, tmp_path / "wide.safetensors")
    narrow, taken = begun(student | {"width": 0.5}, tmp_path / "wide.safetensors")
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(narrow(images), wide(images), rtol=1e-5, atol=1e-5)
    assert taken.sliced
    assert "narrowed" in taken.words


def test_a_student_of_grey_images_answers_as_to_three_equal_channels(tmp_path):
    torch.manual_seed(0)
    colour = lived_in(build(SMALL, signature()))
    save_weights(colour, tmp_path / "colour.safetensors")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    grey, taken = begun(SMALL, tmp_path / "colour.safetensors", signature(channels=1), mean=mean, std=std)
    assert "joined to grey" in taken.words

    pixels = torch.rand(2, 1, 32, 32)
    asked = part(SMALL, tmp_path / "colour.safetensors", mean=mean, std=std)
    shown = [
        (pixels - torch.tensor(centre).view(-1, 1, 1)) / torch.tensor(spread).view(-1, 1, 1)
        for centre, spread in (asked.start.statistics(1), (mean, std))
    ]
    with torch.no_grad():
        inner = [module.stem(images)[..., 1:-1, 1:-1] for module, images in zip((grey, colour), shown, strict=True)]
    torch.testing.assert_close(inner[0], inner[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"stages": [{"depth": 2, "channels": 16}, {"depth": 2, "channels": 32}]}, "lacks stage1.1.body.0.0.weight"),
        ({"stages": [{"depth": 1, "channels": 16}]}, "holds stage2.0.body.0.0.weight, which the student does not have"),
        ({"stem": {"kernel": 5}}, r"stem.0.0.weight has shape \(16, 3, 3, 3\), but the student needs \(16, 3, 5, 5\)"),
        ({"width": 2.0}, "has 16 channels, and the student needs 32: a student as wide as the file or narrower fits"),
        ({"block": "bottleneck"}, "lacks stage1.0.body.2.0.weight"),
    ],
)
def test_weights_of_another_architecture_are_refused_by_their_first_tensor(changed, words, tmp_path):
    save_weights(build(SMALL, signature()), tmp_path / "own.safetensors")
    with pytest.raises(UserError, match=words) as refused:
        beginning(part(SMALL | changed, tmp_path / "own.safetensors"), signature())
    assert str(refused.value).startswith(f"student.start.weights: {tmp_path / 'own.safetensors'}: ")
    assert "\n" not in str(refused.value)


def test_the_weights_of_a_network_are_found_where_training_code_left_them(tmp_path):
    module = lived_in(build(SMALL, signature()))
    state = module.state_dict()
    lightning = {f"model.{name}": tensor for name, tensor in state.items()} | {"criterion.weight": torch.ones(3)}
    torch.save({"state_dict": lightning, "optimizer_states": [{"state": {}}], "epoch": 1}, tmp_path / "lightning.ckpt")
    averaged = {name: tensor * 0 for name, tensor in state.items()}
    torch.save({"model": state, "model_ema": averaged, "args": {"lr": 0.1}}, tmp_path / "timm.pth.tar")
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    safetensors.torch.save_file(half, tmp_path / "half.safetensors")
    for name, close in (("lightning.ckpt", 0.0), ("timm.pth.tar", 0.0), ("half.safetensors", 1e-3)):
        found, taken = begun(SMALL, tmp_path / name)
        assert taken.unused == ()
        for key, tensor in found.state_dict().items():
            torch.testing.assert_close(tensor, state[key], rtol=close, atol=close)


def test_what_a_student_starts_from_draws_nothing(tmp_path):
    save_weights(build(SMALL, signature()), tmp_path / "own.safetensors")
    torch.manual_seed(3)
    build(SMALL, signature())
    after_noise = torch.get_rng_state()
    torch.manual_seed(3)
    begun(SMALL, tmp_path / "own.safetensors")
    assert torch.equal(torch.get_rng_state(), after_noise)


def test_families_name_the_published_weights_that_fit_their_students():
    def named(**student):
        found = FAMILIES[student["family"]].published(part(student))
        return found and (found.name, found.repo)

    assert named(family="resnet", depth=18) == ("resnet18", "timm/resnet18.a1_in1k")
    assert named(family="resnet", depth=50, width=0.5) == ("resnet50", "timm/resnet50.a1_in1k")
    assert named(family="mobilenet") == ("mobilenetv2_100", "timm/mobilenetv2_100.ra_in1k")
    assert named(family="mobilenet", width=0.75) == ("mobilenetv2_100", "timm/mobilenetv2_100.ra_in1k")
    assert named(family="resnet", depth=20) is None, "there are none of CIFAR's"
    assert named(family="resnet", depth=18, stem={"kernel": 3}) is None
    assert named(family="resnet", depth=18, width=2.0) is None
    assert named(**SMALL) is None
