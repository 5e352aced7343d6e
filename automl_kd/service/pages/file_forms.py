"""Forms that send a file: their fields first, then the file as it arrives, of which memory holds a part at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from automl_kd.service.bounds import DOCUMENT_BYTES
from automl_kd.service.pages.forms import Form
from automl_kd.service.problems import ProblemError

_FIELD_BYTES = 100_000
"""Of all fields together, and as much for their names."""
_MOST_FIELDS = 500
_HEARD_OUT = 4
"""Times a file's bound that a form may send: what is over the bound is dropped, but read, for a browser hears an answer
only once it has sent all."""
FILES = "/ui/new/files"


def form_bytes(path: str, upload: int) -> int | None:
    """Bytes that the body of a form with a file may have; None for a path that takes none.

    Args:
        path: To which it is sent.
        upload: Size that a file may have which somebody sends for searches.
    """
    if path == FILES:
        return _HEARD_OUT * upload + _FIELD_BYTES
    if path.startswith("/ui/searches/") and path.endswith("/measurements"):
        return _HEARD_OUT * DOCUMENT_BYTES
    return None


class FileForm:
    """What a form with one file sends; the file comes last, as it stands in the page.

    Attributes:
        fields: Its fields.
        name: What the file is called; empty where none was chosen.
    """

    def __init__(self, request: Request) -> None:
        self.fields = Form({})
        self.name = ""
        self._stream = request.stream()
        self._parser = _Parser(request.headers.get("content-type", ""))

    @classmethod
    async def read(cls, request: Request) -> FileForm:
        """A form as far as its file.

        Raises:
            ProblemError: If it is no such form.
        """
        form = cls(request)
        while form._parser.file is None and await form._more():
            pass
        form.fields, form.name = Form(form._parser.texts()), form._parser.file or ""
        return form

    async def content(self) -> AsyncIterator[bytes]:
        """The file.

        Raises:
            ProblemError: If it breaks off.
        """
        while True:
            if self._parser.content:
                yield bytes(self._parser.content)
                self._parser.content.clear()
            if not await self._more():
                break

    async def hear_out(self) -> None:
        """Read what is left, and drop it."""
        while await self._more():
            self._parser.content.clear()

    async def _more(self) -> bool:
        """Read a part; whether there was one."""
        part = await anext(self._stream, None)
        if part is None:
            self._parser.end()
            return False
        self._parser.write(part)
        return True


class _Parser:
    """Takes a multipart body apart.

    Attributes:
        file: Name of the file once that begins.
        content: What has arrived of the file and was not taken yet.
    """

    def __init__(self, kind: str) -> None:
        self.file: str | None = None
        self.content = bytearray()
        self._fields: list[tuple[str, bytearray]] = []
        self._size = 0
        self._in_file = self._whole = False
        self._header, self._value = b"", b""
        self._disposition = b""
        media, options = parse_options_header(kind)
        if media != b"multipart/form-data" or not options.get(b"boundary"):
            raise _unreadable()
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError:
            raise _unreadable() from None

    def write(self, part: bytes) -> None:
        """Take the next part of the body apart."""
        try:
            self._parser.write(part)
        except (FormParserError, UnicodeDecodeError):
            raise _unreadable() from None

    def end(self) -> None:
        """The body has come to its end."""
        if not self._whole:
            raise _unreadable()

    def texts(self) -> dict[str, list[str]]:
        """The fields before the file."""
        found: dict[str, list[str]] = {}
        try:
            for name, value in self._fields:
                found.setdefault(name, []).append(value.decode())
        except UnicodeDecodeError:
            raise _unreadable() from None
        return found

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        self._in_file = b"filename" in options
        if self._in_file:
            if self.file is not None:
                raise _unreadable()
            self.file = options[b"filename"].decode()
            return
        name = options.get(b"name", b"").decode()
        self._count(len(name))
        self._fields.append((name, bytearray()))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self.content += data[start:end]
            return
        self._count(end - start)
        self._fields[-1][1].extend(data[start:end])

    def _on_end(self) -> None:
        self._whole = True

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > _FIELD_BYTES or len(self._fields) >= _MOST_FIELDS:
            raise ProblemError(413, f"the form's fields are larger than the {_FIELD_BYTES} bytes that are taken here")


def _unreadable() -> ProblemError:
    return ProblemError(400, "the form cannot be read")
