"""A training of images that lie in a file, in a process that may not hold them all; run by ``test_memory.py``.

    python streamed.py IMAGES.npy MEGABYTES

The process may take so many megabytes more than before the training. It prints, as JSON, the megabytes of anonymous
memory after each of three epochs, and whether the whole set could have been held.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
from pathlib import Path

import torch
from on_disk import OnDisk

from automl_kd.distillation import distill
from automl_kd.recipes import Recipe
from automl_kd.tasks import Images, Split, open_task

CLASSES = 10


def in_megabytes(file: str, field: str) -> float:
    """A field of a file of ``/proc/self``."""
    line = next(line for line in Path("/proc/self", file).read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) / 1024


def main(path: str, allowed: int) -> None:
    """Train, and print what was taken."""
    torch.set_num_threads(1)
    digits, whole = open_task("digits"), OnDisk.opened(path)
    labels = torch.arange(len(whole)) % CLASSES
    task = dataclasses.replace(
        digits,
        modality=Images((3, 16, 16), (0.5,) * 3, (0.3,) * 3, white=255.0, kept="uint8"),
        train=Split(whole, labels),
        validation=Split(whole.taken(torch.arange(CLASSES * 4).numpy()), labels[: CLASSES * 4]),
    )
    recipe = Recipe.model_validate(
        {
            "student": {"family": "resnet", "stem": {"stride": 2}, "stages": [{"depth": 1, "channels": 4}]},
            "train": {"epochs": 3, "batch_size": 16, "optimizer": {"name": "sgd", "lr": 0.01}},
        }
    )
    most = int((in_megabytes("status", "VmData") + allowed) * 2**20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    anonymous: list[float] = []
    distill(
        recipe,
        task,
        None,
        device="cpu",
        on_epoch=lambda epoch, score: anonymous.append(in_megabytes("smaps_rollup", "Anonymous")),
    )
    try:
        held = len(task.train.tensor) > 0
    except (MemoryError, RuntimeError):
        held = False
    print(json.dumps({"anonymous": anonymous, "held": held}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
