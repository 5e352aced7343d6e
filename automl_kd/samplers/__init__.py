"""Which recipe to try next: Optuna samplers, made for what a study knows."""

from automl_kd.samplers._tpe import multivariate_tpe

__all__ = ["multivariate_tpe"]
