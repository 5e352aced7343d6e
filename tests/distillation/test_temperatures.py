from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from automl_kd.distillation import distill, temperatures
from automl_kd.recipes.schedules import EntropyTemperature, LearnedTemperature


def test_a_sure_teacher_is_softened_most_and_an_unsure_one_least():
    logits = torch.stack([torch.zeros(10), 1000 * functional.one_hot(torch.tensor(3), 10).float()])
    found = temperatures.by_entropy(logits, "categorical", low=2, high=8)
    torch.testing.assert_close(found, torch.tensor([2.0, 8.0]))


@given(st.floats(0.1, 30))
def test_by_entropy_stays_between_its_bounds(scale):
    found = temperatures.by_entropy(scale * torch.randn(16, 7), "categorical", low=1.5, high=6)
    assert (found >= 1.5 - 1e-5).all()
    assert (found <= 6 + 1e-5).all()


def test_a_learned_temperature_starts_where_told_and_climbs_the_loss():
    spec = LearnedTemperature(adaptive="learned", start=4, low=1, high=20, full=0.1)
    module = temperatures.module(spec)
    assert module is not None
    assert module(0.0).item() == pytest.approx(4, rel=1e-5)
    for progress, strength in ((0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.9, 1.0)):
        module.logit.grad = None
        module(progress).backward()
        share = (4 - 1) / 19
        assert module.logit.grad.item() == pytest.approx(-strength * 19 * share * (1 - share), abs=1e-5)


@pytest.mark.parametrize("temperature", [{"adaptive": "entropy"}, {"adaptive": "learned", "full": 0.2}])
def test_adaptive_temperatures_train_and_learn(make, few, teacher, tmp_path, temperature):
    recipe = make({"kd": {"weight": 1, "temperature": temperature}}, epochs=4)
    outcome = distill(recipe, few, teacher, device="cpu", checkpoint=tmp_path / "run.pt")
    assert math.isfinite(outcome.losses["kd"])
    adapters = torch.load(tmp_path / "run.pt", weights_only=True)["adapters"]
    if temperature["adaptive"] == "learned":
        share = 3 / 19
        assert adapters["kd_temperature.logit"].item() != pytest.approx(math.log(share / (1 - share)), abs=1e-6)


def test_without_a_teacher_to_look_at_the_middle_is_taken():
    assert temperatures.at(EntropyTemperature(adaptive="entropy", low=2, high=6), 0.5, None, None, "categorical") == 4
