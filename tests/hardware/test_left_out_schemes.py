"""What benchmarks leave out together: real rows of a target, every one asked for, none predicted from itself."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
KEY = ("jetson-nano", "tensorrt")


@pytest.fixture(scope="module")
def cases():
    if not (DATA / "published_more.csv").is_file():
        pytest.skip("the tables ../shared/data/published_* are not beside this checkout")
    pytest.importorskip("timm")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        from cases import cases_of
        from published_latencies import published

        yield cases_of({KEY: published(DATA)[KEY]})[KEY]


@pytest.fixture(scope="module")
def schemes(cases):
    from left_out_schemes import SCHEMES

    return SCHEMES


@pytest.mark.parametrize("name", ["one by one", "by family"])
def test_every_row_is_left_out_once(schemes, cases, name):
    groups = schemes[name](cases)
    assert sorted(row for group in groups for row in group.rows) == list(range(len(cases)))


def test_a_network_stays_nowhere_among_the_rows_that_predict_it(schemes, cases):
    for groups in (schemes["one by one"](cases), schemes["by family"](cases)):
        for group in groups:
            kept = {case.measured.model for index, case in enumerate(cases) if index not in group.rows}
            assert kept.isdisjoint(cases[row].measured.model for row in group.rows)


def test_no_row_that_stays_spends_a_tenth_of_its_time_in_the_kind_left_out(schemes, cases):
    groups = schemes["by kind of kernel"](cases)
    assert {"dense", "depthwise", "pointwise"} <= {group.name for group in groups}
    for group in groups:
        for index, case in enumerate(cases):
            assert (case.shares[group.name] >= 0.1) == (index in group.rows)


def test_thirds_lie_at_the_ends(schemes, cases):
    smallest, largest = schemes["by size"](cases)
    flops = [case.network.flops for case in cases]
    assert len(smallest.rows) == len(largest.rows) == len(cases) // 3
    assert max(flops[row] for row in smallest.rows) <= min(flops[row] for row in set(range(len(cases))) - smallest.rows)
    assert min(flops[row] for row in largest.rows) >= max(flops[row] for row in set(range(len(cases))) - largest.rows)


def test_efficientvit_is_left_out_by_row_variant_and_resolution(schemes, cases):
    groups = schemes["EfficientViT by size"](cases)
    names = {group.name: sorted(cases[row].measured.model for row in group.rows) for group in groups}
    assert names == {
        "EfficientViT B1": ["efficientvit_b1_224", "efficientvit_b1_288"],
        "EfficientViT B1 at 224": ["efficientvit_b1_224"],
        "EfficientViT B1 at 288": ["efficientvit_b1_288"],
        "EfficientViT B2 at 256": ["efficientvit_b2_256"],
    }


def test_rows_in_several_groups_count_once(schemes, cases):
    """Leaving out by kind asks for some rows twice; their weights add up to one."""
    from left_out import outcomes
    from left_out_predictors import Answer

    class Exact:
        def predict(self, key, kept, asked):
            assert not set(kept) & set(asked)
            return [Answer(cases[row].measured.ms, cases[row].measured.ms, cases[row].measured.ms) for row in asked]

    weights = {}
    for each in outcomes(schemes["by kind of kernel"], Exact(), KEY, cases):
        weights[each.case.measured.name] = weights.get(each.case.measured.name, 0.0) + each.weight
    assert list(weights.values()) == pytest.approx([1.0] * len(weights))
