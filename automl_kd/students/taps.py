"""Feature maps out of any module, recorded by forward hooks that write nothing on the module."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn


class Taps:
    """Records the outputs of named submodules while it is open.

    >>> with Taps(student, {"stage2": "stage2"}) as taps:
    ...     logits = student(images)
    >>> taps.maps["stage2"].shape
    torch.Size([64, 32, 4, 4])

    Args:
        module: Any module.
        paths: Submodule path by the name under which its output is recorded; several names may share one path.

    Raises:
        AttributeError: If a path names no submodule.
    """

    def __init__(self, module: nn.Module, paths: Mapping[str, str]) -> None:
        self.maps: dict[str, Tensor] = {}
        self._targets = {name: module.get_submodule(path) for name, path in paths.items()}
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for name, target in self._targets.items():
            self._handles.append(target.register_forward_hook(self._recorder(name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _recorder(self, name: str) -> Any:
        def record(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self.maps[name] = output

        return record
