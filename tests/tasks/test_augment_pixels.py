"""Augmentations function by function: closed forms, and torchvision's own functions where it is installed."""

import math

import pytest
import torch
from scipy import stats

from automl_kd.tasks.modalities import image_affine as affine
from automl_kd.tasks.modalities import image_color as color
from automl_kd.tasks.modalities import image_tones as tones
from automl_kd.tasks.modalities.image_boxes import crop_boxes, erased_boxes
from automl_kd.tasks.modalities.image_draws import ImageDraws
from automl_kd.tasks.modalities.image_frames import at_once, cut_out

# torchvision rounds bytes down, of saturation and contrast twice; ours are not rounded.
BYTE = 1.25 / 255


def _pictures(channels):
    """Bytes: one of one value, one of four, one whose first rows are grey, two of noise."""
    source = torch.Generator().manual_seed(0)
    bytes_ = torch.randint(0, 256, (5, channels, 24, 30), generator=source, dtype=torch.uint8)
    bytes_[0] = 7
    bytes_[1] = bytes_[1] // 64 * 60
    bytes_[2, :, :3] = bytes_[2, :1, :3]
    return bytes_


def _each(value, count=5):
    return torch.full((count, 1, 1, 1), value)


@pytest.fixture(scope="module")
def transforms():
    return pytest.importorskip("torchvision.transforms.v2")


@pytest.fixture(scope="module")
def torchvision(transforms):
    return transforms.functional


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "name", "values"),
    [
        (color.brightness, "adjust_brightness", (0.6, 1.27)),
        (color.contrast, "adjust_contrast", (0.6, 1.27)),
        (color.saturation, "adjust_saturation", (0.6, 1.27)),
        (color.hue, "adjust_hue", (-0.1, 0.03, 0.1, 1 / 6)),
        (tones.sharpness, "adjust_sharpness", (0.6, 1.27)),
        (tones.posterize, "posterize", (7, 3)),
        (tones.solarize, "solarize", (0.7,)),
        (tones.autocontrast, "autocontrast", ()),
        (tones.equalize, "equalize", ()),
    ],
)
def test_colours_are_torchvisions(torchvision, channels, ours, name, values):
    bytes_ = _pictures(channels)
    unit = bytes_ / 255
    theirs = getattr(torchvision, name)
    for value in values or (None,):
        argument = () if value is None else (value,)
        own = () if value is None else (value if name in ("posterize", "solarize") else _each(value),)
        result = ours(unit, *own)
        torch.testing.assert_close(result, theirs(unit, *argument), rtol=0, atol=2e-6)
        if name != "solarize":  # whose threshold is one of bytes
            torch.testing.assert_close(result, theirs(bytes_, *argument) / 255, rtol=0, atol=BYTE)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: affine.shear_x(x, _each(0.09)), {"shear": [math.degrees(math.atan(0.09)), 0], "center": [0, 0]}),
        (lambda x: affine.shear_x(x, _each(-0.3)), {"shear": [math.degrees(math.atan(-0.3)), 0], "center": [0, 0]}),
        (lambda x: affine.shear_y(x, _each(0.09)), {"shear": [0, math.degrees(math.atan(0.09))], "center": [0, 0]}),
        (lambda x: affine.translate_x(x, _each(4 / 30)), {"translate": [4, 0]}),
        (lambda x: affine.translate_y(x, _each(-3 / 24)), {"translate": [0, -3]}),
        (lambda x: affine.rotate(x, _each(9.0)), {"angle": -9.0}),
    ],
)
def test_shapes_are_torchvisions(torchvision, ours, theirs):
    unit = _pictures(3) / 255
    still = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    # Where a pixel is as near to one as to another rounding decides.
    assert (ours(unit) != torchvision.affine(unit, **(still | theirs))).float().mean() < 0.002


