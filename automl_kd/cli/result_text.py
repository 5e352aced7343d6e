"""What a study found, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from automl_kd.cli.answer import table
from automl_kd.cli.front import front_table
from automl_kd.core import duration

if TYPE_CHECKING:
    from automl_kd.objectives import Objective
    from automl_kd.results import Arm, PickResult, StudyResult

ARM_NAMES: dict[Arm, str] = {
    "searched": "searched",
    "no_distillation": "no teacher",
    "plain_kd": "plain KD",
    "from_scratch": "from scratch",
}
_FINE_TUNED = "fine-tuned without teacher"


def result_text(result: StudyResult, plot: Sequence[str] = ()) -> str:
    """The study in a few lines, then the tables of its front and its picks.

    Args:
        result: What it found.
        plot: Lines that are shown below the front.
    """
    trials, seconds = result.trials, result.seconds
    parts = [
        f"study {result.study}: task {result.task}, device {result.hw}, space {result.space}",
        f"{result.screened} screened before training; {trials.pruned} stopped early, {trials.complete} finished,"
        f" {trials.failed} failed",
        f"{duration(seconds.total)} of {duration(seconds.budget)} used: teacher {duration(seconds.teacher)}, search"
        f" {duration(seconds.search)}, picks {duration(seconds.picks)}",
    ]
    if result.front:
        header, rows = front_table(result.front, result.objectives)
        parts += ["", f"front ({_of_what(result.objectives)}):", table(rows, header), *(["", *plot] if plot else [])]
    if result.picks:
        parts += ["", *_picks(result)]
        parts += ["", f"next: automl-kd export --study {result.study} --pick knee --out winner/"]
    return "\n".join(parts)


def _of_what(objectives: Sequence[Objective]) -> str:
    score, *prices = objectives
    *others, last = [each.title for each in prices]
    predicted = f"{', '.join(others)} and {last}" if others else last
    return f"{better(score)} on search-validation, {predicted} predicted"


def better(score: Objective) -> str:
    """A score's title, with the side that is good where that is the lower one."""
    return f"{score.title}, lower is better," if score.direction == "minimize" else score.title


def _picks(result: StudyResult) -> list[str]:
    from automl_kd.delivery import deployed_score, not_converted
    from automl_kd.results import compared_arms

    score, prices = result.objective, [each for each in result.objectives if each.known]
    names = ARM_NAMES | ({"no_distillation": _FINE_TUNED} if all(pick.pretrained for pick in result.picks) else {})
    arms = compared_arms(result.picks)
    compressed = any(pick.recipe.compress for pick in result.picks)
    floats = ["in float32"] if compressed else []
    apart = any(deployed_score(pick) is not None for pick in result.picks)
    on_device = ["on device"] if apart else []
    header = ["trial", "role", score.title, *floats, *on_device, "delivered", *(names[arm] for arm in arms)]
    header += [*(each.title for each in prices), "files"]
    lines = [
        f"picks, distilled in full (test split; teacher {score.shown(result.teacher.score)}):",
        table([_row(pick, score, prices, arms, compressed, apart) for pick in result.picks], header),
    ]
    lines += [line for pick in result.picks if pick.recipe.compress for line in _form(pick, score)]
    lines += [f"trial {pick.trial}: {line}" for pick in result.picks for line in not_converted(pick.shipped)]
    lines += _not_compared(result.picks, names)
    lines += [f"trial {pick.trial}, {pick.role}: {pick.missing['searched']}" for pick in result.undistilled]
    return [*lines, *_other_metrics(result)]


def _row(
    pick: PickResult, score: Objective, prices: Sequence[Objective], arms: Sequence[Arm], compressed: bool, apart: bool
) -> list[str]:
    from automl_kd.delivery import deployed_score

    spread = "" if pick.test_score_std is None else f" ± {score.shown_spread(pick.test_score_std)}"
    return [
        str(pick.trial),
        pick.role,
        score.shown(pick.test_score) + spread,
        *([score.shown(pick.test_score_float)] if compressed else []),
        *([score.shown(deployed_score(pick))] if apart else []),
        pick.arm.replace("_", " "),
        *(score.shown(getattr(pick, arm)) for arm in arms),
        *(each.shown(pick.objectives[each.name]) for each in prices),
        pick.path,
    ]


def _form(pick: PickResult, score: Objective) -> list[str]:
    """What ships of a compressed pick against the same weights in float32, then what it computes and takes."""
    from automl_kd.delivery import FloatScore, form_sentences

    cost, *rest = form_sentences(pick.form, FloatScore.of(pick), pick.shipped, score)
    return [f"trial {pick.trial}, {pick.form}: {cost}", *([f"  {' '.join(rest)}"] if rest else [])]


def _not_compared(picks: Sequence[PickResult], names: Mapping[Arm, str]) -> list[str]:
    """Why arms have no score, a line for all trials of which the same is to be said."""
    trials: dict[str, list[str]] = {}
    for pick in picks:
        arms: dict[str, list[str]] = {}
        for arm, reason in pick.missing.items():
            arms.setdefault(reason, []).append(names[arm])
        for reason, those in arms.items():
            trials.setdefault(f"{' and '.join(those)}: {reason}", []).append(str(pick.trial))
    return [f"trial{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}, {line}" for line, numbers in trials.items()]


def _other_metrics(result: StudyResult) -> list[str]:
    """A line for the metrics of the knee that were not searched, where there are any."""
    pick = next((each for each in result.picks if each.role == "knee"), result.picks[0])
    shown = [
        f"{metric.title} {metric.shown(pick.test_metrics[metric.name])}"
        for metric in result.metrics
        if metric != result.objective and metric.name in pick.test_metrics
    ]
    return [f"other metrics of the {pick.role} (trial {pick.trial}): {', '.join(shown)}"] if shown else []
