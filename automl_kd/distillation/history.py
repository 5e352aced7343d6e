"""The history of one epoch's losses, kept on the device until the epoch is over."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class Diverged(Exception):
    """Training cannot go on; ``reason`` says what went wrong and at which step."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class History:
    """The value of every loss at every step of the epoch, by name.

    Values stay tensors on their device, so that no step waits for a copy; :meth:`check` and :meth:`means` read them.
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[int, Tensor]] = {}

    def start_epoch(self) -> None:
        """Forget the epoch before."""
        self._values.clear()

    def record(self, name: str, step: int, value: Tensor) -> None:
        """Keep the value, a scalar, that a loss had at a step."""
        self._values.setdefault(name, {})[step] = value.detach()

    def check(self) -> None:
        """Read the values of the epoch.

        Raises:
            Diverged: If a value is infinite or not a number; names the first such loss and its step.
        """
        broken = [
            (step, name)
            for name, values in self._read().items()
            for step, value in values.items()
            if not math.isfinite(value)
        ]
        if broken:
            step, name = min(broken, key=lambda found: found[0])
            raise Diverged(f"non-finite loss {name} at step {step}")

    def means(self) -> dict[str, float]:
        """The mean of each loss over the steps at which it was computed."""
        return {name: math.fsum(values.values()) / len(values) for name, values in self._read().items()}

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """By name: ``steps`` (n,) int64 and ``values`` (n,), as a checkpoint keeps them."""
        return {
            name: {"steps": torch.tensor(list(values)), "values": torch.stack(list(values.values()))}
            for name, values in self._values.items()
        }

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Restore what :meth:`state_dict` gave."""
        self._values = {
            name: dict(zip(kept["steps"].tolist(), kept["values"].unbind(), strict=True))
            for name, kept in state.items()
        }

    def _read(self) -> dict[str, dict[int, float]]:
        return {
            name: dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))
            for name, values in self._values.items()
        }