@pytest.mark.parametrize("size", [(9, 14), (40, 31), (24, 30)])
def test_parts_are_cut_out_as_torchvision_cuts_them(torchvision, size):
    pictures = _pictures(3)
    boxes = torch.tensor([[0, 0, 24, 30], [3, 5, 7, 19], [20, 29, 4, 1], [1, 0, 23, 30], [5, 5, 9, 14]])
    whole = cut_out(pictures, boxes, size)
    for picture, box, part in zip(pictures, boxes.tolist(), whole, strict=True):
        assert torch.equal(part, torchvision.resized_crop(picture, *box, size=list(size), antialias=True))
    floats = at_once(pictures / 255, boxes, size)
    torch.testing.assert_close(floats, cut_out(pictures / 255, boxes, size), rtol=0, atol=1e-5)
    # Bytes are interpolated with weights of 8 bits: both ways are within 1 of 255 of each other.
    assert (at_once(pictures, boxes, size).int() - whole.int()).abs().max() <= 1


def test_colours_that_are_known():
    red, green, grey = ([1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0.5])
    image = torch.tensor([red, green, grey]).T[None, :, None]
    turned = color.hue(image, _each(1 / 6, 1))
    torch.testing.assert_close(turned[0, :, 0].T, torch.tensor([[1.0, 1, 0], [0, 1, 1], grey]))
    assert torch.equal(color.hue(image, _each(0.0, 1)), image)
    # The weights of luma, of four digits, add up to 0.9999.
    torch.testing.assert_close(
        color.saturation(image, _each(0.0, 1))[0, 0, 0], torch.tensor([0.2989, 0.587, 0.49995]), rtol=0, atol=1e-6
    )
    assert color.contrast(image, _each(0.0, 1)).unique().numel() == 1
    row = torch.tensor([0.0, 0.49, 0.51, 1]).view(1, 1, 1, 4)
    assert tones.posterize(row, 1).flatten().tolist() == [0, 0, 0.5, 0.5]


@pytest.mark.parametrize(
    "change",
    [
        lambda x, rows: color.contrast(x, _each(0.7)[rows]),
        lambda x, rows: color.hue(x, _each(0.07)[rows]),
        lambda x, rows: tones.sharpness(x, _each(1.27)[rows]),
        lambda x, rows: tones.equalize(x),
        lambda x, rows: affine.rotate(x, _each(9.0)[rows]),
    ],
)
def test_an_image_does_not_depend_on_those_that_come_with_it(change):
    images = torch.rand(5, 3, 37, 41, generator=torch.Generator().manual_seed(1))
    whole = change(images, slice(0, 5))
    for rows in (slice(0, 1), slice(2, 5), slice(4, 5)):
        assert torch.equal(change(images[rows], rows), whole[rows])


def _draws(name, count):
    return ImageDraws(count, 0).of(name, torch.arange(count), 0)


def _alike(ours, theirs):
    """Whether boxes (top, left, height, width) have the same areas, proportions and places."""

    def of(boxes):
        top, left, height, width = boxes.double().unbind(1)
        return height * width, height / width, top, left

    for first, second in zip(of(ours), of(theirs), strict=True):
        assert stats.ks_2samp(first.numpy(), second.numpy()).pvalue > 0.001


def test_crops_are_drawn_as_torchvision_draws_them(transforms):
    height, width, count = 200, 260, 1500
    torch.manual_seed(0)
    theirs, picture = transforms.RandomResizedCrop(8), [torch.empty(3, height, width)]
    drawn = [theirs.make_params(picture) for _ in range(count)]
    ours = crop_boxes(_draws("resized_crop", count), height, width)
    _alike(ours, torch.tensor([[each[key] for key in ("top", "left", "height", "width")] for each in drawn]))
    top, left, tall, wide = ours.unbind(1)
    assert min(top.min(), left.min()) >= 0
    assert (top + tall).max() <= height
    assert (left + wide).max() <= width


def test_boxes_to_erase_are_drawn_as_torchvision_draws_them(transforms):
    height, width, count = 200, 260, 4000
    torch.manual_seed(0)
    theirs, picture = transforms.RandomErasing(p=1), [torch.empty(3, height, width)]
    drawn = [theirs.make_params(picture) for _ in range(count // 4)]
    top, bottom, left, right = erased_boxes(_draws("erase", count), height, width).unbind(1)
    erased = bottom > top
    assert stats.binomtest(int(erased.sum()), count, 0.25).pvalue > 0.001
    ours = torch.stack([top, left, bottom - top, right - left], 1)[erased]
    _alike(ours, torch.tensor([[each[key] for key in "ijhw"] for each in drawn]))
