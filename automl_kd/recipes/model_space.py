"""Model spaces of NNI: the class that a student names, and its mutables as holes."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from automl_kd.core import UserError, import_extra, unknown
from automl_kd.recipes.custom_code import checked_file, run_file
from automl_kd.recipes.students import ModelSpace
from automl_kd.recipes.tree import is_hole

_CLASSES = ("num_labels", "num_classes", "classes")
_MOST_OPTIONS = 1024
_ASSUMED = ((3, 32, 32), 10)
"""Image and classes while choices are listed, for a space that cannot be made without; they are the task's later."""

Condition = tuple[str, frozenset[Any]]
"""The label of another choice, and its options under which this one counts."""


def custom_file(model: str) -> Path | None:
    """The file of the user's that holds a model space; None for one of an installed package."""
    place = model.rpartition(":")[0]
    return Path(place).expanduser() if place.endswith(".py") else None


def load_model_space(part: ModelSpace, *, allow_code: bool) -> type[Any]:
    """The class that a student names.

    A class of an installed package is trusted like any import; a file of the user's runs only where that is allowed.

    Raises:
        UserError: If NNI is not installed, code may not run, or there is no such file, module or model space.
    """
    place, _, name = part.model.rpartition(":")
    path: Path | None = None
    if custom_file(part.model) is not None:
        path = checked_file(
            place,
            part.sha256,
            allow_code=allow_code,
            asked_by="student.model",
            file_field="student.model",
            hash_field="student.sha256",
        )
    base = _nni().ModelSpace
    module = _installed(place) if path is None else run_file(path, "student.model")
    spaces = [key for key, value in vars(module).items() if _is_space(value, base)]
    if name not in vars(module):
        raise UserError(f"student.model: {place}: {unknown('model space', name, spaces)}")
    found = vars(module)[name]
    if not _is_space(found, base):
        raise UserError(f"student.model: {part.model} is no nni.nas.nn.pytorch.ModelSpace; it should be a class of it")
    space: type[Any] = found
    return space


def frozen_model(part: ModelSpace, *, input_shape: tuple[int, ...], classes: int, allow_code: bool) -> Any:
    """The network that the choices of a recipe make, as a ``torch.nn.Module`` with fresh weights.

    Args:
        part: The student, its choices without holes.
        input_shape: Channels, height, width; handed over where the space asks for ``in_channels`` or ``input_shape``.
        classes: Handed over where the space asks for ``num_labels``, ``num_classes`` or ``classes``.
        allow_code: Whether a file of the user's may run.

    Raises:
        UserError: As :func:`load_model_space`, or if the choices are not of the space.
    """
    space = load_model_space(part, allow_code=allow_code)
    from nni.nas.space import model_context

    try:
        with model_context(_sample(part.choices)):
            return space(**_arguments(space, part, input_shape, classes))
    except Exception as error:  # whatever the space does wrong
        raise _failed(part, "with these choices", error) from None


def with_choices(data: Any, *, allow_code: bool) -> Any:
    """A space's student, as plain data, with the mutables of every model space in it as holes.

    What ``choices`` says already stays: a value fills a hole and ``{choice: [...]}`` narrows it. A choice that counts
    only under some options of another (inside a candidate of ``LayerChoice``, or a block of ``Repeat`` that is not
    always there) is a hole below these and has its first option elsewhere, so that every recipe is a whole sample.

    Raises:
        UserError: As :func:`load_model_space`, or if the space cannot be made, or a mutable is none that can be a hole.
    """
    if isinstance(data, list):
        return [with_choices(each, allow_code=allow_code) for each in data]
    if not isinstance(data, Mapping):
        return data
    if data.get("family") != "nni":
        return {key: with_choices(value, allow_code=allow_code) for key, value in data.items()}
    given = data.get("choices", {})
    if not isinstance(given, Mapping) or any(map(is_hole, [*data.values(), *_values(data.get("arguments"))])):
        raise UserError("student: of a model space only what stands in choices can be a hole")
    part = ModelSpace.model_validate({**data, "choices": {}})
    return {**data, "choices": _Listing(part, allow_code).holes(given)}


