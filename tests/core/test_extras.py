"""Packages that are absent or broken are told in one line, wherever they are needed."""

import os
import subprocess
import sys

import pytest

from automl_kd import samplers
from automl_kd.core import UserError, import_extra


def test_what_is_there_is_imported():
    assert import_extra("json.decoder", "text", "a test").JSONDecoder


def test_an_absent_package_is_told_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"RayTuneSearcher needs the package ray, .*: pip install 'automl-kd\[ray\]'"):
        _ = samplers.RayTuneSearcher


def test_a_broken_onnxruntime_is_one_line(tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise RuntimeError('another ABI')\n")
    told = subprocess.run(
        [sys.executable, "-c", "from automl_kd.cli import main; main(['hw', 'list'])"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    (line,) = told.stderr.splitlines()
    assert "needs the package onnxruntime, which is installed and cannot be imported" in line
    assert line.endswith("pip install --force-reinstall onnxruntime")
