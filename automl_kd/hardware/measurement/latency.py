"""Latencies of ONNX files on this machine, such that two measurements of one file agree."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from automl_kd.core import Input, UserError
from automl_kd.hardware.kernels.graph import Shape
from automl_kd.hardware.measurement.feeds import fed_inputs, made_up
from automl_kd.hardware.predictor.cost import Floats
from automl_kd.hardware.processor import cpu_name
from automl_kd.onnxio import export, onnxruntime, repeatable

Progress = Callable[[float, str], None]

_LEAST_VISITS = 5
_VISIT = 0.012  # seconds: long enough for a few runs, shorter than a machine usually stays at one speed
_RUNS = 5  # in a visit, of which the first find the caches cold
_COLD = 2
_LONGEST = 1.0  # seconds of a visit; a slow network is repeated less often
_GLANCE, _GLANCES = 0.0015, 4  # seconds and runs of a sentinel's visit
_FINE = 1e-6  # seconds: a coarser clock of a thread's work says nothing of one run
# Other programs only add time, and the share of a session that they take varies. So the label is stated at the speed of
# the least disturbed moments.
_UNDISTURBED = 0.05  # quantile of the sentinels' times
_SURE = 0.02  # relative standard error above which a file is visited more often, while there is patience
_MOST = 3  # times as many visits as asked for


@dataclass(frozen=True, slots=True)
class Measurement:
    """Latency of one file at batch 1, milliseconds.

    Attributes:
        ms: The label to compare by: the time of a run at the highest speed that the machine was seen at.
        minimum: Fastest run, as timed.
        p10: Tenth percentile of the runs as timed.
        median: Half of the runs were faster.
        p90: Ninth decile.
        runs: Timed runs.
        visits: Visits that they are spread over.
        drift: Range of the machine's speed, which was taken out of the label: relative difference of the ninth and the
            first decile of the sentinels' times.
        repeat_error: Relative standard error of the label, from the noise that is left.
        sentinels: Geometric mean of the sentinels' times at that speed, ms, by which labels of other sessions can be
            brought to the same.
        threads: Threads inside one operator.
        cpu: The processor.
        versions: Versions of the programs involved.
    """

    ms: float
    minimum: float
    p10: float
    median: float
    p90: float
    runs: int
    visits: int
    drift: float
    repeat_error: float
    sentinels: float
    threads: int
    cpu: str
    versions: dict[str, str]


def measure_latency(
    path: str | Path,
    threads: int = 1,
    visits: int = 60,
    *,
    input_shape: Shape | None = None,
    inputs: Mapping[str, Shape] | None = None,
    progress: Progress = lambda share, what: None,
) -> Measurement:
    """Latency of an ONNX file under onnxruntime on this machine's CPU.

    Short visits to the file alternate with glances at two sentinel networks, and every visit counts relative to the
    glances around it, because a shared machine changes its speed by half from one second to the next.

    Args:
        path: A model of any inputs and outputs; it runs on values that are made up.
        threads: Threads inside one operator.
        visits: At least 5, so that disturbed ones are outvoted.
        input_shape: Shape of one input without the batch axis, where the file leaves sizes open.
        inputs: Whole shapes by name.
        progress: Told the share done.

    Raises:
        UserError: If the file cannot be run, a size stays open, or there are too few visits.
    """
    if visits < _LEAST_VISITS:
        raise UserError(f"visits is {visits}; a measurement needs at least {_LEAST_VISITS} to see what varies")
    subject = _Subject(repeatable(path, made_up(path, input_shape, inputs), threads), threads)
    return _interleaved([subject], threads, visits, patience=20.0, progress=progress)[0]


def measure_latencies(
    paths: Sequence[Path],
    threads: int = 1,
    visits: int = 20,
    patience: float = 10.0,
    progress: Progress = lambda share, what: None,
    *,
    batch: int = 1,
) -> list[Measurement]:
    """Latencies of several files, interleaved with each other and with the sentinels; by default within seconds.

    Args:
        paths: Models with fixed sizes but for the batch.
        threads: Threads inside one operator.
        visits: To every file; up to three times as many where the label is less certain than 2 %.
        patience: Seconds after which a file is not visited more often than the least number that shows what varies.
        progress: Told the share done.
        batch: Examples at a time, for files that leave that open.

    Raises:
        UserError: If a file cannot be run, leaves sizes open, or takes another number of examples at a time.
    """
    subjects = [_Subject(repeatable(path, _of_batch(path, batch), threads), threads) for path in paths]
    return _interleaved(subjects, threads, visits, patience, progress)


def _of_batch(path: Path, batch: int) -> dict[str, npt.NDArray[Any]]:
    """Made-up values for so many examples."""
    if batch == 1:
        return made_up(path)
    return made_up(path, inputs={name: (batch, *shape[1:]) for name, (shape, _) in fed_inputs(path).items()})


def _interleaved(
    subjects: Sequence[_Subject], threads: int, visits: int, patience: float, progress: Progress
) -> list[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        written = write_sentinels(Path(folder))
        sentinels = [_Subject(repeatable(path, made_up(path, shape), threads), threads) for path, shape in written]
    for subject in (*subjects, *sentinels):
        subject.time(_VISIT, _RUNS)

    def glance() -> float:
        """The sentinels' time just now, as a logarithm."""
        return float(np.mean([math.log(sentinel.time(_GLANCE, _GLANCES).undisturbed.min()) for sentinel in sentinels]))

    shuffle, began = random.Random(0), time.monotonic()
    levels = [glance()]
    seen = [Visits() for _ in subjects]
    for number in range(_MOST * visits):
        late = time.monotonic() - began > patience
        if late and number >= _LEAST_VISITS:
            break
        due = [place for place, each in enumerate(seen) if number < visits or each.error > _SURE]
        if not due:
            break
        shuffle.shuffle(due)
        for done, place in enumerate(due):
            seen[place].add(subjects[place].time(_VISIT, _RUNS), levels[-1], after := glance())
            levels.append(after)
            progress(min(1.0, (number + (done + 1) / len(due)) / visits), "timing networks")
    undisturbed = float(np.quantile(levels, _UNDISTURBED))
    drift = math.expm1(float(np.quantile(levels, 0.9) - np.quantile(levels, 0.1)))
    return [each.summary(undisturbed, drift, threads) for each in seen]


