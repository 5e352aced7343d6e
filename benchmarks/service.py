"""The service under load on loopback, while its runners are killed and its database restarts.

    python -m benchmarks.service [--storage sqlite postgresql] [--readers 200] [--submitters 20] [--seconds 60]

Of the readers four in five ask once a second for the list, one search or its result, in turn; the others listen to
events. Every submitter (of the first ``--jobs``) submits a search of two small students, which ends by itself, then
again and again one that it cancels. Meanwhile two runners are killed, and PostgreSQL restarts once. In the end all must
be there: every search that was accepted, every event for every listener, no trial twice, and at no time two drivers of
one search.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import pwd
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from automl_kd.storage import Database, EventLog, SearchClaims, SearchQueue, TokenStore
from benchmarks.tables import table

SPACE = """\
search_epochs: 2
student:
  one_of:
  - {family: resnet, depth: 8, width: 0.5, stem: {stride: 2}, start: scratch}
  - {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}, start: scratch}
distill: {losses: {task: {weight: 1.0}}}
train: {epochs: 1, batch_size: 128}
"""
RUNNER, DRIVER = "automl_kd.workflows.runner", "automl_kd.workflows.search_driver"
KINDS = ("list", "search", "result")
PAUSE = 1.0
DRAIN_SECONDS = 1800.0


class Client:
    """One connection that is kept, as a browser's."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Status and document of an answer; status 0 where the connection broke."""
        try:
            reader, _ = await self._send(method, path, document)
            status, headers = await _head(reader)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.close()
            return 0, None
        return status, json.loads(body) if body else None

    async def numbers(self, path: str, after: int) -> AsyncNumbers:
        """The numbers of events behind one, as they come."""
        reader, _ = await self._send("GET", path, None, f"Last-Event-ID: {after}\r\n" if after else "")
        status, _ = await _head(reader)
        if status != 200:
            raise OSError(status)
        return AsyncNumbers(reader)

    async def _send(
        self, method: str, path: str, document: Any, more: str = ""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        body = b"" if document is None else json.dumps(document).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}\r\n{more}"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._streams[1].write(head.encode() + body)
        await self._streams[1].drain()
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class AsyncNumbers:
    """The numbers of a stream of events."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def __aiter__(self) -> AsyncNumbers:
        return self

    async def __anext__(self) -> int:
        while line := await self._reader.readline():
            if line.startswith(b"id: "):
                return int(line[4:])
        raise StopAsyncIteration


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), headers


class Load:
    """Readers, submitters and what they saw."""

    def __init__(self, port: int, token: str, seconds: float, jobs: int) -> None:
        self.port, self.token = port, token
        self._jobs = jobs
        self.end = time.monotonic() + seconds
        self.jobs: list[str] = []
        self.cancelled: list[str] = []
        self.times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self.statuses: Counter[int] = Counter()
        self.heard: list[tuple[str, list[int]]] = []
        self.drained = asyncio.Event()

    async def submit(self, number: int) -> None:
        """A search of one's own, then others that are cancelled."""
        client = Client(self.port, self.token)
        request = {"hw": "x86-server", "budget": "1h", "space": "two.yaml", "device": "cpu", "workers": 1}
        if number < self._jobs:
            self.jobs += await self._accepted(client, {**request, "study": f"job-{number}"}, 9)
        count = 0
        while time.monotonic() < self.end:
            count += 1
            name = f"spare-{number}-{count}"
            self.cancelled += await self._accepted(client, {**request, "study": name}, 0)
            status, _ = await client.ask("POST", f"/searches/{name}/cancel")
            self.statuses[status] += 1
            await asyncio.sleep(PAUSE * random.uniform(1, 3))
        client.close()

    async def _accepted(self, client: Client, request: dict[str, Any], priority: int) -> list[str]:
        """The name of a search once it was accepted; none where the load ended before."""
        while True:
            status, _ = await client.ask("POST", f"/searches?priority={priority}", request)
            self.statuses[status] += 1
            if status in (201, 409):  # 409: an earlier try was stored while its answer was lost
                return [request["study"]]
            if time.monotonic() > self.end:
                return []
            await asyncio.sleep(PAUSE)

    async def read(self, number: int) -> None:
        """Ask once a second."""
        client = Client(self.port, self.token)
        await asyncio.sleep(random.uniform(0, PAUSE))
        while time.monotonic() < self.end:
            kind = KINDS[number % len(KINDS)] if self.jobs else "list"
            name = random.choice(self.jobs) if self.jobs else ""
            path = {"list": "/searches", "search": f"/searches/{name}", "result": f"/searches/{name}/result"}[kind]
            began = time.perf_counter()
            status, _ = await client.ask("GET", path)
            self.times[kind].append(time.perf_counter() - began)
            self.statuses[status] += 1
            number += 1
            await asyncio.sleep(max(0.0, PAUSE - (time.perf_counter() - began)))
        client.close()

    async def listen(self, number: int) -> None:
        """Listen to a search until all have ended, and come back where the connection broke."""
        while not self.jobs:
            await asyncio.sleep(0.1)
        name, seen = self.jobs[number % len(self.jobs)], []
        self.heard.append((name, seen))
        while not self.drained.is_set():
            client = Client(self.port, self.token)
            try:
                async for each in await client.numbers(f"/searches/{name}/events", seen[-1] if seen else 0):
                    seen.append(each)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(PAUSE)
            finally:
                client.close()


