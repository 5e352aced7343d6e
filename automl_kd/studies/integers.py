"""Whether a device and a network can hold the integers that a recipe ships."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from automl_kd.compression import Material, Quantise, check_training, layer_names
from automl_kd.core import UserError
from automl_kd.hardware import Profile, QuantisedForm
from automl_kd.onnxio import QUANTISED_OPSET
from automl_kd.recipes import Recipe, StagePart, StudentPart
from automl_kd.students import Plan, build, plan
from automl_kd.tasks import Task

_WHERE = "compress quantise"


def quantising(compress: Iterable[StagePart]) -> Quantise | None:
    """The stage that makes integers of the network; None where it ships as floats."""
    return next((part for part in compress if isinstance(part, Quantise)), None)


def device_fault(part: Quantise, profile: Profile) -> str | None:
    """Why a device does not load what a stage makes, in one line; None where it does."""
    form = QuantisedForm(part.weights, bool(part.keep_float), part.activations == "asymmetric", QUANTISED_OPSET)
    fault = profile.unfit(form)
    if fault is None:
        return None
    field = "" if fault.about == "opset" else f".{fault.about}"
    return f"{_WHERE}{field}: {fault.reason}"


class Holding:
    """Whether students hold what recipes ask of them; those that differ in numbers alone are asked once.

    Args:
        task: What is learned.
        allow_code: Whether files of the user's own that a student names may run.
    """

    def __init__(self, task: Task, allow_code: bool = False) -> None:
        self._task = task
        self._allow_code = allow_code
        self._unfit: dict[Hashable, str | None] = {}

    def fault(self, recipe: Recipe) -> str | None:
        """Why a student cannot be quantised as a recipe says, in one line; None where it can or is not."""
        part = quantising(recipe.compress)
        if part is None:
            return None
        try:
            part.calibration(len(self._task.train))
            if part.keep_float:
                part.kept(self.plan(recipe.student))
        except UserError as error:
            return str(error)
        asked = part.model_dump(exclude={"keep_float", "examples", "share", "ranges"})
        kind = _kind({**asked, "student": _from_scratch(recipe.student).model_dump()})
        if kind not in self._unfit:
            self._unfit[kind] = self._tried(recipe)
        return self._unfit[kind]

    def plan(self, student: StudentPart) -> Plan:
        """The blocks of a student."""
        return plan(_from_scratch(student), self._task.signature, allow_code=self._allow_code)

    def _tried(self, recipe: Recipe) -> str | None:
        student = recipe.student
        signature = self._task.at(student).signature
        network = build(_from_scratch(student), signature, allow_code=self._allow_code)
        given = Material(signature, len(self._task.train), lambda count: iter(()))
        try:
            check_training(recipe.compress, network, given, ())
        except UserError as error:
            reason = str(error).removeprefix(f"{_WHERE}: ")
            return f"{_WHERE}: students of family {student.family} have no form in integers: {reason}"
        return None


def check_recipe(recipe: Recipe, source: str, task: Task, profile: Profile, allow_code: bool = False) -> None:
    """See to it that what a recipe quantises can be quantised, and that the device loads it.

    Args:
        recipe: The recipe; one that ships floats is fine on any device, as those of earlier versions are.
        source: Where it came from, for errors.
        task: What is learned.
        profile: The device.
        allow_code: Whether files of the user's own that the student names may run.

    Raises:
        UserError: If it cannot, or does not.
    """
    part = quantising(recipe.compress)
    if part is None:
        return
    fault = device_fault(part, profile) or Holding(task, allow_code).fault(recipe)
    if fault is not None:
        raise UserError(f"{source}: {fault}")


def refuse_unknown_layers(recipes: Iterable[Recipe], holding: Holding, name: str) -> None:
    """See to it that each layer to keep exists in some student.

    Args:
        recipes: Of the space.
        holding: Knows their plans.
        name: What the user calls the space.

    Raises:
        UserError: If one does not, with those that there are.
    """
    asked: set[str] = set()
    there: dict[str, None] = {}
    for recipe in recipes:
        part = quantising(recipe.compress)
        if part is not None and part.named:
            asked.update(part.named)
            there.update(dict.fromkeys(layer_names(holding.plan(recipe.student))))
    unknown = sorted(asked - there.keys())
    if unknown:
        wholes = [each for each in there if "." not in each]
        block = next((each for each in there if each.endswith(".0")), "")
        raise UserError(
            f"space {name}: {_WHERE}.keep_float: no student has a layer {unknown[0]!r}; there are"
            f" {', '.join(wholes)}, and blocks such as {block}"
        )


def _kind(node: Any) -> Hashable:
    """All that a part of a recipe says but its numbers."""
    if isinstance(node, Mapping):
        return frozenset((name, _kind(each)) for name, each in node.items())
    if isinstance(node, Sequence) and not isinstance(node, str):
        return frozenset(map(_kind, node))
    return node if isinstance(node, str | bool | None) else "a number"


def _from_scratch(student: StudentPart) -> StudentPart:
    return student.model_copy(update={"start": None})
