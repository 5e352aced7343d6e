"""Pictures of one size."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from automl_kd.core import IMAGE_AXES, Input, UserError, three_digits
from automl_kd.recipes import MODALITIES
from automl_kd.tasks.modalities.for_teachers import Card, Shown, Transform
from automl_kd.tasks.modalities.image_code import code_for_arrays, code_for_pictures
from automl_kd.tasks.modalities.image_for_teachers import other_images, shown_images
from automl_kd.tasks.modalities.image_frames import resized
from automl_kd.tasks.modalities.image_look import all_the_same, odd_images
from automl_kd.tasks.modalities.image_mix import ImageMix, draw_mix
from automl_kd.tasks.modalities.image_views import COLORING, VARYING, ImageViews
from automl_kd.tasks.modalities.modality import Modality, Resolution
from automl_kd.tasks.reading import Found
from automl_kd.tasks.split import Split
from automl_kd.tasks.teacher import TeacherInput


@dataclass(frozen=True, eq=False)
class Images(Modality):
    """Images (N, C, H, W), stored as uint8 or float32; networks take them with zero mean and unit variance by channel.

    Attributes:
        shape: Channels, height, width that networks take; they may be stored larger.
        mean: Mean of the training images by channel, scaled to [0, 1].
        std: Their standard deviation by channel, in the same units.
        white: The value of an image that counts as 1: 255, or 1 where images are stored as floats in [0, 1].
        found: What the kind of data says of the stored pictures.
        kept: The type in which the task keeps them.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    white: float = 1.0
    found: Found = field(default_factory=Found)
    kept: str = "float32"
    _placed: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    name: ClassVar[str] = "image"
    noun: ClassVar[str] = "image"
    augmentations: ClassVar[Mapping[str, bool]] = MappingProxyType(
        dict.fromkeys(VARYING, False) | {"mixup": True, "cutmix": True}
    )

    teacher_remedy: ClassVar[str] = "say what it was trained on with input: {size, channels, mean, std}"

    @classmethod
    def fitted(cls, splits: Mapping[str, Split], white: float, found: Found) -> tuple[Images, dict[str, Split]]:
        """The modality of images that are split, which stay as they are.

        Args:
            splits: Mean and standard deviation are those of ``train``.
            white: The value of an image that counts as 1.
            found: What the kind of data says of them.
        """
        images = splits["train"].tensor
        mean, std = _statistics(images, white)
        shape = (images.shape[1], images.shape[2], images.shape[3])
        return cls(shape, mean, std, white, found, str(images.dtype).removeprefix("torch.")), dict(splits)

    @property
    def input(self) -> Input:
        return Input("input", self.shape, IMAGE_AXES)

    def prepare(self, stored: Tensor) -> Tensor:
        return self.standardized(self.in_unit(resized(stored, self.shape[1:])))

    def in_unit(self, stored: Tensor) -> Tensor:
        """Images of any size as float32 in which 1 is white."""
        return to_unit(stored, self.white)

    def standardized(self, unit: Tensor) -> Tensor:
        """Images of any size in which 1 is white, with zero mean and unit variance, never in place."""
        mean, std = self._moments(unit.device)
        return (unit - mean).div_(std)

    def at(self, resolution: Resolution) -> Images:
        size, mean, std = resolution.size, resolution.mean, resolution.std
        for name, values in (("mean", mean), ("std", std)):
            if values is not None and len(values) != self.shape[0]:
                raise UserError(
                    f"student.start.{name}: has {len(values)} values; images of {self.shape[0]} channels need one each"
                )
        shape = self.shape if size is None else (self.shape[0], size, size)
        return replace(self, shape=shape, mean=mean or self.mean, std=std or self.std)

    def arranged(self, batch: Tensor) -> Tensor:
        # On CPUs, too, depthwise and pointwise convolutions are up to twice as fast with channels last.
        return batch.contiguous(memory_format=torch.channels_last)

    def module_format(self) -> torch.memory_format:
        return torch.channels_last

    def views(self, examples: int, names: Collection[str], seed: int) -> ImageViews:
        return ImageViews(self, examples, names, seed)

    def check_augment(self, names: Collection[str]) -> None:
        super().check_augment(names)
        coloring = [name for name in names if name in COLORING]
        if coloring and self.shape[0] not in (1, 3):
            raise UserError(
                f"train.augment: {coloring[0]} takes images of 1 or 3 channels, and the task's have {self.shape[0]}:"
                " leave it out"
            )

    def draw_mix(self, names: Collection[str], shape: torch.Size, generator: Generator) -> ImageMix | None:
        return draw_mix(names, shape, generator)

    def identity(self) -> dict[str, Any]:
        return {"mean": self.mean, "std": self.std}

    @property
    def prepared_in_words(self) -> str:
        return "the task's images as the task normalises them"

    def shown_to_teacher(self, stated: TeacherInput | None, card: Card) -> Shown:
        return shown_images(self, stated, card)

    def alternatives(self, transform: Transform | None, shown: Input) -> Sequence[tuple[str, Transform]]:
        return other_images(self, transform, shown)

    def preprocessing(self) -> dict[str, object]:
        return {
            "layout": "NCHW",
            "shape": list(self.shape),
            "channels": {1: "grey", 3: "RGB"}.get(self.shape[0], "as stored"),
            "images": self.kept,
            "stored": self.found.stored,
            "pixels": self.found.pixels,
            "white": self.white,
            "scale": 1 / self.white,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def code(self, name: str) -> str:
        if self.found.pictures:
            return code_for_pictures(name, self.shape, self.mean, self.std)
        return code_for_arrays(name, self.shape, self.mean, self.std, self.found)

    def stand_in(self) -> str:
        return 'Image.new("RGB", (640, 480))' if self.found.pictures else f"np.zeros({self.shape})"

    def told(self, splits: Mapping[str, Split], found: Found) -> tuple[str, ...]:
        shape = " x ".join(map(str, self.shape))
        span = f"{three_digits(found.low)} to {three_digits(found.high)}"
        return (f"shape {shape}; stored as {found.stored}, values {span}; {found.pixels}",)

    def odd(
        self, splits: Mapping[str, Split], groups: Mapping[str, NDArray[np.bool_]], found: Found
    ) -> tuple[str, ...]:
        return odd_images(splits, groups)

    def refusal(self, train: Split, found: Found) -> str | None:
        return all_the_same(train, found)

    def _moments(self, device: torch.device) -> tuple[Tensor, Tensor]:
        # Made once for each device, because a copy to a GPU waits for all that the GPU still has to do.
        if device not in self._placed:
            mean, std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (self.mean, self.std))
            self._placed[device] = (mean, std)
        return self._placed[device]


def to_unit(images: Tensor, white: float) -> Tensor:
    """Images as float32 in which 1 is white."""
    return images.float() if white == 1 else images.float() / white


def _statistics(images: Tensor, white: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    # Channel by channel: float64 copies of one channel fit where those of all images might not.
    channels = [to_unit(images[:, channel], white).double() for channel in range(images.shape[1])]
    means = (float(channel.mean()) for channel in channels)
    deviations = (float(channel.std(correction=0)) for channel in channels)
    # A constant channel carries nothing and must not be divided by zero.
    return tuple(map(_six_digits, means)), tuple(_six_digits(deviation) or 1.0 for deviation in deviations)


def _six_digits(value: float) -> float:
    # The last digits of a sum depend on the number of threads; the hash of the task must not.
    return float(f"{value:.6g}")


MODALITIES.add("image", Images)
