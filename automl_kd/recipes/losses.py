"""What a recipe may say of losses, one class a loss. What they compute stands in ``automl_kd.distillation.losses``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from automl_kd.recipes._part import Part

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
Weight = Annotated[float, Field(ge=0, le=1e6)]


class TemperatureSchedule(Part):
    """A temperature that moves from ``start`` to ``end`` over the run."""

    schedule: Literal["constant", "linear", "cosine"]
    start: Positive
    end: Positive

    @model_validator(mode="after")
    def _constant_stays(self) -> Self:
        if self.schedule == "constant" and self.start != self.end:
            raise ValueError("a constant schedule has equal start and end")
        return self


class WeightSchedule(Part):
    """A weight that moves from ``start`` to ``end`` over the run."""

    schedule: Literal["linear", "cosine"]
    start: Weight
    end: Weight


class Loss(Part):
    """``weight`` as published (no balancing), applied up to the fraction ``until`` of the run."""

    weight: Weight | WeightSchedule
    until: Annotated[float, Field(gt=0, le=1)] | None = None


class TaskLoss(Loss):
    """Cross-entropy with the labels."""

    weight: Weight | WeightSchedule = 1.0


class KD(Loss):
    """Soft targets (Hinton et al. 2015, arXiv:1503.02531)."""

    temperature: Positive | TemperatureSchedule = 4.0


class DIST(Loss):
    """Correlations between classes and between samples (Huang et al. 2022, arXiv:2205.10536)."""

    beta: Weight = 1.0
    gamma: Weight = 1.0
    temperature: Positive | TemperatureSchedule = 4.0


class FeatureLoss(Loss):
    """A loss between feature maps, at the student's stages named in ``at``: by default its last."""

    at: tuple[str, ...] = Field(default=("last",), min_length=1)


class Hint(FeatureLoss):
    """FitNets regression of the teacher's map (Romero et al. 2015, arXiv:1412.6550)."""


class AttentionTransfer(FeatureLoss):
    """Spatial attention maps (Zagoruyko & Komodakis 2017, arXiv:1612.03928)."""


class SimilarityPreserving(FeatureLoss):
    """Similarities of samples within a batch (Tung & Mori 2019, arXiv:1907.09682)."""


class NST(FeatureLoss):
    """Selectivity of neurons (Huang & Wang 2017, arXiv:1707.01219)."""


class PKT(Loss):
    """Similarities of embeddings as probabilities (Passalis & Tefas 2018, arXiv:1803.10837)."""


class RKD(Loss):
    """Relational distillation of distances and angles between embeddings (Park et al. 2019, arXiv:1904.05068)."""

    distance: Weight = 25.0
    angle: Weight = 50.0


class Losses(Part):
    """The losses of a recipe; what is left out is not computed."""

    task: TaskLoss = TaskLoss()
    kd: KD | None = None
    hint: Hint | None = None
    attention_transfer: AttentionTransfer | None = None
    rkd: RKD | None = None
    dist: DIST | None = None
    similarity_preserving: SimilarityPreserving | None = None
    nst: NST | None = None
    pkt: PKT | None = None

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> Self:
        weights = [loss.weight for _, loss in self.active()]
        if all(weight == 0 for weight in weights):
            raise ValueError("every loss has weight 0; nothing would be learned")
        return self

    def active(self) -> list[tuple[str, Loss]]:
        """The losses present, by name, in the order of the schema."""
        pairs = ((name, getattr(self, name)) for name in type(self).model_fields)
        return [(name, loss) for name, loss in pairs if loss is not None]


class HandOver(Part):
    """Weight moves from one loss to another between two fractions of the run (two-stage training made smooth)."""

    source: Literal["hint", "attention_transfer", "rkd"] = "hint"
    target: Literal["task", "kd"] = "kd"
    schedule: Literal["linear", "cosine"] = "linear"
    start: Fraction = 0.0
    end: Fraction = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"start {self.start:g} must come before end {self.end:g}")
        return self
