"""A network out of a model space of NNI, as the recipe's choices froze it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from automl_kd.core import IMAGE_AXES, Signature, UserError, first_line
from automl_kd.recipes import ModelSpace, frozen_model
from automl_kd.students.family import FAMILIES, Family
from automl_kd.students.inner_maps import inner_maps
from automl_kd.students.layers import Unit
from automl_kd.students.plans import Block, Plan, Shape, map_shape


def plan(spec: ModelSpace, signature: Signature, allow_code: bool = False) -> Plan:
    """One block, the whole network, whose maps can be tapped; real values are brought to the labels' unit by another.

    The network is run once on shapes.

    Args:
        spec: The recipe's student part.
        signature: Images in; how many numbers come out.
        allow_code: Whether the user's own file may run.

    Raises:
        UserError: If the network cannot be made, does not take the images, or does not return the logits.
    """
    student = json.dumps(spec.model_dump(mode="json"), sort_keys=True)
    output = signature.output
    block = Frozen(map_shape(signature), output.width, student, allow_code)
    unit = (("unit", (Unit((output.width,), output.mean, output.std),)),) if output.meaning == "real" else ()
    return Plan((("model", (block,)), *unit), block.maps())


@dataclass(frozen=True)
class Frozen(Block):
    """A frozen model space; ``student`` is its part of the recipe, as canonical JSON."""

    classes: int
    student: str
    allow_code: bool

    @property
    def output_shape(self) -> Shape:
        return (self.classes, 1, 1)

    def build(self) -> nn.Module:
        spec = ModelSpace.model_validate_json(self.student)
        model: nn.Module = frozen_model(
            spec, input_shape=self.input_shape, classes=self.classes, allow_code=self.allow_code
        )
        return model

    def maps(self) -> tuple[tuple[str, Shape], ...]:
        """Path and shape of the maps of several pixels that top-level parts return, in the order of execution."""
        with torch.device("meta"):
            model = self.build().train()
            images = torch.empty(2, *self.input_shape)
        where = f"student.model: {json.loads(self.student)['model']}"
        try:
            logits, found = inner_maps(model, dict(model.named_children()), images)
        except Exception as error:  # whatever the user's network does wrong
            raise UserError(f"{where} does not take images {self.input_shape}: {first_line(error)}") from None
        if not isinstance(logits, Tensor) or tuple(logits.shape) != (2, self.classes):
            shown = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise UserError(f"{where} returns {shown} for 2 images; the task needs (2, {self.classes})")
        return tuple((f"model.0.{name}", shape) for name, shape in found.items())


FAMILIES.add("nni", Family(part=ModelSpace, axes=IMAGE_AXES, plan=plan))
