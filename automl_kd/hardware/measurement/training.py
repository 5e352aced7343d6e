"""A predictor of this machine, trained on networks that it chooses and times itself until the error stops falling."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from automl_kd.core import UserError
from automl_kd.hardware.fit_section import Fit
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.measurement.latency import measure_latencies
from automl_kd.hardware.measurement.local import cached, one_torch_thread
from automl_kd.hardware.measurement.network_file import write_network
from automl_kd.hardware.measurement.selection import Candidate, Design
from automl_kd.hardware.plan import FLOAT32, Block
from automl_kd.hardware.profile import Profile
from automl_kd.hardware.profile_file import Target
from automl_kd.onnxio import onnxruntime

_BATCH = 12
_BLOCKS = 300
_LEAST = 8  # measured networks before the first refit
_ENOUGH = 24  # measured networks below which the error is too uncertain to be compared
_FLAT = 3  # refits in a row that did not lower the error by a twentieth
_NOISIEST = 0.10  # a larger standard error means that other programs were timed; a smaller one shows in the fit's error
_FEW_ERRORS = 5


@dataclass(frozen=True)
class TrainingStep:
    """A refit.

    Attributes:
        measured: Networks it rests on.
        error: Median over whole networks of the relative error on the network left out.
        seconds: Since the beginning.
    """

    measured: int
    error: float
    seconds: float


@dataclass(frozen=True)
class TrainedProfile:
    """What a training came to.

    Attributes:
        profile: The new profile.
        steps: Every refit.
        measured: Networks that it rests on, and how many of them were timed before in an earlier run.
        reused: The latter.
        ended: Why it ended: ``budget``, ``flat`` or ``exhausted``.
    """

    profile: Profile
    steps: tuple[TrainingStep, ...]
    measured: int
    reused: int
    ended: str


@dataclass(frozen=True)
class Timed:
    """A network's time, and that of fixed networks beside it, which tells how fast the machine was just then."""

    ms: float
    sentinels_ms: float


