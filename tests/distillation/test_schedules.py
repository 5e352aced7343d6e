from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.distillation import schedules
from automl_kd.recipes import SGD, HandOver, Schedule, Train
from automl_kd.recipes.losses import KD
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
