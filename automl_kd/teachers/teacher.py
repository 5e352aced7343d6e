"""What every teacher can do, whatever it was loaded from."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from automl_kd.core import Signature, UserError
from automl_kd.students import Shape

_MOST_LISTED = 16


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a teacher says of a batch, in float32.

    Attributes:
        logits: The raw outputs, logits or values: (B, width), or (B, members, width) where several teachers speak;
            (B, 0) of one that is headless.
        maps: (B, C, H, W) by stage.
    """

    logits: Tensor
    maps: Mapping[str, Tensor]


@dataclass(frozen=True)
class Understood:
    """How a teacher was understood when it was opened, in words for its user.

    Attributes:
        form: What it is, for example ``ONNX file teacher.onnx, output logits``.
        input: What it is shown, and who says so; None where that is what the task's networks take.
        classes: How its outputs were matched to the names of the task.
        outputs: What its outputs are, and what is made of them.
        warnings: What is odd, each with the option that mends it.
        brought: Whether a user brought it; else it was trained here.
        order: For each name of the task the output that stands for it; None where they are the same.
    """

    form: str = "module"
    input: str | None = None
    classes: str = "by order (no names known)"
    outputs: str = "logits"
    warnings: tuple[str, ...] = ()
    brought: bool = True
    order: tuple[int, ...] | None = None


class Teacher(ABC):
    """A network that is only ever asked: always in evaluation mode, never a gradient, never changed.

    Attributes:
        sha256: Hash of its weights, or of its file.
        signature: What it takes and answers; of width 0 where it is headless.
        device: Where it computes.
        members: How many networks speak: 1, or more for :class:`MultiTeacher`.
        understood: How it was understood when it was opened.
    """

    sha256: str
    signature: Signature
    device: torch.device
    members: int = 1
    understood: Understood = Understood()

    @property
    def headless(self) -> bool:
        """Whether it shows maps alone and answers nothing: an encoder, for feature and relation losses."""
        return self.signature.output.width == 0

    @property
    def alone(self) -> tuple[Teacher, ...]:
        """The networks that speak, each as a teacher of its own."""
        return (self,)

    @property
    def logits_shape(self) -> tuple[int, ...]:
        """Shape of the raw outputs for one example: (width,), or (members, width) where several speak."""
        width = self.signature.output.width
        return (width,) if self.members == 1 else (self.members, width)

    @abstractmethod
    def stage_names(self) -> tuple[str, ...]:
        """The stages whose maps can be had, from input to output; none where only outputs are known."""

    @abstractmethod
    def outputs(self, inputs: Tensor, stages: Sequence[str] = ()) -> Outputs:
        """Raw outputs, and the maps asked for.

        Args:
            inputs: (B, …) as the task prepares them, on the teacher's device.
            stages: Any of :meth:`stage_names`, or paths of submodules such as ``layer2.1.conv2``.

        Raises:
            UserError: If the teacher has no such stage and no such submodule.
        """

    @abstractmethod
    def to(self, device: torch.device | str) -> Teacher:
        """This teacher on a device: itself if it is there already, else a copy."""

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        """Channels, height, width of maps, seen on one batch of two.

        Args:
            paths: What :meth:`outputs` takes as stages; by default every stage.

        Raises:
            UserError: As for :meth:`outputs`.
        """
        asked = self.stage_names() if paths is None else tuple(paths)
        if not asked:
            return {}
        maps = self.outputs(self.signature.input.zeros(2).to(self.device), asked).maps
        return {stage: (features.shape[1], features.shape[2], features.shape[3]) for stage, features in maps.items()}

    def head(self) -> tuple[Tensor, Tensor] | None:
        """The last layer, where the outputs are exactly ``linear(mean over space of the last stage's map)``.

        Returns:
            Copies of its weight (width, D) and bias (width,), or None for a teacher that ends in another way.
        """
        return None

    def input_gradients(self, inputs: Tensor) -> Tensor:
        """Gradient of the largest output of each example with respect to that example (B, …).

        This is the quantity that Jacobian matching compares (Srinivas & Fleuret 2018, arXiv:1803.00443).

        Args:
            inputs: As for :meth:`outputs`.

        Raises:
            UserError: If the teacher cannot be differentiated, or takes ids.
        """
        raise UserError("this teacher gives outputs only: a loss on input gradients needs a teacher of layers")


def unknown_stage(name: str, stages: Sequence[str], paths: Iterable[str]) -> UserError:
    """An error for a stage that does not exist, with those that do and the paths nearest to it.

    Args:
        name: What was asked for.
        stages: The teacher's stages.
        paths: Every path that can be tapped.
    """
    shown = list(stages) if len(stages) <= _MOST_LISTED else [*stages[:2], "…", *stages[-2:]]
    listed = ", ".join(shown) or "none"
    near = difflib.get_close_matches(name, sorted(set(paths) - set(stages)), n=3, cutoff=0.5)
    return UserError(
        f"unknown teacher stage {name!r}; stages: {listed}" + (f"; paths near it: {', '.join(near)}" if near else "")
    )
