"""Workers on a Ray cluster: as many as it has room for, while its nodes join and leave."""

from __future__ import annotations

import logging
import math
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import ray
from ray import ObjectRef
from ray.exceptions import RayError

from automl_kd.core import UserError, first_line
from automl_kd.execution.executor import Executor, Key
from automl_kd.execution.file_bundles import AnswerBundle, JobBundle, SetupBundle
from automl_kd.execution.jobs import Answer, Failed, Job, Setup, file_failure

if TYPE_CHECKING:
    from automl_kd.execution.job_runner import JobRunner

_LOOK_SECONDS = 1.0
"""Between two looks at the cluster's nodes."""
_CONNECT_SECONDS = 5.0
_FAILED_STARTS = 3
"""After so many workers in a row that could not start, while none runs, the cluster is given up."""


class RayExecutor(Executor[Key]):
    """Workers that are Ray actors: they keep data and teacher open between jobs, and can be stopped while they train.

    Files travel with the jobs (:mod:`automl_kd.execution.file_bundles`); data and teacher are put into the object store
    once and unpacked once a machine. A worker whose process or node dies is replaced where the cluster has room.

    Args:
        setup: What all jobs share.
        address: ``host:port`` of the cluster's head or ``ray://host:port``; by default Ray's own choice: $RAY_ADDRESS,
            else the cluster that runs on this machine, else one started for this process.
        most: How many workers to ask for, whether the cluster has room for them yet or not; by default as many as fit
            its nodes.
        resources: What one worker takes, in Ray's names, such as ``{"CPU": 1, "GPU": 0.25}``; by default one core, and
            one GPU where the setup's device is not ``cpu`` and the cluster has any.

    Raises:
        UserError: If the cluster cannot be reached, or no node of it can hold a worker.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        address: str | None = None,
        most: int | None = None,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        self._workers: list[_Worker[Key]] = []
        self._most = most
        self._looked_at = -math.inf
        self._failed_starts = 0
        self._room = 0
        packed, archives = SetupBundle.pack(setup)
        self._connected = not ray.is_initialized()
        if self._connected:
            _connect(address)
        try:
            self._resources = _worker_resources(resources, setup.device)
            self._packed = packed
            self._archives = {sha256: ray.put(b"".join(archive)) for sha256, archive in archives.items()}
            self._resize()
        except BaseException:
            self.kill()
            raise

    @property
    def size(self) -> int:
        """How many workers the nodes hold, with those that are starting."""
        return min(len(self._workers), self._room)

    @property
    def idle(self) -> int:
        """How many workers wait for a job."""
        return sum(worker.idle for worker in self._workers)

    @property
    def running(self) -> list[Key]:
        """The jobs under way."""
        return [worker.key for worker in self._workers if worker.key is not None]

    def submit(self, key: Key, job: Job) -> None:
        """Give a job to an idle worker.

        Raises:
            IndexError: If no worker is idle.
        """
        idle = [worker for worker in self._workers if worker.idle]
        idle[0].submit(key, job)

    def wait(self, timeout: float) -> list[tuple[Key, Answer]]:
        """Answers that arrived, waiting up to ``timeout`` seconds for the first, or for a worker to start.

        Raises:
            UserError: If no worker of the cluster can start.
        """
        self._resize()
        awaited = {worker.call: worker for worker in self._workers if worker.call is not None}
        if not awaited:
            if not self._workers:
                time.sleep(timeout)  # until nodes join
            return []
        ready, _ = ray.wait(list(awaited), num_returns=1, timeout=timeout)
        if ready:
            ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        return [answered for call in ready if (answered := self._take(awaited[call])) is not None]

    def cancel(self, key: Key) -> None:
        """Ask the worker of one job to save its state and answer."""
        for worker in self._workers:
            if worker.key == key:
                worker.cancel()

    def abandon(self) -> list[Key]:
        """Kill the workers that are still busy, replace them, and return their jobs."""
        lost = [worker for worker in self._workers if worker.key is not None]
        for worker in lost:
            self._drop(worker)
        self._looked_at = -math.inf
        return [worker.key for worker in lost if worker.key is not None]

    def kill(self) -> None:
        """End all workers now, and leave the cluster where this executor joined it."""
        for worker in [*self._workers]:
            self._drop(worker)
        if self._connected:
            self._connected = False
            ray.shutdown()

    def ask_to_stop(self) -> None:
        """Ask every worker to save its state and answer; no others are started."""
        self._most = 0
        for worker in self._workers:
            worker.ask_to_stop()

    def _take(self, worker: _Worker[Key]) -> tuple[Key, Answer] | None:
        """The answer that a worker's call came to; None where the call was its start.

        Raises:
            UserError: If no worker of the cluster can start.
        """
        key = worker.key
        try:
            answer = worker.receive()
        except RayError as error:
            self._drop(worker)
            if key is not None:
                return key, Failed(_exit_reason(error), worker_died=True)
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS and not any(each.node for each in self._workers):
                raise UserError(f"no worker could start on the Ray cluster: {_exit_reason(error)}") from None
            return None
        if key is None or answer is None:
            self._failed_starts = 0
            return None
        return key, answer

    def _drop(self, worker: _Worker[Key]) -> None:
        self._workers.remove(worker)
        worker.kill()

    def _resize(self) -> None:
        """Follow the cluster: drop workers of nodes that left, and ask for as many as there is room for."""
        if time.monotonic() < self._looked_at + _LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        nodes = _nodes()
        # Where a node left, the call of a busy worker gives the reason, so only idle ones are dropped here.
        for worker in [each for each in self._workers if each.idle and each.node not in nodes]:
            self._drop(worker)
        living = [worker for worker in self._workers if worker.node is None or worker.node in nodes]
        self._room = _room(nodes.values(), self._resources)
        wanted = self._room if self._most is None else self._most
        for worker in [each for each in living if each.node is None][: max(0, len(living) - wanted)]:
            self._drop(worker)
        for _ in range(wanted - len(living)):
            self._workers.append(_Worker(self._packed, self._archives, self._resources))


class _Worker(Generic[Key]):
    """The driver's end of an actor.

    Attributes:
        node: Id of the node where it runs; None until it has started.
        key: Of its job.
        call: The call under way, its start or its job; None while it is idle.
    """

    def __init__(
        self, packed: SetupBundle, archives: Mapping[str, ObjectRef[bytes]], resources: Mapping[str, float]
    ) -> None:
        more = {name: amount for name, amount in resources.items() if name not in ("CPU", "GPU")}
        actor: Any = ray.remote(_Actor)
        self._actor = actor.options(
            num_cpus=resources.get("CPU", 0),
            num_gpus=resources.get("GPU", 0),
            resources=more,
            max_concurrency=2,  # stop() and cancel() run beside a job
            scheduling_strategy="SPREAD",
        ).remote(packed, archives)
        self.node: str | None = None
        self.key: Key | None = None
        self._job: Job | None = None
        self._number = 0
        self._cancelled = 0
        self.call: ObjectRef[str | AnswerBundle] | None = self._actor.start.remote()

    @property
    def idle(self) -> bool:
        return self.call is None

    def submit(self, key: Key, job: Job) -> None:
        self.key, self._job = key, job
        self._number += 1
        self.call = self._actor.do.remote(self._number, JobBundle.pack(job))

    def receive(self) -> Answer | None:
        """The answer to its job, whose files are written; None if the call was its start.

        Raises:
            RayError: If the actor died, or could not start.
        """
        assert self.call is not None, "only what is under way is waited for"
        result = ray.get(self.call)
        job, self._job, self.key, self.call = self._job, None, None, None
        if isinstance(result, str) or job is None:
            self.node = str(result)
            return None
        return result.deliver(job)

    def cancel(self) -> None:
        if self._cancelled != self._number:
            self._cancelled = self._number
            self._actor.cancel.remote(self._number)

    def ask_to_stop(self) -> None:
        self._actor.stop.remote()

    def kill(self) -> None:
        ray.kill(self._actor)


class _Actor:
    """A worker, in a process of a node."""

    def __init__(self, packed: SetupBundle, archives: Mapping[str, ObjectRef[bytes]]) -> None:
        self._packed = packed
        self._archives = archives
        self._stop = threading.Event()
        self._number = 0
        self._cancelled = 0  # a number, because a call may run after the job that it is about
        self._runner: JobRunner | None = None

    def start(self) -> str:
        """Unpack the setup; gives the node's id."""
        setup = self._packed.unpack(lambda sha256: [ray.get(self._archives[sha256])])
        from automl_kd.execution.job_runner import JobRunner  # imports torch for seconds, only here

        self._runner = JobRunner(setup, self._stopping)
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def do(self, number: int, bundle: JobBundle) -> AnswerBundle:
        """Do a job, the worker's ``number``-th, in a folder of its own."""
        assert self._runner is not None, "start() makes it"
        self._number = number
        with tempfile.TemporaryDirectory(prefix="automl-kd-") as name:
            folder = Path(name)
            try:
                job = bundle.unpack(folder)
                return AnswerBundle.pack(self._runner.do(job), job)
            except OSError as error:
                return AnswerBundle(file_failure(error, folder))

    def stop(self) -> None:
        """Ask the job under way to save its state and end."""
        self._stop.set()

    def cancel(self, number: int) -> None:
        """Ask the ``number``-th job to save its state and end."""
        self._cancelled = number

    def _stopping(self) -> bool:
        return self._stop.is_set() or self._cancelled == self._number


