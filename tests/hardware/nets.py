"""Small networks of the families that matter, and a plan of blocks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from automl_kd.core import Input


def unit(inputs, outputs, kernel=3, stride=1, groups=1, act=nn.ReLU):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([act()] if act else []))


def head(width):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


class Residual(nn.Module):
    def __init__(self, body, shortcut=None, act=True):
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut or nn.Identity(), act

    def forward(self, x):
        out = self.body(x) + self.shortcut(x)
        return functional.relu(out) if self.act else out


class Excite(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        return x * functional.hardsigmoid(self.b(functional.relu(self.a(x.mean((2, 3), keepdim=True)))))


class Shuffle(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = unit(width // 2, width // 2, groups=width // 2)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        x = torch.cat([a, self.body(b)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def basic():
    down = unit(16, 32, 1, 2, act=None)
    return nn.Sequential(
        unit(3, 16),
        Residual(nn.Sequential(unit(16, 16), unit(16, 16, act=None))),
        Residual(nn.Sequential(unit(16, 32, stride=2), unit(32, 32, act=None)), down),
        head(32),
    )


def bottleneck():
    body = nn.Sequential(unit(64, 16, 1), unit(16, 16, groups=4), unit(16, 64, 1, act=None))
    return nn.Sequential(unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), Residual(body), head(64))


def inverted(act=nn.Hardswish):
    body = nn.Sequential(
        unit(8, 32, 1, act=act), unit(32, 32, 5, groups=32, act=act), Excite(32), unit(32, 8, 1, act=None)
    )
    return nn.Sequential(unit(3, 8, stride=2, act=act), Residual(body, act=False), unit(8, 24, 1, act=act), head(24))


def shuffle():
    return nn.Sequential(unit(3, 16, stride=2), Shuffle(16), nn.BatchNorm2d(16), nn.ReLU(), head(16))


def upsampling():
    layers = (unit(3, 8, stride=2), nn.ConvTranspose2d(8, 4, 2, 2), nn.ReLU(), nn.Upsample(scale_factor=2.0))
    return nn.Sequential(*layers, nn.AvgPool2d(2), head(4))


class Dense(nn.Module):
    """One layer of a DenseNet: its own result is stacked on everything before."""

    def __init__(self, inputs, growth):
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, growth, 3, padding=1, bias=False)
        )

    def forward(self, x):
        return torch.cat([x, self.body(x)], 1)


def densenet():
    transition = nn.Sequential(nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 12, 1, bias=False), nn.AvgPool2d(2))
    return nn.Sequential(unit(3, 8), Dense(8, 8), Dense(16, 8), transition, Dense(12, 8), head(20))


class Fire(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, width, 1)
        self.a, self.b = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, 2 * width, 3, padding=1)

    def forward(self, x):
        x = functional.relu(self.squeeze(x))
        return torch.cat([functional.relu(self.a(x)), functional.relu(self.b(x))], 1)


def squeezenet():
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    last = nn.Sequential(nn.Dropout(), nn.Conv2d(32, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU(), pool, Fire(16, 4), Fire(16, 8), last)


class LayerNorm2d(nn.Module):
    """Over the channels of every pixel."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    """Liu et al. 2022, one block, with the pointwise layers as matrix products in channels-last order."""

    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.a, self.b = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.b(functional.gelu(self.a(y)))
        return x + y.permute(0, 3, 1, 2)


def convnext():
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), LayerNorm2d(8), ConvNext(8), ConvNext(8), head(8))


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.bottom = unit(3, 8), unit(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.merge, self.last = unit(16, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        across = self.down(x)
        x = self.up(self.bottom(functional.max_pool2d(across, 2)))
        x = self.merge(torch.cat([across, x], 1))
        return self.last(functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))


def poolings():
    """Average pooling with padding, a coarse adaptive one, and both global ones."""

    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(16, 10)

        def forward(self, x):
            both = functional.adaptive_avg_pool2d(x, 1), functional.adaptive_max_pool2d(x, 1)
            return self.last(torch.cat(both, 1).flatten(1))

    return nn.Sequential(unit(3, 8), nn.AvgPool2d(3, 1, 1), nn.AdaptiveAvgPool2d(4), Heads())


def dilated():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=2, dilation=2), nn.LeakyReLU(0.1), nn.GroupNorm(2, 8), head(8))


FAMILIES = {
    "basic": basic,
    "bottleneck": bottleneck,
    "inverted-relu6": lambda: inverted(nn.ReLU6),
    "inverted-hardswish": inverted,
    "inverted-silu": lambda: inverted(nn.SiLU),
    "inverted-gelu": lambda: inverted(nn.GELU),
    "shuffle": shuffle,
    "upsampling": upsampling,
    "densenet": densenet,
    "squeezenet": squeezenet,
    "convnext": convnext,
    "unet": Unet,
    "poolings": poolings,
    "dilated": dilated,
}
"""Image networks for inputs of (3, 32, 32)."""


class Recurrent(nn.Module):
    """A sequence (T, 6) to the last step of a recurrent network, or to its last states."""

    def __init__(self, kind, states=False, **settings):
        super().__init__()
        self.rnn = kind(6, 8, batch_first=True, **settings)
        self.states = states
        self.last = nn.Linear(8 * (1 if states else 1 + self.rnn.bidirectional), 5)

    def forward(self, x):
        steps, ends = self.rnn(x)
        if self.states:
            return self.last((ends[0] if isinstance(ends, tuple) else ends)[-1])
        return self.last(steps[:, -1])


class Attention(nn.Module):
    """Multi-head attention written out, with ``scaled_dot_product_attention``."""

    def __init__(self, width, heads, causal=False):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.last, self.heads, self.causal = nn.Linear(width, width), heads, causal

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = (
            layer(x).view(n, t, self.heads, c // self.heads).transpose(1, 2) for layer in (self.q, self.k, self.v)
        )
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.last(out.transpose(1, 2).reshape(n, t, c))


class SelfAttention(nn.Module):
    """``nn.MultiheadAttention`` with and without its weights."""

    def __init__(self, weights):
        super().__init__()
        self.attention, self.weights = nn.MultiheadAttention(16, 4, batch_first=True), weights

    def forward(self, x):
        return self.attention(x, x, x, need_weights=self.weights)[0]


def encoder(**settings):
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **settings)
    return nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 5))


class TextClassifier(nn.Module):
    """Tokens (T,) to classes: positions are added, and the mean over the sequence is classified."""

    def __init__(self, tokens=100, length=12):
        super().__init__()
        self.tokens, self.places = nn.Embedding(tokens, 16), nn.Embedding(length, 16)
        self.body, self.last = Attention(16, 4), nn.Linear(16, 5)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1], device=tokens.device))
        return self.last(self.body(x).mean(1))


SEQUENCES = {
    "lstm": (lambda: Recurrent(nn.LSTM), (12, 6)),
    "lstm-both-ways": (lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True), (12, 6)),
    "lstm-states": (lambda: Recurrent(nn.LSTM, states=True, num_layers=2), (12, 6)),
    "lstm-without-bias": (lambda: Recurrent(nn.LSTM, bias=False), (12, 6)),
    "gru": (lambda: Recurrent(nn.GRU, num_layers=2), (12, 6)),
    "gru-both-ways": (lambda: Recurrent(nn.GRU, states=True, bidirectional=True), (12, 6)),
    "rnn": (lambda: Recurrent(nn.RNN), (12, 6)),
    "attention": (lambda: Attention(16, 4), (12, 16)),
    "causal-attention": (lambda: Attention(16, 4, causal=True), (12, 16)),
    "multi-head": (lambda: SelfAttention(False), (12, 16)),
    "multi-head-weights": (lambda: SelfAttention(True), (12, 16)),
    "encoder": (encoder, (12, 16)),
    "encoder-norm-first": (lambda: encoder(norm_first=True, activation="gelu"), (12, 16)),
    "text": (TextClassifier, (12,)),
    "bag": (lambda: nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(96, 5)), (12,)),
}
"""Name to what builds a network for sequences, and its input shape; an input of one axis is tokens."""


def to_onnx(module, path, input_shape, opset=17):
    """The file that PyTorch's exporter writes, tokens and attention included."""
    tokens = len(input_shape) == 1
    x = torch.zeros(2, *input_shape, dtype=torch.int64) if tokens else torch.randn(2, *input_shape)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the exporter knows no fused encoder layer
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            axes = {"input": {0: "batch"}, "logits": {0: "batch"}}
            names = {"input_names": ["input"], "output_names": ["logits"], "dynamic_axes": axes}
            torch.onnx.export(module.eval(), (x,), str(path), dynamo=False, opset_version=opset, **names)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return path


