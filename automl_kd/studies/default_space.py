"""The search space of a task whose user names none."""

from __future__ import annotations

from automl_kd.core import IMAGE_AXES, TEXT_AXES, UserError
from automl_kd.recipes import load_space
from automl_kd.storage import Database
from automl_kd.studies.published import PRETRAINED_SPACE, published_here
from automl_kd.studies.record import is_settled
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.state import settings_of
from automl_kd.tasks import CheckedTask, Data, Task

_TEXT, _SMALL, _LARGE = "tiny_text", "tiny_cnn", "mobile_cnn"
SMALL_PIXELS = 48
"""Height and width up to which images are small ones, for which networks are made and not published."""
_ANOTHER = "--space names another"


def with_space(request: SearchRequest, task: Task, database: Database) -> tuple[SearchRequest, str]:
    """The request with its search space, and a line that says which was chosen and why; empty where the user said it.

    A study that was begun goes on in its own space, whatever would be chosen today.

    Args:
        request: What is asked for.
        task: What is learned.
        database: Where the study is, or would be begun.

    Raises:
        UserError: If no space of the project is for inputs like the task's.
    """
    if request.space is not None:
        return request, ""
    taken = task.signature.input
    space, why = _fitting(taken.axes, max(taken.shape[1:], default=0))
    for each in dict.fromkeys((space, _TEXT, _SMALL, _LARGE, PRETRAINED_SPACE)):
        asked = request.in_space(each)
        found = database.find_study(asked.name)
        if found is not None and is_settled(found):
            begun = settings_of(found).space
            return request.in_space(begun), f"{begun}: study {asked.name} was begun with it; {_ANOTHER}"
    return request.in_space(space), f"{space}: {why}; {_ANOTHER}"


def check_space(request: SearchRequest, task: CheckedTask) -> None:
    """Make sure, before data and weights are read, that a new search has a space that takes its pins.

    Where data or weights decide which space is taken, it is enough that one of them takes the pins.

    Args:
        request: What is asked for.
        task: What is learned, as far as it is known.

    Raises:
        UserError: If no space does, or the one that is named has a mistake.
    """
    spaces = _possible(task.data) if request.space is None else [request.space]
    mistakes = []
    for space in spaces:
        try:
            load_space(space, request.pins, allow_code=request.allow_code)
        except UserError as error:
            mistakes.append(error)
    if len(mistakes) == len(spaces):
        raise mistakes[0]


def _possible(data: Data) -> list[str]:
    """The spaces of which one is taken once data and weights are read."""
    if data.axes is None:
        return [_SMALL, _LARGE, PRETRAINED_SPACE, _TEXT]
    if data.axes == IMAGE_AXES and data.pixels is None:
        return [_SMALL, _LARGE, PRETRAINED_SPACE]
    space, _ = _fitting(data.axes, data.pixels or 0)
    return [_LARGE, PRETRAINED_SPACE] if space in (_LARGE, PRETRAINED_SPACE) else [space]


def _fitting(axes: tuple[str, ...], pixels: int) -> tuple[str, str]:
    """A space for inputs of some axes, and what it is for."""
    if axes == TEXT_AXES:
        return _TEXT, "for texts"
    if axes != IMAGE_AXES:
        raise UserError(
            f"space: is missing; none that comes with the project takes inputs ({', '.join(axes)}): name yours with"
            " --space"
        )
    if pixels <= SMALL_PIXELS:
        return _SMALL, f"for images of up to {SMALL_PIXELS} x {SMALL_PIXELS} pixels"
    large = f"for images of more than {SMALL_PIXELS} x {SMALL_PIXELS} pixels"
    if published_here():
        return PRETRAINED_SPACE, f"{large}, and weights of its networks are on this machine"
    return _LARGE, f"{large}; no weights of a network of {PRETRAINED_SPACE} are on this machine"
