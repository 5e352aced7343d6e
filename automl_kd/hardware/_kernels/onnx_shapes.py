"""The shape of every value of an ONNX graph, for settled inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from automl_kd.errors import UserError
from automl_kd.hardware._kernels.graph import Shape
from automl_kd.hardware._kernels.onnx_file import (
    ONNX_DOMAINS,
    SMALL,
    Constant,
    OnnxFile,
    constant_of,
    first_line,
    small_constant,
)
from automl_kd.hardware._kernels.onnx_operators import float_operator

_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
# Evaluating them is slow, and no shape is computed with them.
_NEVER_EVALUATED = frozenset(
    {
        *("Conv", "ConvTranspose", "BatchNormalization", "MaxPool", "AveragePool", "GlobalMaxPool"),
        *("GlobalAveragePool", "LSTM", "GRU", "RNN"),
    }
)


class Shapes:
    """Walks the nodes of a file once, infers shapes, and evaluates what only computes shapes.

    Exporters of dynamic graphs compute target shapes at run time (``Shape``, ``Gather``, ``Concat``, … before a
    ``Reshape``); with settled inputs they are constants.

    Attributes:
        nodes: What is left to execute: without what is constant, and with the taken branch in place of an ``If``.
        constants: Every constant by name, those computed on the way among them.

    Args:
        file: A checked file.
        inputs: Element type and shape of every input.

    Raises:
        UserError: If a node does not take the shapes that reach it, a shape depends on values, or control flow does.
    """

    def __init__(self, file: OnnxFile, inputs: dict[str, tuple[int, Shape]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants = dict(file.constants)
        self._file = file
        self._imports = [onnx.helper.make_opsetid("", file.opset)]
        self._types: dict[str, onnx.TypeProto] = {}
        for name, (element, shape) in inputs.items():
            self._types[name] = onnx.helper.make_tensor_type_proto(element, shape)
        for name, constant in file.constants.items():
            self._types[name] = onnx.helper.make_tensor_type_proto(constant.element, constant.shape)
        self._walk(file.nodes)

    def __getitem__(self, name: str) -> Shape:
        found = self.get(name)
        if found is None:
            raise UserError(f"{self._file.path}: the shape of {name!r} depends on values{self._what_is_missing()}")
        return found

    def get(self, name: str) -> Shape | None:
        """The shape of a value, ``None`` where it is not fixed."""
        return _fixed(self._types.get(name))

    def types(self) -> dict[str, onnx.TypeProto]:
        """What was found for every value, by name."""
        return dict(self._types)

    def _walk(self, nodes: Iterable[onnx.NodeProto]) -> None:
        for node in nodes:
            tensor = constant_of(node)
            if tensor is not None:
                self._constant(node.output[0], small_constant(numpy_helper.to_array(tensor)))
            elif node.op_type in _CONTROL_FLOW and node.domain in ONNX_DOMAINS:
                self._branch(node)
            elif not self._evaluated(node):
                self._infer(node)
                self.nodes.append(node)

    def _constant(self, name: str, constant: Constant) -> None:
        self.constants[name] = constant
        self._types[name] = onnx.helper.make_tensor_type_proto(constant.element, constant.shape)

    def _branch(self, node: onnx.NodeProto) -> None:
        """The taken branch of an ``If`` whose condition is known."""
        condition = self.constants.get(node.input[0]) if node.op_type == "If" else None
        if condition is None or condition.content is None:
            raise UserError(
                f"{self._file.path}: {_called(node)} decides at run time what is executed, so that its latency is not "
                "fixed; export the model without control flow"
            )
        wanted = "then_branch" if bool(condition.content) else "else_branch"
        branch = next(item.g for item in node.attribute if item.name == wanted)
        for tensor in branch.initializer:
            self._constant(tensor.name, small_constant(numpy_helper.to_array(tensor)))
        self._walk(branch.node)
        for inner, outer in zip(branch.output, node.output, strict=True):
            self._walk([onnx.helper.make_node("Identity", [inner.name], [outer])])

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
        own = node.domain in ONNX_DOMAINS
        if own and self._schema(node) is not None:
            self._types |= self._inferred(node)
            return
        for name in node.output:  # what the exporter recorded is right also for layouts that ONNX does not have
            recorded = _with_batch_of_one(self._file.recorded.get(name))
            if recorded is not None:
                self._types[name] = recorded
        if self._is_open(node):
            self._types |= self._inferred_as_float(float_operator(node))
        if self._is_open(node):
            self._assume(node)

    def _is_open(self, node: onnx.NodeProto) -> bool:
        return any(self.get(name) is None for name in node.output if name)

    def _schema(self, node: onnx.NodeProto) -> onnx.defs.OpSchema | None:
        try:
            return onnx.defs.get_schema(node.op_type, self._file.opset)
        except onnx.defs.SchemaError:
            return None

    def _inferred(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        types = {name: self._types[name] for name in node.input if name in self._types}
        data = {n: numpy_helper.from_array(c, n) for n in node.input if (c := self._content(n)) is not None}
        schema = onnx.defs.get_schema(node.op_type, self._file.opset)
        try:
            return dict(onnx.shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=self._imports))
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            reason = first_line(error).rpartition("] ")[2]
            raise UserError(
                f"{self._file.path}: {_called(node)} does not take {self._spelled(node.input)}: {reason}"
            ) from error

    def _inferred_as_float(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        """The results of ONNX's operator of the same meaning, with the element type of the first operand."""
        schema = self._schema(node)
        if schema is None or node.domain not in ONNX_DOMAINS or not all(name in self._types for name in node.input):
            return {}
        read = node.input[: schema.max_input]
        types = {name: _of_element(self._types[name], TensorProto.FLOAT) for name in read}
        asked = onnx.helper.make_node(node.op_type, list(read), list(node.output))
        asked.attribute.extend(item for item in node.attribute if item.name in schema.attributes)
        try:
            found = onnx.shape_inference.infer_node_outputs(schema, asked, types, opset_imports=self._imports)
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError):
            return {}
        element = self._types[read[0]].tensor_type.elem_type
        return {name: _of_element(kind, element) for name, kind in found.items()}

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


def _called(node: onnx.NodeProto) -> str:
    return f"{node.op_type} {node.name!r}" if node.name else f"the {node.op_type} that makes {node.output[0]!r}"


def _fixed(kind: onnx.TypeProto | None) -> Shape | None:
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else None


def _of_element(kind: onnx.TypeProto, element: int) -> onnx.TypeProto:
    """The same tensor of other numbers."""
    changed = onnx.TypeProto()
    changed.CopyFrom(kind)
    changed.tensor_type.elem_type = element
    return changed


def _with_batch_of_one(kind: onnx.TypeProto | None) -> onnx.TypeProto | None:
    """A recorded type whose only open axis is the batch."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.tensor_type.shape.dim]
    if sizes and sizes[0] is None:
        sizes[0] = 1
    if None in sizes:
        return None
    return onnx.helper.make_tensor_type_proto(kind.tensor_type.elem_type or TensorProto.FLOAT, sizes)
