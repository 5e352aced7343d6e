"""Pictures of Fashion-MNIST put together: tiles with several labels, and turned ones whose angle is to be told.

The teacher of each is trained on ten times as many pictures as the students, none of which they see.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from automl_kd.core import write_text
from automl_kd.distillation import distill
from automl_kd.recipes import Recipe
from automl_kd.students import save_weights
from automl_kd.tasks import Split, open_task
from benchmarks.imbalance import whole_task

_SIZES = {"": 2_000, "_val": 2_000, "_test": 5_000}
_TEACHER_SIZE = 20_000
_SIDE, _TILE = 28, 14
_EMPTY = 0.4
_NOISE = 40
_TURN = 60.0
_TEACHER = """{family: resnet, depth: 8}"""
_TASK = """\
name: {name}
problem: {problem}
data: {{kind: npz, path: {file}}}
"""

Scene = Callable[[Split, int, np.random.Generator], tuple[NDArray[np.uint8], NDArray[np.float32]]]


def write_tiles(folder: Path) -> None:
    """Write a task of four places, each with a garment of half its size or with nothing: which garments are there?"""
    _write(folder, "tiled-fashion", "multilabel", _tiles)


def write_angles(folder: Path) -> None:
    """Write a task of garments, each turned by up to 60 degrees: by how much?"""
    _write(folder, "fashion-angle", "regression", _turned)


def _write(folder: Path, name: str, problem: str, scene: Scene) -> None:
    whole = whole_task()
    order = torch.randperm(len(whole.train), generator=torch.Generator().manual_seed(0)).numpy()
    # Students and teacher share no garment.
    parts = {
        "": whole.train.take(order[:8_000]),
        "_val": whole.train.take(order[8_000:16_000]),
        "teacher": whole.train.take(order[16_000:]),
        "_test": whole.test,
    }
    rng = np.random.default_rng(0)
    made = {suffix: scene(parts[suffix], count, rng) for suffix, count in _SIZES.items()}
    arrays = {f"x{suffix}": images for suffix, (images, _) in made.items()}
    arrays |= {f"y{suffix}": labels for suffix, (_, labels) in made.items()}
    np.savez(folder / "images.npz", **arrays)
    images, labels = scene(parts["teacher"], _TEACHER_SIZE, rng)
    # Search-validation and test of the teacher's own task are the students', which it only reports on.
    many = arrays | {"x": images, "y": labels}
    np.savez(folder / "teacher.npz", **many)
    for file in ("teacher", "images"):
        write_text(folder / f"{file}.yaml", _TASK.format(name=name, problem=problem, file=f"{file}.npz"))
    _train_teacher(folder)
    normalisation = open_task(str(folder / "teacher.yaml")).modality
    stated = f"mean: {list(normalisation.mean)}, std: {list(normalisation.std)}"
    teacher = f"teacher: {{checkpoint: teacher.safetensors, student: {_TEACHER}, input: {{{stated}}}}}\n"
    write_text(folder / "task.yaml", (folder / "images.yaml").read_text(encoding="utf-8") + teacher)


def _train_teacher(folder: Path) -> None:
    recipe = Recipe.model_validate(
        {"student": {"family": "resnet", "depth": 8}, "train": {"epochs": 6, "warmup": 0.1, "batch_size": 128}}
    )
    outcome = distill(recipe, open_task(str(folder / "teacher.yaml")), None, device="cpu")
    save_weights(outcome.student, folder / "teacher.safetensors")


def _tiles(garments: Split, count: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    small = functional.avg_pool2d(garments.inputs.float(), 2).round()[:, 0].numpy().astype(np.uint8)
    classes = garments.labels.numpy()
    scenes = rng.integers(0, _NOISE, (count, _SIDE, _SIDE), dtype=np.uint8)
    labels = np.zeros((count, int(classes.max()) + 1), np.float32)
    for top in (0, _TILE):
        for left in (0, _TILE):
            shown = rng.integers(0, len(small), count)
            there = rng.random(count) >= _EMPTY
            place = scenes[:, top : top + _TILE, left : left + _TILE]
            place[there] = np.maximum(place[there], small[shown[there]])
            labels[np.flatnonzero(there), classes[shown[there]]] = 1
    return scenes, labels


def _turned(garments: Split, count: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    shown = rng.integers(0, len(garments), count)
    degrees = rng.uniform(-_TURN, _TURN, count).astype(np.float32)
    turned = _turn(garments.inputs[torch.from_numpy(shown)].float(), torch.from_numpy(degrees))
    return turned.round().byte()[:, 0].numpy(), degrees


def _turn(images: Tensor, degrees: Tensor) -> Tensor:
    """Images (N, 1, H, W) turned about their middle, by bilinear interpolation."""
    angle = torch.deg2rad(degrees)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    matrix = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
