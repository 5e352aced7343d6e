"""Builders of adapters for losses that need one only where student and teacher differ in channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from automl_kd.distillation.adapters import Several
from automl_kd.distillation.losses.inputs import Pair
from automl_kd.distillation.losses.spec import BuildContext

Build = Callable[[int, int], nn.Module]
Adapter = Callable[[Any, tuple[Pair, ...], BuildContext], nn.Module | None]


def where_channels_differ(build: Build) -> Adapter:
    """The adapter of a loss of one pair of maps: ``build(student's channels, teacher's)``, or None where they agree."""

    def adapter(part: Any, pairs: tuple[Pair, ...], context: BuildContext) -> nn.Module | None:
        (pair,) = pairs
        ours, theirs = pair.student_shape[0], pair.teacher_shape[0]
        return build(ours, theirs) if ours != theirs else None

    return adapter


def each_where_channels_differ(build: Build) -> Adapter:
    """The adapter of a loss of several pairs of maps: one module for each pair, or None where all channels agree."""

    def adapter(part: Any, pairs: tuple[Pair, ...], context: BuildContext) -> nn.Module | None:
        channels = [(pair.student_shape[0], pair.teacher_shape[0]) for pair in pairs]
        if all(ours == theirs for ours, theirs in channels):
            return None
        return Several(build(ours, theirs) if ours != theirs else nn.Identity() for ours, theirs in channels)

    return adapter
