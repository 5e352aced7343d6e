"""The package root is lazy, and ``search`` is the function, however often and in whatever order it is asked for."""

import subprocess
import sys

import pytest

import automl_kd as ak
from automl_kd.cli import main


def in_fresh_interpreter(code):
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


HEAVY = ("torch", "optuna", "numpy", "onnx", "onnxruntime", "sqlalchemy", "sklearn", "pandas")


def test_importing_the_root_or_the_command_line_or_asking_for_help_imports_nothing_heavy():
    code = (
        "import sys, automl_kd\n"
        "dir(automl_kd), automl_kd.__version__\n"
        "from automl_kd import UserError, Interrupted\n"
        "from automl_kd.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert in_fresh_interpreter(code).splitlines()[-1] == "[]"


def test_verbs_are_functions_on_the_first_and_the_tenth_call_also_after_importing_rooms():
    code = (
        "import automl_kd as ak\n"
        "kinds = [type(ak.search).__name__]\n"
        "import automl_kd.workflows, automl_kd.distillation, automl_kd.hardware, automl_kd.workflows.search\n"
        "import automl_kd.workflows.distill, automl_kd.workflows.report, automl_kd.workflows.export\n"
        "import automl_kd.workflows.compare\n"
        "kinds += [type(getattr(ak, verb)).__name__ for _ in range(9)\n"
        "          for verb in ('search', 'compare', 'export', 'distill', 'report', 'status', 'dashboard',\n"
        "                       'verify', 'bench')]\n"
        "print(set(kinds))"
    )
    assert in_fresh_interpreter(code) == "{'function'}"


def test_every_public_name_is_there():
    assert [name for name in ak.__all__ if not hasattr(ak, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        _ = ak.serch


def test_students_build_gives_the_published_network():
    student = ak.students.build({"family": "resnet", "depth": 18}, input_shape=(3, 224, 224), classes=1000)
    assert sum(parameter.numel() for parameter in student.parameters()) == 11_689_512


@pytest.mark.parametrize(
    "verb",
    [
        (),
        ("search",),
        ("status",),
        ("compare",),
        ("report",),
        ("dashboard",),
        ("export",),
        ("distill",),
        ("verify",),
        ("bench",),
        *(
            (group, verb)
            for group, verbs in {
                "hw": ("list", "show", "predict", "measure", "kit", "calibrate", "verify", "train", "new"),
                "space": ("list", "show", "sample"),
                "task": ("list", "check", "init"),
            }.items()
            for verb in verbs
        ),
    ],
    ids=" ".join,
)
def test_help_of_every_verb_names_its_options(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*verb, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"Usage: automl-kd {' '.join(verb)}".rstrip() in out
    assert not verb or all(name in out for name in ("--storage", "--json", "--quiet", "--verbose"))
