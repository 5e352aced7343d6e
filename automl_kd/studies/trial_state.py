"""What became of a trial, in a word and in a sentence."""

from __future__ import annotations

from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from automl_kd.results import TrialState
from automl_kd.studies.attributes import TrialAttributes

_KILLED = "its driver was killed before it was priced"


def state_of(trial: FrozenTrial, kept: TrialAttributes, driven: bool) -> TrialState:
    """The state of a trial.

    Args:
        trial: As Optuna knows it.
        kept: What it keeps of itself.
        driven: Whether somebody drives the study just now: what a killed driver trained waits.
    """
    if kept.ending is not None:
        return kept.ending
    if trial.state == OptunaState.COMPLETE:
        return "complete"
    if trial.state == OptunaState.PRUNED:
        return "stopped"
    if trial.state == OptunaState.FAIL:
        return "failed"
    return "running" if driven and kept.training is not None else "waiting"


def reason_of(state: TrialState, kept: TrialAttributes) -> str | None:
    """Why it was not trained to the top rung; None where nothing is against it."""
    if state in ("screened", "passed over", "stopped", "failed"):
        return kept.reason or (_KILLED if state == "failed" else None)
    return None


def told(state: TrialState, kept: TrialAttributes) -> str:
    """State and reason in words: ``stopped at 3 epochs: ended by its owner``."""
    reached = max(kept.scores, default=0)
    at = f"at {reached} epochs" if reached else "before its first rung"
    words = {
        "screened": "screened before any training",
        "passed over": "passed over",
        "waiting": f"waits {at}",
        "running": f"is being trained to {kept.training} epochs",
        "stopped": f"stopped {at}",
        "failed": f"failed {at}",
        "complete": f"complete after {reached} epochs",
    }[state]
    reason = reason_of(state, kept)
    return words if reason is None else f"{words}: {reason}"
