"""Which recipe to try next: Optuna samplers, made for what a study knows."""

from automl_kd.samplers._known_cost import KnownCostSampler
from automl_kd.samplers._tpe import multivariate_tpe

__all__ = ["KnownCostSampler", "multivariate_tpe"]
