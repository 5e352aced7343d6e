"""Fit the hardware profiles to published latencies and write their section ``fit``.

    python benchmarks/fit_profiles.py [--data ../shared/data] [--profile jetson-nano]

Whole published models are rebuilt (``published_models.py``), lowered to the kernels of the profile's runtime, and the
coefficients fitted to the published times; every model is then predicted by a fit without it, and that error is
written beside it. Twenty NAS-Bench-201 cells anchor the small end of the Jetson Nano; the others, which the fit does
not see, are reported as a check.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from published_models import MODELS, nas_bench_201
from ruamel.yaml import YAML
from scipy.stats import spearmanr
from torch import nn

from automl_kd.hardware import load_profile
from automl_kd.hardware._kernels.lower import Network
from automl_kd.hardware._predictor.cost import Features, kinds_of
from automl_kd.hardware._predictor.fit import fit
from automl_kd.hardware._schema import Anchor, Fit
from automl_kd.paths import shipped_dir

CELLS = 20
EDGES = ("op_e01", "op_e02", "op_e12", "op_e03", "op_e13", "op_e23")
NCNN = {
    "alexnet": "caffe_alexnet",
    "squeezenet": "squeezenet1_1",
    "mobilenet": "mobilenet_v1",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3": "mobilenet_v3_large",
    "mnasnet": "mnasnet1_0",
    "efficientnet_b0": "efficientnet_b0",
    "googlenet": "googlenet",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "vgg16": "vgg16",
}


@dataclass(frozen=True)
class Measured:
    """One published network and its time."""

    name: str
    module: nn.Module
    shape: tuple[int, int, int]
    ms: float
    source: str


def published(name: str, model: str, ms: float, source: str) -> Measured:
    build, shape = MODELS[model]
    with torch.device("meta"):
        return Measured(name, build(), shape, ms, source)


def jetson_nano(data: Path) -> Iterator[Measured]:
    with (data / "published_jetson.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            wanted = row["device"] == "Jetson Nano" and row["framework"] == "TensorRT (torch2trt)"
            if wanted and row["latency_ms"] and row["model"] in MODELS:
                yield published(row["model"], row["model"], float(row["latency_ms"]), "NVIDIA-AI-IOT/torch2trt")
    cells = nas_bench_201_cells(data, "latbench_jetson_nano_fp16")
    # Spread over the table, whose order is random, so that no property of a cell decides.
    for index in np.linspace(0, len(cells) - 1, CELLS).astype(int):
        yield cells[index]


def raspberry_pi_4(data: Path) -> Iterator[Measured]:
    with gzip.open(data / "published_ncnn.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            wanted = row["device"].startswith("Raspberry Pi 4 Model B") and row["num_threads"] == "4"
            if wanted and row["backend"] == "cpu" and row["model"] in NCNN:
                yield published(row["model"], NCNN[row["model"]], float(row["min_ms"]), "Tencent/ncnn benchmark")


def nas_bench_201_cells(data: Path, column: str) -> list[Measured]:
    cells = []
    with gzip.open(data / "nb201.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row[column] and float(row[column]) > 0.1:
                with torch.device("meta"):
                    module = nas_bench_201([row[edge] for edge in EDGES])
                name = f"nas-bench-201 cell {row['arch_index']}"
                cells.append(Measured(name, module, (3, 32, 32), float(row[column]), "SamsungLabs/eagle"))
    return cells


SOURCES = {"jetson-nano": jetson_nano, "raspberry-pi-4": raspberry_pi_4}


def fit_profile(name: str, data: Path) -> Fit:
    profile = load_profile(name)
    measured = list(SOURCES[name](data))
    networks: list[Network] = [profile.network(item.module, item.shape) for item in measured]
    features = [Features.of(network.kernels) for network in networks]
    fitted = fit(features, [item.ms * 1e-3 for item in measured], profile.file.facts.prior())
    anchors = tuple(
        Anchor(
            model=item.name,
            input=item.shape,
            gflops=round(network.flops / 1e9, 4),
            ms=item.ms,
            left_out_ms=round(item.ms / math.exp(error), 3),
            source=item.source,
        )
        for item, network, error in zip(measured, networks, fitted.errors, strict=True)
    )
    return Fit.of(fitted.coefficients, kinds_of(features), anchors)


def write_fit(name: str, result: Fit) -> None:
    path = shipped_dir("hardware_profiles") / f"{name}.yaml"
    yaml = YAML()
    yaml.width = 120
    document = yaml.load(path.read_text(encoding="utf-8"))
    document["fit"] = result.model_dump(mode="json")
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)


def report(name: str, result: Fit) -> None:
    print(f"{name}\n  {'model':24} {'measured':>9} {'left out':>9} {'error':>7}")
    for anchor in result.anchors:
        print(f"  {anchor.model:24} {anchor.ms:9.2f} {anchor.left_out_ms:9.2f} {math.expm1(-anchor.error):+7.1%}")
    errors = [abs(math.expm1(-anchor.error)) for anchor in result.anchors]
    print(f"  mean absolute error, leaving one out: {np.mean(errors):.1%}")


def report_cells(data: Path) -> None:
    """Every fifth cell that the fit did not see, against both columns (tracing all of them takes minutes)."""
    profile = load_profile("jetson-nano")
    seen = {anchor.model for anchor in profile.file.fit.anchors} if profile.file.fit else set()
    half, full = (nas_bench_201_cells(data, f"latbench_jetson_nano_{kind}") for kind in ("fp16", "fp32"))
    single = {cell.name: cell.ms for cell in full}
    cells = [cell for cell in half if cell.name not in seen][::5]
    predictions = [profile.predict(cell.module, cell.shape) for cell in cells]
    ms = np.array([cell.ms for cell in cells])
    said = np.array([prediction.ms for prediction in predictions])
    inside = np.mean([p.low <= m <= p.high for p, m in zip(predictions, ms, strict=True)])
    print(
        f"  {len(cells)} NAS-Bench-201 cells that the fit did not see: Spearman {spearmanr(said, ms)[0]:.3f}, "
        f"mean absolute error {np.mean(np.abs(said / ms - 1)):.1%}, inside the 90 % interval {inside:.1%}; "
        f"Spearman with their fp32 times {spearmanr(said, [single[cell.name] for cell in cells])[0]:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parser.add_argument("--profile", choices=sorted(SOURCES), action="append", help="only this profile; repeatable")
    options = parser.parse_args()
    if not (options.data / "published_jetson.csv").is_file():
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    for name in options.profile or sorted(SOURCES):
        result = fit_profile(name, options.data)
        write_fit(name, result)
        report(name, result)
        if name == "jetson-nano":
            report_cells(options.data)


if __name__ == "__main__":
    main()
