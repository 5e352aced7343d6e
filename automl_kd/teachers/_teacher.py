"""What every teacher can do, whatever it was loaded from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from automl_kd.students import Shape


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a teacher says of a batch: logits (B, classes), and feature maps (B, C, H, W) by stage. Float32."""

    logits: Tensor
    maps: Mapping[str, Tensor]


class Teacher(ABC):
    """A network that is only ever asked: always in evaluation mode, never a gradient, never changed.

    Attributes:
        sha256: Hash of its weights, or of its ONNX file.
        input_shape: Channels, height, width of an image.
        classes: Number of logits.
        device: Where it computes.
    """

    sha256: str
    input_shape: Shape
    classes: int
    device: torch.device
    members: int = 1

    @abstractmethod
    def stage_names(self) -> tuple[str, ...]:
        """The stages whose maps can be had, from input to output; none where only logits are known."""

    @abstractmethod
    def outputs(self, images: Tensor, stages: Sequence[str] = ()) -> Outputs:
        """Logits, and the maps of the stages asked for.

        Args:
            images: (B, C, H, W), normalised, on the teacher's device.
            stages: Any of :meth:`stage_names`.

        Raises:
            UserError: If the teacher has no such stage.
        """

    @abstractmethod
    def to(self, device: torch.device | str) -> Teacher:
        """This teacher on a device: itself if it is there already, else a copy."""

    def head(self) -> tuple[Tensor, Tensor] | None:
        return None

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        """Channels, height, width of every stage's map, seen on one batch of two."""
        if not self.stage_names():
            return {}
        maps = self.outputs(
            torch.zeros(2, *self.input_shape, device=self.device), self.stage_names() if paths is None else paths
        ).maps
        return {stage: (features.shape[1], features.shape[2], features.shape[3]) for stage, features in maps.items()}
