"""A recipe document with holes as a tree: constants, lists, mappings, holes, and branches that a hole decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from automl_kd.core import UserError
from automl_kd.recipes.holes import Categorical, Float, Hole, Integer, Value, as_value, same

HOLE_KEYS = ("choice", "int", "float", "optional", "one_of")
ABSENT = object()
"""What an optional part that is not there fills its place with."""

Choose = Callable[[Hole], Value]
Decisions = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Constant:
    """Plain data without holes."""

    data: Any


@dataclass(frozen=True)
class Fill:
    """A place that one hole fills."""

    hole: Hole


@dataclass(frozen=True)
class Branch:
    """A place where one hole decides which of several subtrees stands there."""

    hole: Categorical
    alternatives: Mapping[Value, Node] = field(hash=False)


@dataclass(frozen=True)
class Fields:
    """A mapping with holes somewhere below."""

    nodes: Mapping[str, Node] = field(hash=False)


@dataclass(frozen=True)
class Items:
    """A list with holes somewhere below."""

    nodes: tuple[Node, ...]


Node = Constant | Fill | Branch | Fields | Items


def parse(data: Any, source: str) -> Node:
    """The tree of a document with holes.

    A hole is named by its path. Where two alternatives hold different holes at one path, each also carries the label
    of its alternative (``student.stages.0.depth@mobilenet``): an Optuna parameter has one distribution for life.

    Raises:
        UserError: If a hole is malformed, with ``source``, its path and what is allowed.
    """
    shapes: dict[str, list[Hole]] = {}
    for _, hole in holes(_parse(data, source, (), (), {})):
        if hole not in shapes.setdefault(hole.name, []):
            shapes[hole.name].append(hole)
    ambiguous = {name for name, different in shapes.items() if len(different) > 1}
    return _parse(data, source, (), (), dict.fromkeys(ambiguous, True))


def holes(node: Node, decisions: Decisions = ()) -> Iterator[tuple[Decisions, Hole]]:
    """Every hole below a node with the decisions that make it active, in document order."""
    match node:
        case Fill(hole):
            yield decisions, hole
        case Branch(hole, alternatives):
            yield decisions, hole
            for label, child in alternatives.items():
                yield from holes(child, (*decisions, (hole.name, label)))
        case Fields(nodes):
            for child in nodes.values():
                yield from holes(child, decisions)
        case Items(children):
            for child in children:
                yield from holes(child, decisions)


def fill(node: Node, choose: Choose) -> Any:
    """The document with every active hole filled by ``choose``; inactive holes are not asked."""
    match node:
        case Constant(data):
            return data
        case Fill(hole):
            return _as_data(choose(hole))
        case Branch(hole, alternatives):
            value = choose(hole)
            return fill(next(child for label, child in alternatives.items() if same(label, value)), choose)
        case Fields(nodes):
            filled = ((key, fill(child, choose)) for key, child in nodes.items())
            return {key: data for key, data in filled if data is not ABSENT}
        case Items(children):
            return [data for data in (fill(child, choose) for child in children) if data is not ABSENT]


def read(node: Node, data: Any, values: dict[str, Value], *, part: bool = False) -> bool:
    """Whether a filled document fits the tree; collects the values of its active holes.

    Of a whole document, fields that the tree does not mention are let pass: they hold the schema's defaults, or the
    caller compares again; of several alternatives that it fits it is the one that mentions most. A ``part`` of a
    document may leave out what it likes, and says null for an optional part that is not there; of several alternatives
    it means the one that says just as much, else the first.
    """
    match node:
        case Constant(constant):
            if constant is ABSENT:
                return data is None if part else data is ABSENT
            return _fits(data, constant) if part else _fits(constant, data)
        case Fill(hole):
            if data is ABSENT or not hole.contains(as_value(data)):
                return False
            values[hole.name] = _canonical(hole, as_value(data))
            return True
        case Branch(hole, alternatives):
            order = (lambda each: each[1] != Constant(data)) if part else (lambda each: -_mentioned(each[1]))
            for label, child in sorted(alternatives.items(), key=order):
                found: dict[str, Value] = {}
                if read(child, data, found, part=part):
                    values.update({hole.name: label} | found)
                    return True
            return False
        case Fields(nodes):
            names = data if part and isinstance(data, Mapping) else nodes
            return isinstance(data, Mapping) and all(
                read(nodes.get(name, Constant(ABSENT)), data.get(name, ABSENT), values, part=part) for name in names
            )
        case Items(children):
            return (
                isinstance(data, list)
                and len(data) == len(children)
                and all(read(child, item, values, part=part) for child, item in zip(children, data, strict=True))
            )


def without(node: Node, gone: Mapping[str, Collection[Value]], *, or_field: bool = False) -> Node | None:
    """The tree without some options of its holes; None where nothing would be left.

    Args:
        node: The tree.
        gone: Options by the name of their hole.
        or_field: Whether a field of which no option is left goes alone, and not with all that holds it.
    """

    def below(child: Node) -> Node | None:
        return without(child, gone, or_field=or_field)

    match node:
        case Fill(Categorical(name, options)) if name in gone:
            left = tuple(each for each in options if not _among(each, gone[name]))
            return Fill(Categorical(name, left)) if left else None
        case Branch(hole, alternatives):
            dropped = gone.get(hole.name, ())
            tried = {label: below(child) for label, child in alternatives.items() if not _among(label, dropped)}
            kept = {label: child for label, child in tried.items() if child is not None}
            if len(kept) < 2:
                return next(iter(kept.values()), None)
            return Branch(Categorical(hole.name, tuple(kept)), kept)
        case Fields(nodes):
            fields = {name: below(child) for name, child in nodes.items()}
            found = {name: child for name, child in fields.items() if child is not None}
            return Fields(found) if or_field or len(found) == len(fields) else None
        case Items(children):
            items = tuple(each for each in map(below, children) if each is not None)
            return Items(items) if len(items) == len(children) else None
        case _:
            return node


def spelled(node: Node) -> Any:
    """The document with holes that becomes this tree."""
    match node:
        case Constant(data):
            return data
        case Fill(Categorical(_, options)):
            return {"choice": [_as_data(option) for option in options]}
        case Fill(Integer() | Float() as hole):
            bounds = {"int" if isinstance(hole, Integer) else "float": [hole.low, hole.high]}
            return bounds | ({"log": True} if hole.log else {})
        case Branch(_, alternatives) if set(alternatives) == {False, True} and alternatives[False] == Constant(ABSENT):
            return {"optional": spelled(alternatives[True])}
        case Branch(_, alternatives):
            return {"one_of": [spelled(child) for child in alternatives.values()]}
        case Fields(nodes):
            fields = {name: spelled(child) for name, child in nodes.items()}
            return {name: data for name, data in fields.items() if data is not ABSENT}
        case Items(children):
            return [spelled(child) for child in children]
        case _:
            raise TypeError(f"no document becomes {node!r}")


def _among(value: Value, options: Collection[Value]) -> bool:
    return any(same(value, option) for option in options)


def count(node: Node) -> float:
    """The number of documents that the tree can become; infinite where a real number is free."""
    match node:
        case Constant():
            return 1
        case Fill(hole):
            return hole.count()
        case Branch(_, alternatives):
            return sum(count(child) for child in alternatives.values())
        case Fields(nodes):
            return _product(count(child) for child in nodes.values())
        case Items(children):
            return _product(count(child) for child in children)


def every(node: Node) -> Iterator[dict[str, Value]]:
    """The values of the active holes of every document that the tree can become; for finite trees."""
    match node:
        case Constant():
            yield {}
        case Fill(hole):
            for value in hole.values():
                yield {hole.name: value}
        case Branch(hole, alternatives):
            for label, child in alternatives.items():
                for values in every(child):
                    yield {hole.name: label} | values
        case Fields(nodes):
            yield from _every_of(list(nodes.values()))
        case Items(children):
            yield from _every_of(list(children))


def _every_of(nodes: list[Node]) -> Iterator[dict[str, Value]]:
    if not nodes:
        yield {}
        return
    for first in every(nodes[0]):
        for rest in _every_of(nodes[1:]):
            yield first | rest


def is_hole(data: Any) -> bool:
    """Whether plain data is a hole rather than a part of the document."""
    return isinstance(data, Mapping) and any(key in data for key in HOLE_KEYS)


def _parse(
    data: Any, source: str, path: tuple[str, ...], labels: tuple[str, ...], ambiguous: Mapping[str, bool]
) -> Node:
    if is_hole(data):
        where = ".".join(path)
        name = "@".join((where, *labels)) if where in ambiguous else where
        return _parse_hole(data, source, path, labels, ambiguous, name)
    if isinstance(data, Mapping):
        return _simplified(
            Fields(
                {str(key): _parse(value, source, (*path, str(key)), labels, ambiguous) for key, value in data.items()}
            ),
            data,
        )
    if isinstance(data, list):
        items = (_parse(value, source, (*path, str(index)), labels, ambiguous) for index, value in enumerate(data))
        return _simplified(Items(tuple(items)), data)
    return Constant(data)


def _parse_hole(
    data: Mapping[str, Any],
    source: str,
    path: tuple[str, ...],
    labels: tuple[str, ...],
    ambiguous: Mapping[str, bool],
    name: str,
) -> Node:
    where = f"{source}: {'.'.join(path)}"
    keys = [key for key in HOLE_KEYS if key in data]
    extra = [str(key) for key in data if key not in HOLE_KEYS and not (key == "log" and keys[0] in ("int", "float"))]
    if len(keys) > 1 or extra:
        raise UserError(
            f"{where}: a hole is one of {', '.join(HOLE_KEYS)} (and log beside int or float), not {dict(data)}"
        )

    def below(child: Any, suffix: str, *label: str) -> Node:
        if is_hole(child):  # stands at the path of this very branch, so the name must tell the two apart
            return _parse_hole(child, source, path, (*labels, *label), ambiguous, f"{name}@{suffix}")
        return _parse(child, source, path, (*labels, *label), ambiguous)

    kind, content = keys[0], data[keys[0]]
    if kind in ("int", "float"):
        return Fill(_range(kind, content, bool(data.get("log", False)), where, name))
    if kind == "optional":
        return Branch(Categorical(name, (False, True)), {False: Constant(ABSENT), True: below(content, "value")})
    if not isinstance(content, list) or not content:
        raise UserError(f"{where}: {kind} takes a list with at least one entry, not {content!r}")
    if kind == "choice":
        options = tuple(as_value(option) for option in content)
        if any(same(a, b) for index, a in enumerate(options) for b in options[:index]):
            raise UserError(f"{where}: choice lists an option twice: {content}")
        return Fill(Categorical(name, options))
    tags = _labels(content)
    alternatives = {tag: below(child, str(tag), str(tag)) for tag, child in zip(tags, content, strict=True)}
    return Branch(Categorical(name, tags), alternatives)


def _range(kind: str, content: Any, log: bool, where: str, name: str) -> Hole:
    types = int if kind == "int" else (int, float)
    if not (
        isinstance(content, list)
        and len(content) == 2
        and all(isinstance(bound, types) and not isinstance(bound, bool) for bound in content)
    ):
        raise UserError(f"{where}: {kind} takes [low, high], not {content!r}")
    low, high = content
    if low > high or (log and low <= 0):
        rule = "low must be above 0 on a log scale" if log and low <= 0 else "low must not be above high"
        raise UserError(f"{where}: {kind} {content}: {rule}")
    return Integer(name, low, high, log) if kind == "int" else Float(name, float(low), float(high), log)


def _labels(alternatives: list[Any]) -> tuple[Value, ...]:
    """Names for alternatives: the value of a key that tells them all apart, else their length, else their position.

    Among mappings a word names itself: of ``scratch`` and ``{weights: pretrained}`` the names are these two words.
    """
    if any(isinstance(each, str) for each in alternatives) and any(isinstance(each, Mapping) for each in alternatives):
        keys = next(each for each in alternatives if isinstance(each, Mapping))
        for key in keys:
            tags = [each.get(key) if isinstance(each, Mapping) else each for each in alternatives]
            if all(type(tag) is str for tag in tags) and len(set(tags)) == len(tags):
                return tuple(tags)
    if all(isinstance(each, Mapping) for each in alternatives):
        for kind in (str, int):
            for key in alternatives[0]:
                tags = [each.get(key) for each in alternatives]
                if all(type(tag) is kind for tag in tags) and len(set(tags)) == len(tags):
                    return tuple(tags)
    if all(isinstance(each, list) for each in alternatives):
        lengths = [len(each) for each in alternatives]
        if len(set(lengths)) == len(lengths):
            return tuple(lengths)
    return tuple(range(len(alternatives)))


def _simplified(node: Fields | Items, data: Any) -> Node:
    children = node.nodes.values() if isinstance(node, Fields) else node.nodes
    return Constant(data) if all(isinstance(child, Constant) for child in children) else node


def _fits(constant: Any, data: Any) -> bool:
    """Whether data says at least what a constant part of the space says."""
    if isinstance(constant, Mapping):
        return isinstance(data, Mapping) and all(
            key in data and _fits(value, data[key]) for key, value in constant.items()
        )
    if isinstance(constant, list):
        return isinstance(data, list) and len(data) == len(constant) and all(map(_fits, constant, data))
    return constant is None if data is ABSENT else same(constant, data)


def _mentioned(node: Node) -> int:
    """How many places of a document a part of the tree speaks of."""
    match node:
        case Constant(data):
            return _leaves(data)
        case Branch(_, alternatives):
            return max(map(_mentioned, alternatives.values()), default=0)
        case Fields(nodes):
            return sum(map(_mentioned, nodes.values()))
        case Items(children):
            return sum(map(_mentioned, children))
        case _:
            return 1


def _leaves(data: Any) -> int:
    if isinstance(data, Mapping):
        return sum(map(_leaves, data.values()))
    return sum(map(_leaves, data)) if isinstance(data, list) else int(data is not ABSENT)


def _canonical(hole: Hole, value: Value) -> Value:
    """The value as the hole spells it: an int for an int hole, the listed option for a choice."""
    if isinstance(hole, Categorical):
        return next(option for option in hole.options if same(option, value))
    if isinstance(hole, Integer):
        return int(value or 0)
    return float(value or 0)


def _as_data(value: Value) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value


def _product(numbers: Iterator[float]) -> float:
    result: float = 1
    for number in numbers:
        result *= number
    return result
