"""What a network that was never trained says of how well it will learn."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def synflow(module: nn.Module, input_shape: Sequence[int]) -> float:
    r"""SynFlow of a network: needs neither data nor training, only one pass forward and back.

    .. math:: \log \sum_w \Big| w \, \frac{\partial R}{\partial w} \Big|, \qquad
              R = \mathbf{1}^\top f_{|w|}(\mathbf{1})

    over the weights :math:`w` of convolutions and linear layers, all taken at their magnitude and without the effect of
    batch normalisation. It ranks networks of one space roughly as training will, the best of them hardly: a further
    input of a sampler's model (``features`` of :class:`automl_kd.samplers.KnownCostSampler`), no substitute for trying.

    Source: Tanaka, Kunin, Yamins & Ganguli 2020, arXiv:2006.05467; as a score of architectures Abdelfattah, Mehrotra,
    Dudziak & Lane 2021, arXiv:2101.08134.

    Args:
        module: The network; it is left as it is.
        input_shape: Of one input, such as (channels, height, width).

    Returns:
        A logarithm; minus infinity where no weight reaches the output.
    """
    network = copy.deepcopy(module).double().eval()
    for part in network.modules():
        if isinstance(part, _BatchNorm):
            part.reset_parameters()
            part.reset_running_stats()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    weights = [parameter.requires_grad_() for parameter in network.parameters() if parameter.dim() > 1]
    with torch.enable_grad():
        output = network(torch.ones(1, *input_shape, dtype=torch.float64)).sum()
    if not output.requires_grad:
        return -math.inf
    gradients = torch.autograd.grad(output, weights, allow_unused=True)
    total = sum(
        float((weight.detach() * slope).abs().sum())
        for weight, slope in zip(weights, gradients, strict=True)
        if slope is not None
    )
    return math.log(total) if total > 0 else -math.inf