class Journal:
    """Times of networks on this machine, a JSON line each, appended as they come.

    A line that a killed process left unfinished is ignored.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @staticmethod
    def of(target: Target) -> Journal:
        """That of this processor, this onnxruntime and a target's precision and threads, in the cache."""
        return Journal(cached("measured", target, "jsonl"))

    def read(self) -> dict[str, Timed]:
        """What is known, by network; of two times of one network the later."""
        found: dict[str, Timed] = {}
        if self._path.is_file():
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                    timed = Timed(float(entry["ms"]), float(entry["sentinels_ms"]))
                except (ValueError, KeyError, TypeError):
                    continue
                if all(math.isfinite(each) and each > 0 for each in (timed.ms, timed.sentinels_ms)):
                    found[str(entry["network"])] = timed
        return found

    def append(self, key: str, timed: Timed) -> None:
        """Keep a time; it is on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        entry = {"network": key, "ms": timed.ms, "sentinels_ms": timed.sentinels_ms}
        with self._path.open("a+b") as file:
            text = json.dumps(entry) + "\n"
            if file.tell() and not _ends_its_line(file.fileno(), file.tell()):
                text = "\n" + text
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())


def train_profile(
    profile: Profile,
    networks: Sequence[Candidate],
    seconds: float,
    name: str,
    source: str,
    progress: Callable[[TrainingStep | None, int, str], None] = lambda step, measured, what: None,
) -> TrainedProfile:
    """Refit a profile of this machine on the networks of a space, chosen to be informative, within a time.

    Half of what is measured are whole networks and half single blocks, in which a kind of kernel stands alone. All of
    them decide the fit; the error and the intervals are those of whole networks left out of it.

    Args:
        profile: One that is measured on this machine.
        networks: To choose from, whole or by their blocks.
        seconds: Time in all; the batch under way is finished.
        name: Of the new profile.
        source: Where the times come from, for the references.
        progress: Told the last refit, how many networks are measured and what is being done.

    Raises:
        UserError: If the profile is not one of this machine, the time was too short for a fit, or the machine too busy.
    """
    if not profile.target.this_machine:
        raise UserError(f"{profile.name} is not measured on this machine; train --hw local, or make a kit for it")
    began = time.monotonic()
    run = _Run(profile, networks, source)
    steps: list[TrainingStep] = []
    batch_seconds, wasted = 0.0, 0
    while True:
        if len(run.timed) >= _LEAST and run.grown:
            progress(steps[-1] if steps else None, len(run.timed), f"fitting on {len(run.timed)} networks")
            steps.append(TrainingStep(len(run.timed), run.refit(), time.monotonic() - began))
        chosen = run.choose()
        if not chosen or _is_flat(steps):
            ended = "exhausted" if not chosen else "flat"
            break
        if time.monotonic() - began + batch_seconds > seconds:
            ended = "budget"
            break
        progress(steps[-1] if steps else None, len(run.timed), f"measuring {len(chosen)} networks")
        batch_began = time.monotonic()
        wasted += not run.time(chosen)
        batch_seconds = time.monotonic() - batch_began
    if run.fitted is None:
        why = f"; {wasted} batches were spoiled because the machine was busy" if wasted else ""
        raise UserError(
            f"the time was enough for {len(run.timed)} networks, and a fit needs {_LEAST}{why}; the same command with a"
            " longer --budget goes on from them"
        )
    new = profile.with_fit(run.fitted, name, str(onnxruntime.__version__))
    return TrainedProfile(new, tuple(steps), len(run.timed), run.reused, ended)


class _Run:
    """Candidates, what is known of them, and the fit so far."""

    def __init__(self, profile: Profile, networks: Sequence[Candidate], source: str) -> None:
        self._profile = profile
        self._candidates = [*networks, *_single_blocks(networks)]
        self._whole = range(len(networks))
        self._parts = range(len(networks), len(self._candidates))
        self._source = source
        self._design = Design.of(profile, self._candidates)
        self._journal = Journal.of(profile.target)
        self._keys = [_key(candidate) for candidate in self._candidates]
        self._lowered: dict[int, Network] = {}
        known = self._journal.read()
        self.timed = {index: known[key] for index, key in enumerate(self._keys) if key in known}
        self.reused = len(self.timed)
        self.grown = bool(self.timed)
        self.fitted: Fit | None = None

    def choose(self) -> list[int]:
        """The next batch; fewer where the candidates run out."""
        measured = list(self.timed)
        whole = self._design.choose(_BATCH // 2, measured, self._whole)
        return whole + self._design.choose(_BATCH - len(whole), [*measured, *whole], self._parts)

    def time(self, chosen: Sequence[int]) -> bool:
        """Time candidates and keep their times; False where the machine was too busy."""
        with tempfile.TemporaryDirectory() as folder, one_torch_thread():
            paths = []
            for index in chosen:
                candidate = self._candidates[index]
                path = Path(folder) / f"{candidate.name}.onnx"
                paths.append(write_network(candidate.build(), path, candidate.input, self._profile.target))
            threads = self._profile.target.threads
            found = measure_latencies(paths, threads)
        certain = [pair for pair in zip(chosen, found, strict=True) if pair[1].repeat_error <= _NOISIEST]
        for index, item in certain:
            self.timed[index] = Timed(item.ms, item.sentinels)
            self._journal.append(self._keys[index], self.timed[index])
        self.grown = self.grown or bool(certain)
        return bool(certain)

    def refit(self) -> float:
        """Fit on everything measured; the error on whole networks left out."""
        order = sorted(self.timed)
        names = [self._candidates[index].name for index in order]
        # Batches are minutes apart, and the machine is not always equally fast: all are stated at its median speed.
        usual = float(np.median([timed.sentinels_ms for timed in self.timed.values()]))
        times = [self.timed[index].ms * usual / self.timed[index].sentinels_ms for index in order]
        fitted = self._profile.refit([self._network(index) for index in order], times, names, self._source)
        whole = [reference for index, reference in zip(order, fitted.references, strict=True) if index in self._whole]
        references = whole if len(whole) >= _FEW_ERRORS else fitted.references
        self.fitted = fitted.model_copy(update={"references": tuple(references)})
        self.grown = False
        return float(np.median([abs(math.expm1(-reference.error)) for reference in references]))

    def _network(self, index: int) -> Network:
        if index not in self._lowered:
            candidate = self._candidates[index]
            with torch.device("meta"):
                module = torch.nn.Sequential(*(block.build() for block in candidate.plan.blocks))
            self._lowered[index] = self._profile.network(module, candidate.input.shape)
        return self._lowered[index]


@dataclass(frozen=True)
class _SingleBlock:
    """A plan of one block."""

    blocks: tuple[Block, ...]
    weight_bytes: int = FLOAT32
    integers: tuple[bool, ...] = ()
    per_channel: bool | None = None


def _single_blocks(networks: Sequence[Candidate]) -> list[Candidate]:
    """A sample of the different blocks of some networks, as networks of their own."""
    blocks = list(dict.fromkeys(block for network in networks for block in network.plan.blocks))
    random.Random(0).shuffle(blocks)
    return [
        Candidate(f"block-{number:03}", _SingleBlock((block,)), {}) for number, block in enumerate(blocks[:_BLOCKS])
    ]


def _is_flat(steps: Sequence[TrainingStep]) -> bool:
    errors = [step.error for step in steps if step.measured >= _ENOUGH]
    return len(errors) > _FLAT and min(errors[-_FLAT:]) > 0.95 * min(errors[:-_FLAT])


def _key(candidate: Candidate) -> str:
    """The same for the same network in every run: blocks are plain data with shapes."""
    return hashlib.sha256(repr(candidate.plan.blocks).encode()).hexdigest()[:16]


def _ends_its_line(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"
