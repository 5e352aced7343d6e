"""The batches of a run on its device: gathered from memory there, or read ahead by a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from automl_kd.distillation.composition import Drawn
from automl_kd.tasks import Examples, Split

_AHEAD = 3
_SHARE_OF_FREE = 0.5
Asked = TypeVar("Asked")
Read = TypeVar("Read")


@dataclass(frozen=True, eq=False)
class Batch:
    """The examples of one step.

    Attributes:
        index: Their positions (B,) int64, in ordinary memory; those of the labelled ones come first.
        at: The same on the device.
        labelled: How many have labels.
        stored: (B, …), as the task stores them, on the device.
    """

    index: Tensor
    at: Tensor
    labelled: int
    stored: Tensor


class Feed:
    """Examples of one or two splits, batch by batch on the device of a run.

    What is in memory and fits is placed there once. Anything else, examples on disk and sets that would take more than
    half of what is free on a GPU, stays where it is and is read by a thread a few batches ahead of the run.

    Args:
        splits: The training split, and behind it the unlabelled examples if they are learned from.
        torch_device: Of the run.
    """

    def __init__(self, splits: Sequence[Split], torch_device: torch.device) -> None:
        self._device = torch_device
        self._examples: list[Examples] = [split.inputs for split in splits]
        self._placed = _placed(self._examples, torch_device)

    def batches(self, drawn: Sequence[Drawn]) -> Iterator[Batch]:
        """The batches, in their order. A failed read is raised where its batch is asked for.

        It should be closed where it is not asked for all (``contextlib.closing``), so that its thread ends.
        """
        if not drawn:
            return
        # Copied to the device once, because every copy waits for all that a GPU still has to do.
        placed = torch.cat([each.index for each in drawn]).to(self._device)
        places = placed.split([len(each.index) for each in drawn])
        if self._placed is not None:
            for each, at in zip(drawn, places, strict=True):
                yield Batch(each.index, at, each.labelled, _rows(self._placed, at, each.labelled))
            return
        for each, at, stored in zip(drawn, places, ahead(self._read, drawn, _AHEAD), strict=True):
            yield Batch(each.index, at, each.labelled, stored.to(self._device, non_blocking=True))

    def _read(self, drawn: Drawn) -> Tensor:
        stored = _rows(self._examples, drawn.index, drawn.labelled)
        return stored.pin_memory() if self._device.type == "cuda" else stored


def ahead(read: Callable[[Asked], Read], asked: Iterable[Asked], most: int) -> Iterator[Read]:
    """What ``read`` gives, in order, read by one thread which is at most so many reads ahead.

    Args:
        read: Called in the thread; what it raises is raised where its turn comes.
        asked: Arguments of ``read``.
        most: Reads beyond the one that is asked for.
    """
    waiting: deque[Future[Read]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="feed") as thread:
        try:
            for each in asked:
                waiting.append(thread.submit(read, each))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            thread.shutdown(cancel_futures=True)


def _placed(examples: Sequence[Examples], torch_device: torch.device) -> list[Tensor] | None:
    """All examples on the device, None where some are on disk or they would fill it."""
    tensors = [each for each in examples if isinstance(each, Tensor)]
    if len(tensors) < len(examples) or (torch_device.type == "cuda" and not _fit(tensors, torch_device)):
        return None
    return [each.to(torch_device) for each in tensors]


def _fit(tensors: Sequence[Tensor], torch_device: torch.device) -> bool:
    free, _ = torch.cuda.mem_get_info(torch_device)
    return sum(each.nbytes for each in tensors if each.device != torch_device) <= _SHARE_OF_FREE * free


def _rows(examples: Sequence[Examples], index: Tensor, labelled: int) -> Tensor:
    """The examples (B, …) at positions of which the first ``labelled`` are of the first source."""
    if len(examples) == 1:
        return examples[0][index]
    first, second = examples
    return torch.cat((first[index[:labelled]], second[index[labelled:] - len(first)]))
