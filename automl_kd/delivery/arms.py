"""A student beside the same network trained in other ways, and which of them it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from automl_kd.delivery.text import harmful, inconclusive, worth
from automl_kd.objectives import Objective
from automl_kd.results import ARMS, Arm, ArmResult, PickResult, PlainKdSetting, compared_arms

_NAMES: Mapping[Arm, str] = {
    "searched": "losses that the search found",
    "no_distillation": "no distillation",
    "plain_kd": "plain KD",
    "from_scratch": "from scratch",
}
_OTHERS: tuple[Arm, ...] = ("no_distillation", "plain_kd")
_AHEAD = "beyond a standard error on search-validation"
_NOT_BORNE = "The test does not bear the choice out."


def arm_heads(picks: Sequence[PickResult]) -> dict[Arm, str]:
    """The arms that a table of picks has a column for, and what heads it."""
    names = _names(picks and all(pick.pretrained for pick in picks)) | {"searched": "searched losses"}
    return {arm: names[arm] for arm in compared_arms(picks)}


def _names(pretrained: object) -> dict[Arm, str]:
    """What arms are called; where all of them start from weights, the one without a teacher is fine-tuned."""
    return {**_NAMES, "no_distillation": "fine-tuned without teacher"} if pretrained else {**_NAMES}


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Trainings that share network, ``train``, epochs and seeds, and differ in what they hear of the teacher.

    One of a student that starts from weights may differ in these instead.

    Attributes:
        arm: What is delivered: another than ``searched`` where that was ahead; None where nothing was compared.
        hears_teacher: Whether the losses that the search found do; else they are training without distillation.
        pretrained: Whether the student that was searched starts from weights: without a teacher it is fine-tuned.
        results: Each arm whose test was read, that of ``arm`` included.
        missing: Why an arm has no result, by arm, as far as that is known.
        plain_kd_setting: The best setting of plain KD.
    """

    arm: Arm | None = None
    hears_teacher: bool = True
    pretrained: bool = False
    results: Mapping[Arm, ArmResult] = field(default_factory=dict, hash=False)
    missing: Mapping[Arm, str] = field(default_factory=dict, hash=False)
    plain_kd_setting: PlainKdSetting | None = None

    @classmethod
    def of(cls, pick: PickResult) -> Arms:
        """The arms of a pick."""
        return cls(
            arm=pick.arm,
            hears_teacher=pick.hears_teacher,
            pretrained=pick.pretrained,
            results=pick.arms,
            missing=pick.missing,
            plain_kd_setting=pick.plain_kd_setting,
        )

    @property
    def others(self) -> list[tuple[str, ArmResult]]:
        """Name and result of the arms that were trained and are not delivered."""
        names = _names(self.pretrained)
        return [(names[arm], self.results[arm]) for arm in ARMS if arm != self.arm and arm in self.results]

    def sentences(self, objective: Objective) -> tuple[str, ...]:
        """What is delivered where it is not what was searched, what each arm says of it, and which was not trained.

        Args:
            objective: What the scores are of.
        """
        setting = self.plain_kd_setting
        plain = "plain KD" + (f" (temperature {setting.temperature:g}, weight {setting.weight:g})" if setting else "")
        beside_plain = self._beside("plain_kd", "plain KD", objective, f"With {plain}")
        match self.arm:
            case "plain_kd":
                said = [*self._instead(f"{plain}, the best of its settings,", objective), *self._untaught(objective)]
            case "no_distillation":
                said = [*self._instead(self._without_teacher, objective), beside_plain]
            case "from_scratch":
                said = [*self._instead_of_start(objective), *self._untaught(objective), beside_plain]
            case _ if not self.results.keys() & set(_OTHERS):
                said = [self._beside_none()]
            case _:
                said = [*self._untaught(objective), beside_plain]
        return (*said, *self._started(objective))

    @property
    def _without_teacher(self) -> str:
        return "fine-tuning without teacher" if self.pretrained else "training without distillation"

    def _beside_none(self) -> str:
        reasons = dict.fromkeys(self.missing[arm] for arm in _OTHERS if arm in self.missing)
        why = f": {'; '.join(reasons)}" if reasons else ""
        return f"It was compared neither with {self._without_teacher} nor with plain KD{why}."

    def _instead(self, what: str, objective: Objective) -> tuple[str, ...]:
        """Why it is not the searched losses that are delivered."""
        if "searched" not in self.results:
            return (f"Here {what} is delivered: no training with the losses that the search found came to its end.",)
        found = "the losses that the search found" + ("" if self.hears_teacher else ", which hear no teacher")
        beside = self._beside(
            "searched", "the searched losses", objective, "With the searched losses", worse=_NOT_BORNE
        )
        return (f"Here {what} was ahead of {found}, {_AHEAD}, and is delivered.", beside)

    def _instead_of_start(self, objective: Objective) -> tuple[str, ...]:
        """Why it is not the searched start that is delivered."""
        if "searched" not in self.results:
            return ("Here training from scratch is delivered: no training from the weights came to its end.",)
        beside = self._beside("searched", "training from them", objective, "From the weights", worse=_NOT_BORNE)
        return (
            f"Here training from scratch was ahead of training alike from the weights that the search found, {_AHEAD},"
            " and is delivered.",
            beside,
        )

    def _untaught(self, objective: Objective) -> tuple[str, ...]:
        """What training without distillation came to, where it is another training."""
        name = self._without_teacher
        if not self.hears_teacher:
            return (
                ()
                if self.arm == "plain_kd"
                else (f"The losses that the search found hear no teacher: this is {name}.",)
            )
        opening = "Fine-tuned without teacher" if self.pretrained else "Without distillation"
        alike = self.pretrained and self.arm != "from_scratch"
        subject = "distillation" if alike else "this recipe"
        return (self._beside("no_distillation", name, objective, opening, subject),)

    def _started(self, objective: Objective) -> tuple[str, ...]:
        """What the same network came to from random weights, where it was to be compared with that."""
        if self.arm == "from_scratch" or "from_scratch" not in {*self.results, *self.missing}:
            return ()
        opening, subject = (
            ("From scratch, trained alike,", "the start")
            if self.arm == "searched"
            else ("From scratch, with the searched losses,", "this recipe")
        )
        return (self._beside("from_scratch", "training from scratch", objective, opening, subject),)

    def _beside(
        self,
        arm: Arm,
        name: str,
        objective: Objective,
        opening: str,
        subject: str = "this recipe",
        worse: str = "It does harm here.",
    ) -> str:
        """What is delivered against one arm.

        Args:
            arm: The arm.
            name: Of it, within a sentence.
            objective: What the scores are of.
            opening: How the sentence begins.
            subject: What the difference is due to.
            worse: What to say where the gain is a loss beyond doubt.
        """
        if arm not in self.results:
            return f"It was not compared with {name}{f': {self.missing[arm]}' if arm in self.missing else ''}."
        result = self.results[arm]
        start = f"{opening} the same network reaches {objective.shown(result.score)}"
        gain = result.gain
        if gain is None:
            return f"{start}; the difference has no interval."
        value = "is worth" if objective.direction == "maximize" else "changes that by"
        said = f"{start}; {subject} {value} {worth(gain, objective)}."
        if inconclusive(gain):
            return f"{said} The interval includes 0: the test does not show that it differs from {name}."
        return f"{said} {worse}" if harmful(gain, objective) else said
