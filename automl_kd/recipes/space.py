"""The search space: a recipe with holes."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from automl_kd.core import UserError, find_yaml, yaml_names
from automl_kd.recipes import tree
from automl_kd.recipes.documents import explain, parse_yaml
from automl_kd.recipes.files import pin_code
from automl_kd.recipes.holes import Categorical, Hole, Rng, Trial, Value, same
from automl_kd.recipes.model_space import with_choices
from automl_kd.recipes.pins import SPACE_FIELDS, losses_of, pin, without_losses
from automl_kd.recipes.schema import Recipe, as_0_1, digest
from automl_kd.recipes.students import SCRATCH, unpin_start

_DECIDES_NOTHING = ("description", "starts")
_LEAST_REDUCTION = 2
_KEPT_FIELDS = ("task", "teacher", "hw", "seed", "threads")
_FIXED_FIELDS = ("version", *_KEPT_FIELDS, *SPACE_FIELDS)
_ATTEMPTS = 100
_RESOLUTION = "student.resolution"


class InvalidCombinationError(ValueError):
    """Values that are each allowed make a recipe that is not."""


@dataclass(frozen=True)
class Encoding:
    """A recipe as numbers, one column a hole.

    Attributes:
        values: Shape (holes,): ordered holes scaled to [0, 1] (logarithmically where the hole is), categories as the
            index of the option, 0 where inactive.
        active: Shape (holes,): whether the hole exists in this recipe.
    """

    values: NDArray[np.float64]
    active: NDArray[np.bool_]


@dataclass(frozen=True)
class Halving:
    """How candidates are compared before the end of a search run.

    Attributes:
        reduction: By how much a rung is shorter than the next; one in so many goes on.
    """

    reduction: int = 3


class Space:
    """A search space, validated: every option of every hole makes a valid recipe.

    Args:
        document: The recipe with holes, as plain data, and ``search_epochs``, the length of the longest search run. It
            may also hold ``halving`` and ``starts``, parts of recipes to try first.
        source: Where it came from, for errors.
        pinned: Holes were filled that the starting points may fill otherwise.

    Raises:
        UserError: With the source, the path, the value and what is allowed.
    """

    def __init__(self, document: Mapping[str, Any], source: str = "space", *, pinned: bool = False) -> None:
        self.document = dict(document)
        self._pinned = pinned
        self._fault: Callable[[Recipe], str | None] = lambda recipe: None
        self.source = source
        self.search_epochs = self._search_epochs()
        self.halving = self._halving()
        for name in _FIXED_FIELDS:
            if tree.is_hole(self.document.get(name)):
                raise UserError(f"{source}: {name}: is the same for all trials of a study and cannot be a hole")
        body = {key: value for key, value in self.document.items() if key not in SPACE_FIELDS}
        self._tree = tree.parse(body, source)
        self._decisions: dict[str, tree.Decisions] = {}
        found: dict[str, Hole] = {}
        for decisions, hole in tree.holes(self._tree):
            found.setdefault(hole.name, hole)
            self._decisions.setdefault(hole.name, decisions)
        self.holes: tuple[Hole, ...] = tuple(found.values())
        self._check_every_option()
        self.starts: tuple[Mapping[str, Value], ...] = tuple(self._starts())

    @property
    def description(self) -> str:
        """What the space is for, as its document says."""
        return str(self.document.get("description", "")).strip()

    @property
    def losses(self) -> frozenset[str]:
        """The losses that a recipe of the space may have."""
        return losses_of(self.document)

    def mentions(self, part: str, name: str) -> bool:
        """Whether a field of that name stands somewhere in a top-level part, such as ``start`` in ``student``."""
        return _mentions(self.document.get(part), name)

    def without_losses(self, names: Collection[str]) -> Space:
        """The space with these losses switched off wherever they may be left out; itself where it has none of them.

        A start that asks for one is left out. A loss that every recipe has stays.
        """
        document = without_losses(self.document, names)
        return self if document == self.document else self._changed(document, pinned=True)

    @property
    def resolutions(self) -> frozenset[int]:
        """The resolutions that a student may be searched at."""
        return frozenset(option for options in self._resolutions().values() for option in options)

    def without_resolutions(self, above: int) -> Space:
        """The space without resolutions above so many pixels; where all are, students take the task's size."""
        gone = {name: [each for each in options if each > above] for name, options in self._resolutions().items()}
        return self._without(gone, or_field=True)

    def without_options(self, gone: Mapping[str, Collection[Value]]) -> Space:
        """The space without some options of its holes.

        Args:
            gone: Options by the name of their hole.

        Raises:
            UserError: If nothing is left.
        """
        return self._without(gone)

    def giving(self, name: str, value: Any) -> Space:
        """The space with a top-level field, as plain data, that it says nothing of."""
        assert name not in self.document
        return self._changed({**self.document, name: value}, pinned=self._pinned)

    def where(self, fault: Callable[[Recipe], str | None]) -> Space:
        """The space of which nothing is drawn that a check finds fault with.

        Args:
            fault: What is wrong with a recipe, None where nothing is.
        """
        left = copy.copy(self)
        left._fault = fault
        return left

    def digest(self) -> str:
        """SHA-256 of what decides the recipes drawn from the space (its description and starting points do not)."""
        return digest({key: value for key, value in self.document.items() if key not in _DECIDES_NOTHING})

    def sample(self, rng: Rng) -> Recipe:
        """A recipe drawn uniformly, hole by hole.

        Args:
            rng: ``numpy.random.Generator`` or ``random.Random``.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._filled(lambda hole: hole.sample(rng))
            except InvalidCombinationError as error:
                reason = error
        raise UserError(f"{self.source}: {_ATTEMPTS} samples in a row made no valid recipe: {reason}")

    def draw(self, trial: Trial) -> Recipe:
        """A recipe whose holes an Optuna trial fills, one parameter a hole.

        Raises:
            InvalidCombinationError: If the values make no valid recipe.
        """
        return self._filled(lambda hole: hole.suggest(trial))

    def from_params(self, params: Mapping[str, Value]) -> Recipe:
        """The recipe of a trial's parameters.

        Raises:
            KeyError: If the parameter of an active hole is missing.
            InvalidCombinationError: If the values make no valid recipe.
        """
        return self._filled(lambda hole: params[hole.name])

    def params(self, recipe: Recipe) -> dict[str, Value]:
        """The values of the active holes that make this recipe.

        Raises:
            ValueError: If the space does not contain the recipe.
        """
        document = recipe.document()
        # A space of version 0.1 has the old key, also in the names of its holes, under which old trials are stored.
        # A space may say "scratch" where a recipe says nothing.
        from_scratch = document | {"student": {"start": SCRATCH} | document["student"]}
        for spelled in (document, as_0_1(document), from_scratch):
            values: dict[str, Value] = {}
            if tree.read(self._tree, spelled, values):
                mine, theirs = self._searched(self.from_params(values)), self._searched(recipe)
                if same(mine, theirs):
                    return values
        raise ValueError(f"{self.source} does not contain this recipe")

    def contains(self, recipe: Recipe) -> bool:
        """Whether the space can become this recipe. Task, teacher, device, seed and threads do not count."""
        try:
            self.params(recipe)
        except (ValueError, KeyError):
            return False
        return True

    def mutate(self, recipe: Recipe, rng: Rng) -> Recipe:
        """A recipe of the space that differs in one decision (and in what hangs on it).

        Ordered holes mostly move to a neighbour; holes that become active are drawn anew, others keep their value.

        Raises:
            ValueError: If the space does not contain the recipe.
        """
        values = self.params(recipe)
        for _ in range(_ATTEMPTS):
            changed = self.mutate_params(values, rng)
            if changed is values:
                break
            try:
                mutant = self.from_params(changed)
            except InvalidCombinationError:
                continue
            kept = {name: getattr(recipe, name) for name in _KEPT_FIELDS}
            return mutant.model_copy(update=kept)
        return recipe

    def sample_params(self, rng: Rng, given: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Values of active holes drawn uniformly, thousands a second: whether they make a valid recipe is not checked.

        Args:
            rng: As for :meth:`sample`.
            given: Values by hole that are taken as they are, where a hole is active and can hold its value.
        """
        known = given or {}

        def choose(hole: Hole) -> Value:
            value = known.get(hole.name)
            return value if hole.name in known and hole.contains(value) else hole.sample(rng)

        return self._active(choose)

    def mutate_params(self, values: Mapping[str, Value], rng: Rng) -> Mapping[str, Value]:
        """As :meth:`mutate`, from values to values and without the check; the same object where nothing can move."""
        movable = [hole for hole in self.holes if hole.name in values and hole.count() > 1]
        if not movable:
            return values
        new: Value
        while True:
            hole = movable[int(rng.random() * len(movable))]
            old = values[hole.name]
            new = hole.neighbour(old, rng) if rng.random() < 0.7 else hole.sample(rng)
            if not same(new, old):
                break
        changed = {**values, hole.name: new}
        return self._active(lambda each: changed[each.name] if each.name in changed else each.sample(rng))

    def all_params(self) -> Iterator[dict[str, Value]]:
        """The values of every recipe of a finite space, valid or not."""
        return tree.every(self._tree)

    def encode(self, recipe: Recipe) -> Encoding:
        """The recipe as numbers with a mask of active holes; columns are ``holes``.

        Raises:
            ValueError: If the space does not contain the recipe.
        """
        values = self.params(recipe)
        numbers = [hole.number(values[hole.name]) if hole.name in values else 0.0 for hole in self.holes]
        return Encoding(np.array(numbers), np.array([hole.name in values for hole in self.holes]))

    def size(self, part: str | None = None) -> float:
        """How many recipes the space holds: an integer, or infinity where a real number is free.

        Args:
            part: Count only one top-level part, for example ``"student"``.
        """
        node = self._tree
        if part is not None:
            node = node.nodes[part] if isinstance(node, tree.Fields) and part in node.nodes else tree.Constant(None)
        number = tree.count(node)
        return number if math.isinf(number) else int(number)

    def _searched(self, recipe: Recipe) -> dict[str, Any]:
        """What of a recipe the space decides."""
        document = {key: value for key, value in recipe.document().items() if key not in _FIXED_FIELDS}
        if "targets" not in self.document.get("distill", {}):
            document["distill"].pop("targets", None)  # decided by what the teacher costs
        unpin_start(document["student"])
        return document

    def _active(self, choose: tree.Choose) -> dict[str, Value]:
        """What ``choose`` says to every hole that is active by what it said before."""
        values: dict[str, Value] = {}

        def note(hole: Hole) -> Value:
            values[hole.name] = choose(hole)
            return values[hole.name]

        tree.fill(self._tree, note)
        return values

    def _filled(self, choose: tree.Choose) -> Recipe:
        data = tree.fill(self._tree, choose)
        try:
            recipe = Recipe.model_validate(data)
        except ValidationError as error:
            raise InvalidCombinationError(explain(error, data)) from None
        fault = self._fault(recipe)
        if fault is not None:
            raise InvalidCombinationError(fault)
        return recipe

    def _resolutions(self) -> dict[str, list[int]]:
        choices = (
            hole for hole in self.holes if isinstance(hole, Categorical) and hole.name.partition("@")[0] == _RESOLUTION
        )
        # Whether there is one at all is a hole of the same path, whose options are no numbers.
        return {hole.name: [each for each in hole.options if type(each) is int] for hole in choices}

    def _without(self, gone: Mapping[str, Collection[Value]], *, or_field: bool = False) -> Space:
        left = tree.without(self._tree, gone, or_field=or_field)
        if left is None:
            raise UserError(f"{self.source}: no recipe is left without {', '.join(gone)}")
        told = {key: value for key, value in self.document.items() if key in SPACE_FIELDS}
        return self._changed(told | tree.spelled(left), pinned=True)

    def _changed(self, document: Mapping[str, Any], *, pinned: bool) -> Space:
        return Space(document, self.source, pinned=pinned).where(self._fault)

    def _search_epochs(self) -> int:
        epochs = self.document.get("search_epochs")
        if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
            shown = "is missing" if epochs is None else f"{epochs!r} is not allowed"
            raise UserError(
                f"{self.source}: search_epochs: {shown}: a space gives the epochs of a whole search run, at least 1"
            )
        return epochs

    def _halving(self) -> Halving:
        given = self.document.get("halving", {})
        reduction = given.get("reduction", Halving.reduction) if isinstance(given, Mapping) else None
        if (
            not isinstance(reduction, int)
            or isinstance(reduction, bool)
            or reduction < _LEAST_REDUCTION
            or set(given) - {"reduction"}
        ):
            raise UserError(f"{self.source}: halving: {given!r} is not allowed; write {{reduction: 3}}, at least 2")
        return Halving(reduction)

    def _starts(self) -> Iterator[Mapping[str, Value]]:
        """The holes that starting points fill; a point that a pin has contradicted is left out."""
        given = self.document.get("starts", [])
        if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
            raise UserError(f"{self.source}: starts: takes a list of parts of recipes, not {given!r}")
        for position, part in enumerate(given):
            values: dict[str, Value] = {}
            if tree.read(self._tree, part, values, part=True):
                yield values
            elif not self._pinned:
                raise UserError(f"{self.source}: starts.{position}: {part!r} is no part of a recipe of this space")

    def _check_every_option(self) -> None:
        for hole in self.holes:
            for value in hole.extremes():
                decided = {**dict(self._decisions[hole.name]), hole.name: value}
                self._check(decided)
        self.sample(random.Random(0))

    def _check(self, decided: Mapping[str, Value]) -> None:
        data = tree.fill(self._tree, lambda each: decided[each.name] if each.name in decided else each.extremes()[0])
        try:
            Recipe.model_validate(data)
        except ValidationError as error:
            # Values may contradict each other (a value_error) in this combination though other combinations are sound.
            if all(fault["type"] == "value_error" for fault in error.errors()):
                return
            raise UserError(f"{self.source}: {explain(error, data)}") from None