@dataclass(frozen=True, slots=True)
class Runs:
    """Milliseconds of single runs.

    Attributes:
        passed: From the call to the result.
        undisturbed: The same without the time in which other programs had the processor.
    """

    passed: Floats
    undisturbed: Floats


class Visits:
    """The runs of one file, and the time of each visit relative to the sentinels around it."""

    def __init__(self) -> None:
        self._runs: list[Floats] = []
        self._relative: list[float] = []  # natural logarithms

    def add(self, runs: Runs, before: float, after: float) -> None:
        """A visit between two glances."""
        warm = runs.undisturbed[min(_COLD, len(runs.undisturbed) - 1) :]
        self._runs.append(runs.passed)
        self._relative.append(math.log(float(np.median(warm))) - (before + after) / 2)

    @property
    def error(self) -> float:
        """Standard error of the mean of the middle half, estimated from the quartiles."""
        low, high = np.quantile(self._relative, (0.25, 0.75))
        return float(high - low) / 1.35 * 1.1 / math.sqrt(len(self._relative))

    def summary(self, level: float, drift: float, threads: int) -> Measurement:
        """The measurement, stated at a level of the sentinels (a logarithm)."""
        times = np.concatenate(self._runs)
        quarter = len(self._relative) // 4
        middle = sorted(self._relative)[quarter : len(self._relative) - quarter]
        p10, median, p90 = (float(value) for value in np.quantile(times, (0.1, 0.5, 0.9)))
        return Measurement(
            ms=math.exp(float(np.mean(middle)) + level),
            minimum=float(times.min()),
            p10=p10,
            median=median,
            p90=p90,
            runs=len(times),
            visits=len(self._runs),
            drift=drift,
            repeat_error=self.error,
            sentinels=math.exp(level),
            threads=threads,
            cpu=cpu_name(),
            versions={"onnxruntime": str(onnxruntime.__version__), "numpy": np.__version__},
        )


class _Subject:
    """A model that can be run again and again.

    Args:
        run: Runs it once.
        threads: That it runs on; one is the thread that calls it.
    """

    def __init__(self, run: Callable[[], None], threads: int) -> None:
        self._run = run
        self._alone = threads == 1 and time.get_clock_info("thread_time").resolution < _FINE

    def time(self, seconds: float, runs: int) -> Runs:
        """Single runs, until both ``seconds`` and ``runs`` are reached (or ``_LONGEST`` is)."""
        passed, worked = [], []
        start = time.perf_counter()
        while True:
            busy = time.thread_time()
            before = time.perf_counter()
            self._run()
            after = time.perf_counter()
            worked.append(time.thread_time() - busy)
            passed.append(after - before)
            spent = after - start
            if (spent >= seconds and len(passed) >= runs) or spent >= _LONGEST:
                break
        wall = 1e3 * np.asarray(passed)
        return Runs(wall, np.minimum(wall, 1e3 * np.asarray(worked)) if self._alone else wall)


def write_sentinels(folder: Path, opset: int = 17) -> list[tuple[Path, tuple[int, int, int]]]:
    """Two networks that notice different disturbances, one of arithmetic, one of memory traffic, and their inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        busy = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
        moving = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Sigmoid(), nn.AvgPool2d(3, 1, 1))
    made = (("sentinel-busy", busy, (32, 24, 24)), ("sentinel-moving", moving, (16, 64, 64)))
    return [
        (export(module, folder / f"{name}.onnx", Input.of_images(shape), opset), shape) for name, module, shape in made
    ]
