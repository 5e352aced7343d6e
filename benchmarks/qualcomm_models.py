"""The networks of Qualcomm AI Hub Models by the names of its tables, from torchvision and timm.

They are compiled as that repository wraps them: most scale their input, images of values from 0 to 1, inside, and those
that segment end in the class of every pixel. Its cards give an input resolution that some models do not use; here
stands the size of ``get_input_spec`` in their code, which is 224 pixels where a classifier does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from networks.libraries import timm_network, torchvision_network
from networks.segmentation import DeepLabV3PlusMobileNet
from torch import nn

SOURCE = "quic/ai-hub-models, perf.yaml of February 2026"


class _Scaled(nn.Module):
    """Less a mean and over a deviation, then a network."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.empty(1, 3, 1, 1))
        self.register_buffer("deviation", torch.empty(1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net((x - self.mean) / self.deviation)
        return out


class _Classes(nn.Module):
    """The class of every pixel."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.net(x)
        logits: torch.Tensor = out["out"] if isinstance(out, dict) else out
        return logits.argmax(1).byte()


@dataclass(frozen=True)
class HubModel:
    """A network of the tables.

    Attributes:
        build: Makes the module.
        pixels: Height and width of its input.
        family: The lineage that its kernels come from.
        params: In millions, of the model's card; normalisations are folded there.
        layers: That the table counts of its floats in a QNN library, before anything is fused but normalisations.
    """

    build: Callable[[], nn.Module]
    pixels: int
    family: str
    params: float
    layers: int | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input, without the batch."""
        return (3, self.pixels, self.pixels)

    def module(self) -> nn.Module:
        """The network without memory for its weights, in evaluation."""
        with torch.device("meta"):
            return self.build().eval()


def _scaled(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: _Scaled(build())


def _timm(name: str) -> Callable[[], nn.Module]:
    return partial(timm_network, name)


def _torchvision(name: str, **options: object) -> Callable[[], nn.Module]:
    return partial(torchvision_network, name, **options)


def _regnet() -> nn.Module:
    with torch.device("cpu"):  # its widths are computed with tensors
        return torchvision_network("regnet_x_3_2gf").to("meta")


def _models() -> dict[str, HubModel]:
    plain: dict[str, tuple[Callable[[], nn.Module], str, float, int | None]] = {
        "beit": (_timm("beit_base_patch16_224"), "transformer", 92.0, 431),
        "convnext_base": (_torchvision("convnext_base"), "convnext", 88.6, 438),
        "densenet121": (_torchvision("densenet121"), "densenet", 7.99, 373),
        "efficientnet_b4": (_torchvision("efficientnet_b4"), "efficientnet", 19.3, 481),
        "efficientnet_v2_s": (_torchvision("efficientnet_v2_s"), "efficientnet", 21.4, 507),
        "efficientvit_b2_cls": (_timm("efficientvit_b2"), "efficientvit", 24.3, 379),
        "efficientvit_l2_cls": (_timm("efficientvit_l2"), "efficientvit", 63.7, 347),
        "googlenet": (_torchvision("googlenet", aux_logits=False, init_weights=False), "inception", 6.62, 144),
        "inception_v3": (_torchvision("inception_v3", aux_logits=False, init_weights=False), "inception", 23.9, 220),
        "mnasnet05": (_torchvision("mnasnet0_5"), "mobilenet", 2.21, 104),
        "mobilenet_v2": (_torchvision("mobilenet_v2"), "mobilenet", 3.49, 104),
        "mobilenet_v3_large": (_torchvision("mobilenet_v3_large"), "mobilenet", 5.47, 145),
        "nasnet": (_timm("nasnetalarge"), "nasnet", 88.7, None),
        "regnet": (_regnet, "regnet", 15.3, 189),
        "resnet101": (_torchvision("resnet101"), "resnet", 44.5, 246),
        "resnet18": (_torchvision("resnet18"), "resnet", 11.7, 54),
        "resnext101": (_torchvision("resnext101_32x8d"), "resnet", 88.7, 246),
        "resnext50": (_torchvision("resnext50_32x4d"), "resnet", 25.0, 127),
        "sequencer2d": (_timm("sequencer2d_s"), "sequencer", 27.6, 5224),
        "shufflenet_v2": (_torchvision("shufflenet_v2_x0_5"), "shufflenet", 1.37, 159),
        "vit": (_torchvision("vit_b_16"), "transformer", 86.6, 901),
        "wideresnet50": (_torchvision("wide_resnet50_2"), "resnet", 68.9, 127),
    }
    fcn = _scaled(_torchvision("fcn_resnet50", weights_backbone=None))
    return {
        **{name: HubModel(_scaled(build), 224, *rest) for name, (build, *rest) in plain.items()},
        "mobile_vit": HubModel(_timm("mobilevit_s"), 256, "mobilevit", 5.57, 473),
        "fcn_resnet50": HubModel(lambda: _Classes(fcn()), 520, "resnet", 33.0, 131),
        "deeplabv3_plus_mobilenet": HubModel(
            lambda: _Classes(_Scaled(DeepLabV3PlusMobileNet())), 520, "mobilenet", 5.80, 128
        ),
    }


HUB: dict[str, HubModel] = _models()
