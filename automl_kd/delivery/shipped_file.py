"""What ships as its device keeps it and runs it: flash, operators in floats, kernels on the host."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from automl_kd.compression import computes_as_module, fallbacks, form_in_words
from automl_kd.core import Input
from automl_kd.delivery.prices import joined
from automl_kd.hardware import Prediction, Profile
from automl_kd.recipes import Recipe
from automl_kd.results import Flash, FloatOperators, ShippedFile
from automl_kd.students import Plan


def shipped_file(
    onnx: Path,
    recipe: Recipe,
    prediction: Prediction,
    plan: Plan,
    profile: Profile,
    takes: Input,
    beside: tuple[Path, Plan] | None,
) -> ShippedFile:
    """What the file of a student is to its device.

    Args:
        onnx: The file that ships.
        recipe: What makes it.
        prediction: Its price.
        plan: Of what ships.
        profile: The device.
        takes: The input.
        beside: File and plan of the student without the stages of ``compress``; None where there are none, and the
            device is not asked what it leaves to its host.
    """
    assert prediction.size_bytes is not None
    limit = profile.limits.weights
    flash = Flash(
        weights=prediction.size_bytes,
        file=onnx.stat().st_size,
        float_weights=None if beside is None else profile.price([beside[1]])[0].size_bytes,
        float_file=None if beside is None else beside[0].stat().st_size,
        limit=None if limit == float("inf") else int(limit),
    )
    found = fallbacks(plan, onnx)
    in_floats = None if found is None else tuple(FloatOperators(**asdict(each)) for each in found)
    on_host = None if beside is None else _on_host(onnx, profile, takes)
    return ShippedFile(
        form=form_in_words(recipe, plan),
        scored=not computes_as_module(recipe.compress),
        flash=flash,
        in_floats=in_floats,
        on_host=on_host,
    )


def _on_host(onnx: Path, profile: Profile, takes: Input) -> str | None:
    """``2 of 31 kernels: softmax``."""
    kernels = profile.network(onnx, takes.shape).kernels
    left = [kernel.kind.value for kernel in kernels if kernel.on_host]
    return f"{len(left)} of {len(kernels)} kernels: {joined(sorted(set(left)))}" if left else None