class _Listing:
    """The labels of a model space: what each may be, and which other choice it hangs on."""

    def __init__(self, part: ModelSpace, allow_code: bool) -> None:
        space = load_model_space(part, allow_code=allow_code)
        import torch

        try:
            with torch.device("meta"):
                model = space(**_arguments(space, part, *_ASSUMED))
        except Exception as error:  # whatever the space does wrong
            raise _failed(part, "", error) from None
        self._model = part.model
        self._nni = _nni()
        found = model.simplify()
        self._options = {label: _options(label, mutable) for label, mutable in found.items()}
        chains: dict[str, tuple[Condition, ...]] = {}
        for label, chain in self._walk(model, ()):
            chains[label] = _common(chains[label], chain) if label in chains else chain
        self._parents = {label: chain[-1] for label, chain in chains.items() if chain}

    def holes(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The choices, as a part of a space's document."""
        for label, value in given.items():
            if label not in self._options:
                raise UserError(f"student.choices: {unknown('choice', label, list(self._options))}")
            if isinstance(self._options[label], list) and not (is_hole(value) and "choice" not in value):
                listed = value["choice"] if is_hole(value) else [value]
                for option in listed:
                    if option not in self._options[label]:
                        allowed = ", ".join(map(str, self._options[label]))
                        raise UserError(f"student.choices.{label}: {option!r} is not allowed: use {allowed}")
                self._options[label] = listed
            else:
                self._options[label] = value
        roots = [label for label in self._options if label not in self._parents]
        return {label: self._hole(label) for label in roots}

    def _hole(self, label: str) -> Any:
        options = self._options[label]
        children = [child for child, (parent, _) in self._parents.items() if parent == label]
        if not isinstance(options, list):
            return options
        if not children:
            return options[0] if len(options) == 1 else {"choice": options}
        alternatives = [
            {label: option}
            | {name: self._hole(name) if option in self._parents[name][1] else self._first(name) for name in children}
            for option in options
        ]
        return alternatives[0] if len(alternatives) == 1 else {"one_of": alternatives}

    def _first(self, label: str) -> Any:
        """A choice, and all that hangs on it, where it decides nothing."""
        options = self._options[label]
        value = options[0] if isinstance(options, list) else next(iter(_values(options)), options)
        value = value[0] if isinstance(value, list) and not isinstance(options, list) else value
        children = [child for child, (parent, _) in self._parents.items() if parent == label]
        return {label: value} | {name: self._first(name) for name in children} if children else value

    def _walk(self, module: Any, chain: tuple[Condition, ...]) -> Iterator[tuple[str, tuple[Condition, ...]]]:
        """Every label below a module, once for each place, with the conditions under which the place exists."""
        from nni.mutable import Categorical

        for mutable in getattr(module, "mutables", ()):
            yield from ((label, chain) for label in mutable.simplify())
        for mutable in getattr(module, "trace_kwargs", {}).values():
            if hasattr(mutable, "simplify") and not hasattr(mutable, "named_children"):
                yield from ((label, chain) for label in mutable.simplify())
        if isinstance(module, self._nni.LayerChoice):
            for name in module.names:
                yield from self._walk(module[name], _under(chain, module.choice, {name}))
        elif isinstance(module, self._nni.Repeat) and isinstance(module.depth_choice, Categorical):
            depth = module.depth_choice
            for index, block in enumerate(module.blocks):
                yield from self._walk(block, _under(chain, depth, {value for value in depth.values if value > index}))
        else:
            for child in module.children():
                yield from self._walk(child, chain)


def _under(chain: tuple[Condition, ...], choice: Any, options: set[Any]) -> tuple[Condition, ...]:
    return chain if options == set(choice.values) else (*chain, (choice.label, frozenset(options)))


def _common(left: tuple[Condition, ...], right: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions that two places of one label share: there where either is."""
    shared: list[Condition] = []
    for (one, some), (other, more) in zip(left, right, strict=False):
        if one != other:
            break
        shared.append((one, some | more))
    return tuple(shared)


def _options(label: str, mutable: Any) -> Any:
    """The options of a mutable as a list, or the hole of a number between two bounds."""
    from nni.mutable import Categorical, CategoricalMultiple, Numerical

    where = f"student.choices.{label}"
    if isinstance(mutable, Numerical) and mutable.low is not None and mutable.high is not None:
        low, high = float(mutable.low), float(mutable.high)
        bounded = abs(low) != float("inf") and abs(high) != float("inf")
        if bounded and mutable.quantize is None and mutable.mu is None:
            return {"float": [low, high]} | ({"log": True} if mutable.log_distributed else {})
        if bounded and mutable.quantize is not None and (high - low) / mutable.quantize < _MOST_OPTIONS:
            steps = range(int((high - low) / mutable.quantize) + 2)
            return sorted({float(mutable.qclip(low + step * mutable.quantize)) for step in steps})
    if isinstance(mutable, Categorical | CategoricalMultiple):
        options: list[Any] = []
        for option in mutable.values if isinstance(mutable, Categorical) else mutable.grid():
            if len(options) == _MOST_OPTIONS:
                raise UserError(f"{where}: has over {_MOST_OPTIONS} options: give fewer candidates")
            options.append(_plain(where, option))
        return options
    raise UserError(f"{where}: {mutable!r} cannot be a hole: use a choice, or a number between two bounds")


def _plain(where: str, option: Any) -> Any:
    value = option.item() if hasattr(option, "item") else option
    if isinstance(value, list):
        return [_plain(where, each) for each in value]
    if not isinstance(value, bool | int | float | str):
        raise UserError(f"{where}: the option {value!r} is no number and no word, which a recipe could hold")
    return value


def _sample(choices: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a recipe as NNI's sample: what stands below others is brought to the top."""
    flat: dict[str, Any] = {}
    for label, value in choices.items():
        flat.update(_sample(value) if isinstance(value, Mapping) else {label: value})
    return flat


def _arguments(space: type[Any], part: ModelSpace, input_shape: tuple[int, ...], classes: int) -> dict[str, Any]:
    told = {"in_channels": input_shape[0], "input_shape": input_shape} | dict.fromkeys(_CLASSES, classes)
    accepted = inspect.signature(getattr(space, "_init_wrapped", None) or space.__init__).parameters
    return {name: value for name, value in told.items() if name in accepted} | part.arguments


def _installed(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"student.model: {name}: {error}") from None
    except Exception as error:  # whatever the module does wrong
        raise UserError(f"student.model: {name} fails: {type(error).__name__}: {error}") from None


def _nni() -> Any:
    return import_extra("nni.nas.nn.pytorch", "nni", "student.family nni")


def _is_space(value: Any, base: type[Any]) -> bool:
    return isinstance(value, type) and issubclass(value, base) and value is not base


def _failed(part: ModelSpace, how: str, error: Exception) -> UserError:
    reason = (str(error).strip().splitlines() or [""])[0]
    what = f"{part.model} {how}".rstrip()
    return UserError(f"student.model: {what} cannot be made: {type(error).__name__}: {reason}")


def _values(data: Any) -> list[Any]:
    return list(data.values()) if isinstance(data, Mapping) else []
