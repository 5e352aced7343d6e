"""What earlier studies found, taken over by one of another device: accuracies stay, only prices change."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl_kd.core import UserError, replacing
from automl_kd.recipes import Recipe, Space
from automl_kd.samplers import distributions
from automl_kd.storage import Database
from automl_kd.studies.proposer import Limits, Pricing
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.summary import reached
from automl_kd.studies.trials import TrialStore

FROM = "akd:from"
"""Attribute of a trial that was taken over: study and number."""
_COMPARABLE = {"data": "other data", "teacher": "another teacher"}


def check_comparable(database: Database, names: Sequence[str], identity: Mapping[str, Any]) -> None:
    """See to it that accuracies of earlier studies can be compared with those of the study at hand.

    Args:
        database: Where the earlier studies are.
        names: Theirs.
        identity: Hashes of the data and the teacher of the study at hand.

    Raises:
        UserError: If there is no such study, or it was searched with other data or another teacher.
    """
    for name in names:
        theirs = database.study(name).identity
        for part, words in _COMPARABLE.items():
            if part in theirs and theirs[part] != identity[part]:
                raise UserError(f"--from-study {name}: was searched with {words}; accuracies would not be comparable")


class WarmStart:
    """Takes over the finished trials of earlier studies.

    A trial is taken over where the space holds its recipe, a search run is as long, and its price on the device at hand
    is within the limits. One that was stopped early is taken over as such: it tells what its beginning was worth.

    Args:
        database: Where the earlier studies are.
        space: Its space.
        pricing: Prices on its device.
        limits: What a candidate may cost.
        device: Name of its device, which the recipes then carry.
    """

    def __init__(
        self,
        database: Database,
        space: Space,
        pricing: Pricing,
        limits: Limits,
        device: str,
    ) -> None:
        self._database = database
        self._space = space
        self._pricing = pricing
        self._limits = limits
        self._device = device
        self._distributions = distributions(space)

    def take_over(
        self, store: TrialStore, names: Sequence[str], storage: optuna.storages.RDBStorage, files: StudyFiles
    ) -> int:
        """Add what is not there yet; returns how many trials were added.

        Args:
            store: The study at hand.
            names: Of the earlier studies.
            storage: Optuna's view of the database.
            files: Of the study at hand.
        """
        present = store.study.get_trials(deepcopy=False)
        there = {tuple(each.user_attrs.get(FROM, ())) for each in present}
        known = {repr(sorted(each.params.items())) for each in present}
        found: list[FrozenTrial] = []
        for name in names:
            earlier = optuna.load_study(study_name=name, storage=storage)
            for trial in earlier.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED]):
                taken = None if (name, trial.number) in there else self._taken(trial, name, store.rungs)
                if taken is not None and (params := repr(sorted(taken.params.items()))) not in known:
                    known.add(params)
                    found.append(taken)
        store.take_over(found)
        for each in store.study.get_trials(deepcopy=False):
            if FROM in each.user_attrs:  # also of a run that was killed before it came to this
                name, number = each.user_attrs[FROM]
                _share(StudyFiles(self._database.files / name).weights(number), files.weights(each.number))
        return len(found)

    def _taken(self, trial: FrozenTrial, name: str, rungs: Sequence[int]) -> FrozenTrial | None:
        """The trial as the study at hand would have made it, None where it would not."""
        attributes = trial.user_attrs
        readings = reached(trial)
        done = trial.state == TrialState.COMPLETE
        comparable = readings.keys() <= set(rungs) and (rungs[-1] in readings or not done)
        if "akd:recipe" not in attributes or not readings or not comparable:
            return None
        recipe = Recipe.model_validate(attributes["akd:recipe"]).with_(hw=self._device)
        try:
            params = self._space.params(recipe)
        except (ValueError, KeyError):
            return None
        (price,) = self._pricing.price([recipe])
        if self._limits.excess(price) is not None:
            return None
        names = ("akd:seconds", "akd:rung", "akd:stopped", *(f"akd:accuracy@{epochs}" for epochs in readings))
        kept = {key: attributes[key] for key in names if key in attributes}
        return optuna.trial.create_trial(
            state=trial.state,
            params=params,
            distributions={key: self._distributions[key] for key in params},
            values=[readings[rungs[-1]], price.ms] if done else None,
            user_attrs=kept
            | {"akd:recipe": recipe.document(), "akd:price": TrialStore.stored(price), FROM: [name, trial.number]},
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
