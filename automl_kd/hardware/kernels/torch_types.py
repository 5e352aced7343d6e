"""What PyTorch's operators are called here, and what their arguments say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_kd.hardware.kernels.graph import Window

_ALIASES: Mapping[str, str] = {
    "add": "add",
    "sub": "sub rsub",
    "mul": "mul",
    "div": "div reciprocal",
    "pow": "pow",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "exp": "exp",
    "log": "log",
    "neg": "neg",
    "abs": "abs",
    "erf": "erf",
    "sin": "sin",
    "cos": "cos",
    "floor": "floor",
    "maximum": "maximum",
    "minimum": "minimum",
    "where": "where masked_fill",
    "compare": "eq ne lt le gt ge",
    "logical": "bitwise_not logical_not logical_and logical_or",
    "relu": "relu",
    "clip": "hardtanh clamp clamp_min clamp_max relu6",
    "leakyrelu": "leaky_relu",
    "prelu": "_prelu_kernel",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "hardswish": "hardswish",
    "hardsigmoid": "hardsigmoid",
    "gelu": "gelu",
    "elu": "elu",
    "mish": "mish",
    "softplus": "softplus",
    "maxpool": "max_pool2d_with_indices max_pool2d max_pool1d max_pool3d_with_indices adaptive_max_pool2d",
    "avgpool": "avg_pool2d avg_pool1d avg_pool3d _adaptive_avg_pool2d",
    "mean": "mean",
    "reduce": "sum amax amin max min var std argmax linalg_vector_norm",
    "batchnorm": "native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit",
    "layernorm": "native_layer_norm",
    "groupnorm": "native_group_norm",
    "softmax": "_softmax _safe_softmax",
    "logsoftmax": "_log_softmax",
    "concat": "cat stack",
    "slice": "slice select narrow index_select index flip roll",
    "split": "split split_with_sizes unsafe_split unsafe_split_with_sizes unbind chunk",
    "pad": "constant_pad_nd reflection_pad2d replication_pad2d",
    "resize": "upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d",
    "transpose": "pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle",
    "gather": "gather",
    "embedding": "embedding _embedding_bag _embedding_bag_forward_only",
    "repeat": "repeat",
    "scatter": "copy fill zero slice_scatter select_scatter index_put scatter",
}
TYPE_OF = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
VIEWS = frozenset(
    {
        *("view", "_unsafe_view", "reshape", "_reshape_alias", "view_as", "flatten", "unflatten", "expand"),
        *("squeeze", "unsqueeze", "detach", "alias", "clone", "contiguous", "_to_copy", "lift", "lift_fresh"),
        *("native_dropout", "dropout"),
    }
)
"""Operators whose result is their first operand, seen otherwise."""
ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})
FILLS = ZEROS | {
    *("ones", "ones_like", "new_ones", "full", "full_like", "new_full", "empty", "empty_like", "new_empty"),
    *("empty_strided", "new_empty_strided"),
}
ARITHMETIC = frozenset({"add", "sub", "mul", "div"})
PERMUTATIONS = frozenset({"permute", "transpose", "t", "numpy_T"})
PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "mv", "dot"})
ATTENTION = frozenset(
    f"_scaled_dot_product_{how}attention{where}"
    for how, where in (("flash_", ""), ("flash_", "_for_cpu"), ("efficient_", ""), ("cudnn_", ""))
)
"""Kernels that a module calls by name; a plain ``scaled_dot_product_attention`` is what exporters write of it."""
INTERPOLATION: Mapping[str, int] = {"upsample_bilinear2d": 4, "upsample_bicubic2d": 16}
"""Inputs that one output of a resize reads."""
RECURRENT: Mapping[str, str] = {"lstm": "lstm", "gru": "gru", "rnn_tanh": "rnn", "rnn_relu": "rnn"}


def window_of(name: str, args: tuple[Any, ...]) -> Window | None:
    """How a pooling slides; one that adapts to its input is not told."""
    if "_pool" not in name or name.startswith(("adaptive", "_adaptive")):
        return None
    axes = int(name.partition("_pool")[2][0])
    taps = args[1] if len(args[1]) > 1 else list(args[1]) * axes
    stride = args[2] if len(args) > 2 and args[2] else taps
    before = args[3] if len(args) > 3 else (0,)
    dilation = args[4] if len(args) > 4 and name.startswith("max") else (1,)
    return Window.of(taps, stride, dilation, before)


def axes_of(kind: str, args: tuple[Any, ...]) -> Sequence[int]:
    """Along which a softmax or a reduction works; nothing of others, and where that is all of them."""
    if kind not in ("softmax", "logsoftmax", "mean", "reduce") or len(args) < 2:
        return ()
    return args[1] if isinstance(args[1], list | tuple) else (args[1],) if type(args[1]) is int else ()


def order_of(name: str, args: tuple[Any, ...], shape: tuple[int, ...]) -> list[int]:
    """The order in which a permutation puts the axes of a tensor of this shape."""
    axes = list(range(len(shape)))
    if name == "permute":
        return [axis % len(shape) for axis in args[1]]
    if name == "transpose":
        a, b = args[1] % len(shape), args[2] % len(shape)
        axes[a], axes[b] = axes[b], axes[a]
        return axes
    return axes[::-1]
