"""Networks made narrower: each layer keeps those of its channels whose filters are largest."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from automl_kd.core import UserError, first_line
from automl_kd.students.plans import scaled

# What works on each channel by itself, as modules and by the names of functions and methods.
_BY_CHANNEL = (
    *(nn.Identity, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.SiLU),
    *(nn.Sigmoid, nn.GELU, nn.Mish, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Softplus, nn.MaxPool2d, nn.AvgPool2d),
    *(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.ZeroPad2d, nn.Upsample),
)
_FUNCTIONS_BY_CHANNEL = frozenset(
    {
        *("relu", "relu_", "relu6", "hardtanh", "hardswish", "hardsigmoid", "silu", "sigmoid", "sigmoid_", "gelu"),
        *("mish", "leaky_relu", "tanh", "softplus", "clamp", "dropout", "max_pool2d", "avg_pool2d"),
        *("adaptive_avg_pool2d", "mean", "amax", "contiguous", "clone", "interpolate"),
    }
)
_ELEMENTWISE = frozenset(["add", "iadd", "add_", "sub", "mul", "imul", "mul_", "truediv", "maximum", "minimum"])


def narrow(network: nn.Module, width: float) -> Tensor:
    """Cut channels off a network in place, and tell which of its outputs are left.

    Channels that are added, multiplied, normalised or filtered one by one stand and fall together: of each such group
    stay ``width`` times as many, in multiples of 8, namely those with the largest sum of L2 norms of the filters that
    write them, or filter them one by one (Li et al. 2017, arXiv:1608.08710). Where the network has no numbers the first
    stay.

    Args:
        network: Maps (B, C, H, W) to a map; what its batch-norm layers know of means and variances is kept by channel.
        width: Between 0 and 1.

    Returns:
        Indices of the channels of its last map that are left, (C',).

    Raises:
        UserError: If it has parts that mix channels in other ways than convolutions do.
    """
    analysis = _Analysis(network)
    last = analysis.run()
    kept = {group: _kept(group, width) for group in analysis.groups()}
    for slice_ in analysis.slices:
        slice_.cut(kept[slice_.group.root()])
    for module in {slice_.module for slice_ in analysis.slices}:
        _correct(module)
    return kept[last.root()]


@dataclass(eq=False)
class _Group:
    """Channels that stand and fall together with those of the same place in other maps, ``unit`` of them at a time."""

    size: int
    unit: int = 1
    fixed: bool = False
    filters: list[Tensor] = field(default_factory=list)
    joined: _Group | None = None

    def root(self) -> _Group:
        return self if self.joined is None else self.joined.root()


@dataclass(frozen=True)
class _Slice:
    """An axis of a tensor of a layer that follows the channels of a group."""

    module: nn.Module
    name: str
    axis: int
    group: _Group

    def cut(self, kept: Tensor) -> None:
        tensor = getattr(self.module, self.name)
        left = tensor.detach().index_select(self.axis, kept.to(tensor.device))
        if isinstance(tensor, nn.Parameter):
            left = nn.Parameter(left, tensor.requires_grad)
        setattr(self.module, self.name, left)


class _Tracer(fx.Tracer):
    """Goes into all but the layers of torch and what other libraries derive from its convolutions and norms."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d | _BatchNorm) or super().is_leaf_module(m, module_qualified_name)


class _Analysis:
    """Which tensors of a network follow which channels."""

    def __init__(self, network: nn.Module) -> None:
        self._modules = dict(network.named_modules(remove_duplicate=False))
        try:
            self._graph = _Tracer().trace(network)
        except Exception as error:  # what a network does in its own forward
            raise _refusal(first_line(error)) from None
        self._of: dict[fx.Node, _Group | None] = {}
        self.slices: list[_Slice] = []

    def run(self) -> _Group:
        """The group of the output."""
        called: set[nn.Module] = set()
        for node in self._graph.nodes:
            if node.op == "call_module":
                module = self._modules[str(node.target)]
                if module in called:
                    raise _refusal(f"{node.target} is executed twice")
                called.add(module)
                self._of[node] = self._through(module, self._operand(node))
            elif node.op == "output":
                return self._operand(node)
            else:
                self._of[node] = self._result(node)
        raise AssertionError("a graph ends in its output")

    def groups(self) -> set[_Group]:
        """All that are left after joining."""
        return {group.root() for group in self._of.values() if group is not None}

    def _operand(self, node: fx.Node) -> _Group:
        first = node.args[0]
        group = self._of.get(first) if isinstance(first, fx.Node) else None
        if group is None:
            raise _refusal(f"{node.target} takes what is no map")
        return group.root()

    def _through(self, module: nn.Module, group: _Group) -> _Group:
        """The group of a layer's output."""
        if isinstance(module, nn.Conv2d):
            return self._convolved(module, group)
        if isinstance(module, _BatchNorm):
            names = ("weight", "bias", "running_mean", "running_var")
            self._follow(group, module, *(name for name in names if getattr(module, name) is not None))
            return group
        if isinstance(module, _BY_CHANNEL):
            return group
        raise _refusal(f"{type(module).__name__} mixes channels or has weights of its own")

    def _convolved(self, conv: nn.Conv2d, group: _Group) -> _Group:
        if conv.groups == 1:
            self._follow(group, conv, "weight", axis=1)
            group = _Group(conv.out_channels)
        elif conv.in_channels == conv.out_channels:
            group.unit = math.lcm(group.unit, conv.in_channels // conv.groups)
        else:
            raise _refusal("a convolution in groups changes the number of channels")
        group.filters.append(conv.weight)
        self._follow(group, conv, *(("weight", "bias") if conv.bias is not None else ("weight",)))
        return group

    def _follow(self, group: _Group, module: nn.Module, *names: str, axis: int = 0) -> None:
        """Note that an axis of these tensors follows a group; the channels of the images stay as they are."""
        if not group.fixed:
            self.slices += [_Slice(module, name, axis, group) for name in names]

    def _result(self, node: fx.Node) -> _Group | None:
        """The group of what is no layer's output; None where that is no map."""
        if node.op == "placeholder":
            return _Group(0, fixed=True)
        operands = [group.root() for each in node.all_input_nodes if (group := self._of[each]) is not None]
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        if not operands or name in ("_assert", "size", "dim", "getattr"):
            return None
        if name in _ELEMENTWISE:
            for other in operands[1:]:
                _join(operands[0], other)
            return operands[0]
        if name in _FUNCTIONS_BY_CHANNEL or (name == "pad" and _pads_pixels(node)):
            return operands[0]
        raise _refusal(f"{name} mixes channels")


def _pads_pixels(node: fx.Node) -> bool:
    widths = node.args[1] if len(node.args) > 1 else node.kwargs.get("pad")
    return isinstance(widths, tuple | list) and len(widths) <= 4


def _join(group: _Group, other: _Group) -> None:
    if group is other:
        return
    if group.size != other.size:
        raise _refusal(f"maps of {group.size} and {other.size} channels are added or multiplied")
    group.unit = math.lcm(group.unit, other.unit)
    group.filters += other.filters
    other.joined = group


def _kept(group: _Group, width: float) -> Tensor:
    if group.fixed:
        return torch.arange(group.size)
    units = group.size // group.unit
    left = min(units, max(1, round(scaled(group.size, width) / group.unit)))
    places = torch.arange(units) if left == units else _largest(group, left)
    return (places[:, None] * group.unit + torch.arange(group.unit)).flatten()


def _largest(group: _Group, count: int) -> Tensor:
    """Places of the units whose filters are largest, in order; the earlier one of equals."""
    filters = [each.detach() for each in group.filters if not each.is_meta]
    if not filters:
        return torch.arange(count)
    norms = torch.stack([each.flatten(1).double().norm(dim=1) for each in filters]).sum(0)
    by_unit = norms.reshape(-1, group.unit).sum(1)
    return by_unit.sort(descending=True, stable=True).indices[:count].sort().values


def _correct(module: nn.Module) -> None:
    """Make a layer say of itself what its weights are."""
    if isinstance(module, nn.Conv2d):
        before = module.in_channels // module.groups
        outputs, inputs = module.weight.shape[:2]
        module.groups = 1 if module.groups == 1 else outputs // before
        module.out_channels, module.in_channels = outputs, inputs * module.groups
    elif isinstance(module, _BatchNorm) and module.running_mean is not None:
        module.num_features = len(module.running_mean)


def _refusal(reason: str) -> UserError:
    return UserError(f"cannot be narrowed: {reason}")
