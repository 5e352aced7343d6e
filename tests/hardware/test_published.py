"""The networks that profiles are fitted on are the published ones, and the tables are read as they are meant."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from automl_kd.core import UserError, shipped_dir
from automl_kd.hardware import load_profile
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.profile_file import read_profile

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield


@contextmanager
def libraries():
    """Some of the networks are those of timm and torchvision."""
    try:
        yield
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def rows():
    if not (DATA / "published_ncnn.csv.gz").is_file():
        pytest.skip("the tables ../shared/data/published_* are not beside this checkout")
    from published_latencies import rows

    return rows(DATA)


@pytest.fixture(scope="module")
def latencies(rows):
    from published_latencies import published

    with libraries():
        return published(DATA)


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("resnet50", 25.557, 4089),
        ("shufflenet_v2_x0_5", 1.367, 40.5),
        ("mnasnet1_3", 6.282, 526),
        ("slim_mobilenet_v1_0p5_160", 1.332, 76.5),
        ("tf_trt_mobilenet_v1_0p5_160", 1.332, 76.5),
        ("slim_resnet_v1_50", 25.557, 3482),
        ("slim_inception_v1", 6.626, 1498),
        ("ncnn_googlenet", 6.999, 1583),
        ("ncnn_resnet50", 25.557, 3858),
        ("efficientnet_edgetpu_s", 5.438, 1789),
        ("mobilenet_v2_0p35_144", 0.750, 23.5),
        ("bert_base_128", 85.054, 11174),
        ("regnet_y_400mf", 4.344, 402),
        ("vit_b_16", 86.568, 17564),
        ("mobilenet_v1_0p25_224_5", 0.2144, 40.8),
        ("mobilenet_v3_large", 5.483, 216.6),
        ("efficientvit_b1_224", 9.102, 519),
        ("efficientvit_b2_256", 24.331, 2068),
    ],
)
def test_rebuilt_networks_have_the_published_size(name, params, macs):
    from published_models import MODELS, measured_size

    with libraries():
        assert measured_size(MODELS[name]) == pytest.approx((params, macs), rel=2e-3)


def test_the_segmentation_network_is_a_resnet_whose_map_is_a_32nd_of_the_image():
    from published_models import MODELS

    module = MODELS["fcn_resnet18_640x360"].module()
    with torch.no_grad():
        assert module(torch.empty(1, 3, 360, 640, device="meta")).shape == (1, 21, 12, 20)


def test_published_mobilenet_v3_has_the_weights_of_the_benchmarks_file():
    """The sizes of the gates in ncnn's mobilenet_v3.param, in order."""
    from published_models import MODELS

    module = MODELS["ncnn_mobilenet_v3"].module()
    gates = [layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Linear)]
    pairs = [1296, 3600, 3600, 57600, 112896, 112896, 112896, 230400]
    assert gates == [size for pair in pairs for size in (pair, pair)] + [1228800, 1280000]


@pytest.mark.parametrize(
    "name",
    [
        *("ncnn_shufflenet", "ncnn_efficientnetv2_b0", "slim_resnet_v2_50_299", "bert_base_128", "vit_b_16"),
        *("regnet_y_400mf", "mobilenet_v3_large", "fcn_resnet18_512x256", "efficientvit_b1_288"),
    ],
)
def test_the_tracer_knows_every_operator_of_a_published_network(name):
    from published_models import MODELS, measured_size

    with libraries():
        network = lower(trace(MODELS[name].module(), MODELS[name].shape), "tensorrt", 4)
    assert network.unknown == ()
    assert network.flops == pytest.approx(2e6 * measured_size(MODELS[name])[1])


def test_every_network_has_the_family_that_its_blocks_came_from():
    from published_models import MODELS, family_of

    families = {model: family_of(model) for model in MODELS}
    assert families["slim_inception_resnet_v2"] == families["ncnn_googlenet"] == "inception"
    assert families["ncnn_proxylessnasnet"] == families["mnasnet1_0"] == "mobilenet"
    assert families["slim_resnet_v2_50_299"] == families["ncnn_resnet18"] == "resnet"


