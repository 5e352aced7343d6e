"""Contrast with a memory of the whole training split (CRD; Tian et al. 2020, arXiv:1910.10699)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.distillation.losses.contrast import Heads
from automl_kd.distillation.losses.inputs import EMBEDDINGS, Pair
from automl_kd.distillation.losses.spec import LOSS_SPECS, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import unit_rows
from automl_kd.recipes.losses import Dimension, FeatureLoss
from automl_kd.recipes.schedules import Fraction, Positive


class CRD(FeatureLoss):
    """Contrast with a memory of the whole training split (Tian et al. 2020, arXiv:1910.10699)."""

    dimension: Dimension = 128
    negatives: Dimension = 4096
    temperature: Positive = 0.07
    momentum: Fraction = 0.5


_EPSILON = 1e-7  # of the authors' code, added to the noise's share
_DENSE = 32  # rows of the memory for each one chosen up to which a CPU takes all cosines faster than it gathers rows


def crd(
    s_embedding: Tensor,
    t_embedding: Tensor,
    *,
    memory: Tensor,
    columns: Tensor,
    log_z: Tensor | None = None,
    temperature: float = 0.07,
) -> Tensor:
    """Noise-contrastive estimation: is a memory the sample's own or one of K drawn at random; both directions, summed.

    With P = exp(cosine / τ) / Z and noise Pn = 1 / N, the sum over the student against the teacher's memory and the
    teacher against the student's of

        -log P₀ / (P₀ + K Pn + ε) - Σ_k log K Pn / (P_k + K Pn + ε),

    averaged over the batch: RepDistiller's ``CRDLoss``. It is computed from log P, so that no τ overflows.

    Args:
        s_embedding: (B, D), rows of length 1.
        t_embedding: (B, D), rows of length 1.
        memory: (2, N, D), rows of length 1: of the student and of the teacher for every sample of the training split.
        columns: (B, 1 + K) int64, K ≥ 1: the position of each sample in the split, then those of its negatives.
        log_z: (2,), logarithms of Z for the student and for the teacher; None for those of this batch,
            Z = N mean exp(cosine / τ).
        temperature: τ > 0.

    Returns:
        A scalar in nats, a sum over 1 + K decisions in two directions.
    """
    scores = _scores(s_embedding, t_embedding, memory, columns, temperature)
    return _contrast(scores, _log_z(scores, memory.shape[1]) if log_z is None else log_z, memory.shape[1])


class ContrastMemory(nn.Module):
    """Heads, memory and constants of CRD: embeddings (B, D) and (B, D') and positions (B,) to the loss.

    As RepDistiller's ``ContrastMemory``: Z is that of the first batch, and after every batch the rows of its samples
    are m·memory + (1 - m)·embedding, brought to length 1. It differs in two points. Negatives are K of the samples
    other than the one at hand, drawn with replacement from torch's global generator, where the reference's data set
    draws them from other classes, which takes the labels of the whole split. And the memory begins as random directions
    of length 1.

    Everything that changes is a parameter or a buffer, so that a checkpoint holds it. The positions within a batch
    should differ.

    Args:
        part: Dimension, number of negatives (at most N - 1), τ and m.
        student: Width D of the student's embeddings.
        teacher: Width D' of the teacher's.
        examples: N ≥ 2, the size of the training split.
    """

    memory: Tensor
    log_z: Tensor
    begun: Tensor

    def __init__(self, part: CRD, student: int, teacher: int, examples: int) -> None:
        super().__init__()
        self.heads = Heads(student, teacher, part.dimension)
        self._negatives = min(part.negatives, examples - 1)
        self._temperature, self._momentum = part.temperature, part.momentum
        self.register_buffer("memory", functional.normalize(torch.randn(2, examples, part.dimension), dim=2))
        self.register_buffer("log_z", torch.zeros(2))
        self.register_buffer("begun", torch.tensor(False))

    def forward(self, student: Tensor, teacher: Tensor, index: Tensor) -> Tensor:
        examples = self.memory.shape[1]
        ours, theirs = self.heads(student, teacher)
        steps = torch.randint(1, examples, (len(index), self._negatives), device=index.device)
        columns = torch.cat((index.unsqueeze(1), (index.unsqueeze(1) + steps) % examples), dim=1)
        scores = _scores(ours, theirs, self.memory, columns, self._temperature)
        # A buffer decides, not Python: a run that goes on from a checkpoint keeps the constants of its first batch.
        self.log_z.copy_(torch.where(self.begun, self.log_z, _log_z(scores, examples)))
        self.begun.fill_(True)
        loss = _contrast(scores, self.log_z, examples)
        self._remember(torch.stack((ours, theirs)).detach(), index)
        return loss

    @torch.no_grad()
    def _remember(self, embeddings: Tensor, index: Tensor) -> None:
        moved = self._momentum * self.memory.index_select(1, index) + (1 - self._momentum) * embeddings
        self.memory.index_copy_(1, index, unit_rows(moved.flatten(0, 1)).view_as(moved))


def _scores(student: Tensor, teacher: Tensor, memory: Tensor, columns: Tensor, temperature: float) -> Tensor:
    """Cosines / τ of the student with the teacher's memory and of the teacher with the student's, (2, B, 1 + K)."""
    both = torch.stack((_cosines(student, memory[1], columns), _cosines(teacher, memory[0], columns)))
    return both / temperature


def _cosines(embeddings: Tensor, memory: Tensor, columns: Tensor) -> Tensor:
    # On a GPU gathering is cheap, and the gradient of the other way would be summed in no fixed order.
    if memory.device.type == "cpu" and len(memory) <= _DENSE * columns.shape[1]:
        # A copy, because the memory moves on before the gradient is taken.
        return (embeddings @ memory.clone().T).gather(1, columns)
    chosen = memory.index_select(0, columns.flatten()).view(*columns.shape, -1)
    return torch.bmm(chosen, embeddings.unsqueeze(2)).squeeze(2)


def _log_z(scores: Tensor, examples: int) -> Tensor:
    """Logarithm of N mean exp(score) in each direction, (2,), without a gradient."""
    each = scores.detach().flatten(1)
    return each.logsumexp(dim=1) + math.log(examples / each.shape[1])


def _contrast(scores: Tensor, log_z: Tensor, examples: int) -> Tensor:
    log_p, negatives = scores - log_z.view(2, 1, 1), scores.shape[2] - 1
    noise = negatives / examples
    # P / (P + c) = sigmoid(log P - log c), and K Pn / (P + c) = K Pn / c · sigmoid(log c - log P), with c = K Pn + ε.
    odds = log_p - math.log(noise + _EPSILON)
    own = functional.logsigmoid(odds[:, :, 0]).sum(dim=0)
    others = functional.logsigmoid(-odds[:, :, 1:]).sum(dim=(0, 2)) - 2 * negatives * math.log1p(_EPSILON / noise)
    return -(own + others).mean()


def _compare(part: CRD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    assert context.adapter is not None
    loss: Tensor = context.adapter(student, teacher, context.index)
    return loss


def _adapter(part: CRD, pairs: tuple[Pair, ...], context: BuildContext) -> ContrastMemory:
    (pair,) = pairs
    return ContrastMemory(part, pair.student_shape[0], pair.teacher_shape[0], context.examples)


SPEC = LOSS_SPECS.add(
    "crd",
    LossSpec(
        part=CRD,
        kind="relation",
        inputs=EMBEDDINGS,
        compare=_compare,
        scale="nats, summed over the negatives of two directions; over the batch; blind to the embeddings' length",
        zero_at_identity=False,
        paper="Tian et al. 2020, arXiv:1910.10699",
        reference="RepDistiller CRDLoss",
        adapter=_adapter,
        unmixed=lambda part: True,
    ),
)
