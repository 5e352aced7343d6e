"""Latencies of whole networks measured by others, by target.

Tables come from a folder that is no part of this project (``--data`` of the programs here); the few figures of
devices that no table covers stand below with their source. A row counts where the network can be rebuilt exactly
(``published_models.py``) and a profile has the target.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from published_models import MODELS, family_of
from torch import nn

Key = tuple[str, str]
"""A profile and one of its targets."""


@dataclass(frozen=True)
class Measured:
    """A network and its time at batch 1.

    Attributes:
        name: What the target's rows call it.
        model: Its key in ``MODELS``, the same under every target; of a NAS-Bench-201 cell its name.
        family: The lineage that its kernels come from.
        module: On the meta device, without memory for its weights.
        shape: Of one input, without the batch.
    """

    name: str
    model: str
    family: str
    module: nn.Module
    shape: tuple[int, ...]
    ms: float
    source: str


@dataclass(frozen=True)
class Row:
    """A time of the network that ``MODELS`` holds under ``model``."""

    key: Key
    name: str
    model: str
    ms: float
    source: str


@dataclass(frozen=True)
class _Board:
    """Rows of the table of ncnn: those whose device begins with ``name``."""

    name: str
    backend: str
    threads: int | None = None
    suffix: str = ""


_JETSON: dict[tuple[str, str, str], Key] = {
    ("Jetson Nano", "TensorRT (torch2trt)", "fp16"): ("jetson-nano", "tensorrt"),
    ("Jetson Nano", "PyTorch", "fp16"): ("jetson-nano", "pytorch"),
    ("Jetson AGX Xavier", "TensorRT (torch2trt)", "fp16"): ("jetson-agx-xavier", "tensorrt"),
    ("Jetson AGX Xavier", "PyTorch", "fp16"): ("jetson-agx-xavier", "pytorch"),
    ("Jetson TX2 (MAX-N)", "TF-TRT", "fp16"): ("jetson-tx2", "tf-trt"),
    ("Jetson TX2 (MAX-N)", "TensorFlow", "fp32"): ("jetson-tx2", "tensorflow"),
}
"""By device, framework and precision. Of the other rows, the detection networks are not defined by a paper, and the
throughput of Xavier NX is that of its GPU and both DLAs together."""

_PREFIXES = {"TF-TRT": ("tf_trt_", "slim_"), "TensorFlow": ("slim_",)}
"""Of the names of networks in ``MODELS``, by framework."""

_SEGMENTATION: dict[str, Key] = {
    "Jetson Nano": ("jetson-nano", "tensorrt"),
    "Jetson AGX Xavier": ("jetson-agx-xavier", "tensorrt"),
}
"""Whose rows of jetson-inference are frames a second in whole numbers, of one frame after another."""
_LEAST_FRAMES = 10
"""A second; fewer say the time of one to 5 % at best."""

_NCNN: dict[Key, _Board] = {
    ("jetson-nano", "ncnn"): _Board("NVIDIA Jetson Nano", "cpu", 4),
    ("jetson-nano", "ncnn-vulkan"): _Board("NVIDIA Jetson Nano", "vulkan"),
    ("jetson-tx2", "ncnn"): _Board("NVIDIA Jetson TX2 NX", "cpu", 6),
    ("jetson-tx2", "ncnn-vulkan"): _Board("NVIDIA Jetson TX2 NX", "vulkan"),
    ("jetson-agx-xavier", "ncnn"): _Board("NVIDIA Jetson AGX Xavier", "cpu", 4),
    ("jetson-agx-xavier", "ncnn-vulkan"): _Board("NVIDIA Jetson AGX Xavier", "vulkan"),
    ("jetson-orin-nano", "ncnn"): _Board("NVIDIA Jetson Orin Nano", "cpu", 6),
    ("jetson-orin-nano", "ncnn-vulkan"): _Board("NVIDIA Jetson Orin Nano", "vulkan"),
    ("jetson-agx-orin", "ncnn"): _Board("NVIDIA Jetson AGX Orin", "cpu", 12),
    ("jetson-agx-orin", "ncnn-4-threads"): _Board("NVIDIA Jetson AGX Orin", "cpu", 4),
    ("jetson-agx-orin", "ncnn-vulkan"): _Board("NVIDIA Jetson AGX Orin", "vulkan"),
    ("raspberry-pi-4", "ncnn"): _Board("Raspberry Pi 4 Model B", "cpu", 4),
    ("raspberry-pi-4", "ncnn-int8"): _Board("Raspberry Pi 4 Model B", "cpu", 4, "_int8"),
    ("raspberry-pi-5", "ncnn"): _Board("Raspberry Pi 5 Broadcom BCM2712, Cortex-A76", "cpu", 4),
    ("raspberry-pi-5", "ncnn-1-thread"): _Board("Raspberry Pi 5 Broadcom BCM2712, Cortex-A76", "cpu", 1),
    ("raspberry-pi-5", "ncnn-int8"): _Board("Raspberry Pi 5 Broadcom BCM2712, Cortex-A76", "cpu", 4, "_int8"),
    ("snapdragon-855", "ncnn"): _Board("Qualcomm SM8150-AC Snapdragon 855+", "cpu", 4),
    ("snapdragon-855", "ncnn-1-thread"): _Board("Qualcomm SM8150-AC Snapdragon 855+", "cpu", 1),
    ("snapdragon-855", "ncnn-int8"): _Board("Qualcomm SM8150-AC Snapdragon 855+", "cpu", 4, "_int8"),
    ("snapdragon-855", "ncnn-vulkan"): _Board("Qualcomm SM8150-AC Snapdragon 855+", "vulkan"),
    ("apple-m1", "ncnn"): _Board("MacBook Pro (13-inch, M1, 2020)", "cpu", 1),
    ("apple-m1", "ncnn-int8"): _Board("MacBook Pro (13-inch, M1, 2020)", "cpu", 1, "_int8"),
    ("apple-m1", "ncnn-vulkan"): _Board("MacBook Pro (13-inch, M1, 2020)", "vulkan"),
}

_PARTLY_ON_CPU = frozenset({"ncnn_vision_transformer", "ncnn_efficientnetv2_b0"})
"""Networks with layers that ncnn's Vulkan lacks: their times there change with the number of CPU threads."""

