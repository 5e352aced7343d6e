"""The shape of every value of an ONNX graph, for settled inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from automl_kd.core import UserError, first_line
from automl_kd.hardware.kernels.graph import Shape
from automl_kd.hardware.kernels.onnx_bounds import largest
from automl_kd.hardware.kernels.onnx_file import (
    ONNX_DOMAINS,
    SMALL,
    Constant,
    OnnxFile,
    constant_of,
    constant_tensor,
    small_constant,
)
from automl_kd.hardware.kernels.onnx_operators import float_operator
from automl_kd.hardware.kernels.onnx_subgraphs import CONTROL_FLOW, Body, body_of, subgraph
from automl_kd.hardware.kernels.onnx_values import called, fixed, of_element, with_batch_of_one

_MANY = 2**31
"""Rounds of a loop that only a condition ends."""
_SCAN_WITHOUT_BATCH = 9
# Evaluating them is slow, and no shape is computed with them.
_NEVER_EVALUATED = frozenset(
    {
        *("Conv", "ConvTranspose", "BatchNormalization", "MaxPool", "AveragePool", "GlobalMaxPool"),
        *("GlobalAveragePool", "LSTM", "GRU", "RNN", "QuantizeLinear", "DequantizeLinear"),
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """A node and how often it is executed in one run."""

    node: onnx.NodeProto
    times: int


class Shapes:
    """Walks the nodes of a file once, infers shapes, and evaluates what only computes shapes.

    Exporters of dynamic graphs compute target shapes at run time (``Shape``, ``Gather``, ``Concat``, … before a
    ``Reshape``); with settled inputs they are constants.

    Attributes:
        steps: What is left to execute: without what is constant, with a branch in place of every ``If``, and with the
            bodies of loops.
        constants: Every constant by name, those computed on the way among them.
        notes: What was assumed where values decide, a sentence each.
        decisions: Values that decide what is executed, which are computed whoever else reads them.

    Args:
        file: A checked file.
        inputs: Element type and shape of every input.

    Raises:
        UserError: If a node does not take the shapes that reach it, or a shape or a number of rounds depends on values.
    """

    def __init__(self, file: OnnxFile, inputs: dict[str, tuple[int, Shape]]) -> None:
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.decisions: list[str] = []
        self.constants = dict(file.constants)
        self._file = file
        self._imports = [onnx.helper.make_opsetid("", file.opset)]
        self._types: dict[str, onnx.TypeProto] = {}
        self._times = 1
        self._bodies = 0
        for name, (element, shape) in inputs.items():
            self._types[name] = onnx.helper.make_tensor_type_proto(element, shape)
        for name, constant in file.constants.items():
            self._types[name] = onnx.helper.make_tensor_type_proto(constant.element, constant.shape)
        self._walk(file.nodes)

    def __getitem__(self, name: str) -> Shape:
        found = self.get(name)
        if found is not None:
            return found
        kind = self._types.get(name)
        held = None if kind is None else kind.WhichOneof("value")
        if held not in (None, "tensor_type"):
            what = str(held).removesuffix("_type").replace("_", " ")
            raise UserError(f"{self._file.path}: {name!r} is of type {what}; latency is predicted for tensors")
        raise UserError(
            f"{self._file.path}: the shape of {name!r} depends on values{self._what_is_missing()}; "
            "export the model with constant sizes"
        )

    def get(self, name: str) -> Shape | None:
        """The shape of a value, ``None`` where it is not fixed."""
        return fixed(self._types.get(name))

    def types(self) -> dict[str, onnx.TypeProto]:
        """What was found for every value, by name."""
        return dict(self._types)

    def _walk(self, nodes: Iterable[onnx.NodeProto]) -> None:
        for node in nodes:
            tensor = constant_of(node)
            if tensor is not None:
                self._constant(node.output[0], small_constant(numpy_helper.to_array(tensor)))
            elif node.op_type in CONTROL_FLOW and node.domain in ONNX_DOMAINS:
                {"If": self._branch, "Loop": self._loop, "Scan": self._scan}[node.op_type](node)
            elif not self._evaluated(node):
                self._infer(node)
                self._step(node)

    def _constant(self, name: str, constant: Constant) -> None:
        self.constants[name] = constant
        self._types[name] = onnx.helper.make_tensor_type_proto(constant.element, constant.shape)

    def _step(self, node: onnx.NodeProto) -> None:
        self.steps.append(Step(node, self._times))

    def _body(self, node: onnx.NodeProto, name: str) -> Body:
        """A subgraph with its constants known."""
        self._bodies += 1
        body = body_of(subgraph(node, name), f"{self._bodies}/")
        for tensor in body.constants:
            self._constant(tensor.name, constant_tensor(tensor, self._file.path.parent))
        return body

    def _branch(self, node: onnx.NodeProto) -> None:
        """The taken branch of an ``If``; where that is not known the one that does more."""
        condition = self._content(node.input[0])
        if condition is not None:
            self._walk_branch(node, "then_branch" if condition.any() else "else_branch")
            return
        start, found, failures = len(self.steps), [], []
        for name in ("then_branch", "else_branch"):
            try:
                outputs = self._walk_branch(node, name)
            except UserError as error:  # a branch for other shapes than these
                failures.append(error)
            else:
                found.append((self._effort(self.steps[start:]), self.steps[start:], outputs))
            del self.steps[start:]
        if not found:
            raise failures[0]
        _, steps, outputs = max(found, key=lambda each: each[0])
        self.steps += steps
        for inner, outer in zip(outputs, node.output, strict=True):
            self._same(inner, outer)
            self.constants.pop(outer, None)  # the other branch may give another one
        self.decisions.append(node.input[0])
        self.notes.append(f"{called(node)} is decided while it runs: priced by the branch that does more")

    def _walk_branch(self, node: onnx.NodeProto, name: str) -> tuple[str, ...]:
        body = self._body(node, name)
        self._walk(body.nodes)
        self._walk(
            onnx.helper.make_node("Identity", [inner], [outer])
            for inner, outer in zip(body.outputs, node.output, strict=True)
        )
        return body.outputs

    def _effort(self, steps: Iterable[Step]) -> int:
        """Roughly what steps take: elements that they touch, and those of a weight once for every result."""
        total = 0
        for step in steps:
            sizes = [math.prod(self.get(name) or ()) for name in (*step.node.input, *step.node.output) if name]
            products = step.node.op_type in ("Conv", "MatMul", "Gemm", "LSTM", "GRU", "RNN")
            total += step.times * (sum(sizes) + (sizes[1] * sizes[-1] if products else 0))
        return total

    def _loop(self, node: onnx.NodeProto) -> None:
        """The body of a ``Loop``, as often as it runs at most."""
        limit = self._content(node.input[0]) if node.input[0] else None
        rounds = _MANY if limit is None else int(limit.reshape(-1)[0])
        if rounds >= _MANY:
            raise UserError(
                f"{self._file.path}: {called(node)} runs as often as values decide, so that its latency is not fixed; "
                "export the model with a constant number of rounds"
            )
        body = self._body(node, "body")
        self._types[body.inputs[0]] = onnx.helper.make_tensor_type_proto(TensorProto.INT64, ())
        self._types[body.inputs[1]] = onnx.helper.make_tensor_type_proto(TensorProto.BOOL, ())
        states = len(node.input) - 2
        for outer, inner in zip(node.input[2:], body.inputs[2:], strict=True):
            self._same(outer, inner)
        self._repeat(body, rounds)
        self._results(node, body.outputs[1:], states, [0] * len(node.output), rounds)
        self.notes.append(f"{called(node)} is priced at all of its {rounds} rounds")

    def _scan(self, node: onnx.NodeProto) -> None:
        """The body of a ``Scan``, once for every slice."""
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        if self._file.opset < _SCAN_WITHOUT_BATCH:
            raise UserError(f"{self._file.path}: {called(node)} is of opset 8; export it again")
        body, scanned = self._body(node, "body"), int(attributes["num_scan_inputs"])
        states = len(node.input) - scanned
        for outer, inner in zip(node.input[:states], body.inputs[:states], strict=True):
            self._same(outer, inner)
        rounds = 0
        axes = attributes.get("scan_input_axes") or [0] * scanned
        for outer, inner, axis in zip(node.input[states:], body.inputs[states:], axes, strict=True):
            shape = list(self[outer])
            rounds = shape.pop(axis)
            self._types[inner] = onnx.helper.make_tensor_type_proto(self._types[outer].tensor_type.elem_type, shape)
            self.steps.append(Step(onnx.helper.make_node("Slice", [outer], [inner]), self._times * rounds))
        self._repeat(body, rounds)
        outputs = attributes.get("scan_output_axes") or [0] * len(node.output)
        self._results(node, body.outputs, states, outputs, rounds)

    def _repeat(self, body: Body, rounds: int) -> None:
        times = self._times
        self._times *= rounds
        self._walk(body.nodes)
        self._times = times

    def _results(
        self, node: onnx.NodeProto, inner: Sequence[str], states: int, axes: Sequence[int], rounds: int
    ) -> None:
        """Last states, and what every round gave side by side."""
        for place, (name, outer) in enumerate(zip(inner, node.output, strict=False)):
            if place < states:
                self._same(name, outer)
            elif outer:
                shape = list(self[name])
                shape.insert(axes[place - states] % (len(shape) + 1), rounds)
                element = self._types[name].tensor_type.elem_type
                self._types[outer] = onnx.helper.make_tensor_type_proto(element, shape)
                self._step(onnx.helper.make_node("Concat", [name], [outer], axis=0))

    def _same(self, name: str, other: str) -> None:
        """Another name of a value, which is no constant even where it starts as one."""
        if other and name in self._types:
            self._types[other] = self._types[name]
            self._step(onnx.helper.make_node("Identity", [name], [other]))

    def _evaluated(self, node: onnx.NodeProto) -> bool:
        """Evaluate a node whose inputs are all known and small; whether that succeeded."""
        if node.domain not in ONNX_DOMAINS or len(node.output) != 1 or not node.input:
            return False
        if node.op_type in _NEVER_EVALUATED:
            return False
        if node.op_type in ("Shape", "Size"):
            shape = self.get(node.input[0])
            if shape is None:
                return False
            bounds = {item.name: item.i for item in node.attribute}
            sizes = shape[bounds.get("start", 0) : bounds.get("end", len(shape))]
            result = np.array(sizes if node.op_type == "Shape" else math.prod(shape), np.int64)
        else:
            feeds = {name: self._content(name) for name in node.input if name}
            known = {name: content for name, content in feeds.items() if content is not None}
            if len(known) < len(feeds):
                return False
            evaluated = self._evaluate(node, known)
            if evaluated is None:
                return False
            result = evaluated
        self._constant(node.output[0], small_constant(result))
        return True

    def _content(self, name: str) -> npt.NDArray[Any] | None:
        constant = self.constants.get(name)
        return None if constant is None else constant.content

    def _evaluate(self, node: onnx.NodeProto, feeds: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
        inputs = [onnx.helper.make_tensor_value_info(n, small_constant(v).element, v.shape) for n, v in feeds.items()]
        output = onnx.helper.make_empty_tensor_value_info(node.output[0])
        graph = onnx.helper.make_graph([node], "one node", inputs, [output])
        try:
            evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=self._imports))
            results: Any = evaluator.run(None, feeds)
            result = np.asarray(results[0])
        except Exception:  # an operator without reference implementation is simply not evaluated
            return None
        return result if result.size <= SMALL else None

    def _infer(self, node: onnx.NodeProto) -> None:
        schema = self._schema(node)
        if schema is not None:
            self._types |= self._inferred(schema, node)
            if schema.has_function and self._is_open(node):  # type: ignore[attr-defined]
                self._types |= self._inferred_by_body(node)
        for name in node.output:  # what the exporter recorded is right also for layouts that ONNX does not have
            recorded = with_batch_of_one(self._file.recorded.get(name))
            if recorded is not None and self.get(name) is None:
                self._types[name] = recorded
        if schema is not None:
            self._bound(node)
            return
        if self._is_open(node):
            self._types |= self._inferred_as_float(float_operator(node))
        if self._is_open(node):
            self._assume(node)

    def _bound(self, node: onnx.NodeProto) -> None:
        """Where values decide how much an operator gives, the most that it can."""
        if node.domain not in ONNX_DOMAINS or not self._is_open(node):
            return
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        sizes = [self.get(name) or () for name in node.input]
        shapes = largest(node.op_type, attributes, sizes, [self._content(name) for name in node.input])
        for name, shape in zip(node.output, shapes, strict=False):
            element = self._types[name].tensor_type.elem_type or TensorProto.INT64
            self._types[name] = onnx.helper.make_tensor_type_proto(element, shape)
        if shapes:
            self.notes.append(f"{called(node)} gives as much as values decide: priced at the most that it can give")

    def _is_open(self, node: onnx.NodeProto) -> bool:
        return any(self.get(name) is None for name in node.output if name)

    def _schema(self, node: onnx.NodeProto) -> onnx.defs.OpSchema | None:
        own = node.domain in ONNX_DOMAINS
        version = self._file.opset if own else self._file.domains.get(node.domain, 1)
        try:
            return onnx.defs.get_schema(node.op_type, version, "" if own else node.domain)
        except onnx.defs.SchemaError:
            return None

    def _inferred(self, schema: onnx.defs.OpSchema, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        types = {name: self._types[name] for name in node.input if name in self._types}
        data = {n: numpy_helper.from_array(c, n) for n in node.input if (c := self._content(n)) is not None}
        try:
            return dict(onnx.shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=self._imports))
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            reason = first_line(error).rpartition("] ")[2]
            raise UserError(
                f"{self._file.path}: {called(node)} does not take {self._spelled(node.input)}: {reason}"
            ) from error

    def _inferred_by_body(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        """The results of an operator whose shapes ONNX knows only from those of its parts."""
        feeds = [onnx.helper.make_value_info(n, self._types[n]) for n in dict.fromkeys(node.input) if n in self._types]
        results = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        known = [numpy_helper.from_array(c, n) for n in node.input if (c := self._content(n)) is not None]
        graph = onnx.helper.make_graph([node], "one node", feeds, results, known)
        model = onnx.helper.make_model(graph, opset_imports=self._imports)
        found = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output
        return {value.name: value.type for value in found if value.type.WhichOneof("value")}

    def _inferred_as_float(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        """The results of ONNX's operator of the same meaning, with the element type of the first operand."""
        schema = self._schema(node)
        if schema is None or not all(name in self._types for name in node.input):
            return {}
        read = node.input[: schema.max_input]
        types = {name: of_element(self._types[name], TensorProto.FLOAT) for name in read}
        asked = onnx.helper.make_node(node.op_type, list(read), list(node.output))
        asked.attribute.extend(item for item in node.attribute if item.name in schema.attributes)
        try:
            found = onnx.shape_inference.infer_node_outputs(schema, asked, types, opset_imports=self._imports)
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
            return {}
        element = self._types[read[0]].tensor_type.elem_type
        return {name: of_element(kind, element) for name, kind in found.items()}

    def _spelled(self, names: Iterable[str]) -> str:
        return ", ".join(str(self.get(name)) for name in names if name)

    def _assume(self, node: onnx.NodeProto) -> None:
        """Nothing is known of a custom operator: its results are taken to look like its first input."""
        for name in node.output:
            if self.get(name) is None and node.input and node.input[0] in self._types:
                self._types[name] = self._types[node.input[0]]

    def _what_is_missing(self) -> str:
        reasons = [constant.missing for constant in self.constants.values() if constant.missing]
        return f": {reasons[0]}" if reasons else ""
