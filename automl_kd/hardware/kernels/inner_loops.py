"""What the inner loops of a vector unit make of convolutions and matrix products: instructions rather than arithmetic.

A register tile of ``n`` positions by ``f`` vectors of channels takes, for every step along the depth, ``n f`` fused
multiply-adds, ``n`` broadcasts of inputs and ``f`` loads of weights; a load takes as long as some multiply-adds where
nothing reuses it, and a tile too small to hide the latency of its own sums takes as long as that. The tiles are those
of onnxruntime's kernels (onnxruntime/core/mlas/lib: sconv, sgemm); the costs were fitted to single convolutions on one
core with AVX-512, where they let one throughput serve shapes that reach between 20 and 130 GFLOP/s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from automl_kd.hardware.kernels.graph import Window

_VECTORS = 4  # of channels in a tile of a blocked convolution
_ROWS, _COLUMNS = 12, 2  # of a tile of a matrix product; the columns are vectors
_BROADCAST, _LOAD = 1, 3  # multiply-adds that one of these takes as long as
_BROADCAST_INSIDE = 0.25  # of a multiply-add with one vector, which broadcasts its operand itself
_LATENCY = 8  # multiply-adds that could start while one sum waits for the last
_PASS = 4.5  # the same of fetching a sum and putting it back
_PANEL, _QUAD = 16, 4  # of packed weights of 8 bits: columns side by side, steps of the depth in one instruction
# Products of 8 bits that these take as long as, fitted to 196 convolutions on one core with AVX2: to narrow a sum to 8
# bits, to gather a piece of a window, and to narrow a sum of a depthwise convolution, whose products are slower.
_NARROWED, _GATHERED, _NARROWED_DEPTHWISE = 44, 320, 3
_STEP = 6000  # what a step of a recurrent layer takes besides its products
_CALL = 2000  # what a call of the matrix product takes before it multiplies

_POSITIONS = {16: 6, 8: 3}
"""Positions of a tile, by floats in a vector register: both leave the same share of 32 or 16 registers to sums."""


def blocked_convolution(
    pixels: tuple[int, int],
    results: tuple[int, int],
    window: Window,
    depth: int,
    blocks: int,
    passes: int,
    lanes: int,
) -> int:
    """Multiply-adds that a convolution in blocks takes as long as.

    Windows that overlap the border run alone and skip what lies outside.

    Args:
        pixels: Height and width of the input.
        results: Height and width of the output.
        window: Down and across.
        depth: Input channels that one output channel reads, padded.
        blocks: Blocks of output channels; of a depthwise convolution one at a time.
        passes: How often every sum is fetched and put back on the way.
        lanes: Floats in a vector register.
    """
    if window.is_point:  # rows of pixels run on into one another
        pixels, results = (1, math.prod(pixels)), (1, math.prod(results))
    elif pixels[1] == results[1] == window.taps[1] == 1:  # a column is run through like a row
        pixels, results, window = pixels[::-1], results[::-1], window.turned
    rows = sum(_inside(pixels[0], results[0], window, 0))
    taps = _inside(pixels[1], results[1], window, 1)
    interior = sum(count == window.taps[1] for count in taps)
    alone = sum(count for count in taps if count < window.taps[1])
    across = 0.0
    for vectors in _parts(blocks, _VECTORS):
        full = sum(_tile(positions, vectors) for positions in _parts(interior, _POSITIONS[lanes]))
        across += alone * _tile(1, vectors) + window.taps[1] * full
    return round(depth * rows * across + _PASS * passes * math.prod(results) * blocks)


def product(rows: int, columns: int, depth: int, lanes: int) -> int:
    """Multiply-adds that a matrix product takes as long as, ``(rows, depth) x (depth, columns)``."""
    vectors = -(-columns // lanes)
    down = list(_parts(rows, _ROWS))
    wide, narrow = (sum(_tile(count, width) for count in down) for width in (_COLUMNS, vectors % _COLUMNS))
    return round(depth * (wide * (vectors // _COLUMNS) + (narrow if vectors % _COLUMNS else 0))) + _CALL


def integer_product(rows: int, columns: int, depth: int, copies: int = 0) -> int:
    """Operations that a product of 8-bit integers takes as long as, ``(rows, depth) x (depth, columns)``.

    Weights are packed in panels of 16 columns and steps of four along the depth (onnxruntime/core/mlas/lib: qgemm);
    every sum is scaled, rounded and narrowed, and a window that is no point is gathered first.

    Args:
        rows: Positions.
        columns: Output channels.
        depth: Products summed.
        copies: Pieces of memory from which the windows are gathered.
    """
    packed = -(-columns // _PANEL) * _PANEL * -(-depth // _QUAD) * _QUAD
    return 2 * (rows * packed + _NARROWED * rows * columns + _GATHERED * copies)


def integer_depthwise(results: int, taps: int) -> int:
    """Operations that a depthwise convolution of 8-bit integers takes as long as.

    Args:
        results: Elements of its output.
        taps: Elements that each of them reads.
    """
    return 2 * results * (taps + _NARROWED_DEPTHWISE)


def recurrence(steps: int, batch: int, hidden: int, gates: int, inputs: int, lanes: int) -> int:
    """Multiply-adds that a recurrent layer takes as long as: all inputs at once, then one step after another.

    Args:
        steps: One after another.
        batch: Sequences side by side.
        hidden: Features of the state.
        gates: Products by every state.
        inputs: Features of a step.
        lanes: Floats in a vector register.
    """
    columns = gates * hidden
    return product(steps * batch, columns, inputs, lanes) + steps * (product(batch, columns, hidden, lanes) + _STEP)


def as_operations(multiply_adds: int, lanes: int) -> int:
    """Operations that a full tile executes in the time of so many multiply-adds."""
    positions = _POSITIONS[lanes]
    full = positions * _VECTORS
    return round(2 * lanes * multiply_adds * full / _tile(positions, _VECTORS))


def _tile(positions: int, vectors: int) -> float:
    broadcast = _BROADCAST if vectors > 1 else _BROADCAST_INSIDE
    return max(_LATENCY, positions * vectors + broadcast * positions + _LOAD * vectors)


def _parts(count: int, size: int) -> Iterator[int]:
    """``count`` in parts of ``size``, and the rest."""
    yield from [size] * (count // size)
    if count % size:
        yield count % size


def _inside(size: int, results: int, window: Window, axis: int) -> Sequence[int]:
    """How many taps of the window lie inside at every position along one axis."""
    taps, step, spread = window.taps[axis], window.stride[axis], window.dilation[axis]
    counts = []
    for place in range(results):
        start = place * step - window.before[axis]
        first = -(start // spread) if start < 0 else 0  # the first tap at or behind the first element
        behind = -((start - size) // spread)  # the first tap behind the last
        counts.append(max(0, min(taps, behind) - first))
    return counts
