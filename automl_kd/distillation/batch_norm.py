"""Statistics of batch normalisation, measured anew."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def reestimate(module: nn.Module, batches: Iterable[Tensor]) -> None:
    """Measure the statistics of all batch normalisations on batches; weights and modes stay as they are.

    Args:
        module: What is shown the batches.
        batches: Inputs (B, …) on the device of the module; every batch counts alike.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    modes = {layer: layer.training for layer in module.modules()}
    momenta = {layer: layer.momentum for layer in norms}
    module.eval()
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    try:
        with torch.no_grad():
            for batch in batches:
                module(batch)
    finally:
        for layer, momentum in momenta.items():
            layer.momentum = momentum
        for each, training in modes.items():
            each.training = training
