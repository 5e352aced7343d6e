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
        opset: Of its file; None where none ships, and a plan is priced alone.
        stored: Whether weights are integers in the file alone, so that it computes with floats.
    """

    weights: WeightScheme | None
    keeps: bool = False
    zero_points: bool = False
    opset: int | None = None
    stored: bool = False


@dataclass(frozen=True)
class Unfit:
    """Why a target does not run a form.

    Attributes:
        about: What of the form, by the name of the attribute; ``keep_float`` of layers that are kept, ``to`` of what is
            in integers.
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
    if form.stored and target.of_integers:
        return Unfit("to", f"int8-weights computes with floats, and {computes(name, target)}")
    if form.opset is not None and loads is not None:
        # Those that are priced as integers of as many bits may find ranges of their own.
        if loads.quantised == "own" and target.precision != "int8":
            return Unfit("to", f"{name} finds integers of its own, of {target.precision}, in a network of floats")
        if loads.quantised == "none":
            return Unfit("to", f"{name} loads networks of floats alone")
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


def computes(name: str, target: Target) -> str:
    """In what a target computes, for people: ``coral-edgetpu runs integers alone``."""
    alone = target.integers is not None and target.integers.only
    return f"{name} runs integers alone" if alone else f"{name} computes in {target.precision}"
