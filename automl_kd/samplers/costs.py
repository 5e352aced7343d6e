"""Objectives that are functions of the parameters, known without an evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import UserError
from automl_kd.samplers.clipping import clip_magnitude
from automl_kd.samplers.encoding import Params
from automl_kd.samplers.user_functions import call

CostFunction = Callable[[Any], Any]


class Costs:
    """The known objectives, with the sign that makes small values good.

    Args:
        functions: Position of an objective to its function.
        vectorized: Whether the functions take a list of sets of parameters.
    """

    def __init__(self, functions: Mapping[int, CostFunction], vectorized: bool) -> None:
        self._functions = dict(sorted(functions.items()))
        self._vectorized = vectorized
        self.signs: Sequence[float] = ()
        """1 where an objective is minimised, -1 where it is maximised; set once the study is known."""

    @property
    def positions(self) -> list[int]:
        """Which objectives are known, in ascending order."""
        return list(self._functions)

    def __call__(self, candidates: Sequence[Params]) -> NDArray[np.float64]:
        """Costs of candidates, shape (n, known); infinite where infeasible.

        Raises:
            UserError: If a function raises, or gives something else than a number for each candidate.
        """
        columns = [
            self.signs[position] * self._column(position, function, candidates)
            for position, function in self._functions.items()
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(candidates), 0))

    def _column(self, position: int, function: CostFunction, candidates: Sequence[Params]) -> NDArray[np.float64]:
        if not self._vectorized:
            return np.array(
                [self._number(position, params, call(f"costs[{position}]", function, params)) for params in candidates]
            )
        answers = call(f"costs[{position}]", lambda many: list(function(many)), list(candidates))
        if len(answers) != len(candidates):
            raise UserError(
                f"costs[{position}]: gave {len(answers)} values for {len(candidates)} sets of parameters;"
                " a vectorized cost function gives one for each"
            )
        return np.array([self._number(position, *each) for each in zip(candidates, answers, strict=True)])

    def _number(self, position: int, params: Params, answer: Any) -> float:
        try:
            number = float(answer)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isnan(number):
            raise UserError(
                f"costs[{position}]: gave {answer!r} for {dict(params)}; a cost is a number, inf where infeasible"
            )
        return clip_magnitude(number)
