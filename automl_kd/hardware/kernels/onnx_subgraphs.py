"""Bodies of control flow as nodes of the graph around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx

CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})


@dataclass(frozen=True, slots=True)
class Body:
    """A subgraph whose own names are unique in the whole file.

    Attributes:
        nodes: In execution order.
        constants: Its initialisers.
        inputs: Names of what it is fed.
        outputs: Names of its results.
    """

    nodes: tuple[onnx.NodeProto, ...]
    constants: tuple[onnx.TensorProto, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def body_of(graph: onnx.GraphProto, prefix: str) -> Body:
    """A subgraph with a prefix before every name that it makes itself; two branches may use the same names."""
    own = {name: prefix + name for name in _made(graph)}
    constants = [_copy(tensor) for tensor in graph.initializer]
    for tensor in constants:
        tensor.name = own[tensor.name]
    return Body(
        tuple(_renamed(node, own) for node in graph.node),
        tuple(constants),
        tuple(own[value.name] for value in graph.input),
        tuple(own.get(value.name, value.name) for value in graph.output),
    )


def subgraph(node: onnx.NodeProto, name: str) -> onnx.GraphProto:
    """The graph that a node keeps in one of its attributes."""
    found: onnx.GraphProto = next(item.g for item in node.attribute if item.name == name)
    return found


def _made(graph: onnx.GraphProto) -> Iterable[str]:
    yield from (value.name for value in graph.input)
    yield from (tensor.name for tensor in graph.initializer)
    yield from (name for node in graph.node for name in node.output if name)


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    changed = onnx.NodeProto()
    changed.CopyFrom(node)
    changed.input[:] = [names.get(name, name) for name in node.input]
    changed.output[:] = [names.get(name, name) for name in node.output]
    for item in changed.attribute:
        if item.HasField("g"):
            _rename_inside(item.g, names)
    return changed


def _rename_inside(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Change what a nested graph reads from outside."""
    own = set(_made(graph))
    outer = {name: new for name, new in names.items() if name not in own}
    nodes = [_renamed(node, outer) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for value in graph.output:
        value.name = outer.get(value.name, value.name)


def _copy(tensor: onnx.TensorProto) -> onnx.TensorProto:
    copied = onnx.TensorProto()
    copied.CopyFrom(tensor)
    return copied
