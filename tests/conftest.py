"""What tests of several rooms share: the command, a cache of their own, a trained teacher, a finished search."""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from automl_kd.core import locked

ROOT = Path(__file__).resolve().parents[1]
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts what runs in its background so, and what the tests start would inherit it and know no Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
_SCRIPT = Path(sys.executable).with_name("automl-kd")
COMMAND = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, str(ROOT / "cli.py")]

_PINS = (
    "search_epochs=9",
    "student.family=resnet",
    "student.stem.stride=2",
    "student.width={choice: [0.25, 0.375, 0.5]}",
    "student.stages.0.depth=1",
    "student.stages.1.depth=1",
    "distill.losses.hint=null",
    "distill.losses.review_hcl=null",
    "distill.losses.dist=null",
    "train.epochs=9",
    "train.batch_size=128",
    "train.augment=[]",
)
_FEW = (
    "search_epochs=6",
    "train.epochs=3",
    "student.width=0.25",
    "student.stages=[{depth: 1, channels: 16}, {depth: {choice: [1, 2]}, channels: 32}]",
    "distill.losses.task.weight=1.0",
    "distill.losses.kd={weight: 1.0, temperature: {choice: [1.0, 2.0, 4.0, 8.0]}}",
    "train.optimizer={name: sgd, lr: 0.1}",
)
_CHEAP = ("--hw", "jetson-nano", "--task", "digits", "--device", "cpu", "--workers", "2")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """The installed command, run as a user runs it."""

    environment: dict[str, str]
    words: tuple[str, ...] = tuple(COMMAND)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, cwd: Path, cache: Path | None = None) -> subprocess.Popen[str]:
        """Start it in a process group of its own."""
        more = {} if cache is None else {"AUTOML_KD_CACHE": str(cache)}
        process = subprocess.Popen(
            [*self.words, *map(str, arguments)],
            cwd=cwd,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def __call__(self, *arguments: str, cwd: Path, cache: Path | None = None, timeout: float = 240) -> Ended:
        """Run it to its end."""
        began = time.monotonic()
        with self.start(*arguments, cwd=cwd, cache=cache) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            finally:
                process.kill()
        return Ended(process.returncode, out, err, time.monotonic() - began)


@dataclass(frozen=True)
class Searched:
    """A search that came to its end."""

    folder: Path
    arguments: tuple[str, ...]
    ended: Ended
    cache: Path

    @property
    def document(self) -> Any:
        """What ``search --json`` printed."""
        return self.ended.document


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The cache of this session, empty at first; the user's own is never touched."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def cheap():
    """Arguments of a search whose trainings take about a second; its rungs are at 3 and 9 epochs."""
    return [*_CHEAP, *(word for pin in _PINS for word in ("--set", pin))]


@pytest.fixture(scope="session")
def few(cheap):
    """Arguments of such a search of 8 recipes by one worker, which ends by itself however slow the machine is."""
    return [*cheap, *(word for pin in _FEW for word in ("--set", pin)), "--budget", "10m", "--workers", "1"]


@pytest.fixture(scope="session")
def once(command, tmp_path_factory):
    """Runs a command in a folder of its own, once for all processes that test side by side."""

    def once(
        name: str, arguments: tuple[str, ...], prepare: Callable[[Path], None] = lambda folder: None, **files: str
    ) -> Searched:
        base = tmp_path_factory.getbasetemp()
        base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        kept, folder = base / f"{name}.json", base / name
        with locked(base / f"{name}.lock"):
            if not kept.exists():
                folder.mkdir()
                prepare(folder)
                for file, text in files.items():
                    (folder / f"{file}.yaml").write_text(text)
                ended = command(*arguments, cwd=folder)
                kept.write_text(json.dumps({"ended": asdict(ended), "cache": command.environment["AUTOML_KD_CACHE"]}))
        found = json.loads(kept.read_text())
        # Another process may have run it: it kept weights in a cache of its own.
        return Searched(folder, arguments, Ended(**found["ended"]), Path(found["cache"]))

    return once


@pytest.fixture(scope="session")
def cheap_space():
    """The space of such a search."""
    from automl_kd.recipes import load_space

    return load_space("tiny_cnn", _PINS)


@pytest.fixture(scope="session")
def command(cache, tmp_path_factory):
    config = str(tmp_path_factory.mktemp("config"))
    command = Command({**os.environ, "AUTOML_KD_CACHE": str(cache), "XDG_CONFIG_HOME": config})
    yield command
    for process in command.started:
        process.kill()  # where a test failed; workers end with their driver
        process.wait()


@pytest.fixture
def inside(own_cache, capfd, monkeypatch, tmp_path):
    """The command in this process, which has loaded its libraries already, in a folder of one's choice."""
    from automl_kd.cli import main

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def inside(*arguments: str, cwd: Path) -> Ended:
        monkeypatch.chdir(cwd)
        capfd.readouterr()
        began = time.monotonic()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in arguments])
        return Ended(ended.value.code, *capfd.readouterr(), time.monotonic() - began)

    return inside


@pytest.fixture
def own_cache(cache, monkeypatch):
    """Lets functions called in this process use the session's cache."""
    monkeypatch.setenv("AUTOML_KD_CACHE", str(cache))
    return cache


