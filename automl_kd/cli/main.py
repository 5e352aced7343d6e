"""From arguments to a verb, and from its end to an exit code."""

from __future__ import annotations

import sys

import typer

from automl_kd.cli import (
    bench,
    compare,
    dashboard,
    distill,
    export,
    hw,
    report,
    reprice,
    search,
    serve,
    space,
    status,
    task,
    token,
    trial,
    verify,
    worker,
)
from automl_kd.cli.answer import fail
from automl_kd.cli.completion import completed
from automl_kd.cli.voice import VOICE, voiced
from automl_kd.core import Interrupted, UserError

_VERBS = (
    *(search, status, trial, compare, reprice, report, export),
    *(distill, verify, bench),
    *(worker, serve, dashboard),
)
_GROUPS = {"hw": hw, "space": space, "task": task, "token": token}
_USER_ERROR = 2
_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 when done, 2 for a user's mistake, 130 when interrupted.

    Args:
        arguments: By default those of the process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in words
    try:
        code = _app()(words, prog_name="automl-kd", standalone_mode=False)
    except UserError as error:
        fail(str(error), as_json)
        sys.exit(_USER_ERROR)
    except (Interrupted, KeyboardInterrupt) as error:
        fail(str(error) or "interrupted", as_json)
        sys.exit(_INTERRUPTED)
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), as_json)
        sys.exit(_USER_ERROR)
    except Exception as error:
        message = usage_message(error)
        if message is None:
            raise
        fail(message, as_json)
        sys.exit(_USER_ERROR)
    VOICE.end()
    sys.exit(code if isinstance(code, int) else 0)


def usage_message(error: Exception) -> str | None:
    """The one line of an error in the arguments, or None for any other error."""
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        return "interrupted" if type(error).__name__ == "Abort" else None
    context = getattr(error, "ctx", None)
    where = f" (see {context.command_path} --help)" if context is not None else ""
    return f"{format_message()}{where}"


def _app() -> typer.Typer:
    app = typer.Typer(
        help="Search student architecture and distillation recipe together, priced for your device.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for verb in _VERBS:
        verb.register(app)
    groups = {"": app} | {name: group.app() for name, group in _GROUPS.items()}
    for name, group in groups.items():
        if name:
            app.add_typer(group)
        for command in group.registered_commands:
            assert command.callback is not None
            command.callback = voiced(command.callback)
            completed(command.callback, name)
    return app