def resnet(depths, bottlenecks):
    """He et al. 2016, for 224 px."""
    layers, inputs = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
    for stage, depth in enumerate(depths):
        width = 64 << stage
        outputs = 4 * width if bottlenecks else width
        for block in range(depth):
            stride = 2 if stage and not block else 1
            if bottlenecks:
                parts = unit(inputs, width, 1), unit(width, width, 3, stride), unit(width, outputs, 1, act=None)
            else:
                parts = unit(inputs, width, 3, stride), unit(width, width, act=None)
            same = stride == 1 and inputs == outputs
            layers.append(Residual(nn.Sequential(*parts), None if same else unit(inputs, outputs, 1, stride, act=None)))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


class Cell(nn.Module):
    """A cell of 0 to 6 convolutions in NAS-Bench-201's wiring, all edges 3x3."""

    def __init__(self, width):
        super().__init__()
        self.edges = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
            for _ in range(6)
        )

    def forward(self, x):
        e = self.edges
        a = e[0](x)
        b = e[1](x) + e[2](a)
        return e[3](x) + e[4](a) + e[5](b)


def all_convolutions_cells():
    """NAS-Bench-201 with ``nor_conv_3x3`` on every edge: 220.1 MFLOPs in the benchmark's count of multiply-adds."""
    layers = [unit(3, 16, act=None)]
    for stage, width in enumerate((16, 32, 64)):
        if stage:
            half = width // 2
            body = nn.Sequential(nn.ReLU(), unit(half, width, stride=2), unit(width, width, act=None))
            short = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(half, width, 1, bias=False))
            layers.append(Residual(body, short, act=False))
        layers += [Cell(width) for _ in range(5)]
    return nn.Sequential(*layers, nn.BatchNorm2d(64), nn.ReLU(), head(64))


