"""``automl-kd token``."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet, table
from automl_kd.core import DEFAULT_STORAGE, parse_duration


def app() -> typer.Typer:
    """The verbs about tokens."""
    group = typer.Typer(name="token", help="Who may use the service.", no_args_is_help=True)
    group.command("create")(create)
    group.command("list")(list_tokens)
    group.command("revoke")(revoke)
    return group


def create(
    name: Annotated[str, typer.Argument(help="Its name, which logs show.")],
    scope: Annotated[str, typer.Option(help="read: look; run: also submit and steer; admin: of every owner.")] = "run",
    owner: Annotated[str | None, typer.Option(help="Whose searches it sees; by default its name.")] = None,
    expires: Annotated[str | None, typer.Option(help="How long it lets in, such as 30d; by default for ever.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Make a token; it is shown once."""
    with quiet(json):
        from automl_kd.storage import Database, TokenStore

        seconds = None if expires is None else parse_duration(expires, "expires")
        secret = TokenStore(Database(storage)).create(name, owner or name, scope, seconds)  # type: ignore[arg-type]
    document = {"name": name, "owner": owner or name, "scope": scope, "token": secret}
    answer(document, f"{secret}\nshown once; send it as Authorization: Bearer, or sign in with it on the page", json)


def list_tokens(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """The tokens, without their secrets."""
    with quiet(json):
        from automl_kd.storage import Database, TokenStore

        tokens = TokenStore(Database(storage, create=False)).all()
    documents = [
        {
            "name": each.name,
            "owner": each.owner,
            "scope": each.scope,
            "created": each.created,
            "expires": each.expires,
            "state": "revoked" if each.revoked is not None else "valid" if each.valid else "expired",
        }
        for each in tokens
    ]
    rows = [
        [str(each["name"]), str(each["owner"]), str(each["scope"]), _day(each["expires"]), str(each["state"])]
        for each in documents
    ]
    text = table(rows, ["token", "owner", "scope", "expires", "state"]) or "no token yet"
    answer({"tokens": documents}, text, json)


def revoke(
    name: Annotated[str, typer.Argument(help="Of the token.")], storage: Storage = DEFAULT_STORAGE, json: Json = False
) -> None:
    """Let nobody in by a token any more."""
    with quiet(json):
        from automl_kd.storage import Database, TokenStore

        TokenStore(Database(storage, create=False)).revoke(name)
    answer({"revoked": name}, f"token {name} lets nobody in any more", json)


def _day(seconds: object) -> str:
    return "never" if not isinstance(seconds, float) else time.strftime("%Y-%m-%d", time.gmtime(seconds))
