"""The winning student, or any other that the search finished, with the recipe that makes it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_kd.compression import decided
from automl_kd.core import DEFAULT_STORAGE, UserError
from automl_kd.delivery import Facts, deliver, study_report
from automl_kd.hardware import load_profile
from automl_kd.recipes import load_recipe
from automl_kd.results import StudyResult
from automl_kd.storage import Database
from automl_kd.students import build, load_weights
from automl_kd.studies.choosing import chosen
from automl_kd.studies.delivered import delivery_document, facts_of, open_recipe_task
from automl_kd.studies.lookup import the_study
from automl_kd.studies.policy import of_length
from automl_kd.studies.report import reviewed
from automl_kd.studies.study_files import StudyFiles


def export(
    study: StudyResult | str | None = None,
    *,
    pick: str | int = "knee",
    out: str | Path = "winner",
    storage: str | None = None,
    allow_code: bool = False,
) -> dict[str, Any]:
    """Deliver a student of a study; at any time, also while the search runs.

    A pick that was distilled in full is delivered as such; any other trial that reached the top rung as the search left
    it, with the recipe that makes just that.

    Args:
        study: What ``search`` returned, or a study's name; None for the only one.
        pick: ``knee``; ``best`` (in the score, on search-validation); ``fastest``, or any other role of the study's
            objectives, such as ``fastest on raspberry-pi-4`` or ``smallest``; a trial's number; or a rule, such as
            ``score >= 0.95 and latency_ms <= 3``: of the finished trials for which it holds, picks that were distilled
            in full go before others, then the best score on search-validation goes first, then the lower latency.
        out: Folder for the delivery.
        storage: Database URL or path of an SQLite file; by default that of the result, or the usual one.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.

    Returns:
        ``path``, ``test_score`` and its ``metric``, ``latency_ms``, ``files`` (SHA-256 by name), why a rule ``chosen``
        it, and more.

    Raises:
        UserError: If there is no such study or trial, the rule holds for none, or the folder holds other files.
    """
    if isinstance(study, StudyResult):
        storage, study = storage or study.storage, study.study
    database = Database(storage or DEFAULT_STORAGE, create=False)
    name = the_study(database, study)
    files = StudyFiles(database.files / name)
    summary = reviewed(database, database.optuna(), name)
    choice = chosen(pick, summary)
    number = choice.trial
    found = next((each for each in summary.picks if each.trial == number), None)
    if found is not None:
        folder = files.pick(number)
        recipe, weights = load_recipe(folder / "recipe.yaml"), folder / "student.safetensors"
        facts = facts_of(found, name, number, summary.teacher.metrics)
    else:
        entry = next(each for each in summary.complete if each.trial == number)
        # The recipe that makes the student as the search left it: its schedule was as long as the search's.
        recipe = of_length(entry.recipe, entry.epochs)
        # Nothing was decided for it: it is in integers everywhere, as it was priced and scored.
        recipe = recipe.model_copy(update={"compress": decided(recipe.compress, ())})
        weights = files.weights(number)
        facts = Facts(
            origin="search checkpoint",
            study=name,
            trial=number,
            epochs=recipe.train.epochs,
            seeds=(recipe.seed,),
            teacher_metrics=summary.teacher.metrics,
        )
    if not weights.exists():
        raise UserError(f"the weights of trial {number} are gone from {weights.parent}; its recipe makes them again")
    task = open_recipe_task(recipe, f"trial {number} of study {name}")
    student = build(recipe.student, task.signature, allow_code=allow_code)
    load_weights(student, weights)
    profile = load_profile(summary.hw)
    delivered = deliver(Path(out), student, recipe, task, profile, facts, study_report(summary))
    return {
        **delivery_document(delivered, task),
        "study": name,
        "trial": number,
        "origin": facts.origin,
        "chosen": choice.why,
    }
