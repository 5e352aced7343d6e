import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.teachers.stored_outputs import form_of


def _logits(batch, classes, seed, scale=4.0):
    return torch.randn(batch, classes, generator=torch.Generator().manual_seed(seed)) * scale


def _restored(values, kind):
    form = form_of(kind, tuple(values.shape[1:]), "categorical")
    return form.decode(form.encode(values))


@given(st.integers(17, 300), st.integers(0, 1000), st.floats(0.1, 20))
@settings(max_examples=40, deadline=None)
def test_of_logits_the_16_largest_and_the_mass_of_the_rest_come_back(classes, seed, scale):
    logits = _logits(5, classes, seed, scale)
    restored = _restored(logits, "cache-top16")
    assert restored.shape == logits.shape
    assert restored.dtype == torch.float32
    for before, after in zip(logits.double(), restored.double(), strict=True):
        order = before.argsort(descending=True)
        kept, rest = order[:16], order[16:]
        assert torch.equal(after[kept], before[kept].half().double())
        assert (after[rest] == after[rest[0]]).all()
        mass = torch.tensor([value.exp() for value in before[rest]]).sum()
        assert float(after[rest].exp().sum()) == pytest.approx(float(mass), rel=1e-5)


def test_the_softmax_that_comes_back_in_closed_form():
    # 16 logits of ln 3 and 32 of ln 1 and ln 2 in equal parts: 48 of 96 to the kept, 48 shared evenly by the rest.
    logits = torch.tensor([3.0] * 16 + [1.0, 2.0] * 16).log()[None]
    probabilities = _restored(logits, "cache-top16").softmax(dim=1)[0]
    torch.testing.assert_close(probabilities, torch.tensor([3 / 96] * 16 + [1.5 / 96] * 32), rtol=1e-3, atol=0)
    assert float(probabilities[16:].sum()) == pytest.approx(0.5, abs=2e-4)


@pytest.mark.parametrize("shape", [(3,), (16,), (4, 5, 2)], ids=str)
def test_up_to_16_classes_and_for_maps_it_is_half_precision(shape):
    values = torch.randn(7, *shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_restored(values, "cache-top16"), values.half().float())
    assert torch.equal(_restored(values, "cache-fp16"), values.half().float())
    assert torch.equal(_restored(values, "cache-fp32"), values)


def test_sizes_are_those_stated():
    assert form_of("cache-fp32", (1000,)).bytes_per_example == 4000
    assert form_of("cache-fp16", (8, 4, 4)).bytes_per_example == 256
    assert form_of("cache-top16", (1000,), "categorical").bytes_per_example == 16 * (2 + 2) + 4
    assert form_of("cache-top16", (40_000,), "categorical").bytes_per_example == 16 * (2 + 4) + 4


@pytest.mark.parametrize("classes", [32_768, 32_769, 70_000])
def test_the_last_of_many_classes_can_be_kept(classes):
    logits = torch.zeros(1, classes)
    logits[0, -1] = 9
    assert _restored(logits, "cache-top16").argmax() == classes - 1


@pytest.mark.parametrize("kind", ["cache-fp32", "cache-fp16", "cache-top16"])
def test_what_a_form_cannot_hold_is_refused(kind):
    values = torch.zeros(2, 20)
    values[1, 7] = torch.nan
    with pytest.raises(OverflowError, match=r"^nan, which float\d\d cannot hold$"):
        form_of(kind, (20,), "categorical").encode(values)
    values[1, 7] = 70_000
    if kind == "cache-fp32":
        assert torch.equal(_restored(values, kind), values)
    else:
        with pytest.raises(OverflowError, match=r"^70000, which float16 cannot hold; use cache-fp32$"):
            form_of(kind, (20,), "categorical").encode(values)


def test_records_of_every_form_can_be_mapped_from_a_file(tmp_path):
    values = _logits(50, 40, 1)
    for kind in ("cache-fp32", "cache-fp16", "cache-top16"):
        form = form_of(kind, (40,), "categorical")
        np.save(tmp_path / "a.npy", form.encode(values))
        mapped = np.load(tmp_path / "a.npy", mmap_mode="r", allow_pickle=False)
        assert mapped.shape == (50, *form.shape)
        assert mapped.dtype == form.dtype
        rows = form.decode(mapped[[4, 4, 49]])
        assert torch.equal(rows, _restored(values, kind)[[4, 4, 49]])
