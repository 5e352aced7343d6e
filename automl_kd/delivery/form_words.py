"""What the form that ships costs against the same weights in float32, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_kd.compression import computes_as_module
from automl_kd.core import size
from automl_kd.delivery.prices import joined
from automl_kd.delivery.text import harmful, inconclusive, worth
from automl_kd.objectives import Objective
from automl_kd.onnxio import TFLITE
from automl_kd.recipes import FLOAT32
from automl_kd.results import Flash, FloatOperators, Gain, PickResult, ShippedFile


@dataclass(frozen=True)
class FloatScore:
    """What the same weights reach in float32.

    Attributes:
        score: On the test split; None where that was not read.
        gain: What ships minus that.
        seeds: How many it is the mean of.
    """

    score: float | None
    gain: Gain | None
    seeds: int = 1

    @classmethod
    def of(cls, pick: PickResult) -> FloatScore:
        """Of a pick."""
        return cls(pick.test_score_float, pick.gain_over_float, len(pick.seeds))


def deployed_score(pick: PickResult) -> float | None:
    """Score of a pick's ONNX file in the device's precision; None where that file is what is scored in any case.

    It would be the score of a single seed beside the mean over all.
    """
    return pick.test_score_deployed if computes_as_module(pick.recipe.compress) else None


def form_sentences(form: str, beside: FloatScore, shipped: ShippedFile | None, objective: Objective) -> list[str]:
    """What the form of a compressed student costs, what of it computes with floats, and what it takes.

    Args:
        form: What ships, in a word: ``int8``.
        beside: The same weights in float32.
        shipped: The file on its device; None where that is not known.
        objective: What scores are of.
    """
    if shipped is None:
        return [_cost(form, beside, objective)]
    if shipped.scored and form == FLOAT32:
        kept = "The recipe keeps every layer in floats" if shipped.decided is None else f"The student {shipped.decided}"
        return [f"{kept}; nothing is left to compute with integers.", _flash(shipped.flash)]
    return [_cost(form, beside, objective), *_fallbacks(shipped), _flash(shipped.flash)]


def not_converted(shipped: ShippedFile | None) -> list[str]:
    """That a file is missing that is made here for the device, and why; nothing where none is."""
    if shipped is None or shipped.not_converted is None:
        return []
    return [f"{TFLITE} is not delivered: {shipped.not_converted}"]


def _cost(form: str, beside: FloatScore, objective: Objective) -> str:
    """One sentence, never none: the score in float32, and what the form costs, gains, or changes within noise."""
    gain = beside.gain
    if beside.score is None or gain is None:
        return f"What the same weights reach in float32, without {form}, was not read."
    mean = f" (mean of {beside.seeds} seeds)" if beside.seeds > 1 else ""
    reached = f"In float32 the same weights reach {objective.shown(beside.score)}{mean}"
    if inconclusive(gain):
        return f"{reached}; {form} changes that by {worth(gain, objective)}, which is within noise."
    if harmful(gain, objective):
        return f"{reached}: {form} costs {_amount(gain, objective)}."
    return f"{reached}: {form} gains {_amount(gain, objective)}."


def _amount(gain: Gain, objective: Objective) -> str:
    """A difference that is surely on one side of 0, without its sign: ``1.2 points (95 % interval 0.4 to 2.0)``."""
    low, high = sorted(map(abs, (gain.low, gain.high)))
    return worth(Gain(difference=abs(gain.difference), low=low, high=high), objective).replace("+", "")


def _fallbacks(shipped: ShippedFile) -> list[str]:
    """What computes with floats, by the recipe's wish or not, and what the device's runtime leaves to its host."""
    said = []
    if (in_floats := shipped.in_floats) is not None:
        kept, rest = _by_wish(in_floats)
        if shipped.decided is not None:
            said.append(f"The student {shipped.decided}.")
        elif kept:
            said.append(f"The recipe keeps {_layers(kept)} in floats.")
        if rest:
            lone = "it" if sum(each.count for each in rest) == 1 else "them"
            said.append(
                f"Nothing quantises {_operators(rest)}: what computes with integers alone leaves {lone} to its host,"
                f" or cannot run {lone}."
            )
        if not in_floats:
            said.append("All of its operators compute with integers.")
    if shipped.on_host is not None:
        said.append(f"To its host the device's runtime leaves {shipped.on_host}.")
    return said


def operators(found: Sequence[FloatOperators]) -> str:
    """What computes with floats, for a table: ``stem.0, as the recipe says; 2 Softmax (stage1.0, head.0)``."""
    kept, rest = _by_wish(found)
    return "; ".join(
        [*([f"{_layers(kept)}, as the recipe says"] if kept else []), *([_operators(rest)] if rest else [])]
    )


def _by_wish(found: Sequence[FloatOperators]) -> tuple[list[FloatOperators], list[FloatOperators]]:
    """What the recipe keeps in floats, and what nothing quantises."""
    return [each for each in found if each.kept], [each for each in found if not each.kept]


def _layers(found: Sequence[FloatOperators]) -> str:
    """``stem.0 and head.0``."""
    return joined(list(dict.fromkeys(layer for each in found for layer in each.layers)))


def _operators(found: Sequence[FloatOperators]) -> str:
    """``2 Softmax (stage1.0, stage2.0) and 1 Gelu (stage1.0)``."""
    return joined([f"{each.count} {each.operator}{_places(each)}" for each in found])


def _places(found: FloatOperators) -> str:
    return f" ({', '.join(found.layers)})" if found.layers else ""


def _flash(flash: Flash) -> str:
    """What it takes, of what there is: ``Its weights take 12.3 KiB (44.0 KiB in float32); …``."""
    weights, file = _beside(flash.weights, flash.float_weights), _beside(flash.file, flash.float_file)
    begun = "Its" if flash.limit is None else f"Of the device's {size(flash.limit)} of flash its"
    return f"{begun} weights take {weights}; the ONNX file has {file}."


def _beside(ships: int, floats: int | None) -> str:
    return size(ships) if floats is None else f"{size(ships)} ({size(floats)} in float32)"
