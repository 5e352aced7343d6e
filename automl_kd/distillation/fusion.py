"""Fusion of several teachers: their outputs to those of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.core import Meaning
from automl_kd.distillation.losses.spec import ANY, CATEGORICAL, PROBABLE, Meanings
from automl_kd.recipes.schema import Fuse

TAKES: Mapping[Fuse, Meanings] = MappingProxyType(
    {"mean": ANY, "learned": ANY, "entropy": PROBABLE, "dempster-shafer": CATEGORICAL}
)
"""What the outputs have to mean, by the name of the fusion in a recipe."""

_EPSILON = 1e-6


def mean(outputs: Tensor, meaning: Meaning) -> Tensor:
    """The mean of what the teachers believe: of their probabilities, or of their values.

    Args:
        outputs: (B, M, C) of M teachers.
        meaning: What they are.

    Returns:
        (B, C): logits whose softmax, or sigmoid, is that mean; or the values.
    """
    match meaning:
        case "categorical":
            return outputs.log_softmax(dim=2).logsumexp(dim=1) - math.log(outputs.shape[1])
        case "bernoulli":
            # The logarithm of the odds; the number of teachers is in both parts, and cancels.
            return functional.logsigmoid(outputs).logsumexp(dim=1) - functional.logsigmoid(-outputs).logsumexp(dim=1)
        case "real":
            return outputs.mean(dim=1)


def by_entropy(logits: Tensor, meaning: Meaning) -> Tensor:
    """As :func:`mean`, each teacher weighted for each sample by 1 / (its entropy + ε): a sure teacher counts more.

    Args:
        logits: (B, M, C) of M teachers.
        meaning: What they are; the entropy of labels is the sum of that of each. Values have none.

    Returns:
        Logits (B, C).
    """
    if meaning == "bernoulli":
        entropy = functional.binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction="none").sum(dim=2)
    else:
        log_p = logits.log_softmax(dim=2)
        entropy = -(log_p.exp() * log_p).sum(dim=2)
    return _mixture(logits, 1 / (entropy + _EPSILON), meaning)


def dempster_shafer(logits: Tensor) -> Tensor:
    """Dempster's rule for the teachers' evidence by class (Han et al. 2021, arXiv:2102.02051).

    Evidence is softplus of the logit; belief b = e / S and uncertainty u = C / S with S = Σ e + C. Two teachers make
    b = (b₁b₂ + b₁u₂ + b₂u₁) / (1 - K), u = u₁u₂ / (1 - K), where K is the mass on which they contradict each other;
    further teachers are combined one by one, and their order does not matter.

    Args:
        logits: (B, M, C) of M teachers.

    Returns:
        Logits (B, C): log(b + u / C).
    """
    classes = logits.shape[2]
    evidence = functional.softplus(logits)
    strength = evidence.sum(dim=2, keepdim=True) + classes
    beliefs, doubts = evidence / strength, classes / strength
    belief, doubt = beliefs[:, 0], doubts[:, 0]
    for member in range(1, logits.shape[1]):
        other, unsure = beliefs[:, member], doubts[:, member]
        conflict = belief.sum(dim=1, keepdim=True) * other.sum(dim=1, keepdim=True)
        conflict = conflict - (belief * other).sum(dim=1, keepdim=True)
        agreed = 1 - conflict
        belief, doubt = (belief * other + belief * unsure + other * doubt) / agreed, doubt * unsure / agreed
    return (belief + doubt / classes).log()


class LearnedFusion(nn.Module):
    """A weighted mean of what the teachers believe, whose weights are trained to predict the labels.

    Args:
        members: Number of teachers.
        meaning: What their outputs are.
    """

    def __init__(self, members: int, meaning: Meaning) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(members))
        self._meaning = meaning

    def forward(self, outputs: Tensor) -> Tensor:
        """Outputs (B, M, C) to outputs (B, C)."""
        return _mixture(outputs, self.scores.softmax(dim=0).expand(len(outputs), -1), self._meaning)


def _mixture(outputs: Tensor, weights: Tensor, meaning: Meaning) -> Tensor:
    """The weighted mean of what the teachers believe: (B, M, C) and weights (B, M) to (B, C)."""
    shares = weights / weights.sum(dim=1, keepdim=True)
    match meaning:
        case "categorical":
            return (outputs.log_softmax(dim=2) + shares.log().unsqueeze(2)).logsumexp(dim=1)
        case "bernoulli":
            logs = shares.log().unsqueeze(2)
            yes, no = (functional.logsigmoid(each) + logs for each in (outputs, -outputs))
            return yes.logsumexp(dim=1) - no.logsumexp(dim=1)
        case "real":
            return (outputs * shares.unsqueeze(2)).sum(dim=1)
