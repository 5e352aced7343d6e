"""Which operators a runtime executes as one kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from automl_kd.errors import unknown
from automl_kd.hardware._kernels.graph import Graph, Op

_BIAS = frozenset({"add"})
_RELU = frozenset({"relu"})
_CHEAP = frozenset({"relu", "clip", "leakyrelu", "sigmoid", "tanh", "hardsigmoid"})
_ALL = _CHEAP | {"silu", "hardswish", "gelu", "elu", "selu", "mish", "softplus", "softsign", "prelu"}
_POINTWISE = _ALL | {"add", "sub", "mul", "div", "pow", "sqrt", "exp", "abs", "neg", "maximum", "minimum", "erf"}
_SCALE = frozenset({"batchnorm"})
_SUM = frozenset({"add"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What one runtime fuses.

    Attributes:
        epilogues: For the type of a kernel's first operator, what it absorbs in turn; each step may be absent. A step
            of a sum with another activation is only taken when the other operand is already computed.
        free: Types that cost no kernel: the runtime writes their inputs where the result is wanted.
        dense_storage: Bytes in which the weights of a matrix product are kept, as a share of the precision's.
    """

    epilogues: Mapping[str, tuple[frozenset[str], ...]]
    free: frozenset[str]
    dense_storage: float = 1.0


RULES: Mapping[str, Rules] = {
    # TensorRT developer guide, "Types of Fusions": convolution + scale + activation, + residual sum, pointwise chains,
    # reductions and scales with pointwise; concatenation is eliminated by writing into the result.
    "tensorrt": Rules(
        epilogues={
            "conv": (_SCALE, _ALL, _SUM, _ALL),
            "dense": (_SCALE, _ALL),
            **dict.fromkeys(("batchnorm", *_POINTWISE), (_POINTWISE,) * 8),
        },
        free=frozenset({"concat", "update"}),
    ),
    # ncnn `tools/ncnnoptimize.cpp`: batch normalisation and cheap activations join the layer before. Its default
    # `use_fp16_storage` keeps inner-product weights in fp16 on ARM also where it computes in fp32.
    "ncnn": Rules(
        epilogues={"conv": (_SCALE, _CHEAP | {"hardswish", "mish"}), "dense": (_SCALE, _CHEAP)},
        free=frozenset({"update"}),
        dense_storage=0.5,
    ),
    # onnxruntime CPU, level "all": ConvActivationFusion, ConvAddActivationFusion (blocked layout), GemmActivation.
    "onnxruntime": Rules(
        epilogues={"conv": (_SCALE, _SUM, _CHEAP), "dense": (_SCALE, _CHEAP)},
        free=frozenset({"update"}),
    ),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Operators executed as one kernel; the first decides its kind."""

    ops: tuple[Op, ...]

    @property
    def inputs(self) -> tuple[int, ...]:
        inside = {value for op in self.ops for value in op.outputs}
        return tuple(dict.fromkeys(value for op in self.ops for value in op.inputs if value not in inside))

    @property
    def outputs(self) -> tuple[int, ...]:
        return self.ops[-1].outputs


def fuse(graph: Graph, runtime: str) -> tuple[Group, ...]:
    """The kernels that ``runtime`` makes of a live graph, in execution order; free operators are among them.

    Raises:
        UserError: If there are no rules for the runtime.
    """
    if runtime not in RULES:
        raise unknown("runtime", runtime, RULES)
    rules = RULES[runtime]
    readers: dict[int, list[Op]] = defaultdict(list)
    for op in graph.ops:
        for value in set(op.inputs):
            readers[value].append(op)
    position = {value: index for index, op in enumerate(graph.ops) for value in op.outputs}
    outputs = set(graph.outputs)
    absorbed: set[int] = set()
    groups: list[Group] = []
    for index, op in enumerate(graph.ops):
        if id(op) in absorbed:
            continue
        chain = [op]
        steps = rules.epilogues.get(op.type, ())
        if op.type in ("conv", "dense"):
            steps = (_BIAS, *steps)  # a constant summand is a bias under every runtime
        for turn, step in enumerate(steps):
            tail = chain[-1]
            following = readers[tail.outputs[0]]
            if len(tail.outputs) > 1 or tail.outputs[0] in outputs or len(following) != 1:
                break
            reader = following[0]
            others = [value for value in reader.inputs if value != tail.outputs[0]]
            bias_turn = turn == 0 and step is _BIAS
            ready = all(position.get(value, -1) < index for value in others) and not (bias_turn and others)
            if reader.type in step and id(reader) not in absorbed and ready:
                chain.append(reader)
                absorbed.add(id(reader))
        groups.append(Group(tuple(chain)))
    return tuple(groups)
