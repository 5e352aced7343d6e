"""Who may use the service: tokens, and the browsers that a token has let in. Secrets are kept as hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from automl_kd.core import UserError, unknown
from automl_kd.storage.tables import BrowserSessionRow, TokenRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database

Scope = Literal["read", "run", "admin"]
"""``read`` looks, ``run`` also submits and steers searches, ``admin`` sees those of every owner."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PREFIX = "akd_"
_SECRET_BYTES = 32
_SESSION_SECONDS = 12 * 3600.0


@dataclass(frozen=True)
class Token:
    """A token without its secret.

    Attributes:
        name: Its name, which logs show.
        owner: Whose searches it sees and submits.
        scope: What it may do.
        created: When it was made, in seconds since 1970.
        expires: When it ends, None for never.
        revoked: When it was revoked, None where it was not.
    """

    name: str
    owner: str
    scope: Scope
    created: float
    expires: float | None
    revoked: float | None

    @property
    def valid(self) -> bool:
        """Whether it lets in now."""
        return self.revoked is None and (self.expires is None or time.time() < self.expires)

    def may(self, scope: Scope) -> bool:
        """Whether its scope holds another."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


@dataclass(frozen=True)
class BrowserSession:
    """A browser that a token has let in.

    Attributes:
        token: The token.
        csrf: What its forms must carry.
    """

    token: Token
    csrf: str


class TokenStore:
    """The tokens of a database.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database.served()

    def create(self, name: str, owner: str, scope: Scope, seconds: float | None) -> str:
        """Make a token.

        Args:
            name: Its name, which logs show.
            owner: Whose searches it sees and submits.
            scope: What it may do.
            seconds: How long it lets in; None for ever.

        Returns:
            Its secret, which is not kept.

        Raises:
            UserError: If the name is taken, or a name or the scope is not allowed.
        """
        for label, text in (("token name", name), ("owner", owner)):
            if not _NAME.fullmatch(text):
                raise UserError(f"{label} {text!r}: write letters, digits, '.', '_' and '-', at most 64")
        if scope not in SCOPES:
            raise unknown("scope", scope, SCOPES)
        secret, now = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES), time.time()
        digest, expires = _digest(secret), None if seconds is None else now + seconds

        def work(session: Session) -> None:
            there = session.get(TokenRow, name)
            if there is not None and there.digest == digest:  # stored before; the answer was lost
                return
            if there is not None:
                raise UserError(f"token {name}: is there already; choose another name")
            session.add(TokenRow(name=name, digest=digest, owner=owner, scope=scope, created=now, expires=expires))

        self._database.transact(work)
        return secret

    def all(self) -> list[Token]:
        """All tokens, oldest first, those that let nobody in any more among them."""
        query = select(TokenRow).order_by(TokenRow.created, TokenRow.name)
        return self._database.transact(lambda session: [_token(row) for row in session.scalars(query)])

    def revoke(self, name: str) -> None:
        """Let nobody in by a token any more, nor by the browsers that it let in.

        Raises:
            UserError: If there is no such token.
        """
        statement = update(TokenRow).where(TokenRow.name == name, TokenRow.revoked.is_(None))

        def work(session: Session) -> bool:
            session.execute(statement.values(revoked=time.time()))
            session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.token == name))
            return session.get(TokenRow, name) is not None

        if not self._database.transact(work):
            raise unknown("token", name, [each.name for each in self.all()])

    def find(self, secret: str) -> Token | None:
        """The token of a secret, None where there is none that lets in now."""
        digest = _digest(secret)
        query = select(TokenRow).where(TokenRow.digest == digest)

        def work(session: Session) -> Token | None:
            row = session.scalar(query)
            return None if row is None or not hmac.compare_digest(row.digest, digest) else _token(row)

        found = self._database.transact(work)
        return found if found is not None and found.valid else None

    def lets_in(self, name: str) -> bool:
        """Whether a token lets in now."""

        def work(session: Session) -> Token | None:
            row = session.get(TokenRow, name)
            return None if row is None else _token(row)

        found = self._database.transact(work)
        return found is not None and found.valid

    # -- browsers -----------------------------------------------------------------------------------------------------

    def spend_address(self, token: Token) -> bool:
        """Use up a token's one entry by an address: addresses stay in histories. Returns whether it was still there."""
        mine = (TokenRow.name == token.name) & TokenRow.in_address.is_(False)
        statement = update(TokenRow).where(mine).values(in_address=True)
        return bool(self._database.transact(lambda session: session.execute(statement).rowcount))  # type: ignore[attr-defined]

    def let_in(self, token: Token) -> str:
        """Let a browser in for half a day, or as long as the token does. Returns its cookie, which is not kept."""
        cookie, csrf, now = secrets.token_urlsafe(_SECRET_BYTES), secrets.token_urlsafe(_SECRET_BYTES), time.time()
        expires = min(now + _SESSION_SECONDS, token.expires or now + _SESSION_SECONDS)

        def work(session: Session) -> None:
            session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.expires < now))
            session.merge(BrowserSessionRow(digest=_digest(cookie), token=token.name, csrf=csrf, expires=expires))

        self._database.transact(work)
        return cookie

    def browser(self, cookie: str) -> BrowserSession | None:
        """The browser of a cookie, None where there is none, or it or its token has ended."""
        digest = _digest(cookie)

        def work(session: Session) -> BrowserSession | None:
            row = session.get(BrowserSessionRow, digest)
            if row is None or not hmac.compare_digest(row.digest, digest) or row.expires < time.time():
                return None
            owner = session.get(TokenRow, row.token)
            return None if owner is None else BrowserSession(_token(owner), row.csrf)

        found = self._database.transact(work)
        return found if found is not None and found.token.valid else None

    def send_away(self, cookie: str) -> None:
        """Let a browser in no more."""
        statement = delete(BrowserSessionRow).where(BrowserSessionRow.digest == _digest(cookie))
        self._database.transact(lambda session: session.execute(statement))


def _digest(secret: str) -> str:
    """SHA-256 of a secret. It has 256 random bits, so that no slow hash is needed against guessing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: TokenRow) -> Token:
    return Token(row.name, row.owner, row.scope, row.created, row.expires, row.revoked)  # type: ignore[arg-type]
