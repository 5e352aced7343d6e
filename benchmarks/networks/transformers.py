"""Transformers."""

from __future__ import annotations

import torch
from torch import nn


class _Attention(nn.Module):
    """Self-attention with ``heads`` heads; queries, keys and values from one matrix product."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.enter, self.leave = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, tokens, width = x.shape
        q, k, v = self.enter(x).view(n, tokens, 3, self.heads, self.size).permute(2, 0, 3, 1, 4).unbind(0)
        out: torch.Tensor = self.leave(self.attend(q, k, v).transpose(1, 2).reshape(n, tokens, width))
        return out

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Values weighted for every token, each ``(N, heads, tokens, size)``: two products with a softmax between."""
        return (q @ k.transpose(-2, -1) * self.size**-0.5).softmax(-1) @ v


class _FusedAttention(_Attention):
    """The same as one kernel, which keeps the weights to itself."""

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, False)[0]
        return out


class _Layer(nn.Module):
    def __init__(self, attention: nn.Module, width: int, norm_first: bool) -> None:
        super().__init__()
        self.attention = attention
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.norm_first = norm_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, part in zip(self.norms, (self.attention, self.dense), strict=True):
            x = x + part(norm(x)) if self.norm_first else norm(x + part(x))
        return x


def bert_base() -> nn.Module:
    """The encoder of Devlin et al. 2019, from embeddings ``(tokens, 768)`` on.

    NVIDIA publishes latencies of the engine that NVIDIA/TensorRT ``demo/BERT/builder.py`` builds, where one plugin
    computes the attention from all queries, keys and values side by side.
    """
    return nn.Sequential(*(_Layer(_FusedAttention(768, 12), 768, norm_first=False) for _ in range(12)))


class _Patches(nn.Module):
    """Patches of an image with a class token before them and positions added."""

    def __init__(self, pixels: int, patch: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (pixels // patch) ** 2, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.conv(x).flatten(2).transpose(1, 2)
        return torch.cat([self.token, patches], 1) + self.positions


class _First(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0]


def vit_b(pixels: int, patch: int) -> nn.Module:
    """ViT-B of Dosovitskiy et al. 2021.

    As exporters write it: before 8.6 TensorRT made no one kernel of an exported attention (NVIDIA/TensorRT issue 3280).
    """
    layers = (_Layer(_Attention(768, 12), 768, norm_first=True) for _ in range(12))
    return nn.Sequential(_Patches(pixels, patch, 768), *layers, nn.LayerNorm(768), _First(), nn.Linear(768, 1000))
