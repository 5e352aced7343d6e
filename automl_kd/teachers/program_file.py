"""Programs of ``torch.export`` read from a file without running what it may hold.

``torch.export.load`` unpickles sample inputs, constants and some weights, evaluates the expressions of dynamic sizes as
Python, and looks up what a node calls by any name within ``torch``. Here a file is taken apart first, every part is
held against a short list of what a network needs, and only those parts are put together again and loaded.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from automl_kd.core import UserError, first_line

_MODEL = "models/model.json"
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_SAMPLES = "data/sample_inputs/model.pt"  # a pickle, of no use to a teacher: replaced by nothing
_TENSORS = re.compile(r"data/(weights/weight|constants/tensor)_\d+")
_MARKS = ("archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id", "version")
# What a graph may call: operators of tensors, arithmetic of sizes. from_file would open files.
_CALLS = re.compile(
    r"torch\.ops\.aten\.(?!from_file)\w+(\.\w+)?"
    r"|_operator\.(getitem|add|sub|mul|truediv|floordiv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|torch\.sym_(max|min|not|ite|int|float|sum|sqrt)"
    r"|math\.(ceil|floor|trunc)"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
)
# Arithmetic of symbols such as s34, as sympy spells it. None of these words is a function of Python.
_EXPRESSION = re.compile(
    r"(?:Symbol\('[su]\d+'(?:, \w+=(?:True|False))*\)|[su]\d+|\d+|[ +*/(),-]|Add|Mul|Pow|Integer|Rational|Max|Min|Mod"
    r"|PythonMod|FloorDiv|CeilDiv|CleanDiv|IntTrueDiv|Equality|Unequality|(?:Strict)?(?:Less|Greater)Than)+"
)
_CONTAINERS = ("builtins.tuple", "builtins.list", "builtins.dict", None)


def read_program(path: Path) -> ExportedProgram:
    """The program in a ``.pt2`` file, on the CPU.

    Raises:
        UserError: If the file is missing or damaged, was written by a version of torch that this one does not read, or
            holds anything but tensors and a graph of tensor operators.
    """
    if not path.is_file():
        raise UserError(f"teacher file {path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = _parts(path, archive)
        model = json.loads(parts[_MODEL])
        _check_graph(path, model)
        for config in _CONFIGS:
            _check_tensors(path, json.loads(parts[config]))
        parts[_MODEL] = json.dumps({**model, "guards_code": []}).encode()  # source code, of no use to a teacher
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as a program of torch.export: {first_line(error)}") from None
    try:
        return torch.export.load(_packed(parts))
    except Exception as error:  # the reader raises what its many parts raise
        raise UserError(
            f"{path}: torch {torch.__version__} cannot load it: {first_line(error)}; export it again with this version"
        ) from None


def _parts(path: Path, archive: zipfile.ZipFile) -> dict[str, bytes]:
    """The contents by name, without the folder that holds all of them."""
    parts: dict[str, bytes] = {}
    for entry in archive.infolist():
        name = entry.filename.partition("/")[2]
        if name in parts:
            raise ValueError(f"{name} is there twice")
        if name == _SAMPLES:
            parts[name] = b""
        elif name in (_MODEL, *_CONFIGS, *_MARKS) or _TENSORS.fullmatch(name):
            parts[name] = archive.read(entry)
        else:
            raise UserError(f"{path}: holds {name}, which is neither a tensor nor a graph and is not read")
    missing = [name for name in (_MODEL, *_CONFIGS) if name not in parts]
    if missing:
        raise UserError(f"{path}: holds no {missing[0]}; write it with torch.export.save of torch {torch.__version__}")
    return parts


def _check_tensors(path: Path, config: Mapping[str, Any]) -> None:
    for name, payload in config["config"].items():
        if payload["use_pickle"]:
            raise UserError(f"{path}: {name} is pickled, which could run code; export it as an ordinary tensor")


def _check_graph(path: Path, model: Any) -> None:
    for key, value in _entries(model):
        if key == "target" and isinstance(value, str) and not _CALLS.fullmatch(value):
            raise UserError(f"{path}: calls {value}, which is no operator on tensors and is not run")
        if key == "expr_str" and not (isinstance(value, str) and _EXPRESSION.fullmatch(value)):
            raise UserError(f"{path}: holds a size {str(value)[:40]!r}, which is no arithmetic and is not evaluated")
        if key in ("in_spec", "out_spec"):
            for kind, name in _entries(json.loads(value)):
                if kind == "type" and name not in _CONTAINERS:
                    raise UserError(f"{path}: takes or returns {name}; export a module that returns the logits alone")


def _entries(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from _entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from _entries(value)


def _packed(parts: Mapping[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(f"program/{name}", content)
    packed.seek(0)
    return packed
