"""The report of a study where its search puts it, and what the dashboard shows of it."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.artifacts import get_all_artifact_meta, upload_artifact
from optuna.storages import RDBStorage

from automl_kd.core import chance, percent, write_text
from automl_kd.delivery import arm_heads, front_figure, growth_figure, progress_figure, study_report
from automl_kd.results import StudyReview, StudySummary
from automl_kd.storage import ArtifactStore, Database
from automl_kd.studies.enrichment import common
from automl_kd.studies.importance import importances
from automl_kd.studies.summary import summarize


def reviewed(database: Database, storage: RDBStorage, name: str) -> StudyReview:
    """A study's summary with what its report adds, in seconds where holes are many."""
    summary = summarize(database, name)
    trials = optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
    return StudyReview(
        **{field: getattr(summary, field) for field in StudySummary.model_fields},
        importance=importances(trials, summary.objectives),
        common=common(trials, summary.objectives),
    )


def publish_report(database: Database, storage: RDBStorage, name: str) -> Path:
    """Write a study's report; it becomes the study's artifact, and the front a plot in the dashboard.

    Args:
        database: Where the study is.
        storage: Optuna's view of it.
        name: The study's name.

    Returns:
        The report's file, among the study's own.
    """
    from optuna_dashboard import save_note, save_plotly_graph_object

    summary = reviewed(database, storage, name)
    path = database.files / name / "report.html"
    study = optuna.load_study(study_name=name, storage=storage)
    write_text(path, study_report(summary))
    _attach(study, ArtifactStore(database.files / "artifacts"), path)
    save_plotly_graph_object(study, front_figure(summary), graph_object_id="front")
    save_plotly_graph_object(study, progress_figure(summary), graph_object_id="progress")
    save_plotly_graph_object(study, growth_figure(summary), graph_object_id="growth")
    save_note(study, _study_note(summary))
    return path


def _attach(study: optuna.Study, artifacts: ArtifactStore, path: Path) -> None:
    """One report a study: Optuna cannot remove an artifact's entry, so a newer report is written under it."""
    known = [each for each in get_all_artifact_meta(study) if each.filename == path.name]
    if not known:
        upload_artifact(artifact_store=artifacts, file_path=str(path), study_or_trial=study, mimetype="text/html")
    for meta in known:
        with path.open("rb") as file:
            artifacts.write(meta.artifact_id, file)


def _study_note(review: StudyReview) -> str:
    score = review.objective
    lines = [f"# {review.study}", "", f"Task {review.task} on {review.hw}; space {review.space}.", ""]
    known = review.objectives[1:]
    arms = arm_heads(review.picks)
    compressed = any(pick.recipe.compress for pick in review.picks)
    header = ["pick", "delivered", f"test {score.title}", *(["in float32"] if compressed else []), *arms.values()]
    header += [f"predicted {each.title}" for each in known]
    lines += [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for pick in review.picks:
        shown = [f"{pick.trial} ({pick.role})", pick.arm.replace("_", " ")]
        scores = (pick.test_score, *([pick.test_score_float] if compressed else []))
        shown += [score.shown(each) for each in (*scores, *(getattr(pick, arm) for arm in arms))]
        shown += [each.shown(pick.objectives[each.name]) for each in known]
        lines.append(f"| {' | '.join(shown)} |")
    if review.importance:
        lines += ["", f"| decides | {score.title} | the front | trials that have it |", "|---|---|---|---|"]
        lines += [
            f"| {each.hole} | {percent(each.score)} | {percent(each.front)} | {each.trials} |"
            for each in review.importance
        ]
    shared = [each for each in review.common.values if each.sure]
    if shared:
        lines += ["", "| the front has in common | of the front | of all finished | p |", "|---|---|---|---|"]
        lines += [
            f"| {each.hole}: {each.value} | {each.chosen} of {each.of_chosen}"
            f" | {each.count} of {each.of_count} | {chance(each.p)} |"
            for each in shared
        ]
    elif review.common.looked_at:
        lines += ["", "Nothing the front shares is more than chance would give."]
    return "\n".join([*lines, "", f"```json\n{review.seconds.model_dump_json()}\n```", ""])
