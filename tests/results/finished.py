"""Finished trials of a search for accuracy against latency and memory, and strategies of rules about them."""

from hypothesis import strategies as st

from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe
from automl_kd.results import TrialResult

ACCURACY = Objective("accuracy", "maximize", "%")
LOG_LOSS = Objective("log_loss", "minimize", "nats")
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
ON_PI = Objective("latency_ms@raspberry-pi-4", "minimize", "ms", known=True)
OBJECTIVES, METRICS = (ACCURACY, LATENCY, ON_PI), (ACCURACY, LOG_LOSS)


def _recipe(compress):
    student = {"family": "resnet", "depth": 8}
    return Recipe.model_validate({"student": student, "train": {"epochs": 9}, "compress": compress})


RECIPES = {"float32": _recipe([]), "fp16": _recipe([{"stage": "fp16"}])}  # here: the first one loads every loss


def finished(trial=3, score=0.9, latency_ms=2.5, params=1000, form="float32", **more):
    """A finished trial."""
    fields = {
        "trial": trial,
        "epochs": 9,
        "score": score,
        "metrics": {"accuracy": score, "log_loss": 0.5},
        "objectives": {"accuracy": score, "latency_ms": latency_ms, "latency_ms@raspberry-pi-4": 4 * latency_ms},
        "latency_ms": latency_ms,
        "latency_low": 0.5 * latency_ms,
        "latency_high": 2 * latency_ms,
        "params": params,
        "memory_bytes": 90_000,
        "coverage": 1.0,
        "recipe": RECIPES[form],
    }
    return TrialResult(**fields | more)


NUMBERS = {
    "score": st.floats(0, 1),
    "accuracy": st.floats(0, 1),
    "log_loss": st.floats(-2, 5),
    "latency_ms": st.floats(0, 10),
    "latency_ms@raspberry-pi-4": st.floats(0, 40),
    "memory_bytes": st.floats(0, 1e6),
    "params": st.integers(0, 10_000),
    "trial": st.integers(0, 9),
}
"""Values that a rule may ask for, by the name of the quantity."""
