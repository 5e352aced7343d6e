"""Which output of a teacher stands for which name of the task: of a class, a label or a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from automl_kd.core import UserError
from automl_kd.tasks import Card, Task
from automl_kd.teachers.form import OTHER_CLASSES

_NUMBERED = re.compile(r"(?:label|class|category|output|c)?[ _-]?(\d+)", re.IGNORECASE)
_SHOWN = 4
_REMEDY = "say which output is which with classes: [names in the order of its outputs]"

Names = Sequence[Sequence[str]]
_Spelling = Callable[[str], set[str]]


@dataclass(frozen=True)
class Matching:
    """The task's names among a teacher's outputs.

    Attributes:
        outputs: How many outputs the teacher should have.
        order: For each name of the task the output that stands for it; None where they are the same.
        words: How they were matched.
        warnings: What is odd.
    """

    outputs: int
    order: tuple[int, ...] | None
    words: str
    warnings: tuple[str, ...] = ()


def match_outputs(form: str, stated: Sequence[str] | None, card: Card, task: Task) -> Matching:
    """Match by name where names are known, else by order.

    Args:
        form: What the teacher is, for messages.
        stated: Names that the user gave, in the order of the outputs; these have the last word.
        card: What the teacher says of itself.
        task: Whose names are meant. Values are matched by their order alone.

    Raises:
        UserError: If names are known and some of the task are not among them, so that nobody can tell which
            output is meant.
    """
    if task.problem.meaning == "real":
        if stated is not None:
            raise UserError(f"teacher {form}: classes: the values of task {task.name} go by order; leave it out")
        return _ordered(task, "values have an order alone")
    own = None if card.names is None or _anonymous(card.names, task) else card.names
    if stated is None:
        return _ordered(task, "no names known") if own is None else _matched(form, own, card.names_place, task)
    names = [(name,) for name in stated]
    places = _places(names, task)
    missing = [name for name in task.problem.names if name not in places]
    if missing:
        raise UserError(f"teacher {form}: classes: {_unknown(missing[0], stated)}, which task {task.name} has")
    found = _by_name(names, places, "stated by classes", task)
    if own is None or _flat(own) == list(stated):
        return found
    return Matching(
        found.outputs,
        found.order,
        found.words,
        (f"classes: [{_shown(stated)}] is used; {card.names_place} states [{_shown(_flat(own))}]",),
    )


def _matched(form: str, names: Names, place: str, task: Task) -> Matching:
    places = _places(names, task)
    missing = [name for name in task.problem.names if name not in places]
    if not missing:
        return _by_name(names, places, place, task)
    theirs = f"{place} names its {len(names)} outputs {_shown(_flat(names))}"
    if len(names) != len(task.problem.names):
        raise UserError(
            f"teacher {form}: {theirs}; {_shown(missing)} of the {len(task.problem.names)} names of task {task.name}"
            f" are not among them: {_REMEDY}; {OTHER_CLASSES}"
        )
    moved = [name for name, output in places.items() if task.problem.names[output] != name]
    if moved:
        raise UserError(
            f"teacher {form}: {theirs}; {moved[0]} has another place in task {task.name}, which has the names"
            f" {_shown(task.problem.names)}, and {_shown(missing)} cannot be found: {_REMEDY}; {OTHER_CLASSES}"
        )
    others = (
        f"{theirs}, and the task {_shown(task.problem.names)}: they are matched by order; if that is wrong, {_REMEDY}"
    )
    quiet = _anonymous([(name,) for name in task.problem.names], None)
    return _ordered(task, "the task has no names" if quiet else "its names are others", *([others] * (not quiet)))


def _ordered(task: Task, why: str, *warnings: str) -> Matching:
    return Matching(len(task.problem.names), None, f"by order ({why})", warnings)


def _by_name(names: Names, places: dict[str, int], place: str, task: Task) -> Matching:
    order = tuple(places[name] for name in task.problem.names)
    if len(names) > len(task.problem.names):
        return Matching(len(names), order, f"{len(task.problem.names)} of its {len(names)} matched by name ({place})")
    if order == tuple(range(len(task.problem.names))):
        return Matching(len(task.problem.names), None, f"matched by name ({place})")
    return Matching(len(task.problem.names), order, f"matched by name, in another order ({place})")


def _places(names: Names, task: Task) -> dict[str, int]:
    """The output of each class of the task that has exactly one, under the strictest comparison that finds most."""
    comparisons: tuple[tuple[_Spelling, _Spelling], ...] = ((_exact, _exact), (_plain, _plain), (_any, _plain))
    return max((_found(names, task, theirs, own) for theirs, own in comparisons), key=len)


def _found(names: Names, task: Task, theirs: _Spelling, own: _Spelling) -> dict[str, int]:
    outputs: dict[str, set[int]] = {}
    for output, aliases in enumerate(names):
        for alias in aliases:
            for word in theirs(alias):
                outputs.setdefault(word, set()).add(output)
    found: dict[str, int] = {}
    for name in task.problem.names:
        among = set().union(*(outputs.get(word, set()) for word in own(name)))
        if len(among) == 1:
            found[name] = among.pop()
    return found if len(set(found.values())) == len(found) else {}


def _exact(name: str) -> set[str]:
    return {name}


def _plain(name: str) -> set[str]:
    """Without regard to capitals and to what stands between words."""
    return {" ".join(re.split(r"[\W_]+", name.casefold())).strip()}


def _any(name: str) -> set[str]:
    """Also each of several names with commas between them, as in ``tench, Tinca tinca``."""
    return set().union(*(_plain(part) for part in (name, *name.split(","))))


def _anonymous(names: Names, task: Task | None) -> bool:
    """Whether names only count (``LABEL_0``, ``3``), and are not the task's own."""
    if task is not None and not set(task.problem.names) - set(_flat(names)):
        return False
    matches = [_NUMBERED.fullmatch(aliases[0]) for aliases in names]
    return all(
        match is not None and int(match[1]) in (position, position + 1) for position, match in enumerate(matches)
    )


def _flat(names: Names) -> list[str]:
    return [aliases[0] for aliases in names]


def _unknown(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"holds no {name!r}" + (f" but {near[0]!r}" if near else "")


def _shown(names: Sequence[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
