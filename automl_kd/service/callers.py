"""Who makes a request, and what that one may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from automl_kd.service.problems import ProblemError
from automl_kd.storage import Scope, Token

COOKIE = "akd_session"
CALLER = "akd.caller"
"""Where the gate leaves a request's caller in its ASGI scope."""


@dataclass(frozen=True)
class Caller:
    """Who makes a request.

    Attributes:
        token: The token that let the request in.
        csrf: What forms of this browser must carry; None for a caller without one.
    """

    token: Token
    csrf: str | None = None

    @property
    def sees(self) -> str | None:
        """Whose searches are visible; None for those of all."""
        return None if self.token.scope == "admin" else self.token.owner

    def may_see(self, owner: str) -> bool:
        """Whether searches of an owner are visible."""
        return self.sees in (None, owner)


async def _caller(request: Request) -> Caller:
    caller: Caller = request.scope[CALLER]
    return caller


def _with_scope(scope: Scope) -> object:
    async def caller(request: Request) -> Caller:
        found = await _caller(request)
        if not found.token.may(scope):
            raise ProblemError(403, f"token {found.token.name} has the scope {found.token.scope}; this needs {scope}")
        return found

    return caller


Reader = Annotated[Caller, Depends(_caller)]
Submitter = Annotated[Caller, Depends(_with_scope("run"))]
Admin = Annotated[Caller, Depends(_with_scope("admin"))]
