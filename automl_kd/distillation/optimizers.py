"""The optimizers that a recipe may name, and the learning rates of their groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from automl_kd.recipes import SGD, AdamW
from automl_kd.students import PROJECTOR, StudentModule

Group = dict[str, Any]
"""Parameters and, under ``factor``, what multiplies their learning rate."""


def build_optimizer(spec: SGD | AdamW, parameters: Iterable[nn.Parameter] | Iterable[Group]) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW.

    Weight decay acts on every parameter, batch normalisation and biases included: the published schedules (and the
    scores that a recipe is compared with) are stated so. The fused kernels take one pass over the parameters; for
    students of some milliseconds a step the loop over them would otherwise cost as much as the backward pass.

    Args:
        spec: ``train.optimizer`` of a recipe.
        parameters: What is trained, in groups where their learning rates differ.
    """
    if isinstance(spec, SGD):
        sgd = torch.optim.SGD(
            parameters,
            lr=spec.lr,
            momentum=spec.momentum,
            nesterov=spec.momentum > 0,
            weight_decay=spec.weight_decay,
            fused=True,
        )
        for group in sgd.param_groups:
            _rest(sgd, group)
        return sgd
    return torch.optim.AdamW(parameters, lr=spec.lr, weight_decay=spec.weight_decay, fused=True)


def admit(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> None:
    """Have an optimizer move another parameter, which does not decay, at the learning rate of the head."""
    optimizer.add_param_group({"params": [parameter], "weight_decay": 0.0})
    _rest(optimizer, optimizer.param_groups[-1])


def _rest(optimizer: torch.optim.Optimizer, group: Group) -> None:
    """Begin the momenta of a group at zero, which is what the optimizer does at a first step.

    The fused kernel of SGD takes momenta for all parameters or for none, and a loss that begins late brings its own
    parameters late.
    """
    if group.get("momentum", 0) > 0:
        for parameter in group["params"]:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def groups_by_depth(student: StudentModule, adapters: nn.Module, decay: float) -> list[Group]:
    """What is trained, in groups whose learning rate falls by ``decay`` with every stage away from the head.

    Head, projector and adapters have the factor 1, the last stage ``decay``, and so on to the stem (ULMFiT, Howard &
    Ruder 2018, arXiv:1801.06146).
    """
    stages = [name for name, _ in student.named_children() if name != PROJECTOR]
    distance = {name: number for number, name in enumerate(reversed(stages))} | {PROJECTOR: 0}
    groups = [
        {"params": [weight for weight in stage.parameters() if weight.requires_grad], "factor": decay ** distance[name]}
        for name, stage in student.named_children()
    ]
    groups.append({"params": list(adapters.parameters()), "factor": 1.0})
    return [group for group in groups if group["params"]]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its learning rate, where ``rate`` is that of the head."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
