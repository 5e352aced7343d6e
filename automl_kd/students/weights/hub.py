"""Weights from the hub of Hugging Face, where it can be reached."""

from __future__ import annotations

import functools
import socket
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from automl_kd.core import UserError, import_extra

FILE = "model.safetensors"
"""The file of a repository that holds the weights and runs no code."""
_SECONDS = 3.0


def fetched(repo: str) -> Path | None:
    """The weights of a repository: from the hub's own cache on this machine, else from the hub.

    ``HF_HUB_OFFLINE`` and the other settings of the hub's client hold. None where the client is not installed, the hub
    cannot be reached, or has no such file.
    """
    client = _client()
    found = cached(repo)
    if found is not None or client is None or client.constants.HF_HUB_OFFLINE:
        return found
    if not _reachable(client.constants.ENDPOINT):
        return None
    return _asked(client, repo, local_files_only=False)


def cached(repo: str) -> Path | None:
    """The weights of a repository in the hub's own cache on this machine, if they are there."""
    client = _client()
    return None if client is None else _asked(client, repo, local_files_only=True)


def _client() -> ModuleType | None:
    try:
        return import_extra("huggingface_hub", "timm", "weights of the hub")
    except UserError:
        return None


def _asked(client: ModuleType, repo: str, local_files_only: bool) -> Path | None:
    try:
        return Path(client.hf_hub_download(repo, FILE, etag_timeout=_SECONDS, local_files_only=local_files_only))
    except Exception:  # the client raises what its many parts raise: the file is not to be had
        return None


@functools.cache
def _reachable(endpoint: str) -> bool:
    """Whether the hub answers at all; the client itself would try for minutes.

    Asked once a process: a space asks for a dozen networks, and each answer may take seconds.
    """
    address = urlsplit(endpoint)
    try:
        socket.create_connection((address.hostname, address.port or 443), _SECONDS).close()
    except OSError:
        return False
    return True