_LITE = "EfficientNet-Lite README, Pixel 4"
_CORAL = "Coral documentation, Edge TPU performance benchmarks"
_NVIDIA = "NVIDIA, published inference performance of TensorRT"
_OTHERS: dict[Key, tuple[str, dict[str, float]]] = {
    ("pixel-4", "tflite"): (
        _LITE,
        {f"efficientnet_lite{n}": ms for n, ms in enumerate((12.0, 18.0, 26.0, 41.0, 76.0))},
    ),
    ("pixel-4", "tflite-gpu"): (
        _LITE,
        {f"efficientnet_lite{n}": ms for n, ms in enumerate((6.0, 8.0, 10.0, 14.0, 21.0))},
    ),
    ("pixel-4", "tflite-int8"): (
        _LITE,
        {f"efficientnet_lite{n}": ms for n, ms in enumerate((6.5, 9.1, 12.0, 18.0, 30.0))},
    ),
    # Left out: DenseNet and SqueezeNet, whose variants the page does not say, and segmentation and detection.
    ("coral-edgetpu", "usb"): (
        _CORAL,
        {
            "slim_inception_v1": 3.4,
            "slim_inception_v4": 85.0,
            "slim_inception_resnet_v2": 57.0,
            "slim_mobilenet_v1_1p0_224": 2.4,
            "mobilenet_v2": 2.6,
            "slim_resnet_v1_50_299": 49.0,
            "slim_resnet_v2_50_299": 50.0,
            "slim_resnet_v2_152_299": 128.0,
            "vgg16": 296.0,
            "vgg19": 308.0,
            "efficientnet_edgetpu_s": 5.1,
            "efficientnet_edgetpu_m": 8.7,
            "efficientnet_edgetpu_l": 25.3,
        },
    ),
    ("coral-edgetpu", "dev-board"): (
        _CORAL,
        {
            "slim_inception_v1": 4.1,
            "slim_inception_v4": 102.0,
            "slim_inception_resnet_v2": 69.0,
            "slim_mobilenet_v1_1p0_224": 2.4,
            "mobilenet_v2": 2.6,
            "slim_resnet_v1_50_299": 56.0,
            "slim_resnet_v2_50_299": 59.0,
            "slim_resnet_v2_152_299": 151.0,
            "vgg16": 343.0,
            "vgg19": 357.0,
            "efficientnet_edgetpu_s": 5.5,
            "efficientnet_edgetpu_m": 10.6,
            "efficientnet_edgetpu_l": 30.5,
        },
    ),
    ("nvidia-t4", "tensorrt"): (
        _NVIDIA,
        {
            "slim_mobilenet_v1_1p0_224": 0.493,
            "mobilenet_v2": 0.593,
            "resnet50": 1.30,
            "bert_base_128": 1.95,
            "bert_base_384": 4.04,
        },
    ),
    ("nvidia-a100", "tensorrt-int8"): (_NVIDIA, {"resnet50": 0.46, "mobilenet_v2": 0.30}),
    # Left out: MCUNet's own networks, whose definition is a file of their model zoo.
    ("stm32h743", "tinyengine"): ("mit-han-lab/tinyengine README", {"mobilenet_v2_0p3_64": 23.0}),
}

