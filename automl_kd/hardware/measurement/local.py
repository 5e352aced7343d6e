"""The calibration of this machine on networks that are made and timed here."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from automl_kd.core import Input, UserError, cache_dir, write_text
from automl_kd.hardware.datasheet import Memory
from automl_kd.hardware.fit_section import Fit, Uncertainty
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.measurement.latency import Progress, measure_latencies
from automl_kd.hardware.measurement.network_file import write_network
from automl_kd.hardware.measurement.probes import probes
from automl_kd.hardware.predictor.cost import kinds_of
from automl_kd.hardware.predictor.fit import fit
from automl_kd.hardware.predictor.misfit import Misfit
from automl_kd.hardware.predictor.prior import Prior, Spread
from automl_kd.hardware.processor import cpu_name
from automl_kd.hardware.profile_file import Target
from automl_kd.hardware.references import reference_networks, timed_kernels
from automl_kd.hardware.target import kernels_of, spread_of
from automl_kd.onnxio import onnxruntime

# On a shared machine small noise is the rule. It shows in the leave-one-out error and so widens every interval. What is
# known no better than this is left out; with too few networks left, the fit would describe the other programs.
_NOISIEST = 0.10
_CALM = 0.8
# The probes are too different from each other to share errors: what the model gets wrong of one says nothing of others.
_MISFIT = Misfit(noise=0.10, alike=0.0)
# Bandwidths of kinds differ less than launches do. Chosen by the errors on probes left out and on half of the files of
# benchmarks/real_files.py.
_SPREAD = Spread.even(
    {"arithmetic": 0.5, "other": 0.7, "bandwidth": 0.5, "launch": 0.8},
    {"arithmetic": 0.1, "other": 0.6, "bandwidth": 0.3, "launch": 0.6},
    1.0,
)
_VISITS, _PATIENCE = 12, 16.0  # seconds; with the making of the networks at most half a minute
_MAKING = 0.3  # share of the time
_MODEL = 4  # raised whenever kernels or costs are defined anew, so that a stored fit of the old ones is not read


def calibration(device: str, target: Target, progress: Progress | None = None) -> Fit:
    """The fit of this machine under ``target``: stored, or measured now in at most half a minute.

    It is stored in ``cache_dir()/hardware`` by processor, onnxruntime version and threads; delete it to measure anew.

    Raises:
        UserError: If the stored file is damaged, or the machine is too busy for a measurement to repeat within 10 %.
    """
    path = cached(device, target, "json")
    if path.is_file():
        try:
            stored = Fit.model_validate_json(path.read_text(encoding="utf-8"))
            _ = stored.coefficients(target.prior)
            return stored
        except (ValueError, KeyError):  # no JSON, no fit, or a fit without all of its coefficients
            raise UserError(f"{path}: not a whole calibration; delete it to measure this machine anew") from None
    result = _calibrate(device, target, progress or (lambda share, what: None))
    write_text(path, result.model_dump_json(indent=1))
    return result


def cached(name: str, target: Target, ending: str) -> Path:
    """The file of measurements of this machine, by processor, onnxruntime version, precision and threads."""
    key = f"{_MODEL}|{cpu_name()}|{onnxruntime.__version__}|{target.precision}|{target.threads}"
    return cache_dir() / "hardware" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.{ending}"


def _calibrate(device: str, target: Target, progress: Progress) -> Fit:
    made = probes()
    with tempfile.TemporaryDirectory() as folder, one_torch_thread():
        paths = []
        for index, (name, module, shape) in enumerate(made):
            progress(_MAKING * index / len(made), "making small networks")
            paths.append(write_network(module, Path(folder) / f"{name}.onnx", Input.of_images(shape), target))
        lowered = [kernels_of(target, read_onnx(path, None)) for path in paths]
        timed = measure_latencies(
            paths,
            target.threads,
            visits=_VISITS,
            patience=_PATIENCE,
            progress=lambda share, what: progress(_MAKING + (0.95 - _MAKING) * share, what),
        )
    known = [
        (path.stem, network, item.ms)
        for path, network, item in zip(paths, lowered, timed, strict=True)
        if item.repeat_error <= _NOISIEST
    ]
    if len(known) < _CALM * len(made):
        raise UserError(
            f"this machine is too busy to calibrate {device}: the times of {len(made) - len(known)} of {len(made)}"
            f" networks are known no better than to {100 * _NOISIEST:.0f} %; try again when it is quieter"
        )
    fitted = _fitted(
        target, [name for name, _, _ in known], [network for _, network, _ in known], [ms for *_, ms in known]
    )
    progress(1.0, "fitted")
    return fitted


def _fitted(target: Target, names: Sequence[str], networks: Sequence[Network], ms: Sequence[float]) -> Fit:
    limits = Limits.of(Memory(), target.memory_here)
    timed = [timed_kernels(target, limits, network, each) for network, each in zip(networks, ms, strict=True)]
    spread = _SPREAD if target.facts.vector is not None else spread_of(target)
    fitted = fit(timed, Prior(target.prior, spread.covariance()), _MISFIT)
    references = reference_networks(names, networks, ms, fitted, "measured on this machine")
    kinds = kinds_of(network.features for network in timed)
    return Fit.of(fitted.coefficients, kinds, Uncertainty.of(spread, _MISFIT), references)


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """One thread for PyTorch: two that share a busy core make the tiny convolutions of an export ten times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
