"""How far the outputs of one network are from those of another, in nats, whatever the outputs mean."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from automl_kd.core import Output


def divergence(output: Output, before: Tensor, after: Tensor) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of what a network says after a change from what it said before, by example.

    Real values are taken for means of normal distributions as wide as the labels are spread, so that a change by one
    standard deviation is half a nat, as in the problem's own loss.

    Args:
        output: What the numbers mean.
        before: Outputs (N, width).
        after: The same of the changed network.

    Returns:
        Nats, (N,), at least 0 up to rounding.
    """
    before, after = before.double(), after.double()
    if output.meaning == "categorical":
        ours, theirs = before.log_softmax(1), after.log_softmax(1)
        found = (ours.exp() * (ours - theirs)).sum(1)
    elif output.meaning == "bernoulli":
        yes = functional.logsigmoid(before) - functional.logsigmoid(after)
        no = functional.logsigmoid(-before) - functional.logsigmoid(-after)
        sure = before.sigmoid()
        found = (sure * yes + (1 - sure) * no).sum(1)
    else:
        spread = torch.tensor(output.std or (1.0,) * output.width, dtype=torch.float64)
        found = ((before - after) / spread).square().sum(1) / 2
    values: NDArray[np.float64] = found.numpy()
    return values
