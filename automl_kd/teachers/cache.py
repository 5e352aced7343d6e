"""A teacher's outputs for numbered views of the training examples: computed once, mapped by every process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError, locked, write_text
from automl_kd.recipes import digest
from automl_kd.tasks import Task, Views, open_array, writing_array
from automl_kd.teachers.disk_space import make_room, touch
from automl_kd.teachers.stored_outputs import CacheType, form_of, is_mean, spatial_means, stage_of
from automl_kd.teachers.teacher import Outputs, Teacher

DEFAULT_LIMIT = 8_000_000_000
"""Bytes that the outputs of all teachers in one folder may take."""

_LOGITS = ""  # the path of the module itself: no stage can have it
_BATCH = 256
_OWNER = "teacher"


class TargetCache:
    """Outputs by view and example, as exact as their form is (:func:`form_of`): the teacher sees the view.

    A view is computed when it is first asked for: one process computes, holding the folder's lock, and the others wait.
    Its arrays lie in ``<folder>/<teacher>/``, one file an output, under a hash of all that decides their bytes:
    teacher, task, view, output, form, torch and its number of threads, kind of device. Equal views of different runs
    are one file. Files whose bytes or names are not those written are computed anew.

    Where the folder would outgrow its bound, files go in the order of their last use, never those that this run needs.
    Runs that need more than the bound only together compute again what they took from each other.

    Args:
        teacher: Who is asked, on the device where it shall compute.
        task: Whose training examples.
        views: How they are augmented; ``task.modality.views(examples, (), 0)`` for the examples as they are.
        numbers: The views that will be asked for.
        stages: Stages or paths whose maps are wanted beside the outputs; ``mean_of(stage)`` where their means suffice.
        kind: How outputs are stored.
        folder: Where the files of all teachers lie.
        limit_bytes: What all files in the folder may take.
        unlabelled: Whether the task's unlabelled examples are asked for, too; their positions follow the others'.

    Raises:
        UserError: If the teacher has no such stage; if all these views would take more than ``limit_bytes``; or if the
            folder is that of another teacher.
    """

    def __init__(
        self,
        teacher: Teacher,
        task: Task,
        views: Views,
        numbers: Collection[int],
        stages: Sequence[str],
        kind: CacheType,
        folder: Path,
        limit_bytes: int = DEFAULT_LIMIT,
        *,
        unlabelled: bool = False,
    ) -> None:
        shapes = teacher.feature_shapes([*map(stage_of, stages)])
        self._forms = {
            name: form_of("cache-fp32", (shapes[stage_of(name)][0], 1, 1))
            if is_mean(name)
            else form_of(kind, shapes[name])
            for name in stages
        }
        if not teacher.headless:
            outputs = form_of(kind, teacher.logits_shape, teacher.signature.output.meaning)
            self._forms = {_LOGITS: outputs, **self._forms}
        self._teacher, self._task, self._views, self._kind = teacher, task, views, kind
        self._splits = task.learned_from(unlabelled=unlabelled)
        self._examples = sum(map(len, self._splits))
        self._root, self._folder = _places(folder, teacher.sha256)
        self._limit = limit_bytes
        self._paths = {(number, name): self._path(number, name) for number in numbers for name in self._forms}
        distinct = len(set(self._paths.values())) // max(1, len(self._forms))
        needed = distinct * sum(map(self._bytes, self._forms))
        if needed > limit_bytes:
            raise UserError(
                f"{distinct} views of the teacher's outputs take {needed / 1e9:.3g} GB as {kind} and {folder} may hold"
                f" {limit_bytes / 1e9:.3g} GB: ask for fewer views, for cache-fp16, or for live targets"
            )
        self._checked: set[tuple[Path, int]] = set()
        # The arrays of the view last asked for alone: each holds a file open.
        self._number: int | None = None
        self._arrays: dict[str, NDArray[Any]] = {}

    def rows(self, index: Tensor, number: int, stages: Sequence[str] = ()) -> Outputs:
        """The outputs for one view of some training examples, float32 on the CPU, pinned where the teacher is on CUDA.

        Args:
            index: Positions (B,) in the training split, or behind it in the unlabelled examples.
            number: Which view, one of those announced.
            stages: What was announced of stages.

        Returns:
            Outputs, none of a headless teacher; and what is kept of each stage, by the stage.

        Raises:
            UserError: If the outputs do not fit the form, or the disk has no room for them.
        """
        if number != self._number:
            self._arrays, self._number = {}, number
        names = stages if self._teacher.headless else (_LOGITS, *stages)
        self._open([name for name in names if name not in self._arrays], number)
        at = index.cpu().numpy()
        values = {name: self._read(name, at) for name in names}
        logits = values.pop(_LOGITS, torch.zeros(len(index), 0))
        return Outputs(logits, {stage_of(name): features for name, features in values.items()})

    def _read(self, name: str, at: NDArray[np.int64]) -> Tensor:
        values = self._forms[name].decode(self._arrays[name].take(at, axis=0))  # 8 times as fast as indexing
        return values.pin_memory() if self._teacher.device.type == "cuda" else values

    def _open(self, names: Sequence[str], number: int) -> None:
        for name in names:
            if (number, name) not in self._paths:
                raise ValueError(f"view {number} of {name or 'logits'} was not announced")
        missing = [name for name in names if not self._find(name, number)]
        if missing:
            with locked(self._root / "lock"):
                missing = [name for name in missing if not self._find(name, number)]
                if missing:
                    self._compute(missing, number)
                for name in missing:
                    self._map(name, self._paths[number, name])

    def _find(self, name: str, number: int) -> bool:
        """Open an array if it is there and whole; within a run a file is checked once."""
        path = self._paths[number, name]
        try:
            known = (path, path.stat().st_ino) in self._checked
            if not known and open_array(path) is None:
                return False
            self._map(name, path)
        except FileNotFoundError:  # not there, or another process has just made room
            return False
        return True

    def _map(self, name: str, path: Path) -> None:
        self._arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        self._checked.add((path, path.stat().st_ino))
        touch(path)

    def _path(self, number: int, name: str) -> Path:
        more = {"unlabelled": self._examples - len(self._task.train)} if len(self._splits) > 1 else {}
        key = digest(
            {
                **more,
                "teacher": self._teacher.sha256,
                "task": self._task.sha256,
                "view": self._views.identity(number),
                "output": name,
                "form": str(self._forms[name].dtype) if not is_mean(name) else self._kind,
                # All three change last bits, the first also what a seed draws; a replay must find its own.
                "torch": torch.__version__,
                "threads": torch.get_num_threads(),
                "device": self._teacher.device.type,
            }
        )
        return self._folder / f"{key}.npy"

    def _bytes(self, name: str) -> int:
        return self._examples * self._forms[name].bytes_per_example

    def _compute(self, names: Sequence[str], number: int) -> None:
        write_text(self._folder / _OWNER, self._teacher.sha256)
        for name in names:  # damaged files count for nothing
            self._paths[number, name].unlink(missing_ok=True)
        make_room(self._root, sum(map(self._bytes, names)), self._limit, set(self._paths.values()))
        stages = tuple(dict.fromkeys(stage_of(name) for name in names if name != _LOGITS))
        with ExitStack() as stack:
            arrays = {
                name: stack.enter_context(
                    writing_array(
                        self._paths[number, name], (self._examples, *self._forms[name].shape), self._forms[name].dtype
                    )
                )
                for name in names
            }
            read = 0
            for stored in (batch for split in self._splits for batch in split.batches(_BATCH)):
                index = torch.arange(read, read + len(stored))
                read += len(stored)
                view = self._task.modality.arranged(self._views.of(stored.to(self._teacher.device), index, number))
                outputs = self._teacher.outputs(view, stages)
                for name, array in arrays.items():
                    values = outputs.logits if name == _LOGITS else outputs.maps[stage_of(name)]
                    values = spatial_means(values, self._kind).cpu() if is_mean(name) else values.cpu()
                    try:
                        array[index.numpy()] = self._forms[name].encode(values)
                    except OverflowError as error:
                        raise UserError(f"the teacher's {name or 'logits'} reach {error}") from None


def _places(folder: Path, teacher: str) -> tuple[Path, Path]:
    """The folder of all teachers, and in it that of this one; a user may also name the latter.

    Raises:
        UserError: If either is that of another teacher.
    """
    root = folder.parent if _owner(folder) == teacher == folder.name else folder
    own = root / teacher
    for place in (root, own):
        owner = _owner(place)
        if owner is not None and (place == root or owner != teacher):
            raise UserError(
                f"{place}: is what a cache keeps of teacher {owner[:12]} and nothing for teacher {teacher[:12]}:"
                f" name the folder above it, {place.parent}, or a new one"
            )
    return root, own


def _owner(folder: Path) -> str | None:
    try:
        return (folder / _OWNER).read_text(encoding="ascii")
    except OSError:
        return None
