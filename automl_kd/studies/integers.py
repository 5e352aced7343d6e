"""Whether a device and a network can hold the integers that a recipe ships."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_kd.compression import Material, Quantise, check_training, layer_names, order_fault
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


@dataclass(frozen=True)
class Fault:
    """Why a device does not run what a recipe ships.

    Attributes:
        reason: In one line.
        instead: What may be asked for in its place; empty where the reason says it.
    """

    reason: str
    instead: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.reason}: {', or '.join(self.instead)}" if self.instead else self.reason


def form_fault(compress: Sequence[StagePart], task: Task, profile: Profile, elsewhere: bool = False) -> Fault | None:
    """Why a device does not run what stages make, or floats where there are none; None where it does.

    Args:
        compress: The stages.
        task: What is learned.
        profile: The device.
        elsewhere: Whether it is that of a second objective.
    """
    part = quantising(compress)
    return floats_fault(profile, elsewhere) if part is None else device_fault(part, task, profile, elsewhere)


def device_fault(part: Quantise, task: Task, profile: Profile, elsewhere: bool = False) -> Fault | None:
    """Why a device does not load what a stage makes; None where it does.

    Args:
        part: The stage.
        task: What is learned.
        profile: The device.
        elsewhere: Whether it is that of a second objective.
    """
    stored, loads = part.to == "int8-weights", profile.target.loads
    zero_points = part.activations == "asymmetric" and not stored
    form = QuantisedForm(part.weights, bool(part.keep_float), zero_points, QUANTISED_OPSET, stored)
    fault = profile.unfit(form)
    if fault is None:
        if loads is None or loads.begins != "tflite" or task.signature.input.ids is None:
            return None
        reason = f"{_WHERE}: {profile.name} loads {loads.name}, which is made of networks of images alone"
        return Fault(reason, ("leave that objective out" if elsewhere else "take another device",))
    field = "" if fault.about == "opset" else f".{fault.about}"
    reason = f"{_WHERE}{field}: {fault.reason}"
    if fault.about != "to":
        return Fault(reason)
    if stored and profile.target.precision == "int8":
        return Fault(reason, (*_taking(profile.in_floats, elsewhere), "say int8"))
    return Fault(reason, (*_taking(None if stored else profile.in_integers, elsewhere), _leaving(elsewhere)))


def floats_fault(profile: Profile, elsewhere: bool = False) -> Fault | None:
    """Why a device does not run a network of floats as it is priced; None where it does.

    Args:
        profile: The device.
        elsewhere: Whether it is that of a second objective.
    """
    if profile.target.precision != "int8":
        return None
    instead = (*_taking(profile.in_floats, elsewhere), _leaving(elsewhere))
    return Fault(f"compress: ships floats, and {profile.computes}", instead)


def stage_for(profile: Profile) -> dict[str, Any]:
    """The stage by which a network becomes what a device loads, as plain data."""
    has, loads = profile.target.integers, profile.target.loads
    weights = {} if has is None else {"weights": has.weights[0]}
    activations = {"activations": "symmetric"} if loads is not None and loads.symmetric else {}
    return {"stage": "quantise", **weights, **activations}


def _taking(name: str | None, elsewhere: bool) -> tuple[str, ...]:
    """Another target of the device to take, if there is one."""
    return () if name is None else (f"take {'--objective latency@' if elsewhere else '--hw '}{name}",)


def _leaving(elsewhere: bool) -> str:
    return "leave that objective out" if elsewhere else "leave compress out"


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
        """Why a student cannot be compressed as a recipe says, in one line; None where it can or is not."""
        misplaced, part = order_fault(recipe.compress), quantising(recipe.compress)
        if misplaced is not None or part is None:
            return misplaced
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


def check_recipe(
    recipe: Recipe, source: str, task: Task, profile: Profile, allow_code: bool = False
) -> tuple[str, ...]:
    """See to it that what a recipe quantises can be quantised, and that the device loads it.

    Args:
        recipe: The recipe; one that ships floats is made on any device, as those of earlier versions are.
        source: Where it came from, for errors.
        task: What is learned.
        profile: The device.
        allow_code: Whether files of the user's own that the student names may run.

    Returns:
        What is odd, a line each with its remedy.

    Raises:
        UserError: If it cannot, or does not.
    """
    part = quantising(recipe.compress)
    fault = None if part is None else device_fault(part, task, profile)
    said = Holding(task, allow_code).fault(recipe) if fault is None else str(fault)
    if said is not None:
        raise UserError(f"{source}: {said}")
    odd = floats_fault(profile) if part is None else None
    if odd is None:
        return ()
    stage = ", ".join(f"{name}: {value}" for name, value in stage_for(profile).items())
    instead = ", or ".join((*odd.instead[:-1], f"say compress: [{{{stage}}}]"))
    return (f"{source}: {odd.reason}, as which it is priced here: {instead}",)


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
