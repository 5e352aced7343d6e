"""Gradients of narrow students are right on whatever processor this is; in a process of its own, for it may crash."""

import json
import subprocess
import sys

GRADIENTS = """
import copy, json, torch
from automl_kd.students import build

torch.manual_seed(0)
torch.set_num_threads(1)
spec = {"family": "resnet", "stages": [{"depth": 1, "channels": 4}, {"depth": 1, "channels": 8}]}
student = build(spec, input_shape=(3, 8, 8), classes=10).to(memory_format=torch.channels_last)
exact = copy.deepcopy(student).double()
worst = 0.0
for _ in range(10):
    images = torch.randn(32, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    found = torch.autograd.grad(student(images).square().mean(), list(student.parameters()))
    right = torch.autograd.grad(exact(images.double()).square().mean(), list(exact.parameters()))
    worst = max(worst, *(float((a - b).abs().max() / (b.abs().max() + 1e-3)) for a, b in zip(found, right)))
print(json.dumps(worst))
"""


def test_gradients_of_a_narrow_student_are_those_of_exact_arithmetic():
    ended = subprocess.run([sys.executable, "-c", GRADIENTS], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) < 1e-3
