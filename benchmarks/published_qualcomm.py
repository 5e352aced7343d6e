"""Latencies of whole networks on Snapdragon and Dragonwing neural processors, by target.

    python benchmarks/published_qualcomm.py [--data ../shared/data]

prints what is read of the table and what is left out of it, with the reason.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from published_latencies import Key, Measured
from qualcomm_models import HUB, SOURCE

TABLE = "published_qualcomm.csv.gz"

DEVICES = {
    "Samsung Galaxy S24": "snapdragon-8-gen-3",
    "Samsung Galaxy S25": "snapdragon-8-elite",
    "Snapdragon 8 Elite Gen 5 QRD": "snapdragon-8-elite-gen-5",
    "Snapdragon 7 Gen 4 QRD": "snapdragon-7-gen-4",
    "Dragonwing IQ-9075 EVK": "dragonwing-iq-9075",
    "Dragonwing Q-6690 MTP": "dragonwing-q-6690",
    "Dragonwing RB3 Gen 2 Vision Kit": "rb3-gen-2",
    "QCS8275 (Proxy)": "qcs8275",
    "QCS8450 (Proxy)": "qcs8450",
    "SA8295P ADP": "sa8295p",
    "SA8775P ADP": "sa8775p",
}
"""The table's devices by profile. Its SA7255P has the times of its QCS8275, digit by digit, and is no other device."""

_SAME_AS = {"SA7255P ADP": "QCS8275 (Proxy)"}
SIBLINGS = {"SA8775P ADP": "Dragonwing IQ-9075 EVK"}
"""Devices that have the silicon of another."""
_DISTURBED = 2.0

TARGETS = {
    ("qnn_dlc", "float"): "qnn",
    ("qnn_dlc", "w8a8"): "qnn-int8",
    ("qnn_dlc", "w8a16"): "qnn-w8a16",
    ("tflite", "float"): "tflite-npu",
    ("tflite", "w8a8"): "tflite-npu-int8",
    ("onnx", "float"): "onnxruntime-npu",
    ("onnx", "w8a8"): "onnxruntime-npu-int8",
    ("onnx", "w8a16"): "onnxruntime-npu-w8a16",
}
_ON_CPU = {("onnx", "w8a8"): "onnxruntime-int8"}
"""Of devices whose neural processor onnxruntime does not reach."""

_Row = Mapping[str, str]


def published_qualcomm(data: Path) -> dict[Key, list[Measured]]:
    """Measured networks by profile and target.

    Args:
        data: Folder with the table.
    """
    modules = {name: model.module() for name, model in HUB.items()}
    found: dict[Key, list[Measured]] = {}
    for row, key in _kept(_rows(data)):
        name = row["model"]
        model = HUB[name]
        found.setdefault(key, []).append(
            Measured(
                name=name,
                model=name,
                family=model.family,
                module=modules[name],
                shape=model.shape,
                ms=float(row["latency_ms"]),
                source=SOURCE,
            )
        )
    return found


def _rows(data: Path) -> list[_Row]:
    with gzip.open(data / TABLE, "rt", newline="") as file:
        return list(csv.DictReader(file))


def _kept(rows: list[_Row]) -> Iterator[tuple[_Row, Key]]:
    """The rows that a target stands for, with its profile and name."""
    times = _times(rows)
    for row in rows:
        if _reason(row, times) is None:
            yield row, (DEVICES[row["device"]], _target(row))


def _target(row: _Row) -> str:
    """What the row's way to run a network is called; empty where there is no such target."""
    names = _ON_CPU if row["unit"] == "CPU" else TARGETS
    return names.get((row["runtime"], row["precision"]), "")


def _times(rows: list[_Row]) -> Mapping[tuple[str, ...], float]:
    return {(row["device"], *_way(row)): float(row["latency_ms"]) for row in rows}


def _way(row: _Row) -> tuple[str, ...]:
    return row["model"], row["runtime"], row["precision"]


def _reason(row: _Row, times: Mapping[tuple[str, ...], float]) -> str | None:
    """Why a row is left out; ``None`` where it is not."""
    if row["device"] in _SAME_AS:
        return f"{row['device']} has the times of {_SAME_AS[row['device']]}"
    if "mixed" in row["precision"]:
        return "some layers have another precision, and nothing says which"
    if row["unit"] == "CPU" and not _target(row):
        return "the whole network ran on the CPU, in a way that is no target"
    sibling = SIBLINGS.get(row["device"])
    other = times.get((sibling or "", *_way(row)))
    if other is not None and float(row["latency_ms"]) > _DISTURBED * other:
        return f"more than {_DISTURBED:g} times what {sibling} took, whose times are otherwise alike"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    rows = _rows(parser.parse_args().data)
    times = _times(rows)
    read = Counter(key for _, key in _kept(rows))
    for (profile, target), count in sorted(read.items()):
        print(f"{profile + ':' + target:48} {count:4}")
    print(f"{'read':48} {read.total():4}")
    for reason, count in Counter(_reason(row, times) for row in rows).most_common():
        if reason is not None:
            print(f"{count:4}  {reason}")


if __name__ == "__main__":
    main()
