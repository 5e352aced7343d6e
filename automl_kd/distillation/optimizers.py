"""The optimizers that a recipe may name."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from automl_kd.recipes import SGD, AdamW


def build_optimizer(spec: SGD | AdamW, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW.

    Weight decay acts on every parameter, batch normalisation and biases included: the published schedules (and the
    scores that a recipe is compared with) are stated so. The fused kernels take one pass over the parameters; for
    students of some milliseconds a step the loop over them would otherwise cost as much as the backward pass.

    Args:
        spec: ``train.optimizer`` of a recipe.
        parameters: What is trained.
    """
    if isinstance(spec, SGD):
        trained = list(parameters)
        sgd = torch.optim.SGD(
            trained,
            lr=spec.lr,
            momentum=spec.momentum,
            nesterov=spec.momentum > 0,
            weight_decay=spec.weight_decay,
            fused=True,
        )
        if spec.momentum > 0:
            # The fused kernel takes momenta for all parameters or for none, and a loss that begins late brings its own
            # parameters late. Beginning at zero is what the optimizer does at a first step.
            for parameter in trained:
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return sgd
    return torch.optim.AdamW(parameters, lr=spec.lr, weight_decay=spec.weight_decay, fused=True)
