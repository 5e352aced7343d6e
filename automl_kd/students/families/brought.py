"""A network that a user brings in a folder of another library, with a classifier of the task's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from automl_kd.core import IMAGE_AXES, Signature, UserError, first_line
from automl_kd.recipes import StudentPart
from automl_kd.students.brought import timm, transformers
from automl_kd.students.brought.trunk import Library, inherited
from automl_kd.students.family import FAMILIES, Family, Inherited
from automl_kd.students.image_transform import ImageTransform
from automl_kd.students.layers import head
from automl_kd.students.plans import Block, Plan, Shape, map_shape

_LIBRARIES: Mapping[str, Library] = MappingProxyType({"timm": timm.LIBRARY, "transformers": transformers.LIBRARY})
_TRUNK = "trunk.0.network."


class Brought(StudentPart):
    """A network of timm or transformers up to its classifier, and one linear layer to the task's outputs.

    ``network`` is what the ``config.json`` of its folder says, ``transform`` how the task's images become those that it
    knows, where they differ. A teacher with ``fine_tune`` is made of it; weights come from ``start``.
    """

    family: Literal["brought"]
    library: Literal["timm", "transformers"]
    network: dict[str, Any]
    transform: ImageTransform | None = None
    projector: None = None

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def title(self) -> str:
        """What the network is called."""
        return _LIBRARIES[self.library].title(self.network)

    @property
    def shown(self) -> str | None:
        """What images it makes of the task's, in words; None where these are the same."""
        if self.transform is None:
            return None
        mean, std = self.transform.normalized or ((), ())
        spelled = (", ".join(f"{each:.4g}" for each in values) for values in (mean, std))
        normalised = ", mean ({}), std ({})".format(*spelled) if mean else ""
        return f"images {self.transform.after}{normalised}, which it makes of the task's"


def plan(spec: Brought, signature: Signature, allow_code: bool = False) -> Plan:
    """Two blocks: the network up to its classifier, and the head. The network is run once on shapes.

    Args:
        spec: The recipe's student part.
        signature: Images in; what comes out.
        allow_code: Not read: nothing of the user's runs.

    Raises:
        UserError: If the library is not installed, or its network cannot be built or does not take the images.
    """
    shape = map_shape(signature)
    with torch.device("meta"), torch.no_grad():
        module = _built(spec, shape).eval()
        try:
            vectors = module(torch.empty(2, *shape))
        except Exception as error:  # whatever a foreign network raises
            seen = shape if spec.transform is None else spec.transform.after
            raise UserError(
                f"{spec.title} does not take images {tuple(seen)}: {first_line(error)}; say which it takes with"
                " input: {size: …, channels: …}"
            ) from None
    document = json.dumps(spec.model_dump(mode="json", exclude={"start"}), sort_keys=True)
    trunk = Trunk(shape, document, int(vectors.shape[1]))
    return Plan((("trunk", (trunk,)), ("head", (head(trunk.output_shape, signature.output),))))


def inherit(spec: Brought, signature: Signature, tensors: Mapping[str, Tensor]) -> Inherited:
    """All of the network but its classifier, out of the weights of its folder.

    Raises:
        UserError: With the first tensor that is missing, has another shape, or belongs nowhere.
    """
    library, channels = _LIBRARIES[spec.library], _shown(spec, map_shape(signature))[0]
    with torch.device("meta"):
        trunk = library.trunk(spec.network, channels)
    found = inherited(trunk, library.named(spec.network, tensors), spec.title)
    state = {f"{_TRUNK}{name}": tensor for name, tensor in found.state.items()}
    return Inherited(state, found.unused, found.words)


@dataclass(frozen=True)
class Trunk(Block):
    """A network up to its classifier; ``student`` is its part of the recipe, as canonical JSON.

    Attributes:
        features: Length of the vector that its classifier would read.
    """

    student: str
    features: int

    @property
    def output_shape(self) -> Shape:
        return (self.features, 1, 1)

    def build(self) -> nn.Module:
        return _built(Brought.model_validate_json(self.student), self.input_shape)


class TrunkModule(nn.Module):
    """Images (B, C, H, W) as the task prepares them to vectors (B, D, 1, 1).

    Args:
        network: Images as it knows them to vectors (B, D).
        transform: What makes these of the task's; None where they are the same.
    """

    def __init__(self, network: nn.Module, transform: ImageTransform | None) -> None:
        super().__init__()
        self.network = network
        self._transform = transform

    def forward(self, images: Tensor) -> Tensor:
        vectors: Tensor = self.network(images if self._transform is None else self._transform(images))
        return vectors[:, :, None, None]


def _built(spec: Brought, shape: Shape) -> TrunkModule:
    return TrunkModule(_LIBRARIES[spec.library].trunk(spec.network, _shown(spec, shape)[0]), spec.transform)


def _shown(spec: Brought, shape: Shape) -> Shape:
    return shape if spec.transform is None else spec.transform.after


FAMILIES.add("brought", Family(part=Brought, axes=IMAGE_AXES, plan=plan, inherit=inherit))