_TARGETS: dict[str, Key] = {"stm32h743": ("stm32h743", "x-cube-ai")}
"""Of ``published_more.csv``, where the name of a profile alone does not say the runtime."""
_NAMES: dict[str, str] = {
    "regnetY400": "regnet_y_400mf",
    "vit_base": "vit_b_16",
    "resnet50 v1.5": "resnet50",
    "mobilenet_v1": "slim_mobilenet_v1_1p0_224",
    "mobilenet_v1 quant": "slim_mobilenet_v1_1p0_224",
    "mobilenet_v1 0.25@128": "slim_mobilenet_v1_0p25_128",
    "mobilenet_v1 0.25@224": "mobilenet_v1_0p25_224_5",
    "inception_v4": "slim_inception_v4",
}
"""Keys of ``MODELS`` by what ``published_more.csv`` calls them, where that is no key."""


def published(data: Path) -> dict[Key, list[Measured]]:
    """Networks with their latencies, by profile and target.

    Args:
        data: Folder of ``published_jetson.csv``, ``published_ncnn.csv.gz`` and ``published_more.csv``.

    Raises:
        UserError: If a library that some of the networks come from is absent or broken.
    """
    found = rows(data)
    # Building takes tenths of a second; targets share the module.
    modules = {model: MODELS[model].module() for model in {row.model for row in found}}
    measured: dict[Key, list[Measured]] = {}
    for row in found:
        model, shape = row.model, MODELS[row.model].shape
        each = Measured(row.name, model, family_of(model), modules[model], shape, row.ms, row.source)
        measured.setdefault(row.key, []).append(each)
    return measured


def rows(data: Path) -> list[Row]:
    """The same before the networks are built; two sources of one network under one target are told apart by name."""
    found: dict[tuple[Key, str], Row] = {}
    for row in (*_jetson(data), *_ncnn(data), *_others(), *_more(data)):
        first = found.setdefault((row.key, row.name), row)
        if first is not row and first.source != row.source:
            name = f"{row.name} ({row.source})"
            found[row.key, name] = replace(row, name=name)
    return list(found.values())


def _jetson(data: Path) -> Iterator[Row]:
    with (data / "published_jetson.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["framework"] == "TensorRT (jetson-inference)":
                yield from _segmentation(row)
                continue
            key = _JETSON.get((row["device"], row["framework"], row["precision"]))
            if key is None or not row["latency_ms"]:
                continue
            height, _, width = row["input"].partition("x")
            names = [prefix + row["model"] for prefix in _PREFIXES.get(row["framework"], ("",))]
            for model in (each for name in names for each in (f"{name}_{width}", name)):
                if model in MODELS and MODELS[model].shape == (3, int(height), int(width)):
                    yield Row(key, row["model"], model, float(row["latency_ms"]), row["source"].partition(":")[0])
                    break


def _segmentation(row: dict[str, str]) -> Iterator[Row]:
    """Networks of one size differ in the number of classes alone, and are one network here."""
    frames, model = float(row["throughput_fps"]), f"fcn_resnet18_{row['input']}"
    if frames >= _LEAST_FRAMES:
        yield Row(_SEGMENTATION[row["device"]], model, model, 1e3 / frames, row["source"].partition(":")[0])


def _ncnn(data: Path) -> Iterator[Row]:
    least: dict[tuple[Key, str], float] = {}
    with gzip.open(data / "published_ncnn.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            for key, board in _NCNN.items():
                model = _model_on(board, row)
                if model:
                    # GPUs were measured under several numbers of CPU threads.
                    ms = float(row["min_ms"])
                    least[key, model] = min(ms, least.get((key, model), ms))
    for (key, model), ms in least.items():
        yield Row(key, model.removeprefix("ncnn_"), model, ms, "Tencent/ncnn benchmark")


def _model_on(board: _Board, row: dict[str, str]) -> str | None:
    """The network that a row is about, if it is of this board and can be rebuilt."""
    device = row["device"].startswith(board.name) and row["backend"] == board.backend
    if not device or (board.threads is not None and row["num_threads"] != str(board.threads)):
        return None
    if row["model"].endswith("_int8") != bool(board.suffix):
        return None
    model = "ncnn_" + row["model"].removesuffix(board.suffix)
    if model not in MODELS or (board.backend == "vulkan" and model in _PARTLY_ON_CPU):
        return None
    return model


def _others() -> Iterator[Row]:
    for key, (source, rows) in _OTHERS.items():
        for model, ms in rows.items():
            yield Row(key, model, model, ms, source)


def _more(data: Path) -> Iterator[Row]:
    with (data / "published_more.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            profile, _, target = row["target"].partition(":")
            key = (profile, target) if target else _TARGETS[profile]
            model = _model_named(row["model"])
            name = model if model.startswith("fcn_") else row["model"]
            yield Row(key, name, model, float(row["latency_ms"]), row["source"].partition(" ")[0].partition(":")[0])


def _model_named(name: str) -> str:
    if name.startswith("fcn-resnet18-"):
        return f"fcn_resnet18_{name.partition('@')[2]}"
    if name.startswith("EfficientViT-"):
        return name.lower().replace("-", "_").replace("@", "_")
    return _NAMES.get(name, name)
