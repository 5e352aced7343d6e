"""Pictures a second of a whole training step with a teacher, beside a plain torchvision loop.

    python -m benchmarks.pictures [--folder PICTURES] [--size 224] [--batch 32] [--epochs 3] [--rounds 3]

Both train the same network with cross-entropy and soft targets of the same teacher on random resized crops, mirrored at
random, with one thread of torch a training. The peer is ``ImageFolder``, a ``DataLoader`` with one worker, transforms
of v2, and a teacher that is asked at every step. Ours is a task file on the same folder: pictures are decoded once,
which is told apart, and the teacher is asked or its outputs are kept for two views. One training and two at a time, in
alternating rounds; the table gives medians of the pictures a second of all trainings together, the first epochs (two of
them where outputs are kept) left out. Without ``--folder`` pictures are generated: JPEGs of 200 to 600 pixels.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from automl_kd.core import Signature
from automl_kd.distillation import distill
from automl_kd.distillation.composition import Composition
from automl_kd.distillation.feed import Feed
from automl_kd.recipes import Recipe
from automl_kd.students import StudentModule, build
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import module_teacher
from benchmarks.tables import table

STUDENT = {
    "family": "mobilenet",
    "stem": {"channels": 16, "stride": 2},
    "stages": [
        {"depth": 1, "channels": 16, "expand": 1, "stride": 1},
        {"depth": 2, "channels": 24, "expand": 3, "stride": 2},
        {"depth": 2, "channels": 40, "expand": 3, "stride": 2},
        {"depth": 2, "channels": 80, "expand": 3, "stride": 2},
    ],
}
TEACHER = {
    "family": "resnet",
    "stem": {"kernel": 7, "stride": 2, "pool": True},
    "stages": [{"depth": 2, "channels": 64 * 2**stage} for stage in range(4)],
}
CLASSES = 10
AUGMENT = ("resized_crop", "flip")
VIEWS = 2
TEMPERATURE = 4.0
_SIZES = (200, 601)
_SIDES: tuple[str, ...] = ("torchvision", "ours, live", "ours, kept")


@dataclass(frozen=True)
class Setup:
    """What both sides train on, and how long.

    Attributes:
        folder: Of the pictures: a folder a class.
        file: Of our task, which reads them.
        size: Of what networks take.
        batch: Pictures a step.
        epochs: That are timed.
    """

    folder: Path
    file: str
    size: int
    batch: int
    epochs: int

    def recipe(self, targets: str) -> Recipe:
        """Our recipe: as long as warming up, timing and a last epoch, which ends with an evaluation, take."""
        kept = {} if targets == "live" else {"views": VIEWS}
        return Recipe.model_validate(
            {
                "student": STUDENT,
                "distill": {"targets": targets, "losses": {"kd": {"weight": 1.0, "temperature": TEMPERATURE}}, **kept},
                "train": {
                    "epochs": kept.get("views", 1) + self.epochs + 1,
                    "batch_size": self.batch,
                    "augment": AUGMENT,
                },
            }
        )


@dataclass(frozen=True)
class Pace:
    """How fast one training was.

    Attributes:
        pictures: A second.
        input_share: Of the time of a step, what reading and varying its pictures takes alone; NaN where not timed.
    """

    pictures: float
    input_share: float = math.nan


def generate(folder: Path, pictures: int) -> None:
    """Smooth noise with grain as JPEGs, which take about as long to decode as photographs of their size."""
    source = np.random.default_rng(0)
    for number in range(pictures):
        width, height = source.integers(*_SIZES, size=2)
        coarse = Image.fromarray(source.integers(0, 256, (24, 24, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = source.normal(0, 8, smooth.shape).astype(np.int16)
        place = folder / f"class{number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(place / f"{number}.jpg", quality=90)


def write_task(file: Path, folder: Path, size: int) -> str:
    """A task file on a folder of pictures, nearly all of them to train on."""
    data = f"{{kind: image-folder, path: {folder}, size: {size}}}"
    file.write_text(f"name: pictures\ndata: {data}\nsplits: {{validation: {2 * CLASSES}, test: {2 * CLASSES}}}\n")
    return str(file)


def ours(setup: Setup, targets: str) -> Pace:
    """One training of ours."""
    torch.set_num_threads(1)
    task, recipe, began = open_task(setup.file), setup.recipe(targets), list[float]()
    teacher = module_teacher(_network(TEACHER, task.signature), task.signature)
    distill(recipe, task, teacher, device="cpu", on_epoch=lambda epoch, score: began.append(time.perf_counter()))
    warm = recipe.distill.views or 1
    seconds = (began[warm - 1 + setup.epochs] - began[warm - 1]) / setup.epochs
    return Pace(len(task.train) / seconds, _input_seconds(task, recipe) / seconds)


def peer(setup: Setup) -> Pace:
    """One training by a plain loop."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    signature = open_task(setup.file).signature
    transforms = [
        v2.RandomResizedCrop(setup.size),
        v2.RandomHorizontalFlip(),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.25] * 3),
    ]
    pictures = ImageFolder(str(setup.folder), v2.Compose(transforms))
    loader = DataLoader(pictures, setup.batch, shuffle=True, drop_last=True, num_workers=1, persistent_workers=True)
    student, teacher = _network(STUDENT, signature).train(), _network(TEACHER, signature).eval()
    optimizer = torch.optim.SGD(student.parameters(), 0.1, 0.9, weight_decay=5e-4, nesterov=True)
    times = []
    for _ in range(setup.epochs + 1):
        began = time.perf_counter()
        for batch, labels in loader:
            images = batch.contiguous(memory_format=torch.channels_last)
            with torch.no_grad():
                soft = (teacher(images) / TEMPERATURE).softmax(1)
            outputs = student(images)
            guess = (outputs / TEMPERATURE).log_softmax(1)
            kd = functional.kl_div(guess, soft, reduction="batchmean") * TEMPERATURE**2
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(outputs, labels) + kd)
            optimizer.step()
        times.append(time.perf_counter() - began)
    return Pace(len(loader) * setup.batch / statistics.fmean(times[1:]))