@pytest.fixture
def no_hub(monkeypatch):
    """Lets nothing in this process ask the hub of Hugging Face."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if (constants := sys.modules.get("huggingface_hub.constants")) is not None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="session")
def digits_teacher(cache):
    """The hash of the teacher of digits, trained once a session."""
    from automl_kd.distillation import find_teacher
    from automl_kd.tasks import open_task

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_KD_CACHE", str(cache))
        return find_teacher(open_task("digits"), None, device="cpu").teacher.sha256


@pytest.fixture(scope="session")
def median_latency(cheap_space):
    """Half of the cheap space is predicted slower than this, in ms."""
    from automl_kd.hardware import load_profile
    from automl_kd.studies.pricing import Limits, Pricing
    from automl_kd.studies.survey import survey
    from automl_kd.tasks import open_task

    pricing = Pricing(open_task("digits"), load_profile("jetson-nano"))
    return round(survey(cheap_space, pricing, Limits(), seed=0).latency_ms[2], 4)


@pytest.fixture(scope="session")
def searched(cheap, digits_teacher, median_latency, once):
    """A search of digits within a limit that half of the space breaks, finished and timed from outside."""
    arguments = ("search", *cheap, "--budget", "45s", "--max-latency", f"{median_latency}ms", "--study", "cam")
    found = once("searched", (*arguments, "--json"))
    assert found.ended.code == 0, found.ended.err
    return replace(found, arguments=arguments)


@pytest.fixture(scope="session")
def ray_workers():
    """The processes of Ray workers at a job, of clusters that this process has started; others' tests run beside it."""

    def ray_workers():
        found = [process for process in psutil.Process().children(recursive=True) if process.is_running()]
        return [process for process in found if _title(process).startswith("ray::_Actor.do")]

    return ray_workers


def _title(process):
    try:
        return (process.cmdline() or [""])[0]
    except psutil.Error:  # it ended just now
        return ""


@pytest.fixture(scope="session")
def space_of_two():
    """A space of two students without a teacher, the faster one from weights; two rungs, one in three would go on."""
    return (
        "search_epochs: 9\n"
        "student:\n"
        "  one_of:\n"
        "  - {family: resnet, depth: 8, width: 0.5, stem: {stride: 2}, start: scratch}\n"
        "  - {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}, start: {weights: own.safetensors}}\n"
        "distill: {losses: {task: {weight: 1.0}}}\n"
        "train: {epochs: 3, batch_size: 128}\n"
    )


@pytest.fixture(scope="session")
def exhausted(digits_teacher, space_of_two, once):
    """A search of a space of two students, which ends by itself, for a runtime that runs on any machine."""
    arguments = ("search", "--hw", "x86-server", "--budget", "10m", "--space", "two.yaml", "--workers", "2", "--json")
    return once("exhausted", arguments, _keep_wide_weights, two=space_of_two)


@pytest.fixture(scope="session")
def space_of_four():
    """A space of two students without a teacher, in floats or in half precision."""
    return (
        "search_epochs: 4\n"
        "student: {family: resnet, depth: 8, width: {choice: [0.25, 0.5]}, stem: {stride: 2}}\n"
        "distill: {losses: {task: {weight: 1.0}}}\n"
        "train: {epochs: 2, batch_size: 128}\n"
        "compress: {one_of: [[], [{stage: fp16}]]}\n"
    )


@pytest.fixture(scope="session")
def compressed(digits_teacher, space_of_four, once):
    """A search of four recipes by size and latency, half of them in half precision, which ends by itself."""
    asked = ("--hw", "x86-server", "--objective", "size", "--objective", "latency", "--fidelity", "none")
    arguments = ("search", *asked, "--budget", "10m", "--space", "space.yaml", "--workers", "1", "--study", "cam")
    return once("compressed", (*arguments, "--device", "cpu", "--json"), space=space_of_four)


def _keep_wide_weights(folder):
    """Weights of the wider student of that space, of which the narrower one inherits channels."""
    import torch

    from automl_kd.students import build, save_weights

    wide = {"family": "resnet", "depth": 8, "width": 0.5, "stem": {"stride": 2}}
    with torch.random.fork_rng(devices=[]):
        save_weights(build(wide, input_shape=(1, 8, 8), classes=10), folder / "own.safetensors")


@dataclass(frozen=True)
class Postgres:
    """A server: its URL, and what starts, stops or restarts it."""

    url: str
    control: Callable[[str], None]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def free_port():
    """A loopback port that nobody listens on."""
    return _free_port()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server on a loopback port, where one is installed."""
    pytest.importorskip("psycopg", reason="psycopg (extra postgres) is not installed")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to the server's account
        yield from _serving(installed[-1].parent, Path(name), _free_port())


def _serving(programs, folder, port):
    root = os.geteuid() == 0
    if root:  # the server refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)

    def run(program, *arguments):
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        user = {"user": "postgres", "group": "postgres"} if root else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=60, **user)

    def control(action):
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run("pg_ctl", "-w", "-m", "fast", "-o", options, "-l", str(folder / "log"), action)

    run("initdb", "-A", "trust", "-U", "akd")
    control("start")
    yield Postgres(f"postgresql+psycopg://akd:secret@127.0.0.1:{port}/postgres", control)
    control("stop")
