"""A search goes without resolutions that its pictures do not have, and says so."""

import random

import pytest

from automl_kd.recipes import Space
from automl_kd.studies.resolutions import resolvable
from automl_kd.tasks import open_task


@pytest.fixture(scope="module")
def task():
    return open_task("digits")  # 8 x 8


@pytest.mark.parametrize(
    ("resolution", "left"),
    [
        ({"choice": [4, 8, 16]}, {4, 8}),
        ({"choice": [16, 32]}, {None}),
        ({"optional": {"choice": [6, 16]}}, {None, 6}),
        ({"optional": {"choice": [16, 32]}}, {None}),
        (16, {16}),
    ],
)
def test_options_above_the_size_of_the_pictures_are_left_out_and_named(task, resolution, left):
    student = {"family": "resnet", "stages": [{"depth": 1, "channels": 4}], "width": {"choice": [1.0, 2.0]}}
    space = Space({"search_epochs": 3, "student": student | {"resolution": resolution}, "train": {"epochs": 3}}, "mine")
    found, told = resolvable(space, "mine", task)
    rng = random.Random(0)
    assert {found.sample(rng).student.resolution for _ in range(40)} == left
    assert bool(told) == (resolution != 16)
    assert all("goes without resolutions" in line and " 16" in line for line in told)


def test_alternatives_keep_what_fits_each(task):
    families = [
        {"family": "resnet", "stages": [{"depth": 1, "channels": 4}], "resolution": {"choice": [8, 16]}},
        {"family": "mobilenet", "stages": [{"depth": 1, "channels": 8}], "resolution": {"choice": [32, 64]}},
    ]
    space = Space({"search_epochs": 3, "student": {"one_of": families}, "train": {"epochs": 3}}, "mine")
    found, (line,) = resolvable(space, "mine", task)
    rng = random.Random(0)
    drawn = {(each.family, each.resolution) for each in (found.sample(rng).student for _ in range(40))}
    assert drawn == {("resnet", 8), ("mobilenet", None)}
    assert "16, 32, 64" in line
