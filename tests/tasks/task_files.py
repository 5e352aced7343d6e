"""Small data sets on disk, in the formats that users have."""

import gzip
import struct
from pathlib import Path

import numpy as np
from PIL import Image


def patterns(count, shape=(8, 8), classes=3, seed=0):
    """Images whose brightness tells their class, and labels; every class equally often."""
    source = np.random.RandomState(seed)
    labels = np.arange(count) % classes
    noise = source.randint(0, 40, size=(count, *shape))
    scale = (labels * 200 // max(1, classes - 1)).reshape(-1, *([1] * len(shape)))
    return (noise + scale).astype(np.uint8), labels.astype(np.int64)


def write_idx(path: Path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_fashion(folder: Path, train=240, test=40, ending=".gz"):
    folder.mkdir(exist_ok=True)
    for part, count, seed in (("train", train, 0), ("t10k", test, 1)):
        images, labels = patterns(count, (28, 28), classes=10, seed=seed)
        write_idx(folder / f"{part}-images-idx3-ubyte{ending}", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte{ending}", labels)
    return folder


def write_folder(root: Path, per_class=12, size=(20, 14), mode="RGB"):
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    images, labels = patterns(3 * per_class, shape)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = root / ("ant", "bee", "cow")[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{index:03}.png")
    return root
