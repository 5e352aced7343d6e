"""Fusion of several teachers: their logits to those of one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPSILON = 1e-6


def mean(logits: Tensor) -> Tensor:
    """The logarithm of the mean of the teachers' probabilities.

    Args:
        logits: (B, M, C) of M teachers.

    Returns:
        Logits (B, C) whose softmax is that mean.
    """
    return logits.log_softmax(dim=2).logsumexp(dim=1) - math.log(logits.shape[1])


def by_entropy(logits: Tensor) -> Tensor:
    """As :func:`mean`, each teacher weighted for each sample by 1 / (its entropy + ε): a sure teacher counts more.

    Args:
        logits: (B, M, C) of M teachers.

    Returns:
        Logits (B, C).
    """
    log_p = logits.log_softmax(dim=2)
    entropy = -(log_p.exp() * log_p).sum(dim=2)
    return _mixture(log_p, 1 / (entropy + _EPSILON))


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
    """A weighted mean of the teachers' probabilities, whose weights are trained to predict the labels.

    Args:
        members: Number of teachers.
    """

    def __init__(self, members: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(members))

    def forward(self, logits: Tensor) -> Tensor:
        """Logits (B, M, C) to logits (B, C)."""
        return _mixture(logits.log_softmax(dim=2), self.scores.softmax(dim=0).expand(len(logits), -1))


def _mixture(log_p: Tensor, weights: Tensor) -> Tensor:
    shares = weights / weights.sum(dim=1, keepdim=True)
    return (log_p + shares.log().unsqueeze(2)).logsumexp(dim=1)
