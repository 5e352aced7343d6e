"""A student beside the same network trained in other ways, and which of them it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from automl_kd.delivery.text import harmful, inconclusive, worth
from automl_kd.objectives import Objective
from automl_kd.results import ARMS, Arm, ArmResult, PickResult, PlainKdSetting

NAMES: Mapping[Arm, str] = {
    "searched": "losses that the search found",
    "no_distillation": "no distillation",
    "plain_kd": "plain KD",
}


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Trainings that share network, ``train``, epochs and seeds, and differ in what they hear of the teacher.

    Attributes:
        arm: What is delivered: ``plain_kd`` or ``no_distillation`` where that was ahead; None where nothing was
            compared.
        hears_teacher: Whether the losses that the search found do; else they are training without distillation.
        results: Each arm whose test was read, that of ``arm`` included.
        missing: Why an arm has no result, by arm, as far as that is known.
        plain_kd_setting: The best setting of plain KD.
    """

    arm: Arm | None = None
    hears_teacher: bool = True
    results: Mapping[Arm, ArmResult] = field(default_factory=dict, hash=False)
    missing: Mapping[Arm, str] = field(default_factory=dict, hash=False)
    plain_kd_setting: PlainKdSetting | None = None

    @classmethod
    def of(cls, pick: PickResult) -> Arms:
        """The arms of a pick."""
        return cls(
            arm=pick.arm,
            hears_teacher=pick.hears_teacher,
            results=pick.arms,
            missing=pick.missing,
            plain_kd_setting=pick.plain_kd_setting,
        )

    @property
    def others(self) -> list[tuple[str, ArmResult]]:
        """Name and result of the arms that were trained and are not delivered."""
        return [(NAMES[arm], self.results[arm]) for arm in ARMS if arm != self.arm and arm in self.results]

    def sentences(self, objective: Objective) -> tuple[str, ...]:
        """What is delivered where it is not what was searched, what each arm says of it, and which was not trained.

        Args:
            objective: What the scores are of.
        """
        setting = self.plain_kd_setting
        plain = "plain KD" + (f" (temperature {setting.temperature:g}, weight {setting.weight:g})" if setting else "")
        match self.arm:
            case "plain_kd":
                return (*self._instead(f"{plain}, the best of its settings,", objective), *self._untaught(objective))
            case "no_distillation":
                beside_plain = self._beside("plain_kd", "plain KD", objective, f"With {plain}")
                return (*self._instead("training without distillation", objective), beside_plain)
        if not self.results.keys() & {"no_distillation", "plain_kd"}:
            others: tuple[Arm, ...] = ("no_distillation", "plain_kd")
            reasons = dict.fromkeys(self.missing[arm] for arm in others if arm in self.missing)
            why = f": {'; '.join(reasons)}" if reasons else ""
            return (f"It was compared neither with training without distillation nor with plain KD{why}.",)
        return (*self._untaught(objective), self._beside("plain_kd", "plain KD", objective, f"With {plain}"))

    def _instead(self, what: str, objective: Objective) -> tuple[str, ...]:
        """Why it is not the searched losses that are delivered."""
        if "searched" not in self.results:
            return (f"Here {what} is delivered: no training with the losses that the search found came to its end.",)
        found = "the losses that the search found" + ("" if self.hears_teacher else ", which hear no teacher")
        return (
            f"Here {what} was ahead of {found}, beyond a standard error on search-validation, and is delivered.",
            self._beside(
                "searched",
                "the searched losses",
                objective,
                "With the searched losses",
                worse="The test does not bear the choice out.",
            ),
        )

    def _untaught(self, objective: Objective) -> tuple[str, ...]:
        """What training without distillation came to, where it is another training."""
        if self.hears_teacher:
            name = "training without distillation"
            return (self._beside("no_distillation", name, objective, "Without distillation"),)
        if self.arm == "plain_kd":
            return ()
        return ("The losses that the search found hear no teacher: this is training without distillation.",)

    def _beside(
        self, arm: Arm, name: str, objective: Objective, opening: str, worse: str = "It does harm here."
    ) -> str:
        """What is delivered against one arm.

        Args:
            arm: The arm.
            name: Of it, within a sentence.
            objective: What the scores are of.
            opening: How the sentence begins.
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
        said = f"{start}; this recipe {value} {worth(gain, objective)}."
        if inconclusive(gain):
            return f"{said} The interval includes 0: the test does not show that it differs from {name}."
        return f"{said} {worse}" if harmful(gain, objective) else said
