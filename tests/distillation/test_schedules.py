from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.distillation import schedules
from automl_kd.distillation.losses.kd import KD
from automl_kd.recipes import SGD, Curriculum, HandOver, Schedule, Train
from automl_kd.recipes.schedules import TemperatureSchedule

PROGRESS = st.floats(0, 1)


def train(**fields) -> Train:
    return Train(epochs=1, optimizer=SGD(name="sgd", lr=0.4), **fields)


@given(PROGRESS)
def test_constants_stay(progress):
    spec = TemperatureSchedule(schedule="constant", start=3, end=3)
    assert schedules.number(5.0, progress) == 5.0
    assert schedules.number(spec, progress) == 3.0
    assert schedules.weight(KD(weight=0.7), progress) == 0.7


@given(PROGRESS)
def test_temperature_closed_forms(progress):
    linear = TemperatureSchedule(schedule="linear", start=6, end=2)
    cosine = TemperatureSchedule(schedule="cosine", start=6, end=2)
    assert schedules.number(linear, progress) == pytest.approx(6 - 4 * progress)
    assert schedules.number(cosine, progress) == pytest.approx(4 + 2 * math.cos(math.pi * progress))


@given(PROGRESS)
def test_weight_closed_forms(progress):
    linear = KD(weight=Schedule(schedule="linear", start=1, end=5))
    cosine = KD(weight=Schedule(schedule="cosine", start=1, end=5))
    assert schedules.weight(linear, progress) == pytest.approx(1 + 4 * progress)
    assert schedules.weight(cosine, progress) == pytest.approx(3 - 2 * math.cos(math.pi * progress))


def test_exponential_and_step_closed_forms():
    exponential = Schedule(schedule="exponential", start=8, end=2)
    assert [schedules.number(exponential, p) for p in (0, 0.5, 1)] == pytest.approx([8, 4, 2])
    step = Schedule(schedule="step", start=6, end=2, at=(0.25, 0.5))
    assert [schedules.number(step, p) for p in (0, 0.24, 0.25, 0.49, 0.5, 1)] == [6, 6, 4, 4, 2, 2]


def test_a_loss_may_begin_late():
    loss = KD(weight=2, after=0.3, until=0.6)
    assert [schedules.weight(loss, p) for p in (0, 0.29, 0.3, 0.59, 0.6, 1)] == [0, 0, 2, 2, 0, 0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schedule": "constant", "start": 1, "end": 2}, "equal start and end"),
        ({"schedule": "exponential", "start": 1, "end": 0}, "never reaches 0"),
        ({"schedule": "step", "start": 1, "end": 0}, "at which fractions"),
        ({"schedule": "linear", "start": 1, "end": 0, "at": [0.5]}, "at which fractions"),
        ({"schedule": "step", "start": 1, "end": 0, "at": [0.5, 0.4]}, "should ascend"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Schedule.model_validate(fields)


@given(PROGRESS)
def test_a_curriculum_widens_from_its_start_to_all(progress):
    curriculum = Curriculum(start=0.3, until=0.5)
    share = schedules.share_of_batch(curriculum, progress)
    assert share == pytest.approx(min(1, 0.3 + 0.7 * progress / 0.5))


def test_weight_is_cut_at_until_and_not_squeezed_into_it():
    loss = KD(weight=Schedule(schedule="linear", start=0, end=1), until=0.4)
    assert schedules.weight(loss, 0.3999) == pytest.approx(0.3999)
    assert schedules.weight(loss, 0.4) == 0
    assert schedules.weight(KD(weight=2, until=1), 1.0) == 2


@given(PROGRESS)
def test_hand_over_moves_all_between_start_and_end(progress):
    linear = HandOver(schedule="linear", start=0.2, end=0.6)
    share = schedules.handed_over(linear, progress)
    assert share == pytest.approx(min(max((progress - 0.2) / 0.4, 0), 1))
    cosine = schedules.handed_over(linear.model_copy(update={"schedule": "cosine"}), progress)
    assert cosine == pytest.approx((1 - math.cos(math.pi * share)) / 2)


@given(PROGRESS)
def test_learning_rate_without_warmup_is_half_a_cosine(progress):
    assert schedules.learning_rate(train(), progress) == pytest.approx(0.2 * (1 + math.cos(math.pi * progress)))


def test_learning_rate_warms_up_then_falls_to_zero():
    warm = train(warmup=0.25)
    assert schedules.learning_rate(warm, 0.0) == 0
    assert schedules.learning_rate(warm, 0.125) == pytest.approx(0.2)
    assert schedules.learning_rate(warm, 0.25) == pytest.approx(0.4)
    assert schedules.learning_rate(warm, 0.625) == pytest.approx(0.2)
    assert schedules.learning_rate(warm, 1.0) == pytest.approx(0, abs=1e-15)
