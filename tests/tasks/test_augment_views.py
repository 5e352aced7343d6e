"""Views by augmentations of every kind: what they are a function of, how they are drawn, at which resolution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_kd.core import UserError
from automl_kd.tasks import Images, Resolution
from automl_kd.tasks.modalities.image_boxes import crop_boxes
from automl_kd.tasks.modalities.image_draws import ImageDraws
from automl_kd.tasks.modalities.image_rand_augment import rand_augment

VARYING = ("resized_crop", "flip", "rand_augment", "color_jitter", "crop", "erase")
COUNT = 24


def _stored(channels=3, size=20, floats=False):
    """Pictures stored larger than the 16 pixels that networks take, by channel last as decoders write them."""
    source = torch.Generator().manual_seed(3)
    if floats:
        return torch.rand(COUNT, channels, size, size, generator=source)
    shape = (COUNT, channels, size, size)
    pictures = torch.randint(0, 256, shape, generator=source, dtype=torch.uint8)
    return pictures.contiguous(memory_format=torch.channels_last)


def _images(channels=3, size=16, white=255.0):
    return Images((channels, size, size), (0.5,) * channels, (0.25,) * channels, white)


def _draws(name, count, seed=0):
    return ImageDraws(count, seed).of(name, torch.arange(count), 0)


@given(
    index=st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=9),
    names=st.sets(st.sampled_from(VARYING), min_size=1).map(sorted),
    seed=st.integers(0, 2**31),
    number=st.integers(0, 100),
    channels=st.sampled_from([1, 3]),
    floats=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_view_depends_on_seed_number_and_image_alone(index, names, seed, number, channels, floats):
    stored = _stored(channels, floats=floats)
    kept = stored.clone()
    images = _images(channels, white=1.0 if floats else 255.0)
    whole = images.views(COUNT, names, seed).of(stored, torch.arange(COUNT), number)
    assert torch.equal(stored, kept)
    assert whole.shape == (COUNT, channels, 16, 16)
    index = torch.tensor(index)
    other = images.views(COUNT, list(reversed(names)), seed)
    other.of(stored[:2], torch.arange(2), number + 1)  # what was asked before does not matter
    assert torch.equal(other.of(stored[index], index, number), whole[index])


def test_large_pictures_of_a_batch_do_not_depend_on_each_other():
    # As many as are worked on at once, and more.
    stored = _stored(size=140).repeat(1, 1, 2, 2)
    images = _images(size=224)
    names = ("resized_crop", "flip", "rand_augment", "color_jitter")
    whole = images.views(COUNT, names, 1).of(stored[:4], torch.arange(4), 0)
    for row in range(4):
        alone = images.views(COUNT, names, 1).of(stored[row : row + 1], torch.tensor([row]), 0)
        assert torch.equal(alone[0], whole[row])


def test_adding_an_augmentation_does_not_move_what_others_draw():
    def seen(names, stored):
        return _images().views(COUNT, names, 5).of(stored, torch.arange(COUNT), 2)

    # What is erased is all that differs, and something is.
    before, after = (seen(names, _stored()) for names in (VARYING[:-1], VARYING))
    assert (after == torch.where(after == 0, after, before)).all()
    assert 0.02 < ((after == 0) & (before != 0)).float().mean() < 0.2
    # In pictures of one value the zeros tell where an image was shifted to, and what of it was erased.
    plain = torch.full((COUNT, 3, 16, 16), 200, dtype=torch.uint8)
    gone = seen(("crop", "erase"), plain) == 0
    assert torch.equal(seen(("crop", "erase", "resized_crop", "rand_augment", "color_jitter"), plain) == 0, gone)
    assert torch.equal(seen(("erase", "flip"), plain), seen(("erase",), plain))


def test_recipes_with_crop_and_flip_alone_see_what_they_saw():
    # Sums of views by version 0.1, whose teachers' outputs may still be kept.
    stored = torch.arange(8 * 2 * 8 * 8).view(8, 2, 8, 8).remainder(251).to(torch.uint8)
    images = Images((2, 8, 8), (0.0, 0.0), (1.0, 1.0), 255.0)
    views = images.views(8, ("crop", "flip"), 11)
    places = torch.arange(1, 1 + stored.numel(), dtype=torch.float64).view(stored.shape)
    sums = [
        float((views.of(stored, torch.arange(8), number).double() * 255 * places).sum().round()) for number in (0, 1)
    ]
    assert sums == [58286640.0, 58008653.0]
    assert views.identity(1) == {"names": ("crop", "flip"), "seed": 11, "number": 1}


def test_a_crop_that_never_fits_is_the_middle():
    # So wide that proportions of at most 4 to 3 never have enough area.
    draws = torch.full((1, 22), 0.999, dtype=torch.float64)
    assert crop_boxes(draws, 10, 1000).tolist() == [[0, 493, 10, 13]]
    assert crop_boxes(draws, 1000, 10).tolist() == [[493, 0, 13, 10]]


def test_operations_of_rand_augment_and_their_signs_are_equally_likely():
    source = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, 8, 8, generator=source)
    middles = [(torch.arange(count, dtype=torch.float64) + 0.5) / count for count in (14, 2)]
    every = torch.cartesian_prod(*middles, *middles)
    numbers: dict[bytes, int] = {}
    counts = torch.zeros(2, len(every))
    for row, draws in enumerate((every, _draws("rand_augment", 4000))):
        for image in rand_augment(picture.expand(len(draws), -1, -1, -1), draws):
            counts[row, numbers.setdefault(image.numpy().tobytes(), len(numbers))] += 1
    expected, seen = counts[:, : len(numbers)]
    assert len(numbers) > 300
    assert expected.min() > 0
    assert stats.chisquare(seen, expected * (4000 / len(every))).pvalue > 0.001


def test_two_resolutions_see_the_same_part_with_the_same_colours():
    across = torch.linspace(0, 3, 40)
    wave = (across.sin()[None, :] + across.cos()[:, None] + 1) / 3
    stored = torch.stack([wave, wave.flip(0), wave.T]).expand(COUNT, 3, 40, 40).contiguous()
    large, index = _images(size=32, white=1.0), torch.arange(COUNT)
    small = large.at(Resolution(size=16))
    for names in (("resized_crop", "flip"), ("color_jitter",), ("resized_crop", "flip", "color_jitter")):
        first, second = (images.views(COUNT, names, 3).of(stored, index, 1) for images in (large, small))
        halved = torch.nn.functional.interpolate(first, (16, 16), mode="bilinear", antialias=True)
        torch.testing.assert_close(second, halved, rtol=0, atol=0.2)  # a 20th of white
    # Boxes end at whole pixels.
    first, second = (images.views(COUNT, ("erase",), 3).of(stored, index, 1) == 0 for images in (large, small))
    shares = [each.all(1).float().mean((1, 2)) for each in (first, second)]
    torch.testing.assert_close(*shares, rtol=0, atol=0.1)


def test_colours_need_one_channel_or_three():
    _images(1).check_augment(VARYING)
    _images(4).check_augment(("resized_crop", "flip", "crop", "erase"))
    with pytest.raises(UserError, match=r"train\.augment: color_jitter takes images of 1 or 3 channels, .* have 4"):
        _images(4).check_augment(("flip", "color_jitter"))
