"""What an operator decides of the service."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from pathlib import Path

from automl_kd.core import DEFAULT_STORAGE, UserError


@dataclass(frozen=True)
class ServiceSettings:
    """What an operator decides of the service.

    Attributes:
        storage: Database URL or path of an SQLite file.
        host: Address to listen at.
        port: Port to listen at.
        runners: Processes that take searches from the queue, one search each at a time.
        cores: Trainings at a time of all these runners together; None for one a core of this machine.
        roots: Folders of this machine from which tasks, data and teachers may be named.
        max_upload_bytes: Size of a file that is sent, and a tenth of what it may unpack to.
        max_searches: Searches that one owner may have queued or running.
        rate: Requests a second that one token may make for long; bursts of four times as many pass.
        patience: Seconds that the head of a request, and a pause in its body, may take.
        certificate: File of a TLS certificate; None to speak plain HTTP.
        key: File of its private key.
    """

    storage: str = DEFAULT_STORAGE
    host: str = "127.0.0.1"
    port: int = 8765
    runners: int = 1
    cores: int | None = None
    roots: tuple[Path, ...] = ()
    max_upload_bytes: int = 500_000_000
    max_searches: int = 20
    rate: float = 50.0
    patience: float = 10.0
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise UserError(f"port {self.port}: must be from 0 to 65535")
        for name, least in (("runners", 0), ("max_searches", 1), ("max_upload_bytes", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} {getattr(self, name)}: must be at least {least}")
        if self.cores is not None and self.cores < max(1, self.runners):
            raise UserError(f"cores {self.cores}: {self.runners} runners need one each at least")
        for name in ("rate", "patience"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name} {getattr(self, name)}: must be above 0")
        if (self.certificate is None) != (self.key is None):
            raise UserError("--certificate and --key go together: give both, or neither")
        for label, file in (("--certificate", self.certificate), ("--key", self.key)):
            if file is not None and not file.is_file():
                raise UserError(f"{label} {file}: no such file")
        for root in self.roots:
            if not root.is_dir():
                raise UserError(f"--root {root}: no such folder")

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{self.port}/"
