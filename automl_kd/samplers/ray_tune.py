"""A search space and an Optuna sampler behind Ray Tune's interface."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import TrialState
from ray.tune.search import Searcher

from automl_kd.core import UserError
from automl_kd.recipes import InvalidCombinationError, Space
from automl_kd.samplers.tpe import multivariate_tpe

_MODES = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
_ATTEMPTS = 100


class RayTuneSearcher(Searcher):
    """Lets a ``tune.Tuner`` search a space of recipes with an Optuna sampler, over one objective or several.

    A trainable is given ``config["recipe"]``, the recipe as plain data, and ``config["params"]``, the values of the
    space's holes that made it. It reports the metrics by name.

    >>> searcher = RayTuneSearcher(load_space("tiny_cnn"), {"accuracy": "max", "latency_ms": "min"}, iterations=9)
    >>> tune.Tuner(train, tune_config=tune.TuneConfig(search_alg=searcher, num_samples=50)).fit()

    A trial that ends in an error, or without every metric as a finite number, is told FAIL, so that the sampler does
    not learn from it. One that a scheduler stopped before ``iterations`` is told PRUNED: values of a shorter training
    have no place in the front.

    Args:
        space: What is searched.
        metrics: ``"min"`` or ``"max"`` by the name of each objective.
        sampler: Any sampler of Optuna's; by default multivariate TPE.
        iterations: Reports of a training that was not stopped early; by default every trial that ends counts in full.

    Raises:
        UserError: If there are no metrics, or a mode is another word.
    """

    def __init__(
        self,
        space: Space,
        metrics: Mapping[str, str],
        sampler: BaseSampler | None = None,
        *,
        iterations: int | None = None,
    ) -> None:
        wrong = {mode for mode in metrics.values() if mode not in _MODES}
        if not metrics or wrong:
            raise UserError(f"metrics {dict(metrics)}: name one or more objectives, each min or max")
        super().__init__(metric=list(metrics), mode=list(metrics.values()))  # type: ignore[arg-type]  # Ray takes lists
        self._space = space
        self._metrics = tuple(metrics)
        self._iterations = iterations
        self._numbers: dict[str, int] = {}
        self.study = optuna.create_study(
            sampler=sampler or multivariate_tpe(0), directions=[_MODES[mode] for mode in metrics.values()]
        )

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Objectives and space are the searcher's own; Tune's ``metric`` and ``param_space`` must be left out."""
        return metric is None and mode is None and not config

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """The next recipe.

        Raises:
            UserError: If the sampler gave invalid combinations only.
        """
        for _ in range(_ATTEMPTS):
            trial = self.study.ask()
            try:
                recipe = self._space.draw(trial)
            except InvalidCombinationError:
                self.study.tell(trial, state=TrialState.FAIL)
                continue
            self._numbers[trial_id] = trial.number
            return {"recipe": recipe.document(), "params": dict(trial.params)}
        raise UserError(f"{self._space.source}: {_ATTEMPTS} proposals in a row made no valid recipe")

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing is learned before a trial ends: Optuna takes no values on the way for several objectives."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the study how a trial ended."""
        number = self._numbers.pop(trial_id, None)
        if number is None:
            return  # told already: Tune says it again where a trial ends while it is being stopped
        result = result or {}
        values = [result.get(name) for name in self._metrics]
        if error or not all(_finite(value) for value in values):
            self.study.tell(number, state=TrialState.FAIL)
        elif self._iterations is not None and result.get("training_iteration", 0) < self._iterations:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, [float(value) for value in values if value is not None])

    def save(self, checkpoint_path: str) -> None:
        """Write study, sampler and the trials under way to a file."""
        Path(checkpoint_path).write_bytes(pickle.dumps((self.study, self._numbers)))

    def restore(self, checkpoint_path: str) -> None:
        """Go on from what :meth:`save` wrote, which must be trusted as code is: it is a pickle, as Tune's own."""
        self.study, self._numbers = pickle.loads(Path(checkpoint_path).read_bytes())


def _finite(value: Any) -> bool:
    try:
        return bool(abs(float(value)) < float("inf"))
    except (TypeError, ValueError):
        return False
