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
from automl_kd.tasks.modalities.image_files import array_files, picture_files
from automl_kd.tasks.modalities.image_for_teachers import other_images, shown_images
from automl_kd.tasks.modalities.image_frames import resized
from automl_kd.tasks.modalities.image_look import all_the_same, odd_images
from automl_kd.tasks.modalities.image_mix import ImageMix, draw_mix
from automl_kd.tasks.modalities.image_views import COLORING, VARYING, ImageViews
from automl_kd.tasks.modalities.modality import Modality, Resolution
from automl_kd.tasks.reading import Found
from automl_kd.tasks.split import Examples, Split
from automl_kd.tasks.stored_pictures import StoredPictures
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
        kept_size: Height and width in which the task keeps them; None for those of ``shape``.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    white: float = 1.0
    found: Found = field(default_factory=Found)
    kept: str = "float32"
    kept_size: tuple[int, int] | None = None
    _placed: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    name: ClassVar[str] = "image"
    noun: ClassVar[str] = "image"
    augmentations: ClassVar[Mapping[str, bool]] = MappingProxyType(
        dict.fromkeys(VARYING, False) | {"mixup": True, "cutmix": True}
    )

    teacher_remedy: ClassVar[str] = "say what it was trained on with input: {size, channels, mean, std}"

    @classmethod
    def fitted(
        cls, splits: Mapping[str, Split], white: float, found: Found, size: int | None = None
    ) -> tuple[Images, dict[str, Split]]:
        """The modality of images that are split, which stay as they are.

        Args:
            splits: Mean and standard deviation are those of ``train``.
            white: The value of an image that counts as 1.
            found: What the kind of data says of them.
            size: Height and width that networks take; by default those in which the images are kept.
        """
        images = splits["train"].inputs
        mean, std = _statistics(images, white)
        channels, height, width = images.shape[1:]
        shape = (channels, size or height, size or width)
        kept_size = None if shape[1:] == (height, width) else (height, width)
        kept = str(images.dtype).removeprefix("torch.")
        return cls(shape, mean, std, white, found, kept, kept_size), dict(splits)

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
        if not unit.is_contiguous():
            mean, std = (_by_row(values, unit.shape[3]) for values in (mean, std))
        return (unit - mean).div_(std)

    def at(self, resolution: Resolution) -> Images:
        size, mean, std = resolution.size, resolution.mean, resolution.std
        for name, values in (("mean", mean), ("std", std)):
            if values is not None and len(values) != self.shape[0]:
                raise UserError(
                    f"student.start.{name}: has {len(values)} values; images of {self.shape[0]} channels need one each"
                )
        shape = self.shape if size is None else (self.shape[0], size, size)
        kept_size = self.kept_size or self.shape[1:]
        return replace(self, shape=shape, mean=mean or self.mean, std=std or self.std, kept_size=kept_size)

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
        size = {} if self.kept_size is None else {"size": self.shape[1:]}
        return {"mean": self.mean, "std": self.std, **size}

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
            **self._scaling(),
        }

    def code(self, name: str, folder: str | None = None) -> str:
        kept_size = self.kept_size or self.shape[1:]
        if self.found.pictures:
            return code_for_pictures(name, self.shape, kept_size, self.mean, self.std, self.found)
        of_bytes = self.kept == "uint8"
        return code_for_arrays(name, self.shape, kept_size, self.mean, self.std, self.found, of_bytes)

    def reading(self) -> str:
        kept = (self.shape[0], *(self.kept_size or self.shape[1:]))
        return picture_files() if self.found.pictures else array_files(kept, self.found)

    def stand_in(self) -> str:
        kept = (self.shape[0], *(self.kept_size or self.shape[1:]))
        return 'Image.new("RGB", (640, 480))' if self.found.pictures else f"np.zeros({kept})"

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

    def _scaling(self) -> dict[str, object]:
        """How pictures come to the size that networks take, where that is not the one in which they are kept."""
        if self.kept_size in (None, self.shape[1:]):
            return {}
        height, width = self.kept_size or self.shape[1:]
        return {"scaled": f"to {height}x{width}, then to {self.shape[1]}x{self.shape[2]}, bilinear with antialiasing"}

    def _moments(self, device: torch.device) -> tuple[Tensor, Tensor]:
        # Made once for each device, because a copy to a GPU waits for all that the GPU still has to do.
        if device not in self._placed:
            mean, std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (self.mean, self.std))
            self._placed[device] = (mean, std)
        return self._placed[device]


def _by_row(values: Tensor, width: int) -> Tensor:
    """Values by channel (C, 1, 1) for every pixel of a row, (C, 1, width), with the channels of a pixel side by side.

    With these, images with channels last are computed on by row and not by pixel, five times as fast.
    """
    return values.view(1, 1, -1).expand(1, width, -1).contiguous().permute(2, 0, 1)


def to_unit(images: Tensor, white: float) -> Tensor:
    """Images as float32 in which 1 is white."""
    return images.float() if white == 1 else images.float() / white


def _statistics(images: Examples, white: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel, in units of ``white``, to six digits."""
    if isinstance(images, StoredPictures):
        means, deviations = images.facts.moments()
        return _rounded([each / white for each in means], [each / white for each in deviations])
    assert isinstance(images, Tensor), "others are read when they are fitted"
    # Channel by channel: float64 copies of one channel fit where those of all images might not.
    channels = [to_unit(images[:, channel], white).double() for channel in range(images.shape[1])]
    return _rounded(
        [float(channel.mean()) for channel in channels], [float(channel.std(correction=0)) for channel in channels]
    )


def _rounded(means: Sequence[float], deviations: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    # A constant channel carries nothing and must not be divided by zero.
    return tuple(map(_six_digits, means)), tuple(_six_digits(deviation) or 1.0 for deviation in deviations)


def _six_digits(value: float) -> float:
    # The last digits of a sum depend on the number of threads; the hash of the task must not.
    return float(f"{value:.6g}")


MODALITIES.add("image", Images)
