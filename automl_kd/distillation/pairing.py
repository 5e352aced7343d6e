"""The pairing of the student's stages with the teacher's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from automl_kd.core import UserError
from automl_kd.distillation.losses import LossSpec, Pair
from automl_kd.recipes.losses import FeatureLoss, StagePair
from automl_kd.teachers import Teacher

Shape = tuple[int, ...]


class Pairing:
    """Pairs stages from the last backwards, or as the recipe names them.

    Args:
        stages: The student's stages with their shapes, from input to output.
        probe: Gives the shapes of any of the student's submodules by path; raises UserError for a path that leads
            nowhere.
        teacher: The teacher, or None where no loss compares features with one.
    """

    def __init__(
        self,
        stages: Mapping[str, Shape],
        probe: Callable[[tuple[str, ...]], Mapping[str, Shape]],
        teacher: Teacher | None,
    ) -> None:
        self._stages = stages
        self._probe = probe
        self._teacher = teacher

    def pairs(self, name: str, part: FeatureLoss, spec: LossSpec) -> tuple[Pair, ...]:
        """The pairs of a loss; those that are named by stage come in the order from input to output.

        Raises:
            UserError: If a stage or a path does not exist, is named twice or has no partner; if the loss needs more
                stages, or larger maps; or if the teacher gives no feature maps.
        """
        where = f"distill.losses.{name}.at"
        teacher = self._teacher if spec.inputs.needs_teacher else None
        asked = [self._named(where, each, teacher) for each in self._spelled(where, part, teacher)]
        named = [student for student, _ in asked]
        for student in named:
            if named.count(student) > 1:
                raise UserError(f"{where}: names the stage {student} twice; once is right")
        found = [self._pair(where, ours, theirs, teacher) for ours, theirs in asked]
        for pair in found:
            _check_spatial(where, pair, spec)
        if len(found) < spec.inputs.least_stages:
            least = spec.inputs.least_stages
            raise UserError(f"{where}: this loss needs {least} stages or more, and {len(found)} is named: use all")
        order = list(self._stages)
        if all(pair.student in order for pair in found):
            found.sort(key=lambda pair: order.index(pair.student))
        return tuple(found)

    def _spelled(self, where: str, part: FeatureLoss, teacher: Teacher | None) -> list[str | StagePair]:
        """``all`` as the stages that have a partner, ``first`` and ``middle`` of these and ``last`` by their names."""
        ours = list(self._stages)
        spelled: list[str | StagePair] = []
        for each in part.at:
            if isinstance(each, str) and not ours:
                raise UserError(
                    f"{where}: this student has no stages, and gives no feature maps: use losses of logits, or"
                    " {student: PATH, teacher: PATH} for any submodule"
                )
            match each:
                case "all":
                    spelled += self._partnered(teacher)
                case "first":
                    spelled.append(self._partnered(teacher)[0])
                case "middle":
                    partnered = self._partnered(teacher)
                    spelled.append(partnered[(len(partnered) - 1) // 2])
                case "last":
                    spelled.append(ours[-1])
                case _:
                    spelled.append(each)
        return spelled

    def _partnered(self, teacher: Teacher | None) -> list[str]:
        """The student's stages that have a partner."""
        ours = list(self._stages)
        theirs = ours if teacher is None else teacher.stage_names()
        return ours[-len(theirs) :] if theirs else ours

    def _named(self, where: str, asked: str | StagePair, teacher: Teacher | None) -> tuple[str, str]:
        if isinstance(asked, StagePair):
            return asked.student, asked.teacher
        ours = list(self._stages)
        if asked not in ours:
            raise UserError(
                f"{where}: the student has no stage {asked!r}: use {', '.join(ours)}, first, middle, last or all,"
                " or {student: PATH, teacher: PATH} for any submodule"
            )
        if teacher is None:
            return asked, asked
        theirs = teacher.stage_names()
        if not theirs:
            raise UserError(f"{where}: this teacher gives logits only, no feature maps: use kd, or a teacher of layers")
        from_end = len(ours) - ours.index(asked)
        if from_end > len(theirs):
            paired = ", ".join(ours[-len(theirs) :])
            raise UserError(
                f"{where}: {asked} has no partner among the teacher's {len(theirs)} stages"
                f" (paired from the last backwards): use {paired}"
            )
        return asked, theirs[-from_end]

    def _pair(self, where: str, student: str, theirs: str, teacher: Teacher | None) -> Pair:
        try:
            ours = self._stages.get(student) or self._probe((student,))[student]
            shape = ours if teacher is None else teacher.feature_shapes((theirs,))[theirs]
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        return Pair(student, theirs, ours, shape)


def _check_spatial(where: str, pair: Pair, spec: LossSpec) -> None:
    (_, *ours), (_, *theirs) = pair.student_shape, pair.teacher_shape
    if spec.spatial and all(min(sizes) == 1 for sizes in zip(ours, theirs, strict=True)):
        raise UserError(
            f"{where}: {pair.student} meets the teacher's {pair.teacher} at 1x1 pixels, where this loss is constant:"
            " name an earlier stage"
        )
