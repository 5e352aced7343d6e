"""A student beside the same network trained in other ways, and which of them it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from automl_kd.core import percent
from automl_kd.delivery.text import gain, inconclusive


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Trainings that share network, ``train``, epochs and seeds, and differ in what they hear of the teacher.

    Attributes:
        arm: What is delivered: ``searched``, ``plain_kd`` or ``no_distillation`` where that was ahead; None
            where nothing was compared.
        hears_teacher: Whether the losses that the search found do; else they are training without distillation.
        searched: Mean test accuracy of the losses that the search found.
        no_distillation: The same without the teacher.
        plain_kd: The same with soft targets alone.
        plain_kd_setting: Their ``temperature`` and ``weight``.
        missing: Why an arm has no accuracy, by arm, as far as that is known.
        gain_over_searched: What is delivered against that arm, as ``controller.paired_difference`` gives it:
            ``difference``, ``low``, ``high``.
        gain_over_no_distillation: Likewise.
        gain_over_plain_kd: Likewise.
    """

    arm: str | None = None
    hears_teacher: bool = True
    searched: float | None = None
    no_distillation: float | None = None
    plain_kd: float | None = None
    plain_kd_setting: Mapping[str, float] | None = field(default=None, hash=False)
    missing: Mapping[str, str] = field(default_factory=dict, hash=False)
    gain_over_searched: Mapping[str, float] | None = field(default=None, hash=False)
    gain_over_no_distillation: Mapping[str, float] | None = field(default=None, hash=False)
    gain_over_plain_kd: Mapping[str, float] | None = field(default=None, hash=False)

    @classmethod
    def of(cls, pick: Mapping[str, Any]) -> Arms:
        """The arms of a pick as it stands in a search's JSON; what it does not say is not known."""
        return cls(**{each.name: pick[each.name] for each in fields(cls) if pick.get(each.name) is not None})

    @property
    def others(self) -> list[tuple[str, float]]:
        """Name and mean test accuracy of the arms that were trained and are not delivered."""
        named = (
            ("searched", "losses that the search found", self.searched),
            ("no_distillation", "no distillation", self.no_distillation),
            ("plain_kd", "plain KD", self.plain_kd),
        )
        return [(name, mean) for arm, name, mean in named if arm != self.arm and mean is not None]

    def sentences(self) -> tuple[str, ...]:
        """What is delivered where it is not what was searched, what each arm says of it, and which was not trained."""
        setting = self.plain_kd_setting
        plain = "plain KD" + (
            " (temperature {temperature:g}, weight {weight:g})".format_map(setting) if setting else ""
        )
        beside_plain = _beside(
            "plain KD", self.plain_kd, self.gain_over_plain_kd, f"With {plain}", missing=self.missing.get("plain_kd")
        )
        match self.arm:
            case "plain_kd":
                return (*self._instead(f"{plain}, the best of its settings,"), *self._untaught())
            case "no_distillation":
                return (*self._instead("training without distillation"), beside_plain)
        if self.no_distillation is None and self.plain_kd is None:
            reasons = dict.fromkeys(self.missing[arm] for arm in ("no_distillation", "plain_kd") if arm in self.missing)
            why = f": {'; '.join(reasons)}" if reasons else ""
            return (f"It was compared neither with training without distillation nor with plain KD{why}.",)
        return (*self._untaught(), beside_plain)

    def _instead(self, what: str) -> tuple[str, ...]:
        """Why it is not the searched losses that are delivered."""
        if self.searched is None:
            return (f"Here {what} is delivered: no training with the losses that the search found came to its end.",)
        found = "the losses that the search found" + ("" if self.hears_teacher else ", which hear no teacher")
        return (
            f"Here {what} was ahead of {found}, beyond a standard error on search-validation, and is delivered.",
            _beside(
                "the searched losses",
                self.searched,
                self.gain_over_searched,
                worse="The test does not bear the choice out.",
                missing=self.missing.get("searched"),
            ),
        )

    def _untaught(self) -> tuple[str, ...]:
        """What training without distillation came to, where it is another training."""
        if self.hears_teacher:
            accuracy, difference = self.no_distillation, self.gain_over_no_distillation
            missing = self.missing.get("no_distillation")
            return (
                _beside("training without distillation", accuracy, difference, "Without distillation", missing=missing),
            )
        if self.arm == "plain_kd":
            return ()
        return ("The losses that the search found hear no teacher: this is training without distillation.",)


def _beside(
    name: str,
    accuracy: float | None,
    difference: Mapping[str, float] | None,
    opening: str | None = None,
    worse: str = "It does harm here.",
    missing: str | None = None,
) -> str:
    """What is delivered against one arm.

    Args:
        name: Of the arm.
        accuracy: Its mean test accuracy, None where it was not trained.
        difference: The gain over it.
        opening: How the sentence begins.
        worse: What to say where the gain is a loss beyond doubt.
        missing: Why it was not trained, where that is known.
    """
    if accuracy is None:
        return f"It was not compared with {name}{'' if missing is None else f': {missing}'}."
    start = f"{opening or f'With {name}'} the same network reaches {percent(accuracy)}"
    if not difference:
        return f"{start}; the difference has no interval."
    result = f"{start}; this recipe is worth {gain(difference)}."
    if inconclusive(difference):
        return f"{result} The interval includes 0: the test does not show that it differs from {name}."
    return f"{result} {worse}" if difference["high"] < 0 else result
