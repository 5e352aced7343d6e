"""A teacher's outputs for the un-augmented training images: computed once, mapped into memory by every process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.errors import UserError, unknown
from automl_kd.files import locked
from automl_kd.recipes import digest
from automl_kd.tasks import Task, open_array, writing_array
from automl_kd.teachers._teacher import Outputs, Teacher

CacheType = Literal["cache-fp32", "cache-fp16"]

_LOGITS = ""  # the path of the module itself: no stage can have it
_BATCH = 256
_TYPES: Mapping[str, type[np.floating[Any]]] = {"cache-fp32": np.float32, "cache-fp16": np.float16}


class CachedOutputs:
    """Rows of the outputs, by the index of the image in the training split.

    Args:
        arrays: One array (N, …) for the logits and one for every stage.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays

    def rows(self, index: Tensor, stages: Sequence[str] = ()) -> Outputs:
        """The outputs of some training images, as float32 on the CPU.

        Args:
            index: Positions in the training split (B,).
            stages: Stages that were cached.
        """
        at = index.cpu().numpy()

        def read(name: str) -> Tensor:
            return torch.from_numpy(self._arrays[name][at].astype(np.float32, copy=False))

        return Outputs(read(_LOGITS), {stage: read(stage) for stage in stages})


def cached_outputs(
    teacher: Teacher, task: Task, stages: Sequence[str], dtype: CacheType, folder: Path
) -> CachedOutputs:
    """The teacher's outputs for ``task.train`` without augmentation, computed where they are not there yet.

    One process computes and the others wait. Arrays whose bytes are not those written are computed anew. Those that
    were computed with other numbers of threads or on another kind of device are kept apart, because their last bits
    differ and a replay must not.

    Args:
        teacher: Who is asked.
        task: Whose training images.
        stages: Stages whose maps are wanted beside the logits.
        dtype: ``"cache-fp32"``, or ``"cache-fp16"`` at half the size and 3 digits.
        folder: Where the arrays lie.

    Raises:
        UserError: If the teacher has no such stage, or its outputs do not fit the type.
    """
    for stage in stages:
        if stage not in teacher.stage_names():
            raise unknown("teacher stage", stage, teacher.stage_names())
    paths = {name: folder / f"{_key(teacher, task, name, dtype)}.npy" for name in (_LOGITS, *stages)}
    with locked(folder / f"{teacher.sha256}.lock"):
        missing = {name: path for name, path in paths.items() if open_array(path) is None}
        if missing:
            _compute(teacher, task, missing, _TYPES[dtype])
        return CachedOutputs({name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()})


def _key(teacher: Teacher, task: Task, name: str, dtype: str) -> str:
    return digest(
        {
            "teacher": teacher.sha256,
            "task": task.sha256,
            "output": name,
            "dtype": dtype,
            "threads": torch.get_num_threads(),
            "device": teacher.device.type,
        }
    )


def _compute(teacher: Teacher, task: Task, paths: Mapping[str, Path], dtype: type[np.floating[Any]]) -> None:
    shapes = {_LOGITS: (teacher.classes,), **teacher.feature_shapes()}
    stages = [name for name in paths if name != _LOGITS]
    images = task.train.images
    with ExitStack() as stack:
        arrays = {
            name: stack.enter_context(writing_array(path, (len(images), *shapes[name]), dtype))
            for name, path in paths.items()
        }
        for start in range(0, len(images), _BATCH):
            batch = task.normalize(images[start : start + _BATCH].to(teacher.device))
            outputs = teacher.outputs(batch, stages)
            for name, array in arrays.items():
                values = (outputs.logits if name == _LOGITS else outputs.maps[name]).cpu().numpy()
                with np.errstate(over="ignore"):  # looked for in the next line
                    stored = values.astype(dtype)
                if not np.isfinite(stored).all():
                    reach = f"the teacher's {name or 'logits'} reach {np.abs(values).max():g}"
                    raise UserError(f"{reach}, which {dtype.__name__} cannot hold")
                array[start : start + len(stored)] = stored
