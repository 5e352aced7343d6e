"""The health of a run: what goes wrong in its first steps, named."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from automl_kd.distillation.history import Diverged
from automl_kd.distillation.probe import Pull

_DEAD = 3
_OPPOSED = 5
_OPPOSING = -0.5
_COLLAPSED = 3
_ALIKE = 1e-10


class Health:
    """Judges the gradients that :mod:`automl_kd.distillation.probe` measures.

    A loss whose gradient is 0 three times in a row is dead; one whose gradient has a cosine below -0.5 with that of the
    task five times in a row opposes it; a student that answers every example of a batch alike three times in a row has
    collapsed.

    Args:
        drop: Whether a loss that is dead or opposed is left out from then on, instead of ending the run.
    """

    def __init__(self, drop: bool) -> None:
        self._drop = drop
        self._dead: dict[str, int] = {}
        self._opposed: dict[str, int] = {}
        self._alike = 0
        self.dropped: dict[str, str] = {}

    def wants(self, step: int) -> bool:
        """Whether the step is among the first, all of which are examined."""
        return step < _DEAD

    def examine(
        self, step: int, losses: Mapping[str, float], found: Mapping[str, Pull], warming_up: frozenset[str]
    ) -> None:
        """Examine the gradients of one step.

        Args:
            step: Its number.
            losses: Unweighted losses by name.
            found: Their pulls.
            warming_up: Losses that are not meant to have a gradient yet.

        Raises:
            Diverged: If a loss or gradient is not finite, or a loss is dead or opposed and is not to be dropped.
        """
        for name, pull in found.items():
            if not math.isfinite(losses[name]):
                raise Diverged(f"non-finite loss {name} at step {step}")
            if not math.isfinite(pull.norm):
                raise Diverged(f"non-finite gradient of loss {name} at step {step}")
            if name in warming_up:
                continue
            self._dead[name] = self._dead.get(name, 0) + 1 if pull.norm == 0 else 0
            self._opposed[name] = self._opposed.get(name, 0) + 1 if pull.cosine < _OPPOSING else 0
            if self._dead[name] == _DEAD:
                self._end(name, f"dead gradient: loss {name} does not move the student, at step {step}")
            elif self._opposed[name] == _OPPOSED and name != "task":
                self._end(
                    name, f"loss {name} opposes the task's: cosine {pull.cosine:.2f} of their gradients at step {step}"
                )

    def examine_answers(self, step: int, outputs: Tensor) -> None:
        """Examine the student's outputs (B, width) for one batch, values in units of their labels.

        Raises:
            Diverged: If the student has answered all examples alike several times in a row.
        """
        if len(outputs) < 2:
            return
        detached = outputs.detach().float()
        spread = (detached.var(dim=0).sum() / detached.square().mean().clamp(min=1e-30)).item()
        self._alike = self._alike + 1 if spread < _ALIKE else 0
        if self._alike == _COLLAPSED:
            raise Diverged(f"collapsed features: the student answers every example alike, at step {step}")

    def state_dict(self) -> dict[str, object]:
        """The state that a checkpoint keeps."""
        return {"dead": self._dead, "opposed": self._opposed, "alike": self._alike, "dropped": self.dropped}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Restore what :meth:`state_dict` gave."""
        self._dead, self._opposed = dict(state["dead"]), dict(state["opposed"])  # type: ignore[call-overload]
        self._alike, self.dropped = int(state["alike"]), dict(state["dropped"])  # type: ignore[call-overload]

    def _end(self, name: str, reason: str) -> None:
        if not self._drop or name == "task":
            raise Diverged(reason)
        self.dropped[name] = reason
