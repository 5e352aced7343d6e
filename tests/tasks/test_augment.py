import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_kd.tasks import augment, mixup

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(4, 20), st.integers(4, 20))
SEEDS = st.integers(0, 2**31)


def _generator(seed):
    return torch.Generator().manual_seed(seed)


def _images(shape):
    """Every pixel of the batch has a value of its own, and none is zero."""
    return torch.arange(1, 1 + torch.Size(shape).numel(), dtype=torch.float32).view(shape)


@given(SHAPES, SEEDS)
@settings(max_examples=40, deadline=None)
def test_crop_shifts_each_image_as_a_whole_and_fills_with_zeros(shape, seed):
    images = _images(shape)
    kept = images.clone()
    views = augment(images, ("crop",), _generator(seed))
    assert torch.equal(images, kept)
    assert views.shape == images.shape
    _, _, height, width = shape
    for image, view in zip(images, views, strict=True):
        allowed = [_shifted(image, down, across) for down in _reach(height) for across in _reach(width)]
        assert any(torch.equal(view, candidate) for candidate in allowed)


def _reach(size):
    return range(-max(1, size // 8), max(1, size // 8) + 1)


def _shifted(image, down, across):
    """``image[row + down, column + across]``, zero outside, written as a roll with what came round wiped out."""
    result = image.roll((-down, -across), dims=(1, 2))
    height, width = image.shape[1:]
    rows, columns = torch.arange(height) + down, torch.arange(width) + across
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    return result * inside


@given(SHAPES, SEEDS)
@settings(max_examples=20, deadline=None)
def test_flip_leaves_or_mirrors_each_image(shape, seed):
    images = _images(shape)
    views = augment(images, ("flip",), _generator(seed))
    for image, view in zip(images, views, strict=True):
        assert torch.equal(view, image) or torch.equal(view, image.flip(-1))


def test_both_views_of_both_kinds_occur():
    images = _images((64, 1, 8, 8))
    flipped = (augment(images, ("flip",), _generator(0)) != images).flatten(1).any(1)
    assert 16 < int(flipped.sum()) < 48
    shifts = {view.numpy().tobytes() for view in augment(images[:1].expand(64, -1, -1, -1), ("crop",), _generator(0))}
    assert len(shifts) == 9  # one pixel up, none or down, and the same across


def test_the_generator_alone_decides():
    images = _images((16, 3, 8, 8))
    names = ("crop", "flip")
    first = augment(images, names, _generator(3))
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(augment(images, names, _generator(3)), first)
    assert torch.equal(augment(images, tuple(reversed(names)), _generator(3)), first)
    assert not torch.equal(augment(images, names, _generator(4)), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_asked_for_nothing_changed():
    images = _images((4, 1, 8, 8))
    assert torch.equal(augment(images, (), _generator(0)), images)
    assert torch.equal(augment(images, ("mixup",), _generator(0)), images)


def test_mixup_is_the_combination_that_it_reports():
    images = torch.randn(8, 3, 4, 4, generator=_generator(1))
    kept = images.clone()
    mixed, permutation, lam = mixup(images, _generator(5))
    assert torch.equal(images, kept)
    assert sorted(permutation.tolist()) == list(range(8))
    assert 0 <= lam <= 1
    assert torch.allclose(mixed, lam * images + (1 - lam) * images[permutation])
    again = mixup(images, _generator(5))
    assert torch.equal(again[0], mixed)
    assert again[2] == lam


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_proportion_follows_its_beta_distribution(alpha):
    images = torch.zeros(2, 1, 1, 1)
    source = _generator(0)
    drawn = [mixup(images, source, alpha)[2] for _ in range(600)]
    assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.001
