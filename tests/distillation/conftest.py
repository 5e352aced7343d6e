from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch

from automl_kd.distillation import distill
from automl_kd.recipes import Recipe
from automl_kd.tasks import Split, Task, open_task
from automl_kd.teachers import Teacher, module_teacher


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_KD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def digits() -> Task:
    return open_task("digits")


@pytest.fixture(scope="session")
def few(digits) -> Task:
    """Digits with 141 training images: four batches of 32 and a rest of 13."""
    return dataclasses.replace(digits, train=Split(digits.train.inputs[:141], digits.train.labels[:141]))


@pytest.fixture(scope="session")
def teacher(digits) -> Teacher:
    """A network of three stages (16, 32, 64 channels), two epochs into its training."""
    recipe = Recipe.model_validate({"student": {"family": "resnet", "depth": 8}, "train": {"epochs": 2}, "seed": 5})
    student = distill(recipe, digits, None, device="cpu").student
    return module_teacher(student, digits.signature)


@pytest.fixture
def make():
    """A recipe of a tiny student (stages of 8 and 12 channels) with parts replaced."""

    def recipe(losses=None, *, augment=(), optimizer=None, epochs=3, batch_size=32, seed=3, student=None, **distill):
        return Recipe.model_validate(
            {
                "seed": seed,
                "student": student
                or {"family": "resnet", "stages": [{"depth": 1, "channels": 8}, {"depth": 1, "channels": 12}]},
                "distill": {"losses": losses or {}, **distill},
                "train": {
                    "epochs": epochs,
                    "batch_size": batch_size,
                    "optimizer": optimizer or {"name": "sgd", "lr": 0.05},
                    "augment": list(augment),
                },
            }
        )

    return recipe
