"""A service in a process of its own, as an operator starts it, and those who talk to it."""

import io
import json
import socket
import threading
import time
import zipfile
from dataclasses import dataclass, field

import httpx

TINY = {
    "task": "digits",
    "hw": "jetson-nano",
    "space": "tiny_cnn",
    "device": "cpu",
    "budget": "10m",
}
"""A search that is never run where there is no runner."""


@dataclass
class Served:
    """A service that listens."""

    process: object
    url: str
    folder: object
    printed: dict
    log: list = field(default_factory=list)

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1].strip("/"))

    @property
    def audit(self):
        """The lines that it wrote of requests."""
        return [json.loads(line) for line in list(self.log) if line.startswith("{")]

    def client(self, token=None, **options):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **options)

    def raw(self, *parts, wait=0.0):
        """What it answers to bytes, sent in parts with a pause between them, until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            for part in parts:
                try:
                    connection.sendall(part)
                except OSError:
                    break
                time.sleep(wait)
            answer = b""
            try:
                while part := connection.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass
            return answer

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


def serve(command, folder, *options, storage="automl-kd.db"):
    """Start one on a free port and wait until it says where."""
    process = command.start("serve", "--port", "0", "--storage", storage, "--json", *options, cwd=folder)
    line = process.stdout.readline()
    log = []
    threading.Thread(target=lambda: log.extend(iter(process.stderr.readline, "")), daemon=True).start()
    if not line:
        process.wait(60)
        time.sleep(0.5)
        raise AssertionError("".join(log))
    printed = json.loads(line)
    return Served(process, printed["url"].split("?")[0].rstrip("/"), folder, printed, log)


def new_token(command, folder, name, *options, storage="automl-kd.db"):
    """The secret of a token that the command made."""
    ended = command("token", "create", name, "--storage", storage, "--json", *options, cwd=folder)
    return ended.document["token"]


def measured(kit, slower):
    """What ``measure.py`` of a kit writes on a device where all takes so many times as long as predicted."""
    with zipfile.ZipFile(io.BytesIO(kit)) as folder:
        listed = json.loads(folder.read("kit/kit.json"))
    lines = [{"automl_kd_results": 1, "target": listed["target"], "runtime_version": "1", "device": {}}]
    for number in range(3):
        for model in listed["models"]:
            time = 1.0 if model["sentinel"] else slower * model["predicted_ms"]
            visit = {"model": model["name"], "sha256": model["sha256"], "round": number, "runs": 30}
            lines.append(visit | {"min": time, "p10": time, "median": time})
    lines.append({"rounds": 3})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def events(client, name, after=None, until=None, most=1000, seconds=60):
    """What a listener is told of a search, as (number, kind, document), up to a number or the time."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    found, number, kind, data = [], None, None, None
    with client.stream("GET", f"/searches/{name}/events", headers=headers, timeout=seconds) as answer:
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            label, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match label:
                case "id":
                    number = int(value)
                case "event":
                    kind = value
                case "data":
                    data = json.loads(value)
                case "" if not line and data is not None:
                    found.append((number, kind, data))
                    data = None
                    if len(found) >= most or (until is not None and number >= until):
                        return found
    return found


def awaited(ask, seconds=120, pause=0.2):
    """What a question gives once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s; the last answer was {found!r}")
