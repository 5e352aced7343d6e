"""Reviews as a search hands them to its report."""

from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe
from automl_kd.results import (
    ArmResult,
    CommonValue,
    CommonValues,
    FailureCount,
    Gain,
    HistoryRow,
    HoleImportance,
    LimitsResult,
    PhaseSeconds,
    PickResult,
    PlainKdSetting,
    StoppedTrial,
    StudyReview,
    TeacherResult,
    TrialCounts,
    TrialResult,
    UndistilledPick,
)
from automl_kd.tasks.metrics import metrics_of

METRICS = {metric.name: metric.objective for metric in (*metrics_of("multiclass", 10), *metrics_of("regression", 1))}
ACCURACY, LOG_LOSS, RMSE = (METRICS[name] for name in ("accuracy", "log_loss", "rmse"))
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
ON_PI = Objective("latency_ms@raspberry-pi-4", "minimize", "ms", known=True)
MEMORY = Objective("memory_bytes", "minimize", "bytes", known=True)
ENERGY = Objective("energy_mj", "minimize", "mJ", known=True)


def recipe(family, **losses):
    student = {"resnet": {"family": "resnet", "depth": 8}, "mobilenet": {"family": "mobilenet"}}[family]
    return Recipe.model_validate(
        {
            "student": {**student, "width": 0.5},
            "distill": {"losses": {"task": {"weight": 1.0}, **losses}},
            "train": {"epochs": 30},
        }
    )


def entry(trial, metrics, latency_ms, document):
    """A finished trial: the first of its metrics is the score."""
    score = next(iter(metrics))
    return TrialResult(
        trial=trial,
        epochs=9,
        score=metrics[score],
        metrics=metrics,
        objectives={
            score: metrics[score],
            "latency_ms": latency_ms,
            "latency_ms@raspberry-pi-4": 4 * latency_ms,
            "memory_bytes": 90_000 * latency_ms,
            "energy_mj": 2 * latency_ms,
        },
        latency_ms=latency_ms,
        latency_low=0.8 * latency_ms,
        latency_high=1.3 * latency_ms,
        others={"raspberry-pi-4": (4 * latency_ms, 3.2 * latency_ms, 5.2 * latency_ms)},
        params=12_345,
        memory_bytes=int(90_000 * latency_ms),
        energy_mj=2 * latency_ms,
        coverage=1.0,
        recipe=document,
    )


def arm(metrics, gain=None):
    return ArmResult(score=next(iter(metrics.values())), metrics=metrics, gain=gain)


def gain(difference, low, high):
    return Gain(difference=difference, low=low, high=high)


def pick(of, role, metrics, deployed, arms, std):
    """A trial distilled in full under two seeds."""
    score = next(iter(metrics))
    return PickResult(
        trial=of.trial,
        role=role,
        round=0,
        arm="searched",
        hears_teacher=True,
        origin="distilled in full",
        seeds=(1, 2),
        epochs=30,
        test_score=metrics[score],
        test_score_std=std,
        test_metrics=metrics,
        test_metrics_std=dict.fromkeys(metrics, std),
        arms={"searched": arm(metrics), **arms},
        missing={},
        plain_kd_setting=PlainKdSetting(temperature=4.0, weight=0.9),
        deployed_metrics=deployed,
        test_score_deployed=deployed[score],
        latency_ms=of.latency_ms,
        latency_low=of.latency_low,
        latency_high=of.latency_high,
        objectives=of.objectives | {score: metrics[score]},
        onnx_max_difference=1e-6,
        path="picks/3",
        recipe=of.recipe,
    )


def shared(hole, value, p, chosen=3, count=1):
    return CommonValue(hole=hole, value=value, chosen=chosen, of_chosen=3, count=count, of_count=4, p=p, sure=p <= 0.05)


