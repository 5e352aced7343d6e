"""A loss of a recipe as words: what it compares, whose it is, how much it counts, and when."""

from __future__ import annotations

import inspect
import re
from typing import Any

from automl_kd.delivery.part_words import named, share, title_of, values_of
from automl_kd.distillation import LOSS_SPECS
from automl_kd.recipes import Loss, Part, Schedule

_NAMES = ("FitNets", "Gram", "Pearson")
"""Words that keep their capital within a sentence."""
_SAID = ("weight", "after", "until", "temperature", "at", "file", "function", "sha256", "parameters")


def loss_words(name: str, loss: Loss) -> str:
    """``kd (soft targets, Hinton et al. 2015) with weight 0.5 at temperature 4 in the first 30 % of the run``."""
    facts = [_weight(loss)]
    if (temperature := getattr(loss, "temperature", None)) is not None:
        facts.append(f"at {_temperature(temperature)}")
    if (at := getattr(loss, "at", None)) is not None and at != type(loss).model_fields["at"].default:
        facts.append(f"at stage {', '.join(map(_place, at))}")
    facts += [f"with {each}" for each in values_of(loss, leaving_out=_SAID)]
    return f"{name}{_what(name, loss)} {' '.join([*facts, *_when(loss)])}"


def _what(name: str, loss: Loss) -> str:
    """What it is and whose, in parentheses."""
    if name == "task":
        return " (the task's own loss with the labels)"
    if (file := getattr(loss, "file", None)) is not None:
        return f" (custom, {loss.function} in {file})"  # type: ignore[attr-defined]
    spec = LOSS_SPECS[name]
    title = re.match(r"[^(;:.]*", inspect.getdoc(spec.part) or "")
    authors = re.match(r"[^,]* \d{4}", spec.paper)
    facts = [*([_in_a_sentence(title[0].strip())] if title and title[0] else []), *([authors[0]] if authors else [])]
    return f" ({', '.join(facts)})" if facts else ""


def _in_a_sentence(title: str) -> str:
    return title if title.startswith(_NAMES) else title[:1].lower() + title[1:]


def _weight(loss: Loss) -> str:
    off = " (off)" if loss.inactive else ""
    return f"with weight {_moving(loss.weight)}{off}"


def _temperature(temperature: Any) -> str:
    if isinstance(temperature, Part) and not isinstance(temperature, Schedule):
        kind = next(iter(type(temperature).model_fields))
        facts = values_of(temperature, leaving_out=(kind,), defaults=True)
        return f"a temperature by {getattr(temperature, kind)} ({', '.join(facts)})"
    return f"{title_of('temperature')} {_moving(temperature)}"


def _moving(number: float | Schedule) -> str:
    if isinstance(number, Schedule):
        return f"{named(number.start)} to {named(number.end)} ({number.schedule})"
    return named(float(number))


def _place(at: Any) -> str:
    return at if isinstance(at, str) else f"{at.student} beside the teacher's {at.teacher}"


def _when(loss: Loss) -> list[str]:
    after, until = loss.after or 0.0, 1.0 if loss.until is None else loss.until
    if after == 0:
        return [] if until == 1 else [f"in the first {share(until)} of the run"]
    return [f"after {share(after)} of the run" if until == 1 else f"from {share(after)} to {share(until)} of the run"]