def check_cluster(address: str, device: str, resources: Mapping[str, float] | None) -> None:
    """Join a running cluster and leave it again.

    Args:
        address: As for :class:`RayExecutor`.
        device: Where students train.
        resources: As for :class:`RayExecutor`.

    Raises:
        UserError: If the cluster cannot be reached, or no node of it can hold a worker.
    """
    joins = not ray.is_initialized()
    if joins:
        _connect(address)
    try:
        _worker_resources(resources, device)
    finally:
        if joins:
            ray.shutdown()


def _connect(address: str | None) -> None:
    if address is not None and address not in ("auto", "local"):
        _reach(address)
    try:
        with _signals_kept():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                # Nodes use the package that runs here, whatever they have installed.
                runtime_env={"py_modules": [str(Path(__file__).resolve().parents[1])]},
            )
    except (RayError, ConnectionError, RuntimeError, ValueError, SystemExit) as error:
        where = "Ray" if address is None else f"the Ray cluster at {address}"
        raise UserError(f"cannot join {where}: {first_line(error)}") from None


def _reach(address: str) -> None:
    """Try the port, because Ray takes two minutes to find that nothing answers, and then ends the process."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"address {address!r}: write host:port, ray://host:port, auto or local")
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}") from None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keeps this process's handler of SIGTERM, which Ray would replace by its own: a driver has its own way to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _nodes() -> dict[str, dict[str, float]]:
    """Resources of each living node, by its id."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["Resources"] for node in nodes if node["Alive"]}


