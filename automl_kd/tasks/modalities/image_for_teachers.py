"""Images as a teacher knows them: of another size, colour or normalisation than the task's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl_kd.core import Input, UserError
from automl_kd.students import ImageTransform
from automl_kd.tasks.modalities.for_teachers import Card, Shown, Transform
from automl_kd.tasks.teacher import TeacherInput

if TYPE_CHECKING:
    from automl_kd.tasks.modalities.image import Images

_USUAL = (((0.0,), (1.0,)), ((0.5,), (0.5,)), ((0.0,), (1 / 255,)))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ImageFacts:
    """What a teacher's own papers state of its images; None for what they do not.

    Attributes:
        size: Height and width.
        channels: How many.
        mean: By channel, of values in [0, 1].
        std: By channel, likewise.
        remarks: What else is done to the images, or left undone, in words.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    remarks: tuple[str, ...] = ()


def shown_images(own: Images, stated: TeacherInput | None, card: Card) -> Shown:
    """What a teacher is shown, by the user's word, its own papers and the task, in this order.

    Args:
        own: The task's images.
        stated: What the user says, which has the last word, part by part.
        card: What the teacher says of itself.

    Raises:
        UserError: If the task's images cannot be turned into those.
    """
    said = stated or TeacherInput()
    facts = card.examples if isinstance(card.examples, ImageFacts) else ImageFacts()
    wanted = TeacherInput(
        size=said.size if said.size is not None else facts.size,
        channels=said.channels or (len(said.mean) if said.mean is not None else facts.channels),
        mean=said.mean if said.mean is not None else facts.mean,
        std=said.std if said.std is not None else facts.std,
    )
    transform = _transform(own, wanted)
    shape = transform.after
    same = stated is None and (shape, wanted.mean, wanted.std) in (
        (own.shape, None, None),
        (own.shape, own.mean, own.std),
    )
    return Shown(
        None if same else transform,
        replace(own.input, shape=shape),
        _words(own, said, facts, card.place, wanted, shape),
        tuple(_contradictions(said, facts, card.place)),
    )


def other_images(own: Images, transform: Transform | None, shown: Input) -> list[tuple[str, ImageTransform]]:
    """The usual ways to show images: of the task's own size; in [0, 1], in [-1, 1], in [0, 255]; as ImageNet's; as own.

    Args:
        own: The task's images.
        transform: How they are turned into what the teacher is shown now.
        shown: What the teacher takes.
    """
    channels, size, statistics = shown.shape[0], own.shape[1:], (own.mean, own.std)
    found = []
    if isinstance(transform, ImageTransform) and transform.after[1:] != size:
        option = f"input: {{size: [{size[0]}, {size[1]}]}}"
        found.append((option, replace(transform, after=(channels, *size))))
    tried = [(mean * channels, std * channels) for mean, std in _USUAL]
    tried += [_IMAGENET] if channels == 3 else []
    if len(own.mean) in (1, channels):
        tried.append((own.mean * (channels // len(own.mean)), own.std * (channels // len(own.mean))))
    after = (channels, shown.shape[1], shown.shape[2])
    for mean, std in tried:
        spelled = (", ".join(f"{each:.6g}" for each in values) for values in (mean, std))
        option = "input: {{mean: [{}], std: [{}]}}".format(*spelled)
        found.append((option, ImageTransform(own.shape, after, statistics, (mean, std))))
    return found


def _transform(own: Images, spec: TeacherInput) -> ImageTransform:
    channels, height, width = own.shape
    by_mean = None if spec.mean is None else len(spec.mean)
    wanted = spec.channels or by_mean or channels
    if channels not in (wanted, 1):
        raise UserError(
            f"the teacher takes images of {wanted} channels, and the task has images of {channels}: only grey ones are"
            " repeated"
        )
    if by_mean not in (None, wanted):
        raise UserError(f"teacher.input.mean: has {by_mean} values; {wanted} channels need one each")
    size = (height, width) if spec.size is None else (spec.size, spec.size) if isinstance(spec.size, int) else spec.size
    return ImageTransform(
        before=own.shape,
        after=(wanted, *size),
        undone=None if spec.mean is None else (own.mean, own.std),
        normalized=None if spec.mean is None or spec.std is None else (spec.mean, spec.std),
    )


def _words(own: Images, said: TeacherInput, facts: ImageFacts, place: str, wanted: TeacherInput, shape: Shape) -> str:
    parts = [f"images {shape} ({_who(said.size is not None, facts.size is not None, place)})"]
    if wanted.mean is None or wanted.std is None:
        parts.append(
            f"normalised as the task's: mean {_spelled(own.mean)}, std {_spelled(own.std)} (nothing else stated)"
        )
    else:
        who = _who(said.mean is not None, facts.mean is not None, place)
        parts.append(f"mean {_spelled(wanted.mean)}, std {_spelled(wanted.std)} ({who})")
    if shape[0] != own.shape[0]:
        parts.append("grey repeated")
    if shape[1:] != own.shape[1:]:
        parts.append(f"resized from {own.shape[1]} x {own.shape[2]}")
    return ", ".join([*parts, *facts.remarks])


def _who(user: bool, papers: bool, place: str) -> str:
    if user:
        return "stated by input"
    return f"stated by {place}" if papers else "the task's"


def _contradictions(said: TeacherInput, facts: ImageFacts, place: str) -> list[str]:
    size = (said.size, said.size) if isinstance(said.size, int) else said.size
    pairs = (
        ("size", size, facts.size),
        ("channels", said.channels, facts.channels),
        ("mean", said.mean, facts.mean),
        ("std", said.std, facts.std),
    )
    return [
        f"input.{name}: {_spelled(user)} is used; {place} states {_spelled(papers)}"
        for name, user, papers in pairs
        if user is not None and papers is not None and user != papers
    ]


def _spelled(value: int | Sequence[float]) -> str:
    """``(0.485, 0.456, 0.406)``; a number as it is."""
    return str(value) if isinstance(value, int) else "(" + ", ".join(f"{each:.4g}" for each in value) + ")"