class Machine:
    """The processes of a service, seen from outside."""

    def __init__(self, server: psutil.Process, database: Database) -> None:
        self._server, self._database, self._claims = server, database, SearchClaims(database)
        self._drivers: dict[str, set[int]] = {}
        self.doubled: set[str] = set()
        self.killed = 0

    def look(self) -> None:
        """Note searches that two living processes have driven: one that only waits has never held the study's lease."""
        for each in self._claims.running():
            if (driver := self._database.driver(each.name, watch=False)) is not None:
                self._drivers.setdefault(each.name, set()).add(int(driver.split()[1]))
        for name, pids in self._drivers.items():
            if sum(map(_drives, pids)) > 1:
                self.doubled.add(name)

    def kill_runner(self) -> None:
        """Kill a runner that drives a search, else any."""
        runners = self._running(RUNNER)
        busy = [each for each in runners if any(DRIVER in _words(child) for child in each.children())]
        for each in (busy or runners)[:1]:
            each.kill()
            self.killed += 1

    @property
    def megabytes(self) -> float:
        return self._server.memory_info().rss / 1e6

    def _running(self, module: str) -> list[psutil.Process]:
        # A driver whose runner was killed belongs to no process of the service any more.
        return [each for each in psutil.process_iter() if module in _words(each)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _drives(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return DRIVER in psutil.Process(pid).cmdline()
    return False


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[tuple[str, Any]]:
    """A server of one's own: its URL, and what restarts it."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": "postgres", "group": "postgres"}

    def run(program: str, *arguments: str) -> None:
        whole = [str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)

    def control(action: str) -> None:
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run("pg_ctl", "-w", "-m", "fast", "-o", options, "-l", str(folder / "log"), action)

    run("initdb", "-A", "trust", "-U", "akd")
    control("start")
    try:
        yield f"postgresql+psycopg://akd@127.0.0.1:{port}/postgres", lambda: control("restart")
    finally:
        control("stop")


async def under_load(
    arguments: argparse.Namespace, port: int, token: str, machine: Machine, restart: Any, queue: SearchQueue
) -> tuple[Load, list[float], float]:
    """Put it under load, disturb it, and wait until all searches have ended."""
    load = Load(port, token, arguments.seconds, arguments.jobs)
    tasks = [asyncio.create_task(load.submit(number)) for number in range(arguments.submitters)]
    listeners = arguments.readers // 5
    tasks += [asyncio.create_task(load.read(number)) for number in range(arguments.readers - listeners)]
    listening = [asyncio.create_task(load.listen(number)) for number in range(listeners)]
    disturbances = [(0.3, machine.kill_runner), (0.5, restart), (0.7, machine.kill_runner)]
    began, memory = time.monotonic(), []
    while time.monotonic() < load.end + DRAIN_SECONDS:
        await asyncio.to_thread(machine.look)
        memory.append(machine.megabytes)
        passed = (time.monotonic() - began) / arguments.seconds
        while disturbances and passed > disturbances[0][0]:
            await asyncio.to_thread(disturbances.pop(0)[1])
        accepted = all(each.done() for each in tasks)
        if accepted and await asyncio.to_thread(lambda: not {"queued", "running"} & queue.counts().keys()):
            break
        await asyncio.sleep(0.25)
    await asyncio.gather(*tasks)
    await asyncio.sleep(2)
    load.drained.set()
    for each in listening:
        each.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return load, memory, time.monotonic() - began


def judged(load: Load, machine: Machine, memory: list[float], database: Database, seconds: float) -> list[list[object]]:
    """What was seen, a row each."""
    queue, log = SearchQueue(database), EventLog(database)
    rows = {each.name: each for each in queue.searches(most=1_000_000)}
    lost = [name for name in load.jobs if name not in rows or rows[name].state != "done"]
    lost += [name for name in load.cancelled if name not in rows]
    numbers = log.last_numbers(load.jobs)
    missed = sum(seen != list(range(1, numbers[name] + 1)) for name, seen in load.heard)
    twice = sum(_twice(database, name) for name in load.jobs if name in rows)
    every = [each for kind in KINDS for each in load.times[kind]]
    return [
        ["searches accepted", len(load.jobs) + len(load.cancelled)],
        ["of them driven to their end", sum(rows[name].state == "done" for name in load.jobs if name in rows)],
        ["runners killed", machine.killed],
        ["searches lost", len(lost)],
        *([f"lost: {name}", rows[name].reason if name in rows else "is not there"] for name in lost),
        ["searches with two drivers at any time", len(machine.doubled)],
        ["trials recorded twice", twice],
        ["listeners; those that missed or repeated an event", f"{len(load.heard)}; {missed}"],
        ["events heard", sum(len(seen) for _, seen in load.heard)],
        ["reads", len(every)],
        ["p50 / p99 of reads", _spread(every)],
        *([f"p50 / p99 of {kind}", _spread(load.times[kind])] for kind in KINDS),
        ["answers by status", ", ".join(f"{status}: {count}" for status, count in sorted(load.statuses.items()))],
        ["memory of the server at first / most / in the end", _memory(memory)],
        ["until the last search ended", f"{seconds:.0f} s"],
    ]


def _twice(database: Database, name: str) -> int:
    from automl_kd.studies.summary import summarize

    if database.find_study(name) is None:
        return 0
    found = Counter(json.dumps(each.recipe.model_dump(mode="json")) for each in summarize(database, name).complete)
    return sum(count - 1 for count in found.values())


def _spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "–"
    return f"{1000 * statistics.median(seconds):.0f} / {1000 * statistics.quantiles(seconds, n=100)[98]:.0f} ms"


def _memory(megabytes: list[float]) -> str:
    settled = megabytes[len(megabytes) // 10 :]
    return f"{settled[0]:.0f} / {max(settled):.0f} / {settled[-1]:.0f} MB"


def measured(arguments: argparse.Namespace, storage: str) -> list[list[object]]:
    """The rows of one database."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, restart = f"sqlite:///{folder / 'automl-kd.db'}", lambda: None
        if storage == "postgresql":
            url, restart = stack.enter_context(postgresql(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        (folder / "shared").mkdir()
        (folder / "shared" / "two.yaml").write_text(SPACE)
        database = Database(url)
        token = TokenStore(database).create("load", "load", "admin", None)
        command = [sys.executable, "-c", "from automl_kd.cli import main; main()", "serve", "--port", "0", "--json"]
        command += ["--storage", url, "--root", "shared", "--runners", "2", "--cores", "2"]
        command += ["--rate", "1000000", "--max-searches", "100000"]
        log = stack.enter_context((folder / "log").open("wb"))
        paths = os.pathsep.join(filter(None, [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"PYTHONPATH": paths, "AUTOML_KD_CACHE": str(folder / "cache")}
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, env=environment)
        assert server.stdout is not None
        try:
            port = int(json.loads(server.stdout.readline())["url"].split(":")[2].split("/")[0])
            machine = Machine(psutil.Process(server.pid), database)
            found = asyncio.run(under_load(arguments, port, token, machine, restart, SearchQueue(database)))
            return judged(found[0], machine, found[1], database, found[2])
        finally:
            server.terminate()
            server.wait(60)


def main() -> None:
    """Print a table a database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--submitters", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=20, help="submitters that also submit a search to be driven")
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    for storage in arguments.storage:
        rows = measured(arguments, storage)
        print(f"{storage}, {arguments.readers} readers, {arguments.submitters} submitters, {arguments.seconds:.0f} s\n")
        print(table(("", "value"), rows), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
