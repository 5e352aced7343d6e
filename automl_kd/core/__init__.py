"""What all rooms share: errors, paths, whole files, quantities, registries, signatures. It imports no other room."""

from automl_kd.core import formatting
from automl_kd.core.atomic_files import locked, replacing, sha256_of, write_text
from automl_kd.core.child_processes import child_environment
from automl_kd.core.disk_space import check_room, folder_bytes, free_bytes
from automl_kd.core.errors import Interrupted, UserError, first_line, unknown
from automl_kd.core.extras import import_extra
from automl_kd.core.formatting import (
    UNKNOWN,
    chance,
    count,
    counted,
    difference_in_unit,
    duration,
    in_unit,
    milliseconds,
    percent,
    signed,
    size,
    spread_in_unit,
    three_digits,
    whole,
)
from automl_kd.core.integers import Range
from automl_kd.core.paths import DEFAULT_STORAGE, cache_dir, config_dir, find_yaml, shipped_dir, yaml_names
from automl_kd.core.plain import finite
from automl_kd.core.registry import Registry, extension_versions
from automl_kd.core.signature import IMAGE_AXES, TEXT_AXES, Input, Meaning, Output, Signature
from automl_kd.core.stylesheet import stylesheet
from automl_kd.core.ticks import round_bytes, round_numbers, round_steps
from automl_kd.core.units import parse_bytes, parse_count, parse_duration, parse_latency, parse_resources, units_of
from automl_kd.core.version import __version__
from automl_kd.core.yaml_text import NotYAMLError, load_yaml

__all__ = [
    "DEFAULT_STORAGE",
    "IMAGE_AXES",
    "TEXT_AXES",
    "UNKNOWN",
    "Input",
    "Interrupted",
    "Meaning",
    "NotYAMLError",
    "Output",
    "Range",
    "Registry",
    "Signature",
    "UserError",
    "__version__",
    "cache_dir",
    "chance",
    "check_room",
    "child_environment",
    "config_dir",
    "count",
    "counted",
    "difference_in_unit",
    "duration",
    "extension_versions",
    "find_yaml",
    "finite",
    "first_line",
    "folder_bytes",
    "formatting",
    "free_bytes",
    "import_extra",
    "in_unit",
    "load_yaml",
    "locked",
    "milliseconds",
    "parse_bytes",
    "parse_count",
    "parse_duration",
    "parse_latency",
    "parse_resources",
    "percent",
    "replacing",
    "round_bytes",
    "round_numbers",
    "round_steps",
    "sha256_of",
    "shipped_dir",
    "signed",
    "size",
    "spread_in_unit",
    "stylesheet",
    "three_digits",
    "units_of",
    "unknown",
    "whole",
    "write_text",
    "yaml_names",
]
