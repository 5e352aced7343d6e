"""Published networks by name, each checked against the size that its authors publish.

    python benchmarks/published_models.py

prints parameters and multiply-accumulates of every rebuilt network beside the published figures, and fails where one
is off by more than the digits of the published figure allow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from networks import efficient, inception, libraries, mobile, plain, residual, transformers
from networks.layers import DifferenceOfReLUs
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, ...]

TOLERANCE = 0.035
"""What rounding to the published digits costs at most: 13.6 is published as 14."""


@dataclass(frozen=True)
class Published:
    """A network with what is published of its size.

    Attributes:
        build: Makes the module.
        shape: Of one input, without the batch.
        params: In millions; ``None`` where nothing is published.
        macs: Multiply-accumulates at ``shape`` in millions; ``None`` where nothing is published.
        source: Of these figures.
    """

    build: Callable[[], nn.Module]
    shape: Shape
    params: float | None
    macs: float | None
    source: str

    def module(self) -> nn.Module:
        """The network without memory for its weights, in evaluation."""
        with torch.device("meta"):
            return self.build().eval()


def _classifier(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """With a softmax behind, where the published file has one."""
    return lambda: nn.Sequential(build(), nn.Softmax(-1))


def _image(pixels: int) -> Shape:
    return (3, pixels, pixels)


_TORCHVISION = "torchvision documentation, table of weights"
_SLIM = "TensorFlow-Slim image models, README"
_NCNN = "ncnn benchmark/*.param"


def _torchvision() -> dict[str, Published]:
    vggs = {"vgg11": "aMbMccMddMddM", "vgg13": "aaMbbMccMddMddM", "vgg16": "aaMbbMcccMdddMdddM"}
    vggs["vgg19"] = "aaMbbMccccMddddMddddM"
    sizes = {"vgg11": (132.863, 7609), "vgg13": (133.048, 11308), "vgg16": (138.358, 15470), "vgg19": (143.667, 19632)}
    normed = {"vgg11": 132.869, "vgg13": 133.054, "vgg16": 138.366, "vgg19": 143.678}
    found: dict[str, tuple[Callable[[], nn.Module], float, float]] = {
        "alexnet": (plain.alexnet, 61.101, 714),
        "squeezenet1_0": (partial(plain.squeezenet, "1.0"), 1.248, 819),
        "squeezenet1_1": (partial(plain.squeezenet, "1.1"), 1.235, 349),
        "resnet18": (partial(residual.resnet, (2, 2, 2, 2), False), 11.690, 1814),
        "resnet34": (partial(residual.resnet, (3, 4, 6, 3), False), 21.798, 3664),
        "resnet50": (partial(residual.resnet, (3, 4, 6, 3), True), 25.557, 4089),
        "resnet101": (partial(residual.resnet, (3, 4, 23, 3), True), 44.549, 7801),
        "resnet152": (partial(residual.resnet, (3, 8, 36, 3), True), 60.193, 11514),
        "densenet121": (partial(residual.densenet, (6, 12, 24, 16)), 7.979, 2834),
        "densenet161": (partial(residual.densenet, (6, 12, 36, 24), 48, 96), 28.681, 7728),
        "densenet169": (partial(residual.densenet, (6, 12, 32, 32)), 14.149, 3360),
        "densenet201": (partial(residual.densenet, (6, 12, 48, 32)), 20.014, 4291),
        "mobilenet_v2": (mobile.mobilenet_v2, 3.505, 301),
        "mnasnet0_5": (partial(mobile.mnasnet, 0.5), 2.219, 104),
        "mnasnet0_75": (partial(mobile.mnasnet, 0.75), 3.170, 215),
        "mnasnet1_0": (mobile.mnasnet, 4.383, 314),
        "mnasnet1_3": (partial(mobile.mnasnet, 1.3), 6.282, 526),
        "mobilenet_v3_large": (partial(libraries.torchvision_network, "mobilenet_v3_large"), 5.483, 217),
        "regnet_y_400mf": (residual.regnet_y_400mf, 4.344, 402),
        "vit_b_16": (partial(transformers.vit_b, 224, 16), 86.568, 17564),
        "shufflenet_v2_x0_5": (partial(mobile.shufflenet_v2, (48, 96, 192)), 1.367, 40),
        "shufflenet_v2_x1_0": (partial(mobile.shufflenet_v2, (116, 232, 464)), 2.279, 145),
        "shufflenet_v2_x1_5": (partial(mobile.shufflenet_v2, (176, 352, 704)), 3.504, 296),
        "shufflenet_v2_x2_0": (partial(mobile.shufflenet_v2, (244, 488, 976), 2048), 7.394, 583),
    }
    for name, letters in vggs.items():
        found[name] = (partial(plain.vgg, letters), *sizes[name])
        found[f"{name}_bn"] = (partial(plain.vgg, letters, True), normed[name], sizes[name][1])
    return {name: Published(build, _image(224), p, m, _TORCHVISION) for name, (build, p, m) in found.items()}


def _without_clipping() -> dict[str, tuple[Callable[[], nn.Module], int, float, float, str]]:
    """MobileNets as NVIDIA-AI-IOT/tf_trt_models rewrites them for TensorRT, ``graph_utils.convert_relu6``."""
    sizes = {"0p25_128": (0.25, 128, 0.47, 14), "0p5_160": (0.5, 160, 1.34, 77), "1p0_224": (1.0, 224, 4.24, 569)}
    return {
        f"tf_trt_mobilenet_v1_{name}": (partial(mobile.mobilenet_v1, width, act=DifferenceOfReLUs), *rest, _SLIM)
        for name, (width, *rest) in sizes.items()
    }


def _slim() -> dict[str, Published]:
    """Networks of TensorFlow-Slim: 1001 classes but for ResNet v1, and a softmax behind."""
    v1, v2 = residual.slim_resnet_v1, residual.slim_resnet_v2
    resnets = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
    params = {50: 25.6, 101: 44.6, 152: 60.2}
    found: dict[str, tuple[Callable[[], nn.Module], int, float | None, float | None, str]] = {
        "slim_mobilenet_v1_0p25_128": (partial(mobile.mobilenet_v1, 0.25), 128, 0.47, 14, _SLIM),
        "slim_mobilenet_v1_0p5_160": (partial(mobile.mobilenet_v1, 0.5), 160, 1.34, 77, _SLIM),
        "slim_mobilenet_v1_1p0_224": (mobile.mobilenet_v1, 224, 4.24, 569, _SLIM),
        **_without_clipping(),
        "slim_inception_v1": (inception.inception_v1, 224, 6.62, 1500, "TensorFlow hosted models; paper"),
        "slim_inception_v2": (inception.inception_v2, 224, 11.2, 1940, "TensorFlow hosted models"),
        "slim_inception_v4": (inception.inception_v4, 299, 42.7, 12270, "pytorch-image-models, results table"),
        "slim_inception_resnet_v2": (inception.inception_resnet_v2, 299, 55.8, 13180, "pytorch-image-models, results"),
    }
    for depth, stages in resnets.items():
        macs = 3490 if depth == 50 else None
        source = "He et al. 2016 for parameters"
        found[f"slim_resnet_v1_{depth}"] = (partial(v1, stages), 224, params[depth], macs, source)
        found[f"slim_resnet_v2_{depth}_299"] = (partial(v2, stages), 299, params[depth], None, source)
    found["slim_resnet_v1_50_299"] = (partial(v1, resnets[50]), 299, params[50], None, "He et al. 2016 for parameters")
    return {
        name: Published(_classifier(build), _image(pixels), p, m, source)
        for name, (build, pixels, p, m, source) in found.items()
    }


def _ncnn() -> dict[str, Published]:
    """The networks of ncnn's benchmark, after its parameter files.

    Left out: squeezenet_ssd, mobilenet_ssd, mobilenet_yolo, mobilenetv2_yolov3, yolov4-tiny and yolo-fastest-1.1, which
    end in prior boxes and suppression of overlaps, whose time depends on values; nanodet_m, yolo-fastestv2 and
    FastestDet, which are not defined in a paper. No size is published of MobileNetV3's first version, of ProxylessNAS
    with 32 channels in its first block (its weights all but agree) and of Caffe's ShuffleNet, whose strided blocks
    are narrower than the paper's: their weights were compared with the parameter files layer by layer.
    """
    shuffle = partial(mobile.shufflenet_v2, (116, 232, 464))
    found: dict[str, tuple[Callable[[], nn.Module], int, float | None, float | None, str]] = {
        "squeezenet": (partial(plain.squeezenet, "1.1", 1), 227, 1.235, None, "Iandola et al. 2016, repository"),
        "mobilenet": (partial(mobile.mobilenet_v1, 1.0, 1000, nn.ReLU), 224, 4.24, 569, "Howard et al. 2017"),
        "mobilenet_v2": (mobile.caffe_mobilenet_v2, 224, 3.51, 314, "Sandler et al. 2018, first block expanded"),
        "mobilenet_v3": (mobile.first_mobilenet_v3, 224, None, None, "Howard et al. 2019, first version"),
        "shufflenet_v2": (shuffle, 224, 2.28, 146, "Ma et al. 2018"),
        "mnasnet": (mobile.mnasnet, 224, 4.38, 315, "Tan et al. 2019"),
        "proxylessnasnet": (mobile.proxylessnas, 224, 4.08, None, "Cai et al. 2019"),
        "efficientnet_b0": (efficient.efficientnet_b0, 224, 5.29, 390, "Tan and Le 2019"),
        "regnety_400m": (residual.regnet_y_400mf, 224, 4.3, 400, "pycls"),
        "googlenet": (inception.googlenet, 224, 7.0, 1580, "Szegedy et al. 2015, bvlc_googlenet"),
        "resnet18": (partial(residual.caffe_resnet, (2, 2, 2, 2), False), 224, 11.69, 1814, "He et al. 2016"),
        "resnet50": (partial(residual.caffe_resnet, (3, 4, 6, 3), True), 224, 25.56, 3860, "He et al. 2016"),
        "alexnet": (plain.caffe_alexnet, 227, 60.97, 724, "bvlc_alexnet"),
        "vgg16": (partial(plain.vgg, "aaMbbMcccMdddMdddM"), 224, 138.358, 15470, "Simonyan and Zisserman 2015"),
        "vision_transformer": (partial(transformers.vit_b, 384, 32), 384, 88.3, None, "Dosovitskiy et al. 2021"),
    }
    built = {
        f"ncnn_{name}": Published(_classifier(build), _image(pixels), p, m, f"{source}; {_NCNN}")
        for name, (build, pixels, p, m, source) in found.items()
    }
    return built | {
        "ncnn_shufflenet": Published(mobile.shufflenet_v1, _image(224), None, None, f"Zhang et al. 2018; {_NCNN}"),
        "ncnn_efficientnetv2_b0": Published(
            efficient.efficientnet_v2_b0, _image(224), 7.14, 720, f"Tan and Le 2021; {_NCNN}"
        ),
        "ncnn_blazeface": Published(mobile.blazeface, _image(128), None, None, _NCNN),
    }


def _edge() -> dict[str, Published]:
    """Networks for phones, accelerators and microcontrollers.

    The multiply-adds in the README of EfficientNet-Lite are 3 to 6 % more than those of its convolutions, and left out.
    """
    lite, edge, tiny = "EfficientNet-Lite, README", "pytorch-image-models, results table", "mit-han-lab/mcunet, README"
    zoo = "STMicroelectronics/stm32ai-modelzoo, README: weights in flash with five classes; MACs of TensorFlow-Slim"
    found: dict[str, tuple[Callable[[], nn.Module], int, float | None, float | None, str]] = {
        "efficientnet_lite0": (partial(efficient.efficientnet_lite, 1.0, 1.0), 224, 4.7, None, lite),
        "efficientnet_lite1": (partial(efficient.efficientnet_lite, 1.0, 1.1), 240, 5.4, None, lite),
        "efficientnet_lite2": (partial(efficient.efficientnet_lite, 1.1, 1.2), 260, 6.1, None, lite),
        "efficientnet_lite3": (partial(efficient.efficientnet_lite, 1.2, 1.4), 280, 8.2, None, lite),
        "efficientnet_lite4": (partial(efficient.efficientnet_lite, 1.4, 1.8), 300, 13.0, None, lite),
        "efficientnet_edgetpu_s": (partial(efficient.efficientnet_edgetpu, 1.0, 1.0), 224, 5.44, 1810, edge),
        "efficientnet_edgetpu_m": (partial(efficient.efficientnet_edgetpu, 1.0, 1.1), 240, 6.90, 3040, edge),
        "efficientnet_edgetpu_l": (partial(efficient.efficientnet_edgetpu, 1.2, 1.4), 300, 10.59, 8000, edge),
        "mobilenet_v1_0p25_224_5": (partial(mobile.mobilenet_v1, 0.25, 5), 224, 0.2198, 41, zoo),
        "mobilenet_v2_0p35_144": (partial(mobile.mobilenet_v2, 0.35), 144, 0.75, 23.5, tiny),
        "mobilenet_v2_0p3_64": (partial(mobile.mobilenet_v2, 0.3), 64, None, None, tiny),
    }
    return {
        name: Published(build, _image(pixels), p, m, source) for name, (build, pixels, p, m, source) in found.items()
    }


def _language() -> dict[str, Published]:
    source = "Devlin et al. 2019, parameters without embeddings"
    return {
        f"bert_base_{tokens}": Published(transformers.bert_base, (tokens, 768), 85.1, macs, source)
        for tokens, macs in ((128, 11174), (384, 35345))
    }


def _efficientvit() -> dict[str, Published]:
    sizes = {("b1", 224): (9.1, 520), ("b1", 288): (9.1, 860), ("b2", 256): (24.0, 2100)}
    source = "mit-han-lab/efficientvit, README of the classifiers"
    return {
        f"efficientvit_{variant}_{pixels}": Published(
            partial(libraries.timm_network, f"efficientvit_{variant}"), _image(pixels), params, macs, source
        )
        for (variant, pixels), (params, macs) in sizes.items()
    }


def _segmentation() -> dict[str, Published]:
    """FCN-ResNet18 of jetson-inference, by width and height; nothing is published of its size."""
    sizes = (
        *((320, 320), (512, 256), (512, 320), (512, 400), (576, 320), (640, 360)),
        *((640, 512), (864, 480), (1024, 512), (2048, 1024)),
    )
    source = "dusty-nv/pytorch-segmentation"
    return {
        f"fcn_resnet18_{width}x{height}": Published(residual.fcn_resnet18, (3, height, width), None, None, source)
        for width, height in sizes
    }


MODELS: dict[str, Published] = {
    **_torchvision(),
    **_slim(),
    **_ncnn(),
    **_edge(),
    **_language(),
    **_efficientvit(),
    **_segmentation(),
}

_FAMILIES: dict[str, tuple[str, ...]] = {
    "alexnet": ("alexnet",),
    "vgg": ("vgg",),
    "squeezenet": ("squeezenet",),
    "inception": ("googlenet", "inception"),
    "resnet": ("resnet",),
    "densenet": ("densenet",),
    "mobilenet": ("mobilenet", "mnasnet", "proxylessnasnet"),
    "shufflenet": ("shufflenet",),
    "efficientnet": ("efficientnet",),
    "regnet": ("regnet",),
    "fcn": ("fcn",),
    "efficientvit": ("efficientvit",),
    "blazeface": ("blazeface",),
    "transformer": ("vision_transformer", "vit", "bert"),
}
"""How names in ``MODELS`` begin, by family: networks whose blocks came from one another."""


def family_of(model: str) -> str:
    """The family of a network of ``MODELS``.

    Raises:
        KeyError: If the table of families lacks it.
    """
    name = model.removeprefix("slim_").removeprefix("ncnn_").removeprefix("tf_trt_")
    for family, beginnings in _FAMILIES.items():
        if name.startswith(beginnings):
            return family
    raise KeyError(model)


def measured_size(published: Published) -> tuple[float, float]:
    """Parameters and multiply-accumulates at the published shape, in millions."""
    module = published.module()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(torch.empty(1, *published.shape, device="meta"))
    return sum(p.numel() for p in module.parameters()) / 1e6, counter.get_total_flops() / 2e6


def main() -> None:
    print(f"{'network':28} {'input':>12} {'params M':>9} {'published':>9} {'MACs M':>9} {'published':>9}")
    wrong = []
    for name, published in MODELS.items():
        sizes = measured_size(published)
        claims = (published.params, published.macs)
        off = any(claim and abs(size / claim - 1) > TOLERANCE for size, claim in zip(sizes, claims, strict=True))
        wrong += [name] if off else []
        said = [f"{claim:9g}" if claim else f"{'-':>9}" for claim in claims]
        shape = "x".join(map(str, published.shape))
        mark = "  <-- differs" if off else ""
        print(f"{name:28} {shape:>12} {sizes[0]:9.3f} {said[0]} {sizes[1]:9.1f} {said[1]}{mark}")
    if wrong:
        sys.exit(f"differ from their published size: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
