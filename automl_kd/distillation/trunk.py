"""The trunk of a student: what pretrained weights fill, and what may be held still while the head learns."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from automl_kd.distillation.batch_norm import batch_norms
from automl_kd.students import PROJECTOR, StudentModule


class Trunk:
    """All of a student but its classifier, which is the last block of the head, and its projector.

    Args:
        student: The student, as the losses have prepared it.
        keeps_statistics: Whether its batch normalisation uses the statistics that it has and gathers none.
    """

    def __init__(self, student: StudentModule, *, keeps_statistics: bool) -> None:
        parts = list(_parts(student))
        self._keeps_statistics = keeps_statistics
        self._weights = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        self._norms = [norm for part in parts for norm in batch_norms(part)]
        held = set(map(id, self._weights))
        self.others = [weight for weight in student.parameters() if weight.requires_grad and id(weight) not in held]
        """The weights that learn while the trunk is held."""

    def hold(self, held: bool) -> None:
        """Have its weights learn, or hold them: they then have no gradient, and no statistics are gathered."""
        for weight in self._weights:
            weight.requires_grad_(not held)
        for norm in self._norms:
            norm.train(not (held or self._keeps_statistics))


def _parts(student: StudentModule) -> Iterator[nn.Module]:
    *stages, (_, head) = student.named_children()
    yield from (stage for name, stage in stages if name != PROJECTOR)
    yield from list(head.children())[:-1]
