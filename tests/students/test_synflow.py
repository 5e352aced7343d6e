import itertools
import math

import pytest
import torch
from torch import nn

from automl_kd.core import Input
from automl_kd.students import build, synflow


def chain(*widths):
    return nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths)))


def test_every_layer_of_a_linear_chain_carries_all_of_the_flow():
    network = chain(3, 4, 2)
    first, second = (layer.weight.abs().double() for layer in network)
    flow = (second @ first @ torch.ones(3, dtype=torch.float64)).sum().item()
    assert synflow(network, Input.of_images((3,))) == pytest.approx(math.log(2 * flow))


def test_signs_biases_statistics_and_relu_change_nothing():
    torch.manual_seed(0)
    plain = chain(3, 4, 2)
    expected = synflow(plain, Input.of_images((3,)))
    norm = nn.BatchNorm1d(4, eps=1e-12)
    norm.running_var.fill_(9.0)
    norm.running_mean.fill_(-2.0)
    dressed = nn.Sequential(plain[0], norm, nn.ReLU(), plain[1])
    with torch.no_grad():
        plain[0].weight.neg_()
    assert synflow(dressed, Input.of_images((3,))) == pytest.approx(expected)


def test_a_network_whose_output_hears_no_weight_has_none():
    class Deaf(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return x * 0.0

    assert synflow(Deaf(), Input.of_images((3,))) == -math.inf
    cut = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 2, bias=False))
    nn.init.zeros_(cut[0].weight)
    assert synflow(cut, Input.of_images((3,))) == -math.inf


def test_a_student_is_left_as_it_was_and_a_wider_one_has_more():
    def student(width):
        torch.manual_seed(1)
        spec = {"family": "resnet", "depth": 8, "width": width}
        return build(spec, input_shape=(3, 16, 16), classes=10)

    network = student(0.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        narrow = synflow(network, Input.of_images((3, 16, 16)))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
    assert narrow < synflow(student(1.0), Input.of_images((3, 16, 16)))
