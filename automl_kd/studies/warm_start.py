"""What earlier studies found, taken over by one of another device: scores stay, only prices change."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl_kd.core import replacing
from automl_kd.samplers import distributions
from automl_kd.studies.attributes import TRIAL, TrialAttributes
from automl_kd.studies.context import StudyContext
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.trials import TrialStore


class WarmStart:
    """Takes over the finished trials of earlier studies.

    A trial is taken over where the space holds its recipe, a search run is as long, it was compared by the same metric,
    and its price on the device at hand is within the limits. One that was stopped early is taken over as such: it tells
    what its beginning was worth.

    Args:
        context: The study at hand.
    """

    def __init__(self, context: StudyContext) -> None:
        self._context = context
        self._distributions = distributions(context.prepared.space)

    def take_over(self, trials: TrialStore, names: Sequence[str]) -> int:
        """Add what is not there yet; returns how many trials were added.

        Args:
            trials: Of the study at hand.
            names: Of the earlier studies.
        """
        there = {each.attributes.origin for each in trials.candidates.values()}
        known = {repr(sorted(each.params.items())) for each in trials.study.get_trials(deepcopy=False)}
        found: list[FrozenTrial] = []
        for name in names:
            earlier = optuna.load_study(study_name=name, storage=self._context.storage)
            for trial in earlier.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED]):
                taken = None if (name, trial.number) in there else self._taken(trial, name, trials.rungs)
                if taken is not None and (params := repr(sorted(taken.params.items()))) not in known:
                    known.add(params)
                    found.append(taken)
        trials.take_over(found)
        for each in trials.candidates.values():
            if each.attributes.origin is not None:  # also of a run that was killed before it came to this
                name, number = each.attributes.origin
                theirs = StudyFiles(self._context.database.files / name).weights(number)
                _share(theirs, self._context.files.weights(each.number))
        return len(found)

    def _taken(self, trial: FrozenTrial, name: str, rungs: Sequence[int]) -> FrozenTrial | None:
        """The trial as the study at hand would have made it, None where it would not."""
        kept, prepared = TrialAttributes.of(trial), self._context.prepared
        done = trial.state == TrialState.COMPLETE
        comparable = kept.scores.keys() <= set(rungs) and (rungs[-1] in kept.scores or not done)
        if kept.recipe is None or not kept.scores or not comparable:
            return None
        recipe = kept.recipe.with_(hw=self._context.request.hw)
        try:
            params = prepared.space.params(recipe)
        except (ValueError, KeyError):
            return None
        (price,) = prepared.pricing.price([recipe])
        if self._context.request.limits.excess(price) is not None:
            return None
        changes = {"recipe": recipe, "price": price.stored(), "origin": (name, trial.number), "between": None}
        values = [kept.scores[rungs[-1]], *map(price.value, prepared.objectives.known)] if done else None
        return optuna.trial.create_trial(
            state=trial.state,
            params=params,
            distributions={key: self._distributions[key] for key in params},
            values=values,
            user_attrs={TRIAL: kept.model_copy(update=changes).document()},
        )


def _share(weights: Path, place: Path) -> None:
    """Put a student beside the study's own, by a link where the file system can."""
    if not weights.exists() or place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(weights, place)
    except OSError:
        with replacing(place) as draft:
            shutil.copyfile(weights, draft)
