"""Whether a target runs a quantised network."""

from __future__ import annotations

from dataclasses import dataclass

from automl_kd.hardware.profile_file import Target, WeightScheme


@dataclass(frozen=True)
class QuantisedForm:
    """How a network is quantised, as far as a runtime minds.

    Attributes:
        weights: Scheme of its weights; None where nothing is quantised.
        keeps: Whether some layer is kept in floats.
        zero_points: Whether activations have zero points other than 0.
        opset: Of its file; None where there is none.
    """

    weights: WeightScheme | None
    keeps: bool = False
    zero_points: bool = False
    opset: int | None = None


@dataclass(frozen=True)
class Unfit:
    """Why a target does not run a form.

    Attributes:
        about: What of the form, by the name of the attribute; ``keep_float`` of layers that are kept.
        reason: In one line, with what would be right.
    """

    about: str
    reason: str


def unfit(form: QuantisedForm, name: str, target: Target) -> Unfit | None:
    """Why a target does not run a form; None where it does.

    Args:
        form: The form.
        name: What users call the target.
        target: The target.
    """
    has, loads = target.integers, target.loads
    if form.opset is not None and target.opset < form.opset:
        return Unfit("opset", f"{name} reads files up to opset {target.opset}, and it writes {form.opset}: ship floats")
    if form.zero_points and loads is not None and loads.symmetric:
        return Unfit("activations", f"{name} loads no zero points but 0: say symmetric")
    if has is not None and form.weights is not None and form.weights not in has.weights:
        return Unfit("weights", f"{name} loads no {form.weights} weights; it loads {' and '.join(has.weights)} ones")
    if form.keeps and target.of_integers:
        if has is not None and has.only:
            return Unfit("keep_float", f"{name} runs integers alone: leave it out")
        if has is None or has.floats is None:
            return Unfit("keep_float", f"the profile of {name} prices no floats (integers.floats): leave it out")
    return None
