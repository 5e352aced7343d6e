"""How outputs of a teacher are stored, one record an example, and how exact what is read back is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import Meaning

CacheType = Literal["cache-fp32", "cache-fp16", "cache-top16"]

_KEPT = 16
_MEAN = "mean of "  # no path of a submodule holds a space


def mean_of(stage: str) -> str:
    """The name of the spatial means (C, 1, 1) of a stage's maps, which are kept where no loss reads more of them."""
    return _MEAN + stage


def is_mean(output: str) -> bool:
    """Whether a kept output is the spatial means of a stage."""
    return output.startswith(_MEAN)


def stage_of(output: str) -> str:
    """The stage that a kept output is of."""
    return output.removeprefix(_MEAN)


def spatial_means(features: Tensor, kind: CacheType) -> Tensor:
    """Means (B, C, 1, 1) of maps (B, C, H, W), to the bit those of maps that were kept and read back."""
    read_back = features if kind == "cache-fp32" else features.half().float()
    return read_back.contiguous().mean(dim=(2, 3), keepdim=True)


class Form(ABC):
    """One output as an array of records.

    Attributes:
        dtype: Of the array.
        shape: Of one record in it.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def bytes_per_example(self) -> int:
        """Size of one record."""
        return self.dtype.itemsize * math.prod(self.shape)

    @abstractmethod
    def encode(self, values: Tensor) -> NDArray[Any]:
        """Outputs (B, …), float32 on the CPU, as records (B, …).

        Raises:
            OverflowError: If the form cannot hold them.
        """

    @abstractmethod
    def decode(self, records: NDArray[Any]) -> Tensor:
        """Records (B, …) as outputs (B, …), float32 on the CPU."""


def form_of(kind: CacheType, shape: tuple[int, ...], meaning: Meaning | None = None) -> Form:
    """The form of an output of one example, of shape (width,) for raw outputs and (C, H, W) for a map.

    - ``cache-fp32``: exact.
    - ``cache-fp16``: each value to a relative 2⁻¹¹ (three digits), below 6e-5 to an absolute 2⁻²⁵; beyond 65,504 an
      error.
    - ``cache-top16``: of logits the 16 largest as ``cache-fp16``, with the log-sum-exp of all others in float32. These
      come back equal among themselves with that log-sum-exp, so that at temperature 1 the 16 largest probabilities and
      the mass of the rest are as exact as the 16 logits; how the rest share their mass is lost, and at other
      temperatures so is the mass. Up to 16 logits, for maps, and for outputs
      that are not logits of one distribution, the same as ``cache-fp16``.

    Args:
        kind: As above.
        shape: Of one output.
        meaning: What raw outputs are; None for a map.
    """
    if kind == "cache-top16" and meaning == "categorical" and len(shape) == 1 and shape[0] > _KEPT:
        return _Top(shape[0])
    return _Plain(torch.float32 if kind == "cache-fp32" else torch.float16, shape)


class _Plain(Form):
    def __init__(self, kept_as: torch.dtype, shape: tuple[int, ...]) -> None:
        self._kept_as = kept_as
        self.dtype = np.dtype(np.float32 if kept_as == torch.float32 else np.float16)
        self.shape = shape

    def encode(self, values: Tensor) -> NDArray[Any]:
        return _narrowed(values, self._kept_as)

    def decode(self, records: NDArray[Any]) -> Tensor:
        return _widened(records)


class _Top(Form):
    def __init__(self, width: int) -> None:
        self._width = width
        index = np.int16 if width <= np.iinfo(np.int16).max + 1 else np.int32
        self.dtype = np.dtype([("logits", np.float16, _KEPT), ("classes", index, _KEPT), ("rest", np.float32)])
        self.shape = ()

    def encode(self, values: Tensor) -> NDArray[Any]:
        kept, classes = values.topk(_KEPT)
        records = np.empty(len(values), self.dtype)
        records["logits"] = _narrowed(kept, torch.float16)
        records["classes"] = classes.numpy()
        records["rest"] = values.double().scatter(1, classes, -torch.inf).logsumexp(dim=1).numpy()
        return records

    def decode(self, records: NDArray[Any]) -> Tensor:
        others = torch.from_numpy(records["rest"] - np.float32(np.log(self._width - _KEPT)))
        logits = others[:, None].repeat(1, self._width)
        classes = torch.from_numpy(records["classes"].astype(np.int64))
        return logits.scatter_(1, classes, _widened(np.ascontiguousarray(records["logits"])))


# Torch converts half precision with the processor's own instructions, NumPy up to 15 times as slowly.
def _narrowed(values: Tensor, dtype: torch.dtype) -> NDArray[Any]:
    stored = values.to(dtype)
    if not torch.isfinite(stored).all():
        reach = float(values.abs().max())
        right = "; use cache-fp32" if math.isfinite(reach) else ""
        raise OverflowError(f"{reach:g}, which {str(dtype).removeprefix('torch.')} cannot hold{right}")
    array: NDArray[Any] = stored.numpy()
    return array


def _widened(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values).float()
