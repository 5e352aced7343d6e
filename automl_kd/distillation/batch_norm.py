"""Statistics of batch normalisation measured anew, for weights that are not those by which they were gathered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from automl_kd.tasks import Task, generator

BatchNorm: TypeAlias = _BatchNorm
"""Batch normalisation of maps of any size."""
_BATCH = 256
_EXAMPLES = 2_048


def batch_norms(module: nn.Module) -> list[BatchNorm]:
    """The layers of a module that gather statistics when they are in train mode."""
    return [layer for layer in module.modules() if isinstance(layer, BatchNorm) and layer.track_running_stats]


def reestimate(module: nn.Module, batches: Iterable[Tensor], layers: Sequence[BatchNorm] | None = None) -> None:
    """Replace the statistics of a module's batch normalisation by their mean over batches; all else is left.

    Nothing is drawn: layers such as dropout are in evaluation. As ``torch.optim.swa_utils.update_bn`` without these.

    Args:
        module: Any module; a layer that stays in evaluation keeps its statistics.
        batches: Inputs (B, …) on the device of the module, B at least 2.
        layers: Those whose statistics are measured; all by default.
    """
    modes = {each: each.training for each in module.modules()}
    module.eval()
    measured = [layer for layer in batch_norms(module) if layers is None or layer in layers]
    measured = [layer for layer in measured if layer.train().training]
    momenta = [layer.momentum for layer in measured]
    for layer in measured:
        layer.reset_running_stats()
        layer.momentum = None  # a cumulative average: every batch counts alike
    with torch.no_grad():
        for inputs in batches:
            module(inputs)
    for layer, momentum in zip(measured, momenta, strict=True):
        layer.momentum = momentum
    for each, training in modes.items():
        each.training = training


def measured_batches(task: Task, seed: int, torch_device: torch.device, examples: int = _EXAMPLES) -> Iterator[Tensor]:
    """Some training examples, not augmented: the same ones for the same seed, in batches of up to 256.

    Args:
        task: The task as the student sees it.
        seed: Of the recipe.
        torch_device: Where they are to be.
        examples: How many at most.
    """
    count = min(len(task.train), examples)
    drawn = torch.randperm(len(task.train), generator=generator("batch norm", seed))[:count]
    # In parts of equal size, because no batch may be a single example.
    for index in drawn.tensor_split(math.ceil(count / max(2, task.train.at_once(_BATCH)))):
        yield task.modality.prepare(task.train.inputs[index].to(torch_device))
