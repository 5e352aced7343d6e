"""Networks of torchvision and timm. Both come with the extra ``timm``, and nothing else here needs them."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch
from torch import nn

from automl_kd.core import import_extra


def torchvision_network(name: str, **options: object) -> nn.Module:
    """A network of torchvision by its name, without weights.

    Args:
        name: As ``torchvision.models.get_model`` has it.
        options: Of its builder.

    Raises:
        UserError: If torchvision is absent or broken.
    """
    network: nn.Module = _library("torchvision").models.get_model(name, weights=None, **options)
    return network


def timm_network(name: str) -> nn.Module:
    """A classifier of timm by its name, with 1000 classes.

    Raises:
        UserError: If timm is absent or broken.
    """
    network: nn.Module = _library("timm").create_model(name, pretrained=False)
    return network


def declare_operators() -> torch.library.Library:
    """The schemas of torchvision's compiled operators; they live as long as the library that is returned.

    torchvision is built for CUDA. On a machine without it its compiled library does not load, and its import fails
    unless something has registered the operators; none of them is in a classifier.
    """
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    kinds = ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d")
    for name in ("qnms", "qroi_align", *kinds, *(f"_{kind}_backward" for kind in kinds)):
        library.define(f"{name}(Tensor input) -> Tensor")
    return library


def _library(name: str) -> ModuleType:
    _declared_if_needed()
    return import_extra(name, "timm", "a published network")


@cache
def _declared_if_needed() -> torch.library.Library | None:
    """The operators of torchvision where they are missing; kept, as they go with it."""
    try:
        import torchvision  # noqa: F401
    except ModuleNotFoundError:
        return None
    except RuntimeError:
        return declare_operators()
    return None
