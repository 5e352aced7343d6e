import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_kd.tasks.modalities.image_mix import cutmix, draw_mix, mixup


def _generator(seed):
    return torch.Generator().manual_seed(seed)


def test_mixup_is_the_combination_that_it_reports():
    images = torch.randn(8, 3, 4, 4, generator=_generator(1))
    kept = images.clone()
    mix = draw_mix(("crop", "mixup"), images.shape, _generator(5))
    mixed = mix.mixed(images)
    assert torch.equal(images, kept)
    assert mix.box is None
    assert sorted(mix.permutation.tolist()) == list(range(8))
    assert 0 <= mix.share <= 1
    assert torch.allclose(mixed, mix.share * images + (1 - mix.share) * images[mix.permutation])
    again = draw_mix(("mixup",), images.shape, _generator(5))
    assert torch.equal(again.mixed(images), mixed)
    assert again.share == mix.share


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_share_of_mixup_follows_its_beta_distribution(alpha):
    source = _generator(0)
    drawn = [mixup(torch.Size((2, 1, 1, 1)), source, alpha).share for _ in range(600)]
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.001


@given(st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_cutmix_pastes_one_box_of_the_partner_and_its_share_is_the_area_left(shape, seed):
    height, width = shape[2:]
    images = torch.arange(float(torch.Size(shape).numel())).view(shape)
    kept = images.clone()
    mix = draw_mix(("cutmix",), images.shape, _generator(seed))
    mixed = mix.mixed(images)
    assert torch.equal(images, kept)
    top, bottom, left, right = mix.box
    assert 0 <= top <= bottom <= height
    assert 0 <= left <= right <= width
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[top:bottom, left:right] = True
    assert mix.share == 1 - int(inside.sum()) / (height * width)
    expected = torch.where(inside, images[mix.permutation], images)
    assert torch.equal(mixed, expected)


def test_boxes_of_cutmix_follow_the_paper():
    # λ uniform, half sides of √(1 - λ)/2 of the image, a uniform centre, cut off at the edges: for an image so large
    # that pixels do not show, what is left of a side of relative length s has the mean s - s²/4.
    source, size = _generator(3), 1000
    boxes = [cutmix(torch.Size((2, 1, size, size)), source).box for _ in range(1500)]
    heights = torch.tensor([bottom - top for top, bottom, _, _ in boxes]) / size
    sides = torch.rand(200_000, generator=_generator(4)).sqrt()
    expected = float((sides - sides**2 / 4).mean())
    assert float(heights.mean()) == pytest.approx(expected, abs=4 * float(heights.std()) / 1500**0.5)
    centres = [(top + bottom) / 2 / size for top, bottom, _, _ in boxes if top > 0 and bottom < size]
    assert 0.45 < sum(centres) / len(centres) < 0.55


def test_labels_and_outputs_are_blended_by_the_same_object():
    values = torch.randn(6, 5, generator=_generator(2))
    for names in (("mixup",), ("cutmix",)):
        mix = draw_mix(names, torch.Size((6, 1, 8, 8)), _generator(1))
        expected = mix.share * values + (1 - mix.share) * values[mix.permutation]
        assert torch.equal(mix.blend(values), expected)


def test_both_take_turns_by_a_fair_coin():
    source = _generator(0)
    shape = torch.Size((4, 1, 8, 8))
    boxed = sum(draw_mix(("mixup", "cutmix"), shape, source).box is not None for _ in range(400))
    assert stats.binomtest(boxed, 400).pvalue > 0.001
    first = draw_mix(("mixup", "cutmix"), shape, _generator(9))
    again = draw_mix(("cutmix", "mixup"), shape, _generator(9))
    assert (first.share, first.box) == (again.share, again.box)


def test_nothing_is_mixed_unasked():
    assert draw_mix(("crop", "flip"), torch.Size((4, 1, 8, 8)), _generator(0)) is None
