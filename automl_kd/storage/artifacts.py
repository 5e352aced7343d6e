"""Files by the hash of their content, in a folder that Optuna's dashboard can read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts.exceptions import ArtifactNotFound

from automl_kd.core import locked, replacing, write_text


class ArtifactStore:
    """A content-addressed folder that implements Optuna's artifact store protocol.

    Optuna chooses the names of artifacts, so ``names/`` maps its names to hashes; equal content is stored once.

    Args:
        folder: Where the files live.
    """

    def __init__(self, folder: Path) -> None:
        self._content = folder / "content"
        self._names = folder / "names"
        self._lock = folder / "lock"  # studies share the folder: one must not delete what another just names
        for each in (self._content, self._names):
            each.mkdir(parents=True, exist_ok=True)

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The content of an artifact, open for reading.

        Raises:
            ArtifactNotFound: If there is none of this name.
        """
        try:
            return (self._content / (self._names / artifact_id).read_text()).open("rb")
        except FileNotFoundError as error:
            raise ArtifactNotFound(f"no artifact {artifact_id}") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Store content under a name, in place of what the name had before."""
        content = content_body.read()
        sha = hashlib.sha256(content).hexdigest()
        with locked(self._lock):
            before = self._sha(artifact_id)
            with replacing(self._content / sha) as draft:
                draft.write_bytes(content)
            write_text(self._names / artifact_id, sha)
            self._drop_content(before)

    def remove(self, artifact_id: str) -> None:
        """Delete a name, and its content where no other name has it.

        Raises:
            ArtifactNotFound: If there is none of this name.
        """
        with locked(self._lock):
            sha = self._sha(artifact_id)
            if sha is None:
                raise ArtifactNotFound(f"no artifact {artifact_id}")
            (self._names / artifact_id).unlink()
            self._drop_content(sha)

    def _sha(self, artifact_id: str) -> str | None:
        try:
            return (self._names / artifact_id).read_text()
        except FileNotFoundError:
            return None

    def _drop_content(self, sha: str | None) -> None:
        """Delete content that no name has any more."""
        if sha is not None and not any(name.read_text() == sha for name in self._names.iterdir()):
            (self._content / sha).unlink(missing_ok=True)
