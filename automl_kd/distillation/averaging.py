"""The running average of a student's weights, which is judged and delivered in the student's place."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from automl_kd.students import StudentModule


class WeightAverage:
    """An exponential moving average (Polyak & Juditsky 1992) of all floating weights and batch-norm statistics.

    After step n, counted from 0, the average moves to the weights by 1 - min(decay, (1 + n) / (10 + n)): an average
    that begins soon forgets where it began.

    Args:
        student: The student as it begins.
        decay: In (0, 1).
    """

    def __init__(self, student: StudentModule, decay: float) -> None:
        self._decay = decay
        # The tensors of a state dict are the student's own, not copies.
        self._live = {name: tensor for name, tensor in student.state_dict().items() if tensor.is_floating_point()}
        self._average = {name: tensor.clone() for name, tensor in self._live.items()}

    def update(self, step: int) -> None:
        """Take up the weights that a step left; steps are counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(decay)(  # type: ignore[no-untyped-call]
            [*self._average.values()], [*self._live.values()], step
        )

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by the names of the student's state dict."""
        return dict(self._average)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` gave."""
        for name, tensor in state.items():
            self._average[name].copy_(tensor)
