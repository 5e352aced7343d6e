"""The layout in blocks of channels that onnxruntime gives activations on x86, and what kernels cost in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from automl_kd.hardware.kernels.fusion import Group
from automl_kd.hardware.kernels.graph import Graph, Kind, Op, Window
from automl_kd.hardware.kernels.inner_loops import as_operations, blocked_convolution, product, recurrence
from automl_kd.hardware.kernels.kernel import Kernel
from automl_kd.hardware.kernels.quantised import narrow_inputs
from automl_kd.hardware.kernels.rules import Blocked

_WINDOWED_POOLS = frozenset({"maxpool", "avgpool"})
# What runs beside the multiply-adds, in elementary operations that take as long: the start of a row of a window that is
# written out, and the start of a span over which one number is broadcast.
_ROW, _SPAN = 60, 1000
_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_AXES = 2  # that a convolution in blocks slides along
_PICTURE = 3  # channels up to which the input of a graph is a picture, and not what another convolution left in blocks


class BlockedLayout:
    """Which values lie in blocks, and what every kernel costs.

    Convolutions and poolings read and write blocks of as many channels as a vector register holds floats, the last one
    padded; other operators stay in blocks where all of their operands are; the rest waits for a reordering. A
    convolution that no rule admits writes its windows out, packs them and multiplies matrices.

    Args:
        graph: That the groups come from.
        rules: What the runtime admits.
        lanes: Channels of a block, 8 or 16.
        element_bytes: Bytes of a number.
        even: Whether to take every number of channels for one that fills blocks: what slightly wider layers would do.

    Attributes:
        uneven: Whether some number of channels kept a kernel out of blocks.
    """

    def __init__(self, graph: Graph, rules: Blocked, lanes: int, element_bytes: int, even: bool = False) -> None:
        self.uneven = False
        self._even = even
        self._shapes = graph.shapes
        self._rules = rules
        self._lanes = lanes
        self._bytes = element_bytes
        blocked = {value for value in graph.inputs if self._channels(value) > _PICTURE} - narrow_inputs(graph)
        self._lies = {True: blocked, False: set(graph.inputs) - blocked}  # values by whether they lie in blocks

    def kernels(self, group: Group, kernel: Kernel) -> Iterator[Kernel]:
        """The reorderings that a group waits for, and what it executes.

        Args:
            group: Of the graph; groups come in execution order.
            kernel: Its kernel without blocks.
        """
        gives = self._gives(group)
        takes = [gives] * len(group.inputs)
        windowed = _is_windowed(group)
        if windowed and gives and not self._reads_blocks(group):
            takes[0] = False
        for value, blocked in zip(group.inputs, takes, strict=True):
            if value not in self._lies[blocked]:
                self._lies[blocked].add(value)
                yield self._copy(group, kernel, self._size(value, True) + self._size(value, False))
        self._lies[gives].update(group.outputs)
        if windowed and group.lead.integer and group.lead.type == "conv":
            yield replace(kernel, operations=self._of_integers(group))
            return
        if windowed and not gives:
            yield from self._lowered(group, kernel)
            return
        read = zip(group.inputs, takes, strict=True)
        padding = sum(self._size(value, blocked) - self._size(value, False) for value, blocked in read)
        scale = self._size(group.outputs[0], gives) / max(1, self._size(group.outputs[0], False))
        yield replace(
            kernel,
            operations=self._operations(group, kernel, gives, scale),
            read=kernel.read + padding,
            written=round(kernel.written * scale),
            weights=round(kernel.weights * scale),
        )

    def _gives(self, group: Group) -> bool:
        """Whether the result lies in blocks."""
        kind, rules = group.lead.type, self._rules
        if group.lead.integer:
            return False
        if _is_windowed(group):
            return self._admits(group)
        value = group.inputs[0] if group.inputs else group.outputs[0]
        if self._channels(value) == 0 or self._channels(group.outputs[0]) == 0:
            return False
        whole = self._admitted(all(self._channels(each) % self._lanes == 0 for each in group.inputs))
        if kind in rules.pools:
            return whole
        here = all(each in self._lies[True] for each in group.inputs)
        if kind in rules.filled:
            return here and whole
        if kind in rules.together:
            return here and len({self._shapes[each] for each in group.inputs}) == 1
        return here and kind in rules.alone

    def _admits(self, group: Group) -> bool:
        """Whether a convolution is computed in blocks."""
        outputs, depth, *window = group.lead.weight
        if len(window) != _AXES or not group.lead.weights:
            return False
        groups = group.lead.source[1] // depth
        if groups == 1:
            return self._admitted(depth < self._lanes or depth % self._rules.align == 0)
        if depth == 1 and outputs == groups:
            return self._admitted(outputs % self._rules.align == 0)
        return self._admitted(depth % self._lanes == 0 and (outputs // groups) % self._lanes == 0)

    def _admitted(self, fills: bool) -> bool:
        """Whether a number of channels is admitted that fills blocks or does not."""
        self.uneven |= not fills
        return fills or self._even

    def _reads_blocks(self, group: Group) -> bool:
        """Whether a convolution computed in blocks reads them too: with fewer channels than a block it does not."""
        depth = group.lead.weight[1]
        return group.lead.source[1] != depth or depth >= self._lanes

    def _operations(self, group: Group, kernel: Kernel, blocked: bool, scale: float) -> int:
        """Operations of a kernel that is no convolution outside blocks; ``scale``: what blocks add to its result."""
        lead = group.lead
        if _is_windowed(group):
            return self._convolved(group)
        if lead.kind is Kind.RECURRENT:
            return self._recurrent(lead)
        if lead.kind in (Kind.DENSE, Kind.ATTENTION) and len(lead.result) > 1:
            *batch, rows, columns = lead.result
            depth = lead.flops // (2 * max(1, math.prod(lead.result)))
            return as_operations(math.prod(batch) * product(rows, columns, depth, self._lanes), self._lanes)
        return self._elementary(group, kernel.operations, blocked, scale)

    def _recurrent(self, lead: Op) -> int:
        """Operations of all steps of a layer in one direction."""
        rows, hidden = lead.result
        gates = _GATES[lead.type]
        inputs = max(0, lead.weights // max(1, gates * hidden) - hidden)
        steps = max(1, lead.steps)
        return as_operations(recurrence(steps, rows // steps, hidden, gates, inputs, self._lanes), self._lanes)

    def _convolved(self, group: Group) -> int:
        """Operations of a convolution in blocks."""
        outputs, depth, *_ = group.lead.weight
        window = _window(group)
        source, result = group.lead.source, group.lead.result
        groups = source[1] // depth
        depthwise = depth == 1 and groups > 1
        padded = depth if depthwise or not self._reads_blocks(group) else self._whole(depth)
        times = self._whole(outputs) // self._lanes if depthwise else groups
        blocks = 1 if depthwise else self._whole(outputs // groups) // self._lanes
        pixels, results = (source[2], source[3]), (result[2], result[3])
        # The kernel that reads pictures adds one channel after another, the others one block after another.
        passes = 0 if depthwise or window.size == 1 else padded // self._lanes
        if not depthwise and not self._reads_blocks(group) and not self._admitted(False):
            passes = padded
        one = blocked_convolution(pixels, results, window, padded, blocks, passes, self._lanes)
        return as_operations(source[0] * times * one, self._lanes)

    def _lowered(self, group: Group, kernel: Kernel) -> Iterator[Kernel]:
        """A convolution as a matrix product: windows are written out and then packed into panels."""
        outputs, depth, *_ = group.lead.weight
        window = _window(group)
        source, result = group.lead.source, group.lead.result
        groups, taps, columns = source[1] // depth, depth * window.size, math.prod(result[2:])
        times = source[0] * groups
        copies = 1 if window.is_point else 2
        number = 1 if group.lead.integer else self._bytes
        copy = self._copy(group, kernel, 2 * copies * times * taps * columns * number)
        yield replace(copy, operations=_ROW * times * taps * math.prod(result[2:-1]) * (copies - 1))
        one = product(outputs // groups, columns, taps, self._lanes)
        yield replace(kernel, operations=as_operations(times * one, self._lanes))

    def _of_integers(self, group: Group) -> int:
        """Operations of a quantised convolution, which reads its windows where they lie."""
        outputs, depth, *axes = group.lead.weight
        if group.lead.kind is Kind.DEPTHWISE and len(axes) == _AXES:
            return self._convolved(group)
        source, result = group.lead.source, group.lead.result
        groups = source[1] // depth
        one = product(outputs // groups, math.prod(result[2:]), depth * math.prod(axes), self._lanes)
        return as_operations(source[0] * groups * one, self._lanes)

    def _elementary(self, group: Group, operations: int, blocked: bool, scale: float) -> int:
        """Operations of anything but a convolution, with the output ``scale`` times as large by padding."""
        if group.lead.type in _WINDOWED_POOLS and not blocked:
            return operations * self._lanes // 2  # windows along a row fill a register badly
        spans = _SPAN * self._spans(group) if group.lead.kind is Kind.ELEMENTWISE else 0
        return round(operations * scale) + spans

    def _spans(self, group: Group) -> int:
        """Numbers of an operand that is broadcast: each meets a span of the other on its own."""
        whole = math.prod(self._shapes[group.outputs[0]])
        sizes = [math.prod(self._shapes[value]) for value in group.inputs]
        return max((size for size in sizes if size < whole), default=0)

    def _copy(self, group: Group, kernel: Kernel, moved: int) -> Kernel:
        """A kernel that moves bytes, half of them read and half of them written."""
        shape = self._shapes[group.inputs[0]]
        halves = (moved // 2, moved - moved // 2)
        return Kernel(Kind.COPY, 0, 0, *halves, 0, (shape,), shape, kernel.on_host, times=kernel.times)

    def _size(self, value: int, blocked: bool) -> int:
        """Bytes of a value."""
        shape = self._shapes[value]
        if not blocked or not self._channels(value):
            return math.prod(shape) * self._bytes
        return math.prod(shape) // shape[1] * self._whole(shape[1]) * self._bytes

    def _whole(self, channels: int) -> int:
        return -(-channels // self._lanes) * self._lanes

    def _channels(self, value: int) -> int:
        """Channels of a picture; 0 of everything else."""
        shape = self._shapes[value]
        return shape[1] if len(shape) == 4 else 0


def _is_windowed(group: Group) -> bool:
    """Whether this is a convolution."""
    return bool(group.lead.weight) and group.lead.kind is not Kind.TRANSPOSED


def _window(group: Group) -> Window:
    window = group.lead.window
    return Window.of(group.lead.weight[2:]) if window is None else window
