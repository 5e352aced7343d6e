"""Optuna's own tests for authors of samplers."""

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from automl_kd.samplers import KnownCostSampler


class TestNothingKnown(BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: KnownCostSampler({}, n_startup_trials=2)


class TestCostKnown(BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: KnownCostSampler(
            {0: lambda params: float(sum(map(_number, params.values())))}, n_startup_trials=2
        )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float(len(str(value)))
