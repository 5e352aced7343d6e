"""What is found out about a teacher before anything is learned from it."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from teacher_cases import CLASSES, SHAPE, SIGNATURE, reader, small_task, telling_task
from torch import nn

from automl_kd.core import Input, UserError
from automl_kd.onnxio import export
from automl_kd.tasks import parse_teacher
from automl_kd.teachers import MultiTeacher, load_teacher, module_teacher, read_teacher


def _read(module, task):
    (reading,) = read_teacher(module_teacher(module, task.signature), task)
    return reading


def test_a_teacher_that_knows_its_classes_raises_no_eyebrow():
    reading = _read(reader(), telling_task())
    assert (reading.correct, reading.permuted, reading.images, reading.warnings) == (1.0, 1.0, 300, ())
    assert reading.chance == pytest.approx(1 / 3)
    assert json.loads(json.dumps(reading.document()))["correct"] == 1.0


def test_chance_is_what_the_most_frequent_class_gives():
    reading = _read(reader(), telling_task(counts=(70, 20, 10)))
    assert (reading.images, reading.chance) == (100, 0.7)


@given(st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_the_names_it_asks_for_are_those_of_its_outputs(order):
    task = telling_task(names=("v", "w", "x", "y", "z"))
    reading = _read(reader(5, order), task)
    expected = sum(output == label for output, label in enumerate(order)) / 5
    assert (reading.correct, reading.permuted) == (pytest.approx(expected), 1.0)
    if expected == 1:
        assert reading.warnings == ()
    else:
        assert f"classes: [{', '.join('vwxyz'[label] for label in order)}]" in reading.warnings[0]
        assert "100.0 % with its classes in another order" in reading.warnings[0]


@pytest.mark.parametrize(
    "names", [("no", "a, b", "007"), ("1", "null", "x: y"), ("it's", '"q"', "[z]"), ("größe 5", "-", "#1")], ids=str
)
def test_the_option_that_it_proposes_is_what_one_writes(tmp_path, names):
    task = telling_task(names=names)
    (line,) = _read(reader(order=(1, 2, 0)), task).warnings
    export(reader(order=(1, 2, 0)), tmp_path / "t.onnx", Input.of_images(SHAPE))
    spec = parse_teacher(f"{{onnx: {tmp_path / 't.onnx'}, {line[line.index('classes: [') :]}}}")
    (mended,) = read_teacher(load_teacher(spec, task), task)
    assert (mended.correct, mended.warnings) == (1.0, ())


@given(st.integers(0, 10_000), st.sampled_from([30, 90, 300]))
@settings(max_examples=30, deadline=None)
def test_one_that_knows_nothing_is_near_chance_and_never_misordered(seed, images):
    # Labels of small_task have nothing to do with its images.
    torch.manual_seed(seed)
    task = telling_task(images)
    blind = nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES))
    with torch.no_grad():
        blind[1].weight[:, :CLASSES] = 0  # the pixels that tell
    reading = _read(blind, task)
    assert not any("order: say which" in line for line in reading.warnings)
    assert reading.correct <= reading.permuted < 0.8


def test_one_answer_to_all_is_said():
    constant = reader()
    with torch.no_grad():
        constant[1].weight.zero_()
    (line,) = _read(constant, telling_task()).warnings
    assert "right on 33.3 % of 300 images of search-validation, where one answer to all is right on 33.3 %" in line


@pytest.mark.parametrize(
    ("mean", "std", "option"),
    [(0.0, 1.0, "mean: [0], std: [1]"), (0.5, 0.5, "mean: [0.5], std: [0.5]"), (0.0, 1 / 255, "std: [0.00392157]")],
    ids=["0 to 1", "-1 to 1", "0 to 255"],
)
def test_values_of_another_range_are_tried_and_the_option_is_told(mean, std, option):
    task = telling_task()

    class Fussy(nn.Module):
        """Right where the brightest pixel, as it was trained, is 0.9 and answers c otherwise."""

        def forward(self, x):
            bright = (x - (0.9 - mean) / std).abs().flatten(1)[:, :CLASSES] < 1e-3 / std
            return 4.0 * bright + torch.tensor([0.0, 0.0, 1.0])

    (line,) = _read(Fussy(), task).warnings
    assert option in line
    assert "on 100.0 % of 256 of them shown otherwise: say so with input:" in line


def test_of_many_images_two_thousand_are_asked_in_their_proportions():
    task = telling_task(counts=(3000, 1000, 1000))
    reading = _read(reader(), task)
    assert (reading.images, reading.chance) == (2000, pytest.approx(0.6, abs=0.001))


def test_it_stops_when_its_time_is_up_and_says_how_many_were_asked():
    (reading,) = read_teacher(module_teacher(reader(), SIGNATURE), telling_task(), seconds=0)
    assert 0 < reading.images < 300


def test_several_teachers_are_read_each_for_itself():
    members = [module_teacher(module, SIGNATURE) for module in (reader(), reader(order=(1, 2, 0)))]
    first, second = read_teacher(MultiTeacher(members), telling_task())
    assert (first.correct, second.correct) == (1.0, 0.0)
    assert first.warnings == ()
    assert second.warnings[0].startswith("teacher 2: ")


def test_outputs_that_are_no_numbers_are_refused():
    broken = reader()
    with torch.no_grad():
        broken[1].bias[1] = torch.nan
    with pytest.raises(UserError, match="infinite or not a number, and nothing can be learned"):
        _read(broken, small_task())