def understood():
    return {
        "task": "digits",
        "metric": "accuracy",
        "data": {
            "place": "photos",
            "layout": "one sub-folder a class",
            "counts": {"train": [70, 20], "validation": [15, 5], "test": [15, 5]},
            "class_names": ["cat", "dog"],
            "shape": [3, 32, 32],
            "stored": "uint16 PNG",
            "low": 12.0,
            "high": 4095.0,
            "pixels": "divided by 4095",
            "left_out": [{"reason": "no image: .txt", "count": 3, "example": "cat/notes.txt"}],
            "warnings": ["dog has 30 examples of 130"],
        },
        "teacher": {
            "status": "brought by the user",
            "training": None,
            "members": [
                {
                    "form": "ONNX file t.onnx, output y",
                    "input": "images (3, 32, 32)",
                    "classes": "by order (no names known)",
                    "outputs": "logits",
                    "correct": 0.1,
                    "images": 20,
                    "chance": 0.75,
                    "permuted": 0.9,
                    "warnings": ["say which output is which"],
                }
            ],
        },
        "warnings": ["dog has 30 examples of 130", "say which output is which"],
    }


def students(values):
    """Four finished trials of rising latency but the last, whose metrics are given: three of a front, one behind it."""
    first, second, third, behind = values
    return (
        entry(5, first, 0.31, recipe("resnet")),
        entry(3, second, 0.742, recipe("mobilenet", kd={"weight": 1.0, "temperature": 4.0})),
        entry(9, third, 2.2, recipe("mobilenet", hint={"weight": 0.5})),
        entry(7, behind, 1.0, recipe("resnet")),
    )


def reviewed(complete, picks, teacher, objectives, stopped):
    """A study whose first three trials are its front."""
    fields = {
        "study": "digits-jetson-nano",
        "task": "digits",
        "hw": "jetson-nano",
        "space": "tiny_cnn",
        "state": "done",
        "metric": objectives[0].name,
        "direction": objectives[0].direction,
        "metrics": tuple(METRICS[name] for name in dict.fromkeys([*complete[0].metrics, *teacher.metrics])),
        "objectives": objectives,
        "seed": 1,
        "teacher": teacher,
        "understood": understood(),
        "limits": LimitsResult(max_latency_ms=2.6),
        "screened": 412,
        "trials": TrialCounts(complete=4, pruned=1, failed=2, running=0),
        "front": complete[:3],
        "complete": complete,
        "stopped": (
            StoppedTrial(
                trial=11,
                epochs=1,
                score=stopped,
                metrics={objectives[0].name: stopped},
                objectives=complete[0].objectives | {objectives[0].name: stopped, "latency_ms": 0.5},
                latency_ms=0.5,
                params=999,
            ),
        ),
        "picks": picks,
        "undistilled": (
            UndistilledPick(trial=5, role="fastest", missing={"searched": "not trained before the time was used up"}),
        ),
        "seconds": PhaseSeconds(budget=180, total=176.2, teacher=11.3, search=102.9, picks=61.5),
        "between_ms": 38.2,
        "failures": (FailureCount(reason="non-finite loss hint at step 41", count=2),),
        "common": CommonValues(
            looked_at=1_234,
            values=(shared("distill.losses.kd", "on", 0.0123, 3), shared("student", "mobilenet", 0.3, 2, 2)),
        ),
        "importance": (
            HoleImportance(hole="train.optimizer", score=1.0, front=None, trials=61),
            HoleImportance(hole="student.stages", score=None, front=1.0, trials=59),
        ),
        "history": tuple(
            HistoryRow(
                trial=each.trial,
                seconds=20.0 + 10 * index,
                score=each.score,
                metrics=each.metrics,
                objectives=each.objectives,
                latency_ms=each.latency_ms,
            )
            for index, each in enumerate(complete)
        ),
    }
    return StudyReview(**fields)


