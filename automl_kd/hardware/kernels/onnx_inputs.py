"""The shape of every input of an ONNX file: what it declares, and what a user says of sizes that it leaves open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from automl_kd.core import UserError, unknown
from automl_kd.hardware.kernels.graph import Shape
from automl_kd.hardware.kernels.onnx_file import OnnxFile

Size = int | str | None
"""A fixed size, the name of an open one, or nothing at all."""

# Names of a first axis that counts steps of one sequence, and no examples.
_STEPS = re.compile(r"seq|time|len|frame|step|sample|token|^t$", re.IGNORECASE)


def settle_inputs(
    file: OnnxFile, asked: tuple[int, ...] | None = None, named: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, tuple[int, Shape]]:
    """Element type and whole shape of every input.

    A first axis that is open is a batch of one, unless its name says that it counts steps; a fixed one is what the
    network takes at a time. Open sizes of the same name are equal.

    Args:
        file: Its inputs may leave sizes open.
        asked: Sizes without the first axis, for every input that they fit.
        named: Whole shapes by the name of the input.

    Raises:
        UserError: If a size stays open, or sizes contradict the file's.
    """
    declared = [_Declared.of(file.path, value) for value in file.inputs]
    shapes = _named(file.path, declared, named or {})
    waiting = [each for each in declared if each.name not in shapes]
    if asked is not None:
        shapes |= _asked(file.path, waiting, asked)
    sizes: dict[str, int] = {}
    for each in declared:
        if each.name in shapes and each.dims is not None:
            pairs = zip(each.dims, shapes[each.name], strict=True)
            sizes |= {dim: size for dim, size in pairs if isinstance(dim, str)}
    shapes |= {each.name: each.settled(file.path, sizes) for each in waiting if each.name not in shapes}
    return {each.name: (each.element, shapes[each.name]) for each in declared}


@dataclass(frozen=True, slots=True)
class _Declared:
    """An input as the file declares it; ``dims`` is ``None`` where even the number of axes is open."""

    name: str
    element: int
    dims: tuple[Size, ...] | None

    @staticmethod
    def of(path: Path, value: onnx.ValueInfoProto) -> _Declared:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            what = "of no type" if kind is None else f"of type {kind.removesuffix('_type').replace('_', ' ')}"
            raise UserError(f"{path}: input {value.name!r} is {what}; latency is predicted for tensors")
        tensor = value.type.tensor_type
        dims = tuple(_size(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None
        return _Declared(value.name, tensor.elem_type, dims)

    def settled(self, path: Path, sizes: Mapping[str, int]) -> Shape:
        """The shape with open sizes of these names, and a batch of one."""
        if self.dims is None:
            raise UserError(f"{path}: input {self.name!r} declares no shape; give it, as in {self.option}")
        shape: list[int] = []
        for axis, dim in enumerate(self.dims):
            size = sizes.get(dim) if isinstance(dim, str) else dim
            size = 1 if size is None and axis == 0 and _is_batch(dim) else size
            if size is None:
                raise UserError(
                    f"{path}: axis {axis} of input {self.name!r}, declared as {self}, has no fixed size; "
                    f"give the shape, as in {self.option}"
                )
            shape.append(size)
        return tuple(shape)

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether a whole shape agrees with the fixed sizes."""
        if self.dims is None:
            return True
        fixed = zip(self.dims, shape, strict=False)
        return len(self.dims) == len(shape) and all(not isinstance(d, int) or d == size for d, size in fixed)

    def batched(self, sizes: Sequence[int]) -> Shape:
        """Sizes behind the first axis."""
        first = self.dims[0] if self.dims else None
        return (first if isinstance(first, int) else 1, *sizes)

    @property
    def option(self) -> str:
        """How a user would give the shape."""
        dims = (None, None) if self.dims is None else self.dims
        known = [str(dim) if isinstance(dim, int) else "…" for dim in dims]
        if dims and not isinstance(dims[0], int) and _is_batch(dims[0]):
            known[0] = "1"
        return f"--input {self.name}={'x'.join(known)}"

    def __str__(self) -> str:
        return "a tensor of any shape" if self.dims is None else _spell(self.dims)


def _named(path: Path, declared: Sequence[_Declared], named: Mapping[str, tuple[int, ...]]) -> dict[str, Shape]:
    inputs = {each.name: each for each in declared}
    for name, shape in named.items():
        if name not in inputs:
            raise UserError(f"{path}: {unknown('input', name, inputs)}")
        if min(shape, default=0) < 0 or not inputs[name].takes(shape):
            raise UserError(f"{path}: input {name!r} is declared as {inputs[name]}; got {_spell(shape)}")
    return {name: tuple(shape) for name, shape in named.items()}


def _asked(path: Path, waiting: Sequence[_Declared], asked: tuple[int, ...]) -> dict[str, Shape]:
    """The inputs that sizes without the first axis fit."""
    found = {each.name: each.batched(asked) for each in waiting if each.dims != () and each.takes(each.batched(asked))}
    if waiting and not found:
        own = ", ".join(f"{each.name!r} {each}" for each in waiting)
        options = " or ".join(each.option for each in waiting[:3])
        raise UserError(
            f"{path}: no input takes {_spell(asked)} behind its first axis; declared: {own}; "
            f"name a whole shape, as in {options}"
        )
    return found


def _is_batch(first: Size) -> bool:
    """Whether an open first axis counts examples."""
    return not (isinstance(first, str) and _STEPS.search(first))


def _size(dim: onnx.TensorShapeProto.Dimension) -> Size:
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    return dim.dim_param or None


def _spell(sizes: Sequence[Size]) -> str:
    inside = ", ".join("?" if size is None else str(size) for size in sizes)
    return f"({inside},)" if len(sizes) == 1 else f"({inside})"
