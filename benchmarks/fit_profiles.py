"""Fit the hardware profiles to published latencies and write their sections ``fit``.

    python benchmarks/fit_profiles.py [--data ../shared/data] [--profile jetson-nano]

Whole published models are rebuilt (``published_models.py``, ``qualcomm_models.py``) and lowered to the kernels of each
target's runtime. All targets are fitted together (``joint_fits.py``), which says what to expect of each; a target's own
rows then move that, every row is predicted by a fit without it and by one without its family, and both are written
beside it. A target without rows of its own keeps what the others lead to expect.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from cases import all_cases
from joint_fits import JointFits
from published_latencies import Key
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from automl_kd.core import shipped_dir
from automl_kd.hardware import load_profile
from automl_kd.hardware.fit_section import Fit


def write(key: Key, result: Fit) -> None:
    """Put a fit into the file of its device; what is a line to people stays a line."""
    path = shipped_dir("hardware_profiles") / f"{key[0]}.yaml"
    yaml = YAML()
    yaml.width = 4096
    content = yaml.load(path.read_text(encoding="utf-8"))
    content["targets"][key[1]]["fit"] = _flat(result.model_dump(mode="json", exclude_none=True), depth=1)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def _flat(value: Any, depth: int) -> Any:
    """Maps and lists below a depth on one line each."""
    if isinstance(value, dict):
        found = CommentedMap({name: _flat(each, depth - 1) for name, each in value.items()})
    elif isinstance(value, list):
        found = CommentedSeq([_flat(each, depth - 1) for each in value])
    else:
        return value
    if depth <= 0 and not (isinstance(value, list) and value and isinstance(value[0], dict)):
        found.fa.set_flow_style()
    return found


def report(key: Key, fitted: Fit) -> None:
    """A row a network, and the medians."""
    print(f"{key[0]}:{key[1]}\n  {'model':28} {'measured':>9} {'left out':>9} {'error':>7} {'family':>7}")
    for each in fitted.references:
        family = np.expm1(-each.family_error)
        print(f"  {each.model:28} {each.ms:9.2f} {each.left_out_ms:9.2f} {np.expm1(-each.error):+7.1%} {family:+7.1%}")
    if fitted.references:
        errors = [np.median(np.abs(np.expm1(-np.array(found)))) for found in _errors(fitted)]
        print(f"  median error leaving out one {errors[0]:.1%}, a family {errors[1]:.1%}")


def _errors(fitted: Fit) -> tuple[list[float], list[float]]:
    return [each.error for each in fitted.references], [each.family_error for each in fitted.references]


def targets() -> list[Key]:
    """All targets of all shipped profiles, but for those that are measured on the machine at hand."""
    names = sorted(path.stem for path in shipped_dir("hardware_profiles").glob("*.yaml"))
    files = {name: load_profile(name).file for name in names}
    return [(name, key) for name, file in files.items() for key, each in file.targets.items() if not each.this_machine]


def main() -> None:
    """Fit, write and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of published latencies")
    parser.add_argument("--profile", action="append", help="only this profile; repeatable")
    options = parser.parse_args()
    if not (options.data / "published_jetson.csv").is_file():
        sys.exit(f"{options.data} holds no published latencies; give their folder with --data")
    cases = {key: [] for key in targets()} | all_cases(options.data)
    fits = JointFits(cases)
    for key in targets():
        if not options.profile or key[0] in options.profile:
            fitted = fits.fit(key)
            write(key, fitted)
            report(key, fitted)


if __name__ == "__main__":
    main()