class SearchedCell(nn.Module):
    """A cell of NAS-Bench-201: the sum over the edges into every node, ``none`` written as its authors or others do.

    Args:
        edges: Operators of the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
        width: Channels.
        none: ``mul``: the input times zero; ``zeros``: a tensor of zeros; ``pruned``: the edge is not there, and a
            node without edges is a constant that convolutions behind it turn into other constants.
    """

    def __init__(self, edges, width, none):
        super().__init__()
        self.edges, self.none = edges, none
        self.convolutions = nn.ModuleDict()
        for index, name in enumerate(edges):
            if name.startswith("nor_conv"):
                size = 3 if "3x3" in name else 1
                conv = nn.Conv2d(width, width, size, padding=size // 2, bias=False)
                self.convolutions[str(index)] = nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(width))
        self.register_buffer("constant", torch.ones(1, width, 1, 1))

    def edge(self, index, x):
        name = self.edges[index]
        if name == "none":
            if self.none == "pruned" or x is None:
                return None
            return x.mul(0.0) if self.none == "mul" else torch.zeros_like(x)
        if name == "skip_connect" or x is None or x is self.constant:
            return self.constant if x is None and name.startswith("nor_conv") else x
        if name == "avg_pool_3x3":
            return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return self.convolutions[str(index)](x)

    def node(self, *edges):
        found = [self.edge(index, x) for index, x in edges]
        live = [x for x in found if x is not None]
        return sum(live) if live else None

    def forward(self, x):
        a = self.node((0, x))
        b = self.node((1, x), (2, a))
        out = self.node((3, x), (4, a), (5, b))
        return (self.constant if out is None else out).expand(x.shape)


EDGES = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def searched(edges, none, count=1):
    cells = [SearchedCell(edges, 8, none) for _ in range(count)]
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), *cells, nn.ReLU(), head(8))


@dataclass(frozen=True)
class UnitBlock:
    input_shape: tuple[int, int, int]
    width: int
    stride: int = 1

    @property
    def input(self):
        return Input.of_images(self.input_shape)

    def build(self):
        return unit(self.input_shape[0], self.width, stride=self.stride)


@dataclass(frozen=True)
class HeadBlock:
    input_shape: tuple[int, int, int]

    @property
    def input(self):
        return Input.of_images(self.input_shape)

    def build(self):
        return head(self.input_shape[0])


@dataclass(frozen=True)
class ChainPlan:
    blocks: tuple[UnitBlock | HeadBlock, ...]
    weight_bytes: int = 4
    integers: tuple[bool, ...] = ()
    per_channel: bool | None = None

    def build(self):
        return nn.Sequential(*(block.build() for block in self.blocks))


def plan(*widths, pixels=16):
    shapes = [(inputs, pixels, pixels) for inputs in (3, *widths)]
    blocks = [UnitBlock(shape, width) for shape, width in zip(shapes, widths, strict=False)]
    return ChainPlan((*blocks, HeadBlock(shapes[-1])))
