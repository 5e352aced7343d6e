"""A recipe in plain sentences: the student, its start, the losses, the training, augmentation, compression."""

from __future__ import annotations

from collections.abc import Sequence

from automl_kd.compression import described
from automl_kd.delivery.loss_words import loss_words
from automl_kd.delivery.part_words import named, share, values_of
from automl_kd.delivery.prices import joined
from automl_kd.recipes import FLOAT32, Part, Recipe, StudentPart, Train

_BALANCES = {
    "gradient": "A weight of 1 pulls the student as strongly as the task's own loss.",
    "uncertainty": "The weights are learned beside the student.",
}
_BATCH_NORM = {
    "frozen": "batch normalisation keeps its statistics",
    "reestimated": "statistics of batch normalisation are measured anew before it is judged",
}


def recipe_sentences(recipe: Recipe) -> tuple[str, ...]:
    """How a student is made, in a few plain sentences."""
    return (
        f"The student is a {student_words(recipe.student)}.",
        _start(recipe),
        *_losses(recipe),
        _training(recipe.train),
        _augmentation(recipe),
        _compression(recipe),
    )


def student_words(student: StudentPart) -> str:
    """Which network it is: ``network of family resnet: 2 stages with depth 2 and 1, channels 16 and 32``."""
    named_by_us = student.title == student.family
    about = f"of family {student.family}" if named_by_us else f"{student.title} (family {student.family})"
    facts = [] if (stages := getattr(student, "stages", None)) is None else [stages_words(stages)]
    facts += values_of(student, leaving_out=("family", "start", "stages", "resolution", "projector", "model"))
    if student.resolution is not None:
        facts.append(f"images of {student.resolution} x {student.resolution} pixels")
    if getattr(student, "projector", None) is not None:
        facts.append(f"a projector with {', '.join(values_of(student.projector, leaving_out=()))}")  # type: ignore[attr-defined]
    return f"network {about}{': ' if facts else ''}{', '.join(facts)}"


def stages_words(stages: Sequence[Part]) -> str:
    """``2 stages with depth 2 and 1, channels 16 and 32``; what all stages share is said once."""
    documents = [each.model_dump(mode="json", exclude_none=True) for each in stages]
    facts = []
    for name in dict.fromkeys(key for each in documents for key in each):
        values = [named(each[name]) if name in each else "its own" for each in documents]
        if set(values) == {"no"}:
            continue
        facts.append(f"{name.replace('_', ' ')} {values[0] if len(set(values)) == 1 else joined(values)}")
    return f"{len(stages)} stage{'s' if len(stages) > 1 else ''} with {', '.join(facts)}"


def _start(recipe: Recipe) -> str:
    start = recipe.student.start
    if start is None:
        return "It starts from random weights."
    if start.weights == "pretrained":
        return "It starts from the published weights of that network."
    return f"It starts from the weights in {start.weights}."


def _losses(recipe: Recipe) -> list[str]:
    distill = recipe.distill
    said = [f"It learns from {joined([loss_words(name, loss) for name, loss in distill.losses.active()])}."]
    if not distill.needs_teacher():
        return [*said, "None of them hears a teacher: this is training without distillation."]
    more = [_BALANCES[distill.balance]] if distill.balance in _BALANCES else []
    if (hand := distill.handover) is not None:
        more.append(
            f"From {share(hand.start)} to {share(hand.end)} of the run weight passes from {hand.source} to"
            f" {hand.target} ({hand.schedule})."
        )
    if (easy := distill.curriculum) is not None:
        more.append(
            f"Outputs are compared on the easiest {share(easy.start)} of each batch first, on all from"
            f" {share(easy.until)} of the run on."
        )
    if distill.fuse is not None:
        more.append(f"Several teachers are made one by {distill.fuse}.")
    return [*said, *([" ".join(more)] if more else [])]


def _training(train: Train) -> str:
    optimizer = train.optimizer
    how = values_of(optimizer, leaving_out=("name", "lr"), defaults=True)
    rate = f"a learning rate of {named(optimizer.lr)}"
    schedule = f"annealed by a cosine after a warm-up of {share(train.warmup)}" if train.warmup else "on a cosine"
    said = (
        f"Training takes {train.epochs} epoch{'s' if train.epochs > 1 else ''} in batches of {train.batch_size} with"
        f" {optimizer.name.upper() if optimizer.name == 'sgd' else 'AdamW'} at {rate} {schedule} ({', '.join(how)})"
    )
    return f"{said}{'; ' if (more := _fine_tuning(train)) else ''}{', '.join(more)}."


def _fine_tuning(train: Train) -> list[str]:
    """What is beside the usual: smoothing, averages, what is held, and the like."""
    said = [f"label smoothing {named(train.label_smoothing)}"] if train.label_smoothing else []
    said += [] if train.ema is None else [f"weights averaged with a decay of {train.ema:g}"]
    if train.layer_decay not in (None, 1):
        said.append(f"a learning rate that falls by {named(train.layer_decay)} for every stage away from the head")
    said += [f"in the first {share(train.freeze)} of the run the head alone"] if train.freeze else []
    said += [] if train.batch_norm is None else [_BATCH_NORM[train.batch_norm]]
    said += [] if train.clip is None else [f"gradients clipped at {named(train.clip)}"]
    said += [] if train.unlabelled is None else [f"{share(train.unlabelled)} of every batch without labels"]
    return [*said, *([] if train.precision is None else [f"computed in {train.precision}"])]


def _augmentation(recipe: Recipe) -> str:
    if not recipe.train.augment:
        return "Examples are shown as they are."
    return f"Examples are varied by {joined([each.replace('_', ' ') for each in recipe.train.augment])}."


def _compression(recipe: Recipe) -> str:
    if not recipe.compress:
        return f"It ships as it was trained, in {FLOAT32}."
    return f"It ships compressed: {described(recipe.compress)}."
