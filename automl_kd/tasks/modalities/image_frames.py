"""What of an image a network is shown, and at which size: parts of it cut out, scaled, mirrored and shifted."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SHIFT = 1 / 8


def resized(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Images (B, C, H, W) at another size, in their own type; themselves where they have it.

    Bilinear with antialiasing, as Pillow scales pictures of bytes (within 1 of 255).
    """
    if images.shape[2:] == size:
        return images
    return functional.interpolate(images, size, mode="bilinear", antialias=True)


def cut_out(images: Tensor, boxes: Tensor, size: tuple[int, ...]) -> Tensor:
    """A part of each image, :func:`resized`.

    Args:
        images: (B, C, H, W), of any type.
        boxes: Top, left, height and width of the parts in pixels, (B, 4) int64 on the CPU.
        size: Height and width of the result.
    """
    # One by one is fastest on a CPU, whose interpolation of bytes is; on a GPU it would be hundreds of launches.
    return _one_by_one(images, boxes, size) if images.device.type == "cpu" else at_once(images, boxes, size)


def _one_by_one(images: Tensor, boxes: Tensor, size: tuple[int, ...]) -> Tensor:
    parts = [
        resized(images[row : row + 1, :, top : top + height, left : left + width], size)
        for row, (top, left, height, width) in enumerate(boxes.tolist())
    ]
    return torch.cat(parts)


def at_once(images: Tensor, boxes: Tensor, size: tuple[int, ...]) -> Tensor:
    """The parts of :func:`cut_out` as two products of matrices for each image: rows of pixels, then columns."""
    top, left, height, width = boxes.to(images.device, non_blocking=True).unbind(1)
    rows = _weights(top, height, images.shape[2], size[0])
    columns = _weights(left, width, images.shape[3], size[1])
    parts = rows[:, None] @ images.float() @ columns[:, None].mT
    return parts if images.is_floating_point() else parts.round_().to(images.dtype)


def _weights(start: Tensor, length: Tensor, stored: int, size: int) -> Tensor:
    """How much of each stored pixel each pixel of the result is, (B, size, stored): triangles as wide as is scaled."""
    start, length = start.float()[:, None, None], length.float()[:, None, None]
    scale = length / size
    pixels = torch.arange(stored, device=start.device) + 0.5
    centres = start + (torch.arange(size, device=start.device)[:, None] + 0.5) * scale
    weights = (1 - (pixels - centres).abs() / scale.clamp(min=1)).clamp_(min=0)
    weights = weights * ((pixels > start) & (pixels < start + length))
    return weights / weights.sum(2, keepdim=True)


def mirrored(images: Tensor, which: Tensor) -> Tensor:
    """Some of the images, those of ``which`` (B,) on the CPU, mirrored from left to right; never in place."""
    rows = torch.arange(len(which)) + len(which) * which
    both = torch.cat([images, images.flip(-1)])
    return both.index_select(0, rows.to(images.device, non_blocking=True))  # a fifth of the time of where


def shifted(images: Tensor, draws: Tensor, flipped: Tensor | None) -> Tensor:
    """Images moved by up to an eighth of their size, filled with zeros.

    Args:
        images: (B, C, H, W).
        draws: Numbers in [0, 1), (B, …) on the CPU, of which the first two say how far: an eighth up where they are
            large, down where they are small; and to the left and to the right.
        flipped: Which images are mirrored, (B,), None for none; they show what they would if mirrored afterwards.
    """
    height, width = images.shape[2:]
    down, across = max(1, int(height * _SHIFT)), max(1, int(width * _SHIFT))
    padded = functional.pad(images, (across, across, down, down))
    # Every window of every image is a view of memory, of which one each is copied: 3 times as fast as by pixels.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    top, left = (draws[:, 0] * (2 * down + 1)).long(), (draws[:, 1] * (2 * across + 1)).long()
    if flipped is not None:
        left = torch.where(flipped, 2 * across - left, left)
    top, left = (each.to(images.device, non_blocking=True) for each in (top, left))
    return windows[torch.arange(len(images), device=images.device), :, top, left]


def erase(images: Tensor, boxes: Tensor) -> None:
    """Make boxes of the images zero, in place.

    Args:
        images: (B, C, H, W).
        boxes: Top, bottom, left and right, the second and fourth excluded; (B, 4) int64 on the CPU.
    """
    for image, (top, bottom, left, right) in zip(images, boxes.tolist(), strict=True):
        if bottom > top:
            image[:, top:bottom, left:right] = 0