def test_an_early_tensorrt_measured_activations_that_were_written_out(rows):
    from networks.layers import DifferenceOfReLUs

    models = {
        row.key[1]: row.model for row in rows if row.name == "mobilenet_v1_0p25_128" and row.key[0] == "jetson-tx2"
    }
    assert models == {"tf-trt": "tf_trt_mobilenet_v1_0p25_128", "tensorflow": "slim_mobilenet_v1_0p25_128"}
    x = torch.linspace(-9, 9, 37)
    assert torch.equal(DifferenceOfReLUs()(x), torch.nn.functional.relu6(x))


def test_rows_belong_to_targets_and_are_the_tables_figures(rows):
    for profile, target in {row.key for row in rows}:
        assert target in read_profile(shipped_dir("hardware_profiles") / f"{profile}.yaml").targets
    known = {
        ("jetson-nano", "tensorrt", "resnet18"): 11.4,
        ("jetson-nano", "ncnn-vulkan", "resnet50"): 93.05,
        ("jetson-nano", "ncnn", "resnet50"): 203.42,
        ("raspberry-pi-4", "ncnn", "resnet18"): 122.27,
        ("raspberry-pi-4", "ncnn-int8", "resnet18"): 82.19,
        ("raspberry-pi-5", "ncnn", "resnet50"): 45.94,
        ("jetson-tx2", "tf-trt", "mobilenet_v1_0p25_128"): 3.72,
        ("coral-edgetpu", "usb", "vgg16"): 296.0,
        ("coral-edgetpu", "usb", "mobilenet_v1 0.25@128"): 0.9,
        ("jetson-nano", "tensorrt", "EfficientViT-B1@288"): 34.5,
        ("jetson-nano", "tensorrt", "fcn_resnet18_512x256"): 1000 / 48,
        ("jetson-nano", "tensorrt", "fcn_resnet18_1024x512"): 83.333,
        ("jetson-agx-xavier", "tensorrt", "fcn_resnet18_640x360"): 1000 / 325,
        ("jetson-xavier-nx", "tensorrt-int8", "resnet50 v1.5"): 2.456,
        ("nvidia-t4", "tensorrt", "resnet50"): 1.30,
        ("nvidia-t4", "tensorrt", "resnet50 (Deci-AI/super-gradients)"): 1.03,
        ("pixel-4", "tflite-int8", "mobilenet_v1 quant"): 5.0,
        ("stm32h743", "x-cube-ai", "mobilenet_v1 0.25@224"): 136.48,
    }
    for (profile, target, name), ms in known.items():
        (row,) = [row for row in rows if (*row.key, row.name) == (profile, target, name)]
        assert row.ms == ms
        assert row.source


@pytest.mark.parametrize(
    ("width", "pixels", "kib"), [(0.25, 96, 67), (0.25, 224, 273), (0.5, 224, 450), (1.0, 224, 1331)]
)
def test_mobilenet_fits_a_microcontroller_where_its_activations_are_published_to(width, pixels, kib):
    """STMicroelectronics/stm32ai-modelzoo, README of MobileNetV1: X-CUBE-AI 10.0 on STM32H7, five classes."""
    from networks.mobile import mobilenet_v1

    with torch.device("meta"):
        module = mobilenet_v1(width, 5).eval()
    price = load_profile("stm32h743:x-cube-ai").predict(module, (3, pixels, pixels))
    assert price.fits == (kib <= 512)


def test_mobilenet_v2_takes_what_tinyengine_is_published_to_take():
    """mit-han-lab/tinyengine, README: 295 kB on this microcontroller."""
    from published_models import MODELS

    model = MODELS["mobilenet_v2_0p35_144"]
    network = load_profile("stm32h743:tinyengine").network(model.module(), model.shape)
    assert network.peak == pytest.approx(295e3, rel=0.03)


def test_three_frames_a_second_say_too_little_of_a_time(rows):
    assert not [row for row in rows if row.key[0] == "jetson-nano" and "2048x1024" in row.model]


def test_every_measured_network_is_there_once_and_takes_its_input(latencies):
    modules = {}
    for rows in latencies.values():
        assert len({row.name for row in rows}) == len(rows)
        modules.update({id(row.module): row for row in rows})
    for row in modules.values():
        assert next(row.module.parameters()).is_meta
    smallest = min(modules.values(), key=lambda row: sum(p.numel() for p in row.module.parameters()))
    with torch.no_grad():
        assert smallest.module(torch.empty(1, *smallest.shape, device="meta")).is_meta