def _mentions(data: Any, name: str) -> bool:
    if isinstance(data, Mapping):
        return name in data or any(_mentions(each, name) for each in data.values())
    return isinstance(data, list) and any(_mentions(each, name) for each in data)


def space_names() -> tuple[str, ...]:
    """Names that :func:`load_space` knows: the spaces of the project and those of the user."""
    return tuple(yaml_names("search_spaces"))


def load_space(name: str, pins: Sequence[str] = (), *, allow_code: bool = False) -> Space:
    """A search space by name or path, with some of its holes pinned.

    Args:
        name: A space that comes with the project, one of the user's, or a path to a YAML file.
        pins: ``path=value`` each, such as ``student.width=0.5``; the value is read as YAML.
        allow_code: Whether a model space in a file of the user's may be loaded, which runs its file.

    Raises:
        UserError: If the space does not exist or is malformed, or a pin fits nothing.
    """
    path = find_yaml("search_spaces", "search space", name)
    document: Any = parse_yaml(path)
    for text in pins:
        document = pin(document, text)
    pinned = pin_code(document)
    if "student" in pinned:
        pinned["student"] = with_choices(pinned["student"], allow_code=allow_code)
    return Space(pinned, _shown(path, name), pinned=bool(pins))


def describe_space(name: str) -> str:
    """What a space is for, as its document says; nothing of it is run.

    Raises:
        UserError: If the space does not exist or is no YAML.
    """
    return str(parse_yaml(find_yaml("search_spaces", "search space", name)).get("description", "")).strip()


def _shown(path: Path, name: str) -> str:
    return name if name.endswith((".yaml", ".yml")) else path.name
