"""The blocks that a profile has seen, each traced once, and their sums over plans."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from automl_kd.core import UserError
from automl_kd.hardware.kernels.graph import Graph, Shape
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.kernels.trace import trace_built
from automl_kd.hardware.plan import Block, Plan
from automl_kd.hardware.predictor.cost import Floats, Integers


class TracedBlocks:
    """The graphs of blocks, each traced once; several targets can share them."""

    def __init__(self) -> None:
        self._graphs: dict[Hashable, Graph] = {}

    def __call__(self, block: Block) -> Graph:
        """The graph of a block."""
        if block not in self._graphs:
            self._graphs[block] = trace_built(block.build, block.input)
        return self._graphs[block]


@dataclass(frozen=True, slots=True)
class _Row:
    """A block as priced: its numbers, the activations it needs at once, and the shapes that it takes and gives."""

    numbers: Floats
    peak: float
    takes: Shape
    gives: Shape


class BlockTable:
    """Numbers of every distinct block, and the sums and maxima over plans.

    Args:
        traced: A block's graph.
        lower: A graph to the kernels of the target.
        numbers: What is summed of a network, always of the same length.
    """

    def __init__(
        self, traced: TracedBlocks, lower: Callable[[Graph], Network], numbers: Callable[[Network], Floats]
    ) -> None:
        self._traced = traced
        self._lower = lower
        self._numbers = numbers
        self._ids: dict[Hashable, int] = {}
        self._rows: list[_Row] = []
        self._table: Floats = np.empty((0, 0))
        self._peaks: Floats = np.empty(0)

    def gather(self, plans: Sequence[Plan]) -> tuple[Floats, Floats]:
        """The sum of the numbers over each plan's blocks, (N, C), and the largest peak of a block, (N,).

        Raises:
            UserError: If a plan is empty, a block does not take its input shape, or two neighbours do not fit.
        """
        ids = self._ids
        flat: list[int] = []
        starts: list[int] = []
        for plan in plans:
            starts.append(len(flat))
            if not plan.blocks:
                raise UserError("a plan without blocks has no price")
            for block in plan.blocks:
                known = ids.get(block)
                flat.append(self._add(block) if known is None else known)
        if len(self._table) != len(self._rows):
            self._table = np.stack([row.numbers for row in self._rows])
            self._peaks = np.array([row.peak for row in self._rows])
        index = np.array(flat)
        self._check_chains(index, np.array(starts))
        # A sparse product adds the rows up; indexing would first copy every row of every plan.
        parts, size = (np.ones(len(flat)), index, [*starts, len(flat)]), (len(plans), len(self._rows))
        chains = csr_array(parts, size)  # type: ignore[no-untyped-call]
        sums: Floats = chains @ self._table
        return sums, np.maximum.reduceat(self._peaks[index], starts)

    def graphs(self, plan: Plan) -> list[Graph]:
        """Each block of a plan, traced.

        Raises:
            UserError: As :meth:`gather`.
        """
        self.gather([plan])
        return [self._traced(block) for block in plan.blocks]

    def _add(self, block: Block) -> int:
        network = self._lower(self._traced(block))
        self._rows.append(_Row(self._numbers(network), network.peak, block.input.shape, network.output[1:]))
        return self._ids.setdefault(block, len(self._rows) - 1)

    def _check_chains(self, index: Integers, starts: Integers) -> None:
        """Every block must take what the one before returns."""
        codes: dict[Shape, int] = {}
        takes = np.array([codes.setdefault(row.takes, len(codes)) for row in self._rows])
        gives = np.array([codes.setdefault(row.gives, len(codes)) for row in self._rows])
        broken = gives[index[:-1]] != takes[index[1:]]
        broken[starts[1:] - 1] = False  # where one plan ends and the next begins
        if broken.any():
            place = int(np.flatnonzero(broken)[0])
            before, after = self._rows[index[place]], self._rows[index[place + 1]]
            number = place - int(starts[starts <= place][-1])
            raise UserError(
                f"block {number + 1} of a plan takes {after.takes}, but block {number} returns {before.gives}"
            )
