"""The recipe's ``distill.losses``, one class a loss. The functions are in ``automl_kd.distillation.losses``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from automl_kd.recipes.part import Part
from automl_kd.recipes.schedules import Fraction, Positive, Schedule, Temperature, Weight
from automl_kd.recipes.students import Student

KEY_OF_0_1 = "own"
"""The key of ``custom`` in documents of version 0.1."""

Dimension = Annotated[int, Field(ge=1, le=65_536)]


class Loss(Part):
    """A loss: its ``weight`` in the units of ``distill.balance``, and the shares of a run between which it counts."""

    weight: Weight | Schedule
    after: Annotated[float, Field(ge=0, lt=1)] | None = None
    until: Annotated[float, Field(gt=0, le=1)] | None = None

    @property
    def inactive(self) -> bool:
        """Whether its weight is 0 throughout the run."""
        return self.weight == 0 or (isinstance(self.weight, Schedule) and self.weight.start == self.weight.end == 0)

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.after is not None and self.until is not None and self.after >= self.until:
            raise ValueError(f"after {self.after:g} must come before until {self.until:g}")
        return self


class TaskLoss(Loss):
    """Cross-entropy with the labels."""

    weight: Weight | Schedule = 1.0


class KD(Loss):
    """Soft targets (Hinton et al. 2015, arXiv:1503.02531)."""

    temperature: Temperature = 4.0


class DKD(Loss):
    """Soft targets, target and other classes apart (Zhao et al. 2022, arXiv:2203.08679)."""

    alpha: Weight = 1.0
    beta: Weight = 8.0
    temperature: Temperature = 4.0


class DIST(Loss):
    """Correlations between classes and between samples (Huang et al. 2022, arXiv:2205.10536)."""

    beta: Weight = 1.0
    gamma: Weight = 1.0
    temperature: Temperature = 4.0


class LogitStandardization(Loss):
    """Soft targets of standardised logits (Sun et al. 2024, arXiv:2403.01427); ``alpha`` and ``beta`` are DKD's."""

    loss: Literal["kd", "dkd"] = "kd"
    temperature: Temperature = 2.0
    alpha: Weight = 1.0
    beta: Weight = 8.0


class SoftCE(Loss):
    """Cross-entropy with the teacher's distribution."""

    temperature: Temperature = 1.0


class StagePair(Part):
    """A student's stage or submodule and the teacher's that it is compared with, by path."""

    student: str
    teacher: str


class FeatureLoss(Loss):
    """A loss between features, at the student's stages that ``at`` names: by default its last.

    A stage is paired with the teacher's stage at the same distance from the end. ``all`` stands for every stage that
    has a partner, and ``{student: PATH, teacher: PATH}`` for any two submodules.
    """

    at: tuple[str | StagePair, ...] = Field(default=("last",), min_length=1)


class Hint(FeatureLoss):
    """FitNets regression of the teacher's map (Romero et al. 2015, arXiv:1412.6550)."""


class AttentionTransfer(FeatureLoss):
    """Spatial attention maps (Zagoruyko & Komodakis 2017, arXiv:1612.03928)."""


class SimilarityPreserving(FeatureLoss):
    """Similarities of samples within a batch (Tung & Mori 2019, arXiv:1907.09682)."""


class CorrelationCongruence(FeatureLoss):
    """Correlations of samples under a Gaussian kernel (Peng et al. 2019, arXiv:1904.01802)."""

    gamma: Positive = 0.4
    order: Annotated[int, Field(ge=1, le=10)] = 2


class CorrelationCongruenceAdjacent(FeatureLoss):
    """Products of neighbouring samples of the batch, the form in which CC is mostly run."""


class VID(FeatureLoss):
    """Variational information (Ahn et al. 2019, arXiv:1904.05835)."""


class RKDDistance(FeatureLoss):
    """Distances between embeddings (Park et al. 2019, arXiv:1904.05068)."""


class RKDAngle(FeatureLoss):
    """Angles between embeddings (Park et al. 2019, arXiv:1904.05068)."""


class PKT(FeatureLoss):
    """Similarities of embeddings as probabilities (Passalis & Tefas 2018, arXiv:1803.10837)."""


class ActivationBoundary(FeatureLoss):
    """Which neurons are active (Heo et al. 2019, arXiv:1811.03233)."""

    margin: Positive = 1.0


class FactorTransfer(FeatureLoss):
    """Factors of a paraphraser (Kim et al. 2018, arXiv:1802.04977), which is trained alone up to ``pretrain``."""

    rate: Annotated[float, Field(gt=0, le=4)] = 0.5
    pretrain: Annotated[float, Field(gt=0, lt=1)] = 0.1


class FSP(FeatureLoss):
    """Flow between stages (Yim et al. 2017, CVPR): needs two or more."""

    at: tuple[str | StagePair, ...] = Field(default=("all",), min_length=1)


class NST(FeatureLoss):
    """Selectivity of neurons (Huang & Wang 2017, arXiv:1707.01219)."""


class CRD(FeatureLoss):
    """Contrast with a memory of the whole training split (Tian et al. 2020, arXiv:1910.10699)."""

    dimension: Dimension = 128
    negatives: Dimension = 4096
    temperature: Positive = 0.07
    momentum: Fraction = 0.5


class CRDInBatch(FeatureLoss):
    """Contrast within the batch (InfoNCE), without a memory."""

    dimension: Dimension = 128
    temperature: Positive = 0.07


