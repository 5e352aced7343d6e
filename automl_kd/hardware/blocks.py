"""What plans consist of, each block traced once and each part of a plan priced once, and the sums over plans."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from automl_kd.core import UserError
from automl_kd.hardware.kernels.graph import Graph, Shape
from automl_kd.hardware.kernels.trace import trace_built
from automl_kd.hardware.plan import Block
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


class Form(enum.StrEnum):
    """What a part of a plan is: a block in integers or in floats, or the conversion of a tensor between two of them."""

    INTEGERS = "integers"
    FLOATS = "floats"
    TO_INTEGERS = "to integers"
    TO_FLOATS = "to floats"


Part = tuple[Form, Hashable]
"""A part of a plan: a block, or the shape of a tensor that is converted."""


@dataclass(frozen=True, slots=True)
class Row:
    """A part as priced.

    Attributes:
        numbers: What is summed of it, always as many.
        peak: Bytes of the activations that it needs at once.
        takes: Shape that it takes, without the batch.
        gives: Shape that it gives.
        of_floats: Which sum it belongs to.
    """

    numbers: Floats
    peak: float
    takes: Shape
    gives: Shape
    of_floats: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """The numbers of N plans.

    Attributes:
        integers: Of what the target computes as integers, (N, C).
        floats: Of what is computed as floats, (N, C).
        peaks: The largest peak of a part, (N,).
    """

    integers: Floats
    floats: Floats
    peaks: Floats


class PartTable:
    """Numbers of every distinct part, and the sums and maxima over plans.

    Args:
        priced: A part to its row.
    """

    def __init__(self, priced: Callable[[Form, Any], Row]) -> None:
        self._priced = priced
        self._places: dict[Part, int] = {}
        self._rows: list[Row] = []
        self._table: Floats = np.empty((0, 0))
        self._peaks: Floats = np.empty(0)
        self._of_floats: Floats = np.empty(0)

    def row(self, part: Part) -> Row:
        """The row of a part."""
        return self._rows[self._place(part)]

    def gather(self, chains: Sequence[Sequence[Part]]) -> Sums:
        """The sums of plans, each of which is a chain of parts.

        Raises:
            UserError: If a chain is empty, a block does not take its input shape, or two neighbours do not fit.
        """
        places, flat, starts = self._places, list[int](), list[int]()
        for chain in chains:
            starts.append(len(flat))
            if not chain:
                raise UserError("a plan without blocks has no price")
            for part in chain:
                known = places.get(part)
                flat.append(self._place(part) if known is None else known)
        if len(self._table) != len(self._rows):
            self._table = np.stack([row.numbers for row in self._rows])
            self._peaks = np.array([row.peak for row in self._rows])
            self._of_floats = np.array([row.of_floats for row in self._rows], dtype=np.float64)
        index = np.array(flat)
        self._check_chains(index, np.array(starts), chains)
        floats, bounds = self._of_floats[index], [*starts, len(flat)]
        return Sums(
            self._summed(1 - floats, index, bounds),
            self._summed(floats, index, bounds),
            np.maximum.reduceat(self._peaks[index], starts),
        )

    def _summed(self, counted: Floats, index: Integers, bounds: list[int]) -> Floats:
        """Sums over chains of the rows that count 1, and not 0."""
        size = (len(bounds) - 1, len(self._rows))
        if not counted.any():
            return np.zeros((size[0], self._table.shape[1]))
        # A sparse product adds the rows up; indexing would first copy every row of every plan.
        found: Floats = csr_array((counted, index, bounds), size) @ self._table  # type: ignore[no-untyped-call]
        return found

    def _place(self, part: Part) -> int:
        place = self._places.get(part)
        if place is None:
            self._rows.append(self._priced(*part))
            place = self._places[part] = len(self._rows) - 1
        return place

    def _check_chains(self, index: Integers, starts: Integers, chains: Sequence[Sequence[Part]]) -> None:
        """Every part must take what the one before returns."""
        codes: dict[Shape, int] = {}
        takes = np.array([codes.setdefault(row.takes, len(codes)) for row in self._rows])
        gives = np.array([codes.setdefault(row.gives, len(codes)) for row in self._rows])
        broken = gives[index[:-1]] != takes[index[1:]]
        broken[starts[1:] - 1] = False  # where one plan ends and the next begins
        if broken.any():
            place = int(np.flatnonzero(broken)[0])
            before, after = self._rows[index[place]], self._rows[index[place + 1]]
            plan = int(np.flatnonzero(starts <= place)[-1])
            parts = chains[plan][: place - int(starts[plan]) + 1]
            number = sum(form in (Form.INTEGERS, Form.FLOATS) for form, _ in parts) - 1
            raise UserError(
                f"block {number + 1} of a plan takes {after.takes}, but block {number} returns {before.gives}"
            )