def together(train: Callable[[Setup], Pace], setup: Setup, trainings: int) -> Pace:
    """So many trainings at a time, each in a process of its own; their pictures a second added up."""
    with ProcessPoolExecutor(trainings, mp_context=multiprocessing.get_context("spawn")) as pool:
        paces = list(pool.map(train, [setup] * trainings))
    return Pace(sum(each.pictures for each in paces), statistics.fmean(each.input_share for each in paces))


def _network(part: dict[str, object], signature: Signature) -> StudentModule:
    torch.manual_seed(0)
    return build(part, signature).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _input_seconds(task: Task, recipe: Recipe) -> float:
    """Seconds of an epoch in which pictures are read and varied, and nothing else is done."""
    seen = task.at(recipe.student)
    views = seen.modality.views(len(task.train), recipe.train.augment, recipe.seed)
    drawn = Composition(recipe.train, recipe.seed, len(task.train)).epoch(0)
    began = time.perf_counter()
    with closing(Feed([task.train], torch.device("cpu")).batches(drawn)) as batches:
        for batch in batches:
            seen.modality.arranged(views.of(batch.stored, batch.at, 0))
    return time.perf_counter() - began


def _compared(setup: Setup, rounds: int) -> str:
    sides = dict(zip(_SIDES, (peer, partial(ours, targets="live"), partial(ours, targets="cache-fp32")), strict=True))
    rows = []
    for trainings in (1, 2):
        found: dict[str, list[Pace]] = {side: [] for side in sides}
        for _ in range(rounds):
            for side, train in sides.items():
                found[side].append(together(train, setup, trainings))
        theirs = [pace.pictures for pace in found["torchvision"]]
        for side, paces in found.items():
            pictures = [pace.pictures for pace in paces]
            ratio = statistics.median(one / other for one, other in zip(pictures, theirs, strict=True))
            share = statistics.median(pace.input_share for pace in paces)
            told = "–" if math.isnan(share) else f"{share:.0%}"
            rows.append((trainings, side, f"{statistics.median(pictures):.0f}", f"{ratio:.2f}", told))
    return table(("trainings at a time", "side", "pictures a second", "of torchvision's", "input alone"), rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--pictures", type=int, default=1000, help="how many are generated")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["AUTOML_KD_CACHE"] = str(Path(place) / "cache")
        folder = arguments.folder
        if folder is None:
            folder = Path(place) / "pictures"
            generate(folder, arguments.pictures)
        file = write_task(Path(place) / "pictures.yaml", folder.absolute(), arguments.size)
        setup = Setup(folder, file, arguments.size, arguments.batch, arguments.epochs)
        began = time.perf_counter()
        examples = len(open_task(file).train)
        print(f"decoded once, {examples} pictures and those of two small splits: {time.perf_counter() - began:.1f} s\n")
        print(_compared(setup, arguments.rounds))


if __name__ == "__main__":
    main()
