"""Narrowing keeps the channels that matter, and a chain is what a network really does."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.students.timm_nets.chain import find_chain
from automl_kd.students.timm_nets.narrowing import narrow


class Gate(nn.Module):
    """Squeeze-and-excite."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * self.expand(functional.relu(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class Inverted(nn.Module):
    """Expansion, filters in groups, gate, projection, sum."""

    def __init__(self, channels, hidden, group):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU())
        self.filter = nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden // group, bias=False)
        self.norm, self.gate = nn.BatchNorm2d(hidden), Gate(hidden, 8)
        self.project = nn.Sequential(nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return x + self.project(self.gate(functional.hardswish(self.norm(self.filter(self.expand(x))))))


def network(channels, hidden, group=1, seed=0):
    torch.manual_seed(seed)
    stem = nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU6())
    blocks = [Inverted(channels, hidden, group) for _ in range(2)]
    made = nn.Sequential(stem, *blocks, nn.Conv2d(channels, 24, 1))
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
    return made.eval()


SIZES = st.sampled_from([16, 24, 40])
IMAGES = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))


@settings(max_examples=8, deadline=None)
@given(SIZES, SIZES, st.sampled_from([1, 8]), st.sampled_from([0.3, 0.5, 0.75, 1.0]))
def test_what_is_narrowed_on_meta_has_the_shapes_of_what_is_narrowed_with_weights(channels, hidden, group, width):
    made = network(channels, hidden, group)
    with torch.device("meta"):
        empty = copy.deepcopy(made).to("meta")
    narrow(made, width)
    narrow(empty, width)
    assert {n: t.shape for n, t in made.state_dict().items()} == {n: t.shape for n, t in empty.state_dict().items()}
    with torch.no_grad():
        assert made(IMAGES).shape[1] == {0.3: 8, 0.5: 16, 0.75: 24, 1.0: 24}[width]
    assert made[1].filter.groups * group == made[1].filter.in_channels == made[1].filter.out_channels


@settings(max_examples=3, deadline=None)
@given(SIZES, SIZES, st.integers(0, 5))
def test_a_width_of_one_changes_nothing(channels, hidden, seed):
    made = network(channels, hidden, seed=seed)
    with torch.no_grad():
        before = made(IMAGES)
        assert narrow(made, 1.0).tolist() == list(range(24))
        assert torch.equal(made(IMAGES), before)


def silence(module, channels, *layers):
    """Make these channels zero wherever they are written."""
    with torch.no_grad():
        for layer in layers:
            for tensor in layer.parameters():
                if len(tensor) > max(channels):
                    tensor[channels] = 0
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean[channels] = 0
    return module


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(16)), st.permutations(range(32)))
def test_channels_that_are_zero_are_those_that_go_and_nobody_misses_them(outer, inner):
    made = network(16, 32)
    (stem, norm, _), blocks = made[0], made[1:3]
    silence(made, list(outer)[:8], stem, norm, *(part for block in blocks for part in block.project))
    for block in blocks:
        silence(made, list(inner)[:16], *list(block.expand)[:2], block.filter, block.norm)
        silence(made, [1, 2, 3], block.gate.reduce)  # of 8, which all stay
    last, made = made[3], made[:3]  # its 24 channels would be narrowed, too
    with torch.no_grad():
        before = last(made(IMAGES))
        left = narrow(made, 0.5)
        last.weight = nn.Parameter(last.weight[:, left])
        after = last(made(IMAGES))
    assert left.tolist() == sorted(list(outer)[8:])
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


class Joined(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)

    def forward(self, x):
        return torch.cat([self.conv(x), x], 1)


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.one = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 1, 1)

    def forward(self, x):
        x = self.conv(x)
        return x * self.one(x)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Joined(), "cat mixes channels"),
        (Attentive(), "maps of 16 and 1 channels are added or multiplied"),
        (nn.Sequential(nn.Conv2d(3, 16, 1), nn.GroupNorm(4, 16)), "GroupNorm mixes channels or has weights of its own"),
        (nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 16, 3, groups=8)), "changes the number of channels"),
    ],
)
def test_what_mixes_channels_otherwise_is_refused_in_one_line(module, reason):
    with pytest.raises(UserError, match=f"cannot be narrowed: .*{reason}"):
        narrow(module, 0.5)


class Net(nn.Module):
    """Two stages; ``between`` happens outside of any part."""

    def __init__(self, between=lambda x: x):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()) for _ in range(2)))
        self.conv_head, self.pool, self.classifier = nn.Conv2d(8, 16, 1), nn.AdaptiveAvgPool2d(1), nn.Linear(16, 4)
        self.between = between

    def forward(self, x):
        x = self.blocks(self.between(self.stem(x)))
        return self.classifier(self.pool(self.conv_head(x)).flatten(1))


def chain_of(net):
    return find_chain(net.to("meta").eval(), ["blocks.0", "blocks.1"], (3, 32, 32))


def test_a_chain_is_found_and_splits_the_network_without_its_pool_and_classifier():
    found = chain_of(Net())
    assert found.stages == (
        ("stem", ("stem",)),
        ("stage1", ("blocks.0",)),
        ("stage2", ("blocks.1",)),
        ("tail", ("conv_head",)),
    )
    whole = Net().eval()
    parts = found.split(whole)
    with torch.no_grad():
        expected = whole.conv_head(whole.blocks(whole.stem(IMAGES)))
        assert torch.equal(parts(IMAGES), expected)
    names = {found.renamed(name) for name in whole.state_dict()} - {None}
    assert names == set(parts.state_dict())


@pytest.mark.parametrize("between", [torch.relu, lambda x: x.mul_(2), lambda x: x + 1])
def test_what_does_something_between_its_parts_is_no_chain(between):
    assert chain_of(Net(between)) is None