def summary(objectives=(ACCURACY, LATENCY), **more):
    """By accuracy: three trials on the front, one behind it, one stopped, two picks."""
    complete = students([{"accuracy": value, "macro_f1": value - 0.01} for value in (0.88, 0.95, 0.96, 0.80)])
    arms = {
        "no_distillation": arm({"accuracy": 0.9312, "macro_f1": 0.92}, gain(0.0199, 0.0081, 0.0322)),
        "plain_kd": arm({"accuracy": 0.9467, "macro_f1": 0.94}, gain(0.0044, -0.0051, 0.0133)),
    }
    surely = arms | {"plain_kd": arm({"accuracy": 0.9467, "macro_f1": 0.94}, gain(0.0167, 0.0051, 0.0281))}
    teacher = TeacherResult(
        sha256="ab" * 32,
        score=0.9861,
        metrics={"accuracy": 0.9861, "macro_f1": 0.982},
        validation_score=0.99,
        validation_metrics={"accuracy": 0.99},
    )
    picks = (
        pick(
            complete[1], "knee", {"accuracy": 0.9511, "macro_f1": 0.948}, {"accuracy": 0.9501, "macro_f1": 0.947},
            arms, 0.0042,
        ),
        pick(
            complete[2], "best", {"accuracy": 0.9634, "macro_f1": 0.961}, {"accuracy": 0.9624, "macro_f1": 0.960},
            surely, 0.0042,
        ),
    )  # fmt: skip
    return reviewed(complete, picks, teacher, objectives, 0.4).model_copy(update=more)


def by_log_loss(objectives=(LOG_LOSS, LATENCY), **more):
    """The same where less is better."""
    complete = students([{"log_loss": value, "accuracy": 1 - value / 4} for value in (0.41, 0.142, 0.131, 0.6)])
    arms = {
        "no_distillation": arm({"log_loss": 0.171, "accuracy": 0.93}, gain(-0.039, -0.05, -0.028)),
        "plain_kd": arm({"log_loss": 0.134, "accuracy": 0.95}, gain(-0.002, -0.009, 0.005)),
    }
    teacher = TeacherResult(
        score=0.11, metrics={"log_loss": 0.11, "accuracy": 0.98}, validation_score=0.1, sha256="cd" * 32
    )
    picks = (
        pick(
            complete[1], "knee", {"log_loss": 0.132, "accuracy": 0.951}, {"log_loss": 0.135, "accuracy": 0.95},
            arms, 0.0021,
        ),
        pick(
            complete[2], "best", {"log_loss": 0.125, "accuracy": 0.96}, {"log_loss": 0.126, "accuracy": 0.96},
            arms, 0.0021,
        ),
    )  # fmt: skip
    return reviewed(complete, picks, teacher, objectives, 2.3).model_copy(update=more)


def regression(**more):
    """A study of numbers, whose problem has no accuracy."""
    complete = students([{"rmse": value, "mae": value / 2} for value in (4.1, 1.42, 1.31, 6.0)])
    arms = {
        "no_distillation": arm({"rmse": 1.7, "mae": 0.8}, gain(-0.28, -0.4, -0.1)),
        "plain_kd": arm({"rmse": 1.5, "mae": 0.7}, gain(-0.08, -0.2, 0.04)),
    }
    teacher = TeacherResult(score=1.1, metrics={"rmse": 1.1, "mae": 0.5, "r2": 0.97}, validation_score=1.0)
    picks = (
        pick(complete[1], "knee", {"rmse": 1.42, "mae": 0.71, "r2": 0.95}, {"rmse": 1.43, "mae": 0.72}, arms, 0.1),
    )
    return reviewed(complete, picks, teacher, (RMSE, LATENCY), 23.0).model_copy(update={"understood": None, **more})


NOTHING = {
    "state": "open",
    "teacher": TeacherResult(),
    "understood": None,
    "limits": LimitsResult(),
    "screened": 0,
    "trials": TrialCounts(complete=0, pruned=0, failed=0, running=0),
    "front": (),
    "complete": (),
    "stopped": (),
    "picks": (),
    "undistilled": (),
    "seconds": PhaseSeconds(budget=180, total=0),
    "between_ms": None,
    "failures": (),
    "importance": (),
    "common": CommonValues(looked_at=0, values=()),
    "history": (),
}
"""What a study that has just begun says of itself."""
