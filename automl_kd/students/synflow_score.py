"""What a network that was never trained says of how well it will learn."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from automl_kd.core import Input


def synflow(module: nn.Module, takes: Input) -> float:
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
        takes: Its input. Ids stand for themselves, one after another, because there is no id of ones.

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
        output = network(_ones(takes)).sum()
    if not output.requires_grad:
        return -math.inf
    gradients = torch.autograd.grad(output, weights, allow_unused=True)
    total = sum(
        float((weight.detach() * slope).abs().sum())
        for weight, slope in zip(weights, gradients, strict=True)
        if slope is not None
    )
    return math.log(total) if total > 0 else -math.inf


def _ones(takes: Input) -> Tensor:
    """One example, (1, *shape)."""
    if takes.ids is None:
        return torch.ones(1, *takes.shape, dtype=torch.float64)
    return (torch.arange(math.prod(takes.shape)) % takes.ids).reshape(1, *takes.shape)
