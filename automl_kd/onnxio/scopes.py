"""Where a module stands in an exported graph: the names of its nodes, and the tensor that it returns."""

from __future__ import annotations

from itertools import accumulate

import onnx

from automl_kd.core import UserError


def scope(path: str) -> str:
    """How the names of the nodes of a submodule begin: ``stage2.0`` to ``/stage2/stage2.0/``."""
    # The exporter names the children of a sequence after it.
    segments = accumulate(path.split("."), lambda parent, name: f"{parent}.{name}" if name.isdigit() else name)
    return f"/{'/'.join(segments)}/"


def returned_by(model: onnx.ModelProto, path: str) -> str:
    """The name of the tensor that a submodule returns: the last that its nodes make.

    Raises:
        UserError: If it has no nodes.
    """
    prefix = scope(path)
    made: list[str] = [node.output[0] for node in model.graph.node if node.name.startswith(prefix)]
    if not made:
        raise UserError(f"the exported student has no node of {path}")
    return made[-1]
