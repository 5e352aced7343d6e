"""Write a module to one checked ONNX file."""

from __future__ import annotations

import contextlib
import io
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import torch
from torch import nn

from automl_kd.core import Input, Signature, UserError, replacing
from automl_kd.onnxio.attention import plain_attention
from automl_kd.onnxio.session import Session

_OPSETS = range(11, 22)
_TOLERANCE = 1e-4


def export(module: nn.Module, path: str | Path, signature: Signature | Input, opset: int = 17) -> Path:
    """Write ``module`` to one ONNX file and check what was written.

    The file has one input and one output under the names of the signature, with a dynamic batch axis, and holds its
    weights. It appears under ``path`` only after it passed the ONNX checker, declares the asked opset, and agrees with
    PyTorch on a random batch. The module is exported as it behaves in evaluation (dropout off, batch normalisation
    folded) and keeps the training flag of every submodule.

    Args:
        module: Maps ``(N, *shape)`` of the input to one float32 tensor.
        path: File to write; missing folders are created.
        signature: What the module takes and answers; an input alone, where nobody cares what is answered, which then
            is called ``logits``.
        opset: Version of the ONNX operator set, 11 to 21 (TensorRT 8.2 on a Jetson Nano reads up to 13).

    Returns:
        ``path``.

    Raises:
        UserError: If the opset is out of range, the module cannot be exported or rejects the shape, or the file's
            output differs from the module's by more than 1e-4 (of values by 1e-4 of the labels' smallest standard
            deviation), relative to the largest output where that exceeds 1.
    """
    if opset not in _OPSETS:
        raise UserError(f"opset {opset} is not supported; allowed: {_OPSETS.start} to {_OPSETS.stop - 1}")
    target = Path(path)
    takes, answer = (signature.input, signature.output) if isinstance(signature, Signature) else (signature, None)
    batch = takes.noise(3, torch.Generator().manual_seed(0))
    with replacing(target) as draft:
        _write(module, draft, batch, opset, takes.name, answer.name if answer else "logits")
        _check(module, draft, batch, opset, min(answer.std) if answer and answer.std else 1.0)
    return target


def difference(module: nn.Module, path: str | Path, x: torch.Tensor) -> float:
    """The largest absolute difference between onnxruntime on ``path`` and ``module`` in evaluation, over batch ``x``.

    Args:
        module: Maps ``(N, *shape)`` to one tensor; its training flags are kept.
        path: An ONNX file of the same function.
        x: A batch ``(N, *shape)``, of floats or of ids.

    Raises:
        UserError: If the file is missing or is not an ONNX model, or the two outputs differ in shape.
    """
    with _evaluating(module), torch.no_grad():
        expected = module(x.to(_device(module))).cpu().numpy()
    actual = Session(path).run(x.cpu().numpy())
    if actual.shape != expected.shape:
        raise UserError(f"{path} returns shape {actual.shape} where the module returns {expected.shape}")
    return float(np.abs(actual - expected).max(initial=0.0))


def _write(module: nn.Module, path: Path, batch: torch.Tensor, opset: int, takes: str, answer: str) -> None:
    with quiet_evaluation(module):
        traced(module, str(path), batch, opset, takes, answer)


def traced(
    module: nn.Module,
    target: str | io.BytesIO,
    batch: torch.Tensor,
    opset: int,
    takes: str,
    answer: str,
    *,
    named: bool = False,
) -> None:
    """Write the graph of a module that is in evaluation, unchecked.

    Args:
        module: Maps ``batch`` to one tensor.
        target: A path, or bytes to be filled.
        batch: Examples, at least two.
        opset: Version of the operators.
        takes: Name of the input.
        answer: Name of the output.
        named: Whether tensors keep the names that they have in the module, and nothing is folded.

    Raises:
        UserError: If it cannot be exported.
    """
    example = batch.to(_device(module))
    mode = torch.onnx.TrainingMode.PRESERVE if named else torch.onnx.TrainingMode.EVAL
    try:
        output = module(example)
        if not isinstance(output, torch.Tensor):
            raise UserError(f"{type(module).__name__} returns {type(output).__name__}; export needs one tensor")
        # The legacy exporter keeps the asked opset and writes one file; the dynamo exporter converts opsets
        # below 18 only on paper, and puts the weights into a second file.
        with plain_attention(opset):
            torch.onnx.export(
                module,
                (example,),
                target,  # type: ignore[arg-type]  # bytes are taken too, whatever is declared
                dynamo=False,
                opset_version=opset,
                input_names=[takes],
                output_names=[answer],
                dynamic_axes={takes: {0: "batch"}, answer: {0: "batch"}},
                training=mode,
                do_constant_folding=not named,
            )
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        reason = str(error).strip().splitlines()[0]
        shape = tuple(batch.shape[1:])
        raise UserError(
            f"cannot export {type(module).__name__} with input {shape} at opset {opset}: {reason}"
        ) from error


def _check(module: nn.Module, path: Path, batch: torch.Tensor, opset: int, unit: float) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model)
    written = {item.domain: item.version for item in model.opset_import}
    if written.get("") != opset:
        raise UserError(f"the exporter wrote opset {written.get('')} where {opset} was asked; ask for another opset")
    with _evaluating(module), torch.no_grad():
        largest = float(module(batch.to(_device(module))).abs().max())
    worst = difference(module, path, batch)
    if not worst <= _TOLERANCE * max(unit, largest):
        raise UserError(
            f"the exported {type(module).__name__} differs from the module by {worst:.2g} on a random batch "
            f"(allowed {_TOLERANCE * unit:g}); its forward may depend on values or on the batch size"
        )


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every submodule has the training flag it had."""
    flags = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, flag in flags:
            part.training = flag


@contextlib.contextmanager
def quiet_evaluation(module: nn.Module) -> Iterator[None]:
    """A module in evaluation, without gradients and with a silent exporter; its training flags are kept."""
    with _evaluating(module), torch.no_grad(), _silence():
        yield


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The legacy exporter warns about its own age and may print; neither is the user's concern."""
    with (
        # It writes the graph that it fails on to the process's output, past Python's, whether or not logs are on.
        patch.object(torch._C, "_jit_onnx_log", lambda *_: None),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def _device(module: nn.Module) -> torch.device:
    tensors = itertools.chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))
