"""Losses of the user's own: a decorated function in a file that the recipe names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from automl_kd.core import UserError
from automl_kd.distillation.losses import Contract, Inputs, Kind, Moment
from automl_kd.recipes.losses import OwnLoss
from automl_kd.recipes.own_code import checked_file, run_file

Function = TypeVar("Function", bound=Callable[..., Tensor])

_ATTRIBUTE = "automl_kd_loss"
_INPUTS = ("logits", "maps", "embeddings", "flows", "pyramid")


def loss(inputs: Inputs, *, kind: Kind | None = None, zero_at_identity: bool = True) -> Callable[[Function], Function]:
    """Mark a function as a loss that a recipe may name.

    >>> @loss("logits")
    ... def cosine(student, teacher, *, temperature):
    ...     return 1 - torch.cosine_similarity(student / temperature, teacher / temperature).mean()

    The function is called with what :class:`Contract` says of ``inputs``, and with ``parameters`` of the recipe as
    keywords; where it takes ``labels``, ``index`` or ``progress``, with those too. It returns a scalar.

    Args:
        inputs: ``logits``, ``maps``, ``embeddings``, ``flows`` or ``pyramid``.
        kind: By default ``logit`` for logits and ``feature`` for all else.
        zero_at_identity: Whether the loss vanishes when the student equals the teacher.

    Raises:
        ValueError: If ``inputs`` is none of these.
    """
    if inputs not in _INPUTS:
        raise ValueError(f"inputs {inputs!r}: should be one of {', '.join(_INPUTS)}")

    def mark(function: Function) -> Function:
        stated = (inputs, kind or ("logit" if inputs == "logits" else "feature"), zero_at_identity)
        setattr(function, _ATTRIBUTE, stated)
        return function

    return mark


def own_contract(name: str, part: OwnLoss, allow_code: bool) -> Contract:
    """The contract of a loss of the user's own. Runs its file.

    Args:
        name: Its name in the recipe.
        part: Where it is.
        allow_code: Whether the user said that the recipe's code may run.

    Raises:
        UserError: If code may not run, the file is missing, changed or fails, or holds no such loss.
    """
    where = f"distill.losses.own.{name}"
    path = checked_file(
        part.file,
        part.sha256,
        allow_code=allow_code,
        asked_by=where,
        file_field=f"{where}.file",
        hash_field=f"{where}.sha256",
    )
    function = _marked(where, path, part.function)
    inputs, kind, zero = getattr(function, _ATTRIBUTE)
    accepted = inspect.signature(function).parameters
    told = [each for each in ("labels", "index", "progress") if each in accepted]

    def compare(part: OwnLoss, student: Any, teacher: Any, moment: Moment) -> Tensor:
        known = {each: getattr(moment, each) for each in told}
        return function(student, teacher, **known, **part.parameters)

    return Contract(
        kind=kind,
        inputs=inputs,
        compare=compare,
        scale="the user's",
        zero_at_identity=zero,
        paper="the user's own",
        reference=f"{path.name}:{part.function}",
        unmixed=lambda part: "labels" in told or "index" in told,
    )


def _marked(where: str, path: Path, name: str) -> Callable[..., Tensor]:
    module = run_file(path, f"{where}.file")
    marked = [each for each, value in vars(module).items() if hasattr(value, _ATTRIBUTE)]
    if name not in marked:
        found = f"it holds {', '.join(marked)}" if marked else "it marks none with @automl_kd.distillation.loss(…)"
        raise UserError(f"{where}.function: {path} has no loss {name}: {found}")
    function: Callable[..., Tensor] = getattr(module, name)
    return function
