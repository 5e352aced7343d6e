"""The trunk of a student: what pretrained weights fill, and what may be held still while the head learns."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from automl_kd.distillation.batch_norm import batch_norms
from automl_kd.students import PROJECTOR, StudentModule


class Trunk:
    """All of a student but its classifier, which is the last block of the head, and its projector.

    Attributes:
        others: The student's other weights, which learn while these are held.

    Args:
        student: The student, as the losses have prepared it.
        inherited: Whether it starts from weights of which its batch normalisation has statistics.
        frozen: Whether these statistics stay throughout.
    """

    def __init__(self, student: StudentModule, *, inherited: bool, frozen: bool) -> None:
        parts = list(_parts(student))
        self._inherited, self._frozen = inherited, frozen
        self._weights = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        self._norms = [norm for part in parts for norm in batch_norms(part)]
        held = set(map(id, self._weights))
        self.others = [weight for weight in student.parameters() if weight.requires_grad and id(weight) not in held]

    def hold(self, held: bool) -> None:
        """Have its weights learn, or hold them: they then have no gradient, and inherited statistics stay."""
        for weight in self._weights:
            weight.requires_grad_(not held)
        keeps = self._inherited and (held or self._frozen)
        for norm in self._norms:
            norm.train(not keeps)


def _parts(student: StudentModule) -> Iterator[nn.Module]:
    *stages, (_, head) = student.named_children()
    yield from (stage for name, stage in stages if name != PROJECTOR)
    yield from list(head.children())[:-1]