def _worker_resources(resources: Mapping[str, float] | None, device: str) -> dict[str, float]:
    """What one worker takes.

    Raises:
        UserError: If no node has so much.
    """
    nodes = _nodes().values()
    wanted = dict(resources or _usual_resources(device, nodes))
    if not _room(nodes, wanted):
        listed = ", ".join(f"{name}={amount:g}" for name, amount in wanted.items())
        raise UserError(f"no node of the Ray cluster has what one trial takes: {listed}")
    return wanted


def _usual_resources(device: str, nodes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    gpu = device != "cpu" and any(node.get("GPU", 0) >= 1 for node in nodes)
    return {"CPU": 1.0} | ({"GPU": 1.0} if gpu else {})


def _room(nodes: Iterable[Mapping[str, float]], resources: Mapping[str, float]) -> int:
    """How many workers fit the nodes; each needs all its resources on one node."""
    needed = {name: amount for name, amount in resources.items() if amount > 0}
    return sum(
        min(math.floor(node.get(name, 0.0) / amount + 1e-6) for name, amount in needed.items()) for node in nodes
    )


def _exit_reason(error: Exception) -> str:
    """Why a worker ended, in one line: the last of Ray's message, without the general advice that follows."""
    return str(error).strip().splitlines()[-1].partition(" Some common causes")[0]
