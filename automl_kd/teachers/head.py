"""The last layer of a network that pools its last map and ends in one linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.teachers.answers import Answers
from automl_kd.teachers.teacher import Teacher

_EXAMPLES = 4
_TOLERANCE = 1e-4


def find_head(teacher: Teacher, module: nn.Module, answers: Answers) -> tuple[Tensor, Tensor] | None:
    """The last linear layer, if it alone makes the outputs out of the spatial mean of the last stage's map.

    What stands between them is not read but tried: on seeded random inputs both sides must agree.

    Args:
        teacher: Who has stages.
        module: Its network.
        answers: Which of the network's outputs are the teacher's, in which order.

    Returns:
        Weight (width, D) and bias (width,) in float32, or None.
    """
    if teacher.headless:
        return None
    linear = [
        each
        for each in module.modules()
        if isinstance(each, nn.Linear) and answers.suits(each.out_features, teacher.signature.output.width)
    ]
    stages = teacher.stage_names()[-1:]
    if not linear or not stages:
        return None
    source = torch.Generator().manual_seed(0)
    inputs = teacher.signature.input.noise(_EXAMPLES, source).to(teacher.device)
    outputs = teacher.outputs(inputs, stages)
    pooled = outputs.maps[stages[0]].mean(dim=(2, 3))
    weight, found = linear[-1].weight.detach().float(), linear[-1].bias
    bias = weight.new_zeros(len(weight)) if found is None else found.detach().float()
    if answers.order is not None:
        weight, bias = weight[list(answers.order)], bias[list(answers.order)]
    if weight.shape[1] != pooled.shape[1]:
        return None
    slack = _TOLERANCE * float(outputs.logits.abs().max())
    agrees = torch.allclose(functional.linear(pooled, weight, bias), outputs.logits, rtol=_TOLERANCE, atol=slack)
    return (weight, bias) if agrees else None
