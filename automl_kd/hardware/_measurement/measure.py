"""Time ONNX files on this machine so that two measurements of one file agree."""

from __future__ import annotations

import math
import platform
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

from automl_kd.errors import UserError
from automl_kd.hardware._predictor.cost import Floats
from automl_kd.onnxio import Session, export

Progress = Callable[[float, str], None]

_DRIFT = 0.03  # a round whose sentinels moved further than this is rescaled to them
_SPARE_ROUNDS = 4  # rounds that may replace those in which the sentinels disagree
_SENTINEL = 0.4  # seconds of a sentinel's visit: all other times are judged by it
_RUNS = 30
_LONGEST = 3.0  # seconds in one round; a slow network is repeated less often


@dataclass(frozen=True, slots=True)
class Measurement:
    """Latency of one file at batch 1, milliseconds.

    Attributes:
        minimum: Fastest run.
        p10: Tenth percentile, the label to compare by: other programs only ever add time, so on a shared machine low
            quantiles repeat and the median does not.
        median: Half of the runs were faster.
        p90: Ninth decile.
        runs: Timed runs.
        rounds: Rounds that they are spread over.
        drift: Largest relative change of the sentinel networks between rounds, before it was taken out.
        repeat_error: Largest relative change of one sentinel that the other does not share: what is left of the noise.
        sentinels: Geometric mean of the sentinels' labels, ms: how fast the machine was during this measurement.
        threads: Threads inside one operator.
        cpu: The processor.
        versions: Versions of the programs involved.
    """

    minimum: float
    p10: float
    median: float
    p90: float
    runs: int
    rounds: int
    drift: float
    repeat_error: float
    sentinels: float
    threads: int
    cpu: str
    versions: dict[str, str]

    @property
    def ms(self) -> float:
        """The label: ``p10``."""
        return self.p10


def measure(path: str | Path, threads: int = 1, rounds: int = 3) -> Measurement:
    """Latency of an ONNX file under onnxruntime on this machine's CPU.

    Rounds in random order interleave the file with two sentinel networks. When both are slower in a round, the machine
    was, and the round is scaled back; when they disagree, the round is repeated, up to four times.

    Args:
        path: A model with fixed sizes but for the batch.
        threads: Threads inside one operator.
        rounds: At least 3, so that a disturbed round is outvoted.

    Raises:
        UserError: If the file cannot be run, leaves sizes open, or there are too few rounds.
    """
    if rounds < 3:
        raise UserError(f"rounds is {rounds}; a measurement needs at least 3 to see drift")
    return measure_all([Path(path)], threads, rounds, warm_up=1.0, least=0.3, patience=20.0)[0]


def measure_together(paths: Sequence[Path], threads: int = 1) -> list[Measurement]:
    """Latencies of a few ONNX files side by side, in seconds rather than at leisure.

    Args:
        paths: Models with fixed sizes but for the batch.
        threads: Threads inside one operator.

    Raises:
        UserError: As :func:`measure`.
    """
    return measure_all(paths, threads, rounds=3, warm_up=0.2, least=0.1, patience=5.0)


def measure_all(
    paths: Sequence[Path],
    threads: int,
    rounds: int,
    warm_up: float,
    least: float,
    patience: float,
    progress: Progress = lambda share, what: None,
) -> list[Measurement]:
    """Latencies of several files, interleaved with each other and with the sentinels.

    Args:
        paths: Models with fixed sizes but for the batch.
        threads: Threads inside one operator.
        rounds: How often every file is visited.
        warm_up: Seconds of untimed runs before a file's first timed one; at least 10 runs.
        least: Seconds of timed runs per visit.
        patience: Seconds of timing after which no spoiled round is repeated any more.
        progress: Told the share done.

    Raises:
        UserError: If a file cannot be run or leaves sizes open.
    """
    with tempfile.TemporaryDirectory() as folder:
        sentinels = [_Target(path, threads) for path, _ in write_sentinels(Path(folder))]
    targets = [_Target(path, threads) for path in paths]
    everyone = [*targets, *sentinels]
    for target in everyone:
        target.time(warm_up, 10)
    shuffle = random.Random(0)
    began = time.monotonic()
    kept: list[list[Floats]] = []
    for number in range(rounds + _SPARE_ROUNDS):
        order = list(range(len(everyone)))
        shuffle.shuffle(order)
        visits = dict.fromkeys(order, np.empty(0))
        for done, place in enumerate(order):
            longer = least if place < len(targets) else max(least, _SENTINEL)
            visits[place] = everyone[place].time(longer, _RUNS)
            progress(min(1.0, (number + (done + 1) / len(order)) / rounds), "timing small networks")
        kept.append([visits[place] for place in range(len(everyone))])
        if len(kept) > rounds:
            del kept[_most_disturbed(_shifts(kept, len(targets)))]
        calm = len(kept) == rounds and _disagreement(_shifts(kept, len(targets))).max() <= _DRIFT
        if calm or (len(kept) == rounds and time.monotonic() - began > patience):
            break
    shifts = _shifts(kept, len(targets))
    shared = shifts.mean(axis=0)
    scale = np.where(np.abs(shared) > _DRIFT, np.exp(-shared), 1.0)
    drift, rest = float(np.abs(shared).max()), float(_disagreement(shifts).max())
    visited = [
        [visits[place] * factor for visits, factor in zip(kept, scale, strict=True)] for place in range(len(everyone))
    ]
    level = math.sqrt(math.prod(_label(visits) for visits in visited[len(targets) :]))
    return [_summary(visits, drift, rest, level, threads) for visits in visited[: len(targets)]]


