"""Prices of everything at hand on every target: none may be absurd, and what has no price names its reason.

    python benchmarks/absurd_prices.py [FILE.onnx …] [--random 300]

Prices ONNX's own backend tests (those of single operators are made on the way), random networks, and files that are
given. A file is read once and priced on all targets. ``NAME=1x80x3000`` after a file settles an input.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx.backend.test.loader import load_node_model_tests
from random_graphs import random_model

from automl_kd.core import UserError
from automl_kd.hardware import Profile, load_profile, profile_names
from automl_kd.hardware.kernels.graph import Graph
from automl_kd.hardware.kernels.read_onnx import read_onnx

Inputs = Mapping[str, tuple[int, ...]]


@dataclass
class Tally:
    """What came of networks on targets."""

    networks: int = 0
    prices: int = 0
    without_memory: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    absurd: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    def add(self, name: str, path: Path, inputs: Inputs | None, profiles: list[Profile]) -> None:
        self.networks += 1
        try:
            graph = read_onnx(path, None, inputs)
            for profile in profiles:
                self._price(f"{name} on {profile.name}", graph, profile)
        except UserError as error:
            self.refused[_reason(error, path)] += 1
        except Exception:
            self.tracebacks.append(f"{name}: {traceback.format_exc()}")

    def _price(self, name: str, graph: Graph, profile: Profile) -> None:
        (said,) = profile.price_networks([profile.lower(graph)])
        self.prices += 1
        self.without_memory += not said.fits
        if said.fits and not 0 < said.low <= said.ms <= said.high < np.inf:
            self.absurd.append(f"{name}: {said}")

    def report(self, what: str) -> None:
        refused = sum(self.refused.values())
        print(
            f"{what}: {self.networks} networks, {self.prices} prices, {self.without_memory} of them too large, "
            f"{refused} networks refused, {len(self.absurd)} absurd, {len(self.tracebacks)} tracebacks"
        )
        for line in (*self.absurd[:5], *self.tracebacks[:5]):
            print(line)
        for reason, count in self.refused.most_common():
            print(f"  {count:4} {reason}")


def _reason(error: UserError, path: Path) -> str:
    """The message without what differs between files."""
    text = str(error).replace(str(path), "FILE")
    quoted = text.split("'")
    return "'…'".join(quoted[::2])


def profiles() -> list[Profile]:
    """Every target of every profile; this machine's as calibrated."""
    return [load_profile(f"{name}:{target}") for name in profile_names() for target in load_profile(name).file.targets]


def backend_tests(folder: Path) -> Iterator[tuple[str, Path]]:
    """ONNX's tests: whole models of its package, and single operators."""
    for path in sorted((Path(onnx.__file__).parent / "backend" / "test" / "data").rglob("*.onnx")):
        yield f"{path.parent.name}/{path.stem}", path
    for case in load_node_model_tests():
        path = folder / f"{case.name}.onnx"
        onnx.save(case.model, path)
        yield case.name, path


def random_models(folder: Path, count: int) -> Iterator[tuple[str, Path]]:
    for seed in range(count):
        path = folder / f"random-{seed}.onnx"
        onnx.save(random_model(np.random.default_rng(seed)), path)
        yield path.stem, path


def given(words: list[str]) -> Iterator[tuple[Path, Inputs]]:
    """Files with the shapes that follow each."""
    found: list[tuple[Path, dict[str, tuple[int, ...]]]] = []
    for word in words:
        name, equals, shape = word.rpartition("=")
        if equals:
            found[-1][1][name] = tuple(int(size) for size in shape.split("x") if size)
        else:
            found.append((Path(word), {}))
    yield from found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="FILE [NAME=SHAPE …]")
    parser.add_argument("--random", type=int, default=300, help="random networks")
    options = parser.parse_args()
    targets = profiles()
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in backend_tests(Path(folder)):
            tallies.setdefault("ONNX's backend tests", Tally()).add(name, path, None, targets)
        for name, path in random_models(Path(folder), options.random):
            tallies.setdefault("random networks", Tally()).add(name, path, None, targets)
    for path, inputs in given(options.words):
        tallies.setdefault("files", Tally()).add(path.name, path, inputs, targets)
    print(f"{len(targets)} targets")
    for what, tally in tallies.items():
        tally.report(what)
    return int(any(tally.absurd or tally.tracebacks for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
