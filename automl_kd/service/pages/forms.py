"""What a form of a page sent, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from automl_kd.core import UserError
from automl_kd.service.problems import ProblemError, status_of

_MOST_FIELDS = 500


@dataclass(frozen=True)
class Form:
    """What a form sent.

    Attributes:
        fields: The values of each field.
    """

    fields: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        """The value of a field without space around it, empty where it was left out."""
        return self.fields.get(name, [""])[0].strip()

    def typed(self) -> dict[str, str]:
        """All fields as they were typed, to be shown again."""
        return {name: values[0] for name, values in self.fields.items() if name != "csrf"}


@dataclass(frozen=True)
class Mistake:
    """What was wrong with a form.

    Attributes:
        form: Which form of the page.
        told: The one line.
        status: HTTP status.
        typed: What was typed.
    """

    form: str
    told: str
    status: int
    typed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, form: str, error: UserError | ProblemError, typed: Mapping[str, str]) -> Mistake:
        """From an error."""
        if isinstance(error, ProblemError):
            return cls(form, error.detail, error.status, typed)
        return cls(form, str(error), status_of(error), typed)


async def _read(request: Request) -> Form:
    body = await request.body()
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise ProblemError(400, "the form cannot be read") from None
    return Form(fields)


Sent = Annotated[Form, Depends(_read)]


def go_to(address: str) -> RedirectResponse:
    """Answers a form that did its work; a reload then repeats nothing."""
    return RedirectResponse(address, 303)
