"""Documents and flags as no program expects them: one line, exit code 2, no traceback, and every file as it was."""

import copy
import hashlib
import random
import signal
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from automl_kd.core import shipped_dir

_SECONDS = 120
_SAMPLE, _WHOLE = 40, 400
_VALUES = (
    None,
    -1,
    0,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "nowhere",
    "../../etc/passwd",
    "\u0000",
    "é" * 300,
    True,
    [],
    [[[[[]]]]],
    {},
    {"choice": []},
    {"choice": [{"family": "resnet"}, 3]},
    {"int": [5, 1]},
    {"float": ["a", "b"], "log": True},
    {"one_of": {"a": 1}},
    {"optional": {"optional": None}},
)
_WORDS = (
    *map(str, _VALUES),
    "--",
    "-",
    "--json=maybe",
    "=",
    "a=b",
    "student.width=",
    "1e999ms",
    "3 %",
    "×",
    "-1",
    "$HOME",
)
_TEXTS = (
    "",
    "\t",
    "a: b: c",
    "- 1\n- 2",
    "{",
    "'",
    "!!python/object:os.system {}",
    "a: &a [*a]",
    "\ufeff",
    "a: 1\na: 2",
    "---\n---\n",
)
_VERBS = (
    ("search", ("--hw", "--budget", "--task", "--space", "--set", "--teacher", "--metric", "--max-latency", "--study")),
    ("export", ("--pick", "--study", "--out", "--storage")),
    ("distill", ("--out", "--task", "--data", "--hw", "--max-latency", "--device")),
    ("status", ("--study", "--storage")),
    ("report", ("--study", "--out", "--storage")),
    ("hw show", ("--plot", "--storage")),
    ("hw predict", ("--hw", "--input-shape", "--input")),
    ("hw kit", ("--hw", "--space", "--count", "--out", "--study")),
    ("hw calibrate", ("--from", "--name", "--kit")),
    ("hw verify", ("--from", "--kit")),
    ("space show", ("--set",)),
    ("space sample", ("--set", "--seed")),
    ("task check", ("--data", "--teacher", "--device")),
    ("task init", ("--out", "--teacher")),
    ("token create", ("--scope", "--owner", "--expires")),
    ("token revoke", ("--storage",)),
    ("worker", ("--study", "--workers", "--trial-timeout")),
    ("runner", ("--cores", "--storage")),
    ("serve", ("--port", "--runners", "--cores", "--root", "--rate", "--certificate", "--max-upload")),
)
_DOCUMENTS = {
    "recipe.yaml": (
        {
            "version": 1,
            "task": {"name": "nowhere.yaml"},
            "teacher": {"checkpoint": "absent.pt", "student": {"family": "resnet", "depth": 20}},
            "student": {"family": "resnet", "depth": 8, "width": 0.5},
            "distill": {"losses": {"kd": {"weight": 1, "temperature": {"schedule": "cosine", "start": 6, "end": 2}}}},
            "train": {"epochs": 3, "batch_size": 64, "augment": ["crop"], "optimizer": {"name": "sgd", "lr": 0.1}},
            "compress": [{"stage": "quantise", "how": "ptq"}],
            "hw": "jetson-nano",
        },
        ("distill", "recipe.yaml", "--out", "made"),
    ),
    "task.yaml": (
        {
            "version": 1,
            "name": "cam",
            "data": {"kind": "csv", "path": "absent.csv", "label": "label", "size": 32},
            "splits": {"validation": 0.2, "test": 0.2, "seed": 0},
            "teacher": {"train": {"student": {"family": "resnet", "depth": 20}, "train": {"epochs": 3}}},
            "problem": "multiclass",
            "metric": "macro_f1",
        },
        ("task", "check", "task.yaml"),
    ),
}


def _shipped(kind):
    return YAML(typ="safe").load(
        (shipped_dir(kind) / f"{'tiny_cnn' if kind == 'search_spaces' else 'jetson-nano'}.yaml").read_text()
    )


def _places(node, path=()):
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _mutated(document, rng):
    """The document with one to three places deleted, renamed or given another value, or its text cut or replaced."""
    if rng.random() < 0.1:
        return rng.choice(_TEXTS)
    changed = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(changed))
        if not places:
            break
        *path, key = rng.choice(places)
        node = changed
        for step in path:
            node = node[step]
        change = rng.random()
        if change < 0.2:
            del node[key]
        elif change < 0.35 and isinstance(node, dict):
            node[f"{key}x"] = node.pop(key)
        else:
            node[key] = copy.deepcopy(rng.choice(_VALUES))
    text = _dumped(changed)
    return text[: rng.randrange(len(text))] if rng.random() < 0.1 else text


def _dumped(document):
    from io import StringIO

    stream = StringIO()
    YAML().dump(document, stream)
    return stream.getvalue()


def _cases(count):
    rng = random.Random(7)
    documents = {
        **_DOCUMENTS,
        "space.yaml": (_shipped("search_spaces"), ("space", "show", "space.yaml")),
        "device.yaml": (_shipped("hardware_profiles"), ("hw", "show", "device.yaml")),
    }
    for number in range(count):
        if number % 2:
            name = rng.choice(sorted(documents))
            document, command = documents[name]
            yield {name: _mutated(document, rng)}, command
        else:
            verb, flags = rng.choice(_VERBS)
            words = [*verb.split(), *rng.sample(_WORDS, rng.randint(0, 2))]
            for flag in rng.sample(flags, rng.randint(1, min(3, len(flags)))):
                words += [flag, rng.choice(_WORDS)]
            yield {}, tuple(words)


def _digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def _never_traced(run, count):
    here = Path.cwd()
    (here / "winner").mkdir()
    (here / "winner" / "kept.txt").write_text("a delivery of mine")
    (here / "automl-kd.db").write_bytes(b"no database")
    told = 0
    for files, command in _cases(count):
        for name, text in files.items():
            (here / name).write_text(text, encoding="utf-8")
        before = _digests(here)
        signal.alarm(_SECONDS)
        said = run(*command)
        signal.alarm(0)
        assert said.code in (0, 2), (command, files, said.err)
        assert "Traceback" not in said.err, (command, files, said.err)
        if said.code == 2:
            told += 1
            assert said.err.startswith("automl-kd: "), (command, files, said.err)
            assert said.err.count("\n") == 1, (command, files, said.err)
        after = _digests(here)
        assert {path: after.get(path) for path in before} == before, (command, files)
    assert told > count / 2


def test_malformed_documents_and_flags_are_told_in_one_line(run):
    _never_traced(run, _SAMPLE)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_four_hundred_malformed_documents_and_flags(run):
    _never_traced(run, _WHOLE)
