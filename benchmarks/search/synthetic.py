"""A space of students with their distillation in shape alone, for what samplers take rather than find."""

from __future__ import annotations

import numpy as np
import optuna


def draw(trial: optuna.Trial) -> dict[str, object]:
    """Some 22 active parameters, part of them conditional."""
    params: dict[str, object] = {"family": trial.suggest_categorical("family", ["a", "b"])}
    for index in range(8):
        params[f"kernel{index}"] = trial.suggest_categorical(f"kernel{index}", ["x", "y", "z"])
        params[f"depth{index}"] = trial.suggest_int(f"depth{index}", 1, 4)
    branch = params["family"]
    for index in range(3):
        params[f"{branch}{index}"] = trial.suggest_float(f"{branch}{index}", 0.0, 1.0)
    for name in ("rate", "weight"):
        params[name] = trial.suggest_float(name, 1e-3, 1.0, log=True)
    return params


def values_of(params: dict[str, object]) -> tuple[float, float]:
    spent = cost(params)
    return float(np.tanh(spent / 16) - abs(np.log10(params["rate"]) + 1.5) / 5), spent  # type: ignore[arg-type]


def cost(params: dict[str, object]) -> float:
    return sum(float(value) for name, value in params.items() if name.startswith("depth"))  # type: ignore[arg-type]