def cpu_name() -> str:
    """The processor's model name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _shifts(rounds: Sequence[Sequence[Floats]], first: int) -> Floats:
    """``log(label / median over rounds)`` of the sentinels, which stand from ``first`` on: (sentinels, rounds)."""
    logs = np.log([[_p10(times) for times in visits[first:]] for visits in rounds]).T
    shifts: Floats = logs - np.median(logs, axis=1, keepdims=True)
    return shifts


def _disagreement(shifts: Floats) -> Floats:
    """How far the sentinels of a round moved apart, which no rescaling mends, (rounds,)."""
    apart: Floats = np.abs(shifts - shifts.mean(axis=0)).max(axis=0)
    return apart


def _most_disturbed(shifts: Floats) -> int:
    """The round to reject: sentinels apart weigh more than sentinels that moved together, which rescaling takes out."""
    return int(np.argmax(_disagreement(shifts) + 0.1 * np.abs(shifts).max(axis=0)))


def _label(visits: list[Floats]) -> float:
    """The median over rounds of each round's p10: one disturbed round must not decide, nor one lucky."""
    return float(np.median([_p10(visit) for visit in visits]))


def _summary(visits: list[Floats], drift: float, rest: float, level: float, threads: int) -> Measurement:
    times, label = np.concatenate(visits), _label(visits)
    return Measurement(
        minimum=float(times.min()),
        p10=label,
        median=max(label, float(np.median(times))),
        p90=max(label, float(np.quantile(times, 0.9))),
        runs=len(times),
        rounds=len(visits),
        drift=math.expm1(drift),
        repeat_error=math.expm1(rest),
        sentinels=level,
        threads=threads,
        cpu=cpu_name(),
        versions={"onnxruntime": str(onnxruntime.__version__), "numpy": np.__version__},
    )


def _p10(times: Floats) -> float:
    return float(np.quantile(times, 0.1))


class _Target:
    """One session with an input ready."""

    def __init__(self, path: Path, threads: int) -> None:
        self._session = Session(path, threads)
        shape = tuple(size for size in self._session.input_shape if size is not None)
        if len(shape) != len(self._session.input_shape):
            raise UserError(f"{path} leaves sizes of its input open; export it with fixed sizes to measure it")
        self._x: npt.NDArray[np.float32] = np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)

    def time(self, seconds: float, runs: int) -> Floats:
        """Milliseconds of single runs, until both ``seconds`` and ``runs`` are reached (or ``_LONGEST`` is)."""
        times = []
        start = time.perf_counter()
        while True:
            before = time.perf_counter()
            self._session.run(self._x)
            after = time.perf_counter()
            times.append((after - before) * 1e3)
            spent = after - start
            if (spent >= seconds and len(times) >= runs) or spent >= _LONGEST:
                return np.asarray(times)


def write_sentinels(folder: Path, opset: int = 17) -> list[tuple[Path, tuple[int, int, int]]]:
    """Two networks that notice different disturbances, one of arithmetic, one of memory traffic, and their inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        busy = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
        moving = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Sigmoid(), nn.AvgPool2d(3, 1, 1))
    made = (("sentinel-busy", busy, (32, 24, 24)), ("sentinel-moving", moving, (16, 64, 64)))
    return [(export(module, folder / f"{name}.onnx", shape, opset), shape) for name, module, shape in made]
