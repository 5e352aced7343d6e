"""Custom losses: decorated functions in a file of the user's that the recipe names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from torch import Tensor

from automl_kd.core import Meaning, UserError
from automl_kd.distillation.losses import Kind, LossInputs, LossSpec, StepContext
from automl_kd.distillation.losses.inputs import ALL_STAGES, EMBEDDINGS, LOGITS, MAPS, STAGE_PAIRS
from automl_kd.recipes.custom_code import checked_file, run_file
from automl_kd.recipes.losses import CustomLoss

Function = TypeVar("Function", bound=Callable[..., Tensor])

_ATTRIBUTE = "automl_kd_loss"
_INPUTS: Mapping[str, LossInputs] = MappingProxyType(
    {each.name: each for each in (LOGITS, MAPS, EMBEDDINGS, STAGE_PAIRS, ALL_STAGES)}
)
_INPUTS_OF_0_1: Mapping[str, LossInputs] = MappingProxyType({"flows": STAGE_PAIRS, "pyramid": ALL_STAGES})
"""Names that files of version 0.1 use; such a file cannot be edited where a recipe holds its hash."""


def loss(
    inputs: str, *, kind: Kind | None = None, zero_at_identity: bool = True, takes: Collection[Meaning] | None = None
) -> Callable[[Function], Function]:
    """Mark a function as a loss that a recipe may name.

    >>> @loss("logits")
    ... def cosine(student, teacher, *, temperature):
    ...     return 1 - torch.cosine_similarity(student / temperature, teacher / temperature).mean()

    The function is called with one argument of the student and one of the teacher, and with ``parameters`` of the
    recipe as keywords; where it takes ``labels``, ``index`` or ``progress``, with those too. It returns a scalar.

    ===============  ===================================================
    ``logits``       outputs (B, width), for classes logits
    ``maps``         feature maps (B, C, H, W) of one pair of stages
    ``embeddings``   the spatial means (B, C) of the maps of one pair
    ``stage_pairs``  tuples of the maps of two neighbouring pairs
    ``all_stages``   tuples of the maps of all pairs, from the input on
    ===============  ===================================================

    Args:
        inputs: What the function is called with, see above.
        kind: What is compared, by default ``logit`` for logits and ``feature`` for all else.
        zero_at_identity: Whether the loss vanishes when the student equals the teacher.
        takes: What the outputs may mean: ``categorical`` (logits of classes), ``bernoulli`` (logits of labels) or
            ``real`` (values). By default a loss of ``logits`` takes those of classes, any other takes all.

    Raises:
        ValueError: If ``inputs`` or ``takes`` is none of these.
    """
    asked = _INPUTS.get(inputs) or _INPUTS_OF_0_1.get(inputs)
    if asked is None:
        raise ValueError(f"inputs {inputs!r}: should be one of {', '.join(_INPUTS)}")
    strange = set(takes or ()) - set(get_args(Meaning))
    if strange:
        raise ValueError(f"takes {sorted(strange)[0]!r}: should be of {', '.join(get_args(Meaning))}")

    def mark(function: Function) -> Function:
        stated = {
            "inputs": asked,
            "kind": kind or ("logit" if asked is LOGITS else "feature"),
            "zero_at_identity": zero_at_identity,
            "takes": None if takes is None else frozenset(takes),
        }
        setattr(function, _ATTRIBUTE, stated)
        return function

    return mark


def custom_loss_spec(name: str, part: CustomLoss, allow_code: bool) -> LossSpec:
    """The spec of a custom loss. Runs its file.

    Args:
        name: Its name in the recipe.
        part: Its part of the recipe, which says where it is.
        allow_code: Whether the user allowed code that the recipe names to run.

    Raises:
        UserError: If code may not run, the file is missing, changed or fails, or holds no such loss.
    """
    where = f"distill.losses.custom.{name}"
    path = checked_file(
        part.file,
        part.sha256,
        allow_code=allow_code,
        asked_by=where,
        file_field=f"{where}.file",
        hash_field=f"{where}.sha256",
    )
    function = _marked(where, path, part.function)
    accepted = inspect.signature(function).parameters
    told = [each for each in ("labels", "index", "progress") if each in accepted]

    def compare(part: CustomLoss, student: Any, teacher: Any, context: StepContext) -> Tensor:
        known = {each: getattr(context, each) for each in told}
        return function(student, teacher, **known, **part.parameters)

    return LossSpec(
        part=CustomLoss,
        compare=compare,
        scale="unknown: a custom loss",
        paper="custom",
        reference=f"{path.name}:{part.function}",
        unmixed=lambda part: "labels" in told or "index" in told,
        labels=lambda part: "labels" in told,
        **getattr(function, _ATTRIBUTE),
    )


def _marked(where: str, path: Path, name: str) -> Callable[..., Tensor]:
    module = run_file(path, f"{where}.file")
    marked = [each for each, value in vars(module).items() if hasattr(value, _ATTRIBUTE)]
    if name not in marked:
        found = f"it holds {', '.join(marked)}" if marked else "it marks none with @automl_kd.distillation.loss(…)"
        raise UserError(f"{where}.function: {path} has no loss {name}: {found}")
    function: Callable[..., Tensor] = getattr(module, name)
    return function
