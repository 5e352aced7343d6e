"""The file that a runtime loads, and the commands that make it of a delivery."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from automl_kd.core import load_yaml
from automl_kd.hardware.datasheet import Precision, ProfilePart
from automl_kd.onnxio import TO_TFLITE

_TABLE = Path(__file__).parent / "device_files.yaml"
_PLACES = ("floats", "input", "shape", "type", "sizes", "reversed")


class DeviceFile(ProfilePart):
    """The file that a runtime loads, and how it comes from a delivery.

    Attributes:
        name: Of the file: ``student_edgetpu.tflite``.
        begins: What the commands begin with: the ONNX files of the delivery, or ``student.tflite``, which is made of
            ``student.onnx`` first.
        commands: One after the other, in the folder of the delivery; empty where the runtime loads what lies there.
            ``{floats}`` stands for the ONNX file that computes with floats, ``{input}`` for the name of the input,
            ``{shape}`` and ``{sizes}`` for the sizes of a batch of one: ``1,3,32,32`` and ``1x3x32x32``;
            ``{reversed}`` for those of one input from the last to the first: ``32,32,3``; ``{type}`` for its type:
            ``f32``, or ``i64`` of ids.
        commands_of_integers: Those of a quantised ``student.onnx``; empty where they are the same.
        quantised: What becomes of a quantised ``student.onnx``: the runtime ``reads`` its integers; it finds ``own``
            ones in the file of floats; or it loads ``none``, but networks of floats alone.
        symmetric: Whether a quantised network may have no zero points but 0.
        source: Where the commands are documented.
        note: What else to know of them, such as what another version of the tool wants, a sentence; empty for nothing.
    """

    name: str
    begins: Literal["onnx", "tflite"] = "onnx"
    commands: tuple[str, ...] = ()
    commands_of_integers: tuple[str, ...] = ()
    quantised: Literal["reads", "own", "none"] = "reads"
    symmetric: bool = False
    source: str
    note: str = ""

    @property
    def steps(self) -> tuple[str, ...]:
        """All commands, from the delivery on."""
        return self._from_delivery(self.commands)

    def _from_delivery(self, commands: tuple[str, ...]) -> tuple[str, ...]:
        return (TO_TFLITE, *commands) if self.begins == "tflite" else commands

    @field_validator("commands", "commands_of_integers")
    @classmethod
    def _places_are_known(cls, commands: tuple[str, ...]) -> tuple[str, ...]:
        for command in commands:
            unknown = {name for _, name, _, _ in string.Formatter().parse(command) if name is not None} - {*_PLACES}
            if unknown:
                raise ValueError(
                    f"{{{min(unknown)}}} stands for nothing; write {', '.join(map('{{{}}}'.format, _PLACES))}"
                )
        return commands

    def made_by(
        self, floats: str, takes: str, shape: Sequence[int], quantised: bool = False, ids: bool = False
    ) -> tuple[str, ...]:
        """All commands, from one delivery on.

        Args:
            floats: Name of the ONNX file that computes with floats.
            takes: Name of the input.
            shape: Of one input, without the batch.
            quantised: Whether ``student.onnx`` computes with integers.
            ids: Whether the input holds ids, such as those of words.
        """
        commands = self.commands_of_integers if quantised and self.commands_of_integers else self.commands
        batch = [str(size) for size in (1, *shape)]
        return tuple(
            each.format(
                floats=floats,
                input=takes,
                shape=",".join(batch),
                type="i64" if ids else "f32",
                sizes="x".join(batch),
                reversed=",".join(map(str, reversed(shape))),
            )
            for each in self._from_delivery(commands)
        )


def usual_file(runtime: str, precision: Precision) -> DeviceFile | None:
    """What a runtime loads, whatever the device; None where that is not known."""
    return _usual_files().get(runtime, {}).get(precision)


@cache
def _usual_files() -> dict[str, dict[str, DeviceFile]]:
    table = load_yaml(_TABLE.read_text(encoding="utf-8"))
    return {
        runtime: {precision: DeviceFile.model_validate(each) for precision, each in files.items()}
        for runtime, files in table.items()
    }
