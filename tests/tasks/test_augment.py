import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_kd.tasks import Images

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(4, 20), st.integers(4, 20))
SEEDS = st.integers(0, 2**31)
BOTH = ("crop", "flip")


def _views(count, names, seed, shape=(1, 8, 8)):
    """Views of images that networks take as they are stored."""
    return Images(shape, (0.0,) * shape[0], (1.0,) * shape[0]).views(count, names, seed)


def _images(shape):
    """Every pixel of the batch has a value of its own, and none is zero."""
    return torch.arange(1, 1 + torch.Size(shape).numel(), dtype=torch.float32).view(shape)


def _all(images, names, seed=0, number=0):
    return _views(len(images), names, seed, tuple(images.shape[1:])).of(images, torch.arange(len(images)), number)


@given(SHAPES, SEEDS)
@settings(max_examples=40, deadline=None)
def test_crop_shifts_each_image_as_a_whole_and_fills_with_zeros(shape, seed):
    images = _images(shape)
    kept = images.clone()
    views = _all(images, ("crop",), seed)
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
    views = _all(images, ("flip",), seed)
    for image, view in zip(images, views, strict=True):
        assert torch.equal(view, image) or torch.equal(view, image.flip(-1))


@given(
    index=st.lists(st.integers(0, 19), min_size=1, max_size=12),
    seed=st.integers(0, 2**63 - 1),
    number=st.integers(0, 10**6),
    names=st.sampled_from([("crop",), ("flip",), BOTH]),
)
@settings(max_examples=40, deadline=None)
def test_a_view_depends_on_seed_number_and_image_alone(index, seed, number, names):
    images = _images((20, 2, 8, 9))
    whole = _all(images, names, seed, number)
    other = _views(20, tuple(reversed(names)), seed, (2, 8, 9))
    index = torch.tensor(index)
    other.of(images[:3], torch.arange(3), number + 1)  # what was asked before does not matter either
    assert torch.equal(other.of(images[index], index, number), whole[index])
    assert torch.equal(_all(images[:7], names, seed, number), whole[:7])  # nor how many images there are


def test_adding_flip_does_not_move_the_crops():
    images = _images((40, 1, 8, 8))
    cropped, both = _all(images, ("crop",)), _all(images, BOTH)
    mirrored = (both == cropped.flip(-1)).flatten(1).all(1)
    assert torch.equal(torch.where(mirrored[:, None, None, None], both.flip(-1), both), cropped)


def test_crops_and_flips_are_uniform_over_images_and_over_views():
    one = _images((1, 1, 8, 8)).expand(2000, -1, -1, -1)
    candidates = [
        flipped
        for shifted in (_shifted(one[0], down, across) for down in (-1, 0, 1) for across in (-1, 0, 1))
        for flipped in (shifted, shifted.flip(-1))
    ]
    over_images = _all(one, BOTH, seed=5)
    views = _views(10, BOTH, 5)
    over_views = torch.cat([views.of(one[:1], torch.tensor([3]), number) for number in range(1000)])
    for seen in (over_images, over_views):
        counts = [int((seen == candidate).flatten(1).all(1).sum()) for candidate in candidates]
        assert sum(counts) == len(seen)
        assert stats.chisquare(counts).pvalue > 0.001


def test_neighbouring_views_and_seeds_share_nothing():
    images = _images((400, 1, 16, 16))
    seen = [_all(images, BOTH, seed, number) for seed, number in ((1, 0), (1, 1), (2, 0), (0, 1))]
    for first in range(4):
        for second in range(first):
            same = (seen[first] == seen[second]).flatten(1).all(1).float().mean()
            assert same < 0.06  # by chance 1 in 50


def test_torchs_own_random_state_neither_decides_nor_changes():
    images = _images((16, 3, 8, 8))
    first = _all(images, BOTH, 3)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(_all(images, BOTH, 3), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_without_crop_and_flip_images_stay_as_they_are_and_all_views_are_one():
    images = _images((4, 1, 8, 8))
    assert torch.equal(_all(images, ()), images)
    assert torch.equal(_all(images, ("mixup", "cutmix")), images)
    assert _views(4, (), 1).identity(2) == _views(4, ("mixup",), 3).identity(4)
    assert _views(4, BOTH, 1).identity(2) == _views(4, ("flip", "crop", "mixup"), 1).identity(2)
    different = [_views(4, names, seed).identity(n) for names, seed, n in ((BOTH, 1, 2), (BOTH, 1, 3), (BOTH, 2, 2))]
    assert different[0] not in different[1:]
    assert different[1] != different[2]