class ReviewHCL(FeatureLoss):
    """Knowledge review: stages fused from the last to the first (Chen et al. 2021, arXiv:2104.09044)."""

    at: tuple[str | StagePair, ...] = Field(default=("all",), min_length=1)


class SimKD(Loss):
    """The teacher's last map behind the student's projector, and the teacher's classifier (Chen et al. 2022).

    arXiv:2203.14001. Needs ``student.projector`` with as many channels as the teacher's last map.
    """


class SRRL(FeatureLoss):
    """Statistics of the map, and the teacher's classifier on it (Yang et al. 2021, ICLR)."""


class ChannelWise(FeatureLoss):
    """Where each channel looks (Shu et al. 2021, arXiv:2011.13256)."""

    temperature: Positive = 4.0


class PKD(FeatureLoss):
    """Pearson correlation of maps (Cao et al. 2022, arXiv:2207.02039)."""


class ICKD(FeatureLoss):
    """Correlations between channels (Liu et al. 2021, ICCV)."""


class Gram(FeatureLoss):
    """Gram matrices of the channels (Gatys et al. 2015, arXiv:1508.06576)."""


class MMD(FeatureLoss):
    """Maximum mean discrepancy between distributions of activations (Huang & Wang 2017, arXiv:1707.01219)."""


class GradientMatching(Loss):
    """Gradients with respect to the image (Srinivas & Fleuret 2018, arXiv:1803.00443)."""


class TinyBERTHidden(FeatureLoss):
    """Hidden states of transformers (Jiao et al. 2020, arXiv:1909.10351)."""


class TinyBERTAttention(FeatureLoss):
    """Attention scores of transformers (Jiao et al. 2020, arXiv:1909.10351), tapped by path."""


class SelfDistillation(FeatureLoss):
    """Exits at earlier stages learn from the student's own logits (Zhang et al. 2019, arXiv:1905.08094)."""

    at: tuple[str | StagePair, ...] = Field(default=("all",), min_length=1)
    temperature: Temperature = 3.0


class Mutual(Loss):
    """A peer trained alongside, each learning from the other (DML; Zhang et al. 2018, arXiv:1706.00384).

    ``student`` is what the peer is, by default the same as the student with weights of its own.
    """

    student: Student | None = None
    temperature: Temperature = 1.0


class CustomLoss(FeatureLoss):
    """A custom loss: the function ``function`` in the Python file ``file``, which runs only where that is allowed."""

    file: str
    function: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class Losses(Part):
    """The losses of a recipe; a loss that is left out is not computed."""

    task: TaskLoss = TaskLoss()
    kd: KD | None = None
    dkd: DKD | None = None
    dist: DIST | None = None
    logit_standardization: LogitStandardization | None = None
    ce_soft: SoftCE | None = None
    hint: Hint | None = None
    attention_transfer: AttentionTransfer | None = None
    similarity_preserving: SimilarityPreserving | None = None
    correlation_congruence: CorrelationCongruence | None = None
    correlation_congruence_adjacent: CorrelationCongruenceAdjacent | None = None
    vid: VID | None = None
    rkd_distance: RKDDistance | None = None
    rkd_angle: RKDAngle | None = None
    pkt: PKT | None = None
    activation_boundary: ActivationBoundary | None = None
    factor_transfer: FactorTransfer | None = None
    fsp: FSP | None = None
    nst: NST | None = None
    crd: CRD | None = None
    crd_inbatch: CRDInBatch | None = None
    review_hcl: ReviewHCL | None = None
    simkd: SimKD | None = None
    srrl: SRRL | None = None
    channel_wise: ChannelWise | None = None
    pkd: PKD | None = None
    ickd: ICKD | None = None
    gram: Gram | None = None
    gradient_matching: GradientMatching | None = None
    mmd: MMD | None = None
    tinybert_hidden: TinyBERTHidden | None = None
    tinybert_attention: TinyBERTAttention | None = None
    self_distillation: SelfDistillation | None = None
    mutual: Mutual | None = None
    custom: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], CustomLoss] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_the_key_of_0_1(cls, data: Any) -> Any:
        if not isinstance(data, dict) or KEY_OF_0_1 not in data:
            return data
        if "custom" in data:
            raise ValueError(f"{KEY_OF_0_1} is the old name of custom, and both are given: leave {KEY_OF_0_1} out")
        return {"custom" if key == KEY_OF_0_1 else key: value for key, value in data.items()}

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> Self:
        if all(loss.inactive for _, loss in self.active()):
            raise ValueError("every loss has weight 0; nothing would be learned")
        taken = [name for name in self.custom or () if name in type(self).model_fields]
        if taken:
            raise ValueError(f"custom.{taken[0]} has the name of a loss that is built in; give it another")
        return self

    def active(self) -> list[tuple[str, Loss]]:
        """The losses of the recipe by name, in the order of the schema; the custom ones last."""
        pairs = ((name, getattr(self, name)) for name in type(self).model_fields if name != "custom")
        return [*((name, loss) for name, loss in pairs if loss is not None), *(self.custom or {}).items()]

    def needing_teacher(self) -> list[str]:
        """The names of the losses that need a teacher."""
        return [name for name, _ in self.active() if name not in _WITHOUT_TEACHER]


_WITHOUT_TEACHER = frozenset({"task", "self_distillation", "mutual"})
