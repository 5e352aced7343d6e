"""What libraries say stays off the screen, in whichever way they say it; what the program says is on it."""

import subprocess
import sys

import pytest

NOISY = """
import ctypes, logging, os, sys, warnings
from automl_kd.cli.answer import answer, quiet

with quiet({as_json}):
    warnings.warn("a warning of a library")
    warnings.warn("deprecated", FutureWarning)
    with warnings.catch_warnings():
        warnings.warn("another")
    logging.getLogger("library").warning("a log of a library")
    libc = ctypes.CDLL(None)
    libc.dprintf(2, b"[W:onnxruntime] from C++\\n")
    os.write(2, b"from below\\n")
    print("ours", file=sys.stderr)
os.write(2, b"after\\n")
answer({{}}, "answer", {as_json})
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_libraries_are_not_on_the_screen_and_the_program_is(as_json):
    code = NOISY.format(as_json=as_json)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr.splitlines() == ["ours", "after"]
    assert ended.stdout.splitlines() == ["{}" if as_json else "answer"]


def test_where_more_is_asked_for_libraries_are_shown_too():
    code = f"from automl_kd.cli.voice import VOICE\nVOICE.begin('verbose')\n{NOISY.format(as_json=True)}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    for shown in ("a warning of a library", "library: a log of a library", "[W:onnxruntime] from C++", "ours"):
        assert shown in ended.stderr
    assert ended.stdout.splitlines() == ["{}"]


def test_an_error_in_the_program_is_still_a_traceback():
    code = "from automl_kd.cli.answer import quiet\nwith quiet(False):\n    1 / 0"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_standard_error_may_be_closed():
    code = "from automl_kd.cli.answer import answer, quiet\nwith quiet(False):\n    answer({}, 'answer', False)"
    ended = subprocess.run(
        f'{sys.executable} -c "{code}" 2>&-', shell=True, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "answer\n")
