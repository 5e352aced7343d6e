"""Which students of a space can start as it says: found out before a trial is spent on those that cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from automl_kd.core import Signature, UserError
from automl_kd.recipes import Space, Start, StudentPart
from automl_kd.students import FAMILIES, PRETRAINED, MissingWeightsError, at_hand, beginning, find_weights, pinned
from automl_kd.studies.options import Options, drawn, never_sound
from automl_kd.tasks import Task

_ENOUGH_OF_A_FILE = 2
"""Students that take what they need of a file; others are held against it once they are proposed."""


@dataclass(frozen=True)
class Startable:
    """A space whose students can start.

    Attributes:
        space: Without the options with which none can.
        told: What was left out, and what would help, a line each.
        files: The files of weights that the others start from.
        missing: Names of networks whose published weights are not to be had; they can still begin from scratch.
        gone: The options that were left out, by the name of their hole.
    """

    space: Space
    told: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    missing: frozenset[str] = frozenset()
    gone: Options = field(default_factory=dict)

    def admits(self, student: StudentPart) -> bool:
        """Whether the weights that a student starts from are to be had, as far as is known."""
        if not self.missing or student.start is None or student.start.weights != PRETRAINED:
            return True
        published = FAMILIES[student.family].published(student)
        return published is None or published.name not in self.missing


def startable(space: Space, name: str, task: Task, begun: Options | None = None) -> Startable:
    """The part of a space whose students can start as it says.

    Where it says ``pretrained`` and these weights are not to be had, what always starts from them is left out. A study
    keeps the space that it was begun with, also where weights came or went since.

    Args:
        space: The space.
        name: What the user calls it.
        task: What is learned.
        begun: The options that a study at hand was begun without; they are decided where there is none.

    Raises:
        UserError: If a file that it names does not exist, or none of its students can start.
    """
    if not space.mentions("student", "start"):
        return Startable(space)
    if begun:
        space = space.without_options(begun)
    starts = _Starts(task.signature)
    able = [each for each in drawn(space) if starts.able(each.recipe.student)]
    if not able:
        raise UserError(f"space {name}: no student can start as it says: {starts.reasons[0]}")
    told = tuple(f"space {name} goes without {words}" for words in starts.words())
    gone = begun
    if gone is None:
        gone = never_sound(space, ("student",), lambda recipe: starts.able(recipe.student), able) if told else {}
        space = space.without_options(gone) if gone else space
    return Startable(space, told, starts.files, frozenset(starts.missing), gone)


def started(student: StudentPart, signature: Signature) -> StudentPart:
    """A student of such a space with the weights written down that it starts from.

    No weights are fetched: what the hub has was, when :func:`startable` asked, and where it does not answer every
    further question would take seconds.

    Args:
        student: The student.
        signature: What it takes and answers.

    Raises:
        UserError: If its weights are not to be had, or do not fit.
    """
    start = student.start
    if start is not None and (start.weights, start.sha256) == (PRETRAINED, None) and not at_hand(student):
        raise UserError("student.start.weights: the published weights of its network are not here")
    return pinned(student, signature)


class _Starts:
    """Whether students can start, each asked once; the reasons why not.

    Attributes:
        missing: Why the published weights of a network are not to be had, by its name.
        unfit: Why others do not start.
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._known: dict[str, bool] = {}
        self._fitted: Counter[Path] = Counter()
        self.missing: dict[str, str] = {}
        self.unfit: list[str] = []

    def able(self, student: StudentPart) -> bool:
        """Whether a student can start as it says.

        Raises:
            UserError: If it names a file that does not exist.
        """
        if student.start is None:
            return True
        key = student.model_dump_json(exclude={"resolution"})
        if key not in self._known:
            self._known[key] = self._tried(student, student.start)
        return self._known[key]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that students can start from."""
        return tuple(self._fitted)

    @property
    def reasons(self) -> list[str]:
        """Why students cannot start, each reason once."""
        return [*self.missing.values(), *dict.fromkeys(self.unfit)]

    def words(self) -> Iterator[str]:
        """What a space goes without, and what would help."""
        if self.missing:
            names = sorted(self.missing)
            yield f"starts from {', '.join(names)}: {self.missing[names[0]]}"
        if self.unfit:
            yield f"starts that do not fit: {self.unfit[0]}"

    def _tried(self, student: StudentPart, start: Start) -> bool:
        published = FAMILIES[student.family].published(student) if start.weights == PRETRAINED else None
        if published is not None and published.name in self.missing:
            return False
        try:
            path = find_weights(student)
            if self._fitted[path] < _ENOUGH_OF_A_FILE:
                beginning(student, self._signature)
        except MissingWeightsError as error:
            self.missing[error.name] = str(error)
            return False
        except UserError as error:
            if start.weights != PRETRAINED and not Path(start.weights).expanduser().exists():
                raise
            self.unfit.append(str(error))
            return False
        self._fitted[path] += 1
        return True
