"""The networks of Qualcomm AI Hub Models are those of its tables, and the tables are read as they are meant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from automl_kd.core import UserError, shipped_dir
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.profile_file import read_profile

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    """The folder on the path; the networks are those of torchvision and timm, which are extras."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        from networks.libraries import timm_network, torchvision_network

        try:
            with torch.device("meta"):
                torchvision_network("resnet18"), timm_network("resnet18")
        except UserError as error:
            pytest.skip(str(error))
        yield


@pytest.fixture(scope="module")
def latencies():
    if not (DATA / "published_qualcomm.csv.gz").is_file():
        pytest.skip("the table ../shared/data/published_qualcomm.csv.gz is not beside this checkout")
    from published_qualcomm import published_qualcomm

    return published_qualcomm(DATA)


@pytest.mark.parametrize(
    "name", ["googlenet", "efficientnet_b4", "mobilenet_v3_large", "shufflenet_v2", "deeplabv3_plus_mobilenet", "vit"]
)
def test_networks_have_the_parameters_of_their_cards_and_no_unknown_operator(name):
    from qualcomm_models import HUB

    graph = trace(HUB[name].module(), HUB[name].shape)
    # A normalisation that folds into a convolution leaves one vector of its two.
    folded = graph.parameters - sum(op.vector for op in graph.ops if op.type == "batchnorm")
    assert folded / 1e6 == pytest.approx(HUB[name].params, rel=0.01)
    assert lower(graph, "qnn", 2).unknown == ()


@pytest.mark.parametrize(
    "name",
    [
        *("resnet18", "resnet101", "regnet", "googlenet", "mnasnet05", "mobilenet_v2", "mobilenet_v3_large"),
        *("efficientnet_b4", "shufflenet_v2"),
    ],
)
def test_networks_have_the_layers_that_the_table_counts(name):
    """Besides three or four for the input's layout, the result's and the flattening between."""
    from qualcomm_models import HUB

    count = Counter(op.type for op in trace(HUB[name].module(), HUB[name].shape).ops)
    written_as_two = count["silu"]
    assert HUB[name].layers - (count.total() - count["batchnorm"] + written_as_two) in (3, 4)


def test_rows_belong_to_targets_and_are_the_tables_figures(latencies):
    for profile, target in latencies:
        assert target in read_profile(shipped_dir("hardware_profiles") / f"{profile}.yaml").targets
    known = {
        ("snapdragon-8-gen-3", "qnn", "resnet18"): 0.929,
        ("snapdragon-8-elite", "tflite-npu-int8", "vit"): 3.365,
        ("dragonwing-iq-9075", "qnn-w8a16", "mobilenet_v2"): 0.982,
        ("snapdragon-8-elite-gen-5", "onnxruntime-npu-w8a16", "convnext_base"): 237.073,
        ("rb3-gen-2", "onnxruntime-int8", "resnet18"): 13.761,
        ("qcs8275", "qnn", "googlenet"): 5.024,
    }
    for (profile, target, model), ms in known.items():
        (row,) = [row for row in latencies[profile, target] if row.model == model]
        assert (row.ms, row.name) == (ms, model)
        assert row.source


def test_rows_that_are_of_no_target_are_left_out(latencies):
    """One silicon counts once; CPUs, mixed precisions and disturbed times are no times of a neural processor."""
    assert sum(map(len, latencies.values())) == 924
    assert not any(profile.startswith("sa7255p") for profile, _ in latencies)
    times = {(*key, row.model): row.ms for key, rows in latencies.items() for row in rows}
    assert ("qcs8275", "tflite-npu", "vit") not in times  # 627 ms on the CPU
    assert ("sa8775p", "tflite-npu", "regnet") not in times  # 14 ms where its sibling takes 3
    assert times["sa8775p", "qnn", "regnet"] == 3.263


def test_every_measured_network_is_there_once_and_without_memory(latencies):
    for rows in latencies.values():
        assert len({row.model for row in rows}) == len(rows)
    for row in latencies["snapdragon-8-elite", "qnn"]:
        assert next(row.module.parameters()).is_meta
