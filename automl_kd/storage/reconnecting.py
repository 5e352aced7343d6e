"""Calls that survive a database server that restarts, or cannot be reached for a moment, under a running search.

A connection that is taken from the pool is tried first (``pool_pre_ping``) and, where it is dead, made again; making
one waits for the server. What is left is a connection that breaks in the middle of a transaction: nothing of it was
stored, or all of it, so the transaction is made again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

_OUTAGE_SECONDS = 60.0
"""How long a server may be away, once it has been reached."""
_PAUSE_SECONDS = 0.5
_TRIES = 5

P = ParamSpec("P")
T = TypeVar("T")


def wait_for_server(engine: Engine) -> None:
    """Have an engine, once it has been connected, wait for its server to come back, for a minute at most.

    The first connection fails at once, because an address with a mistake in it should be told, not waited for.

    A connection that breaks in the middle of a transaction is reported as what it is, a plain ``DBAPIError`` whose
    ``connection_invalidated`` is set: Optuna takes every ``OperationalError`` of a long read for a statement with too
    many variables, and reads on in a transaction that is lost.
    """
    reached = False

    @event.listens_for(engine, "handle_error", retval=True)
    def broken(context: ExceptionContext) -> DBAPIError | None:
        error = context.sqlalchemy_exception
        if not context.is_disconnect or context.is_pre_ping or not isinstance(error, OperationalError):
            return None
        cause = context.original_exception
        return DBAPIError(error.statement, error.params, cause, error.hide_parameters, connection_invalidated=True)

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, record: object, arguments: list[Any], keywords: dict[str, Any]) -> DBAPIConnection:
        nonlocal reached
        end = time.monotonic() + _OUTAGE_SECONDS
        while True:
            try:
                connection = dialect.connect(*arguments, **keywords)
            except dialect.loaded_dbapi.OperationalError:
                if not reached or time.monotonic() > end:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                reached = True
                return connection


def transact(engine: Engine, work: Callable[[Session], T]) -> T:
    """Do something in one transaction, again where the server went away under it.

    Args:
        engine: Of the database.
        work: What to do. Done twice it must come to the same, because it may have been stored while only the answer
            was lost.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database refuses, or stays away.
    """

    def once() -> T:
        with Session(engine) as session, session.begin():
            return work(session)

    return retrying(once)()


def retrying(call: Callable[P, T]) -> Callable[P, T]:
    """The call, made again where the server went away under it."""

    @functools.wraps(call)
    def again(*arguments: P.args, **keywords: P.kwargs) -> T:
        for _ in range(_TRIES - 1):
            try:
                return call(*arguments, **keywords)
            except (DBAPIError, StorageInternalError) as error:
                if not _went_away(error):
                    raise
        return call(*arguments, **keywords)

    return again


def _went_away(error: BaseException) -> bool:
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(cause, DBAPIError) and cause.connection_invalidated


def _retrying_method(method: Any) -> Any:
    """As :func:`retrying`, without types: a type checker would compare ``self`` of the two classes."""
    return retrying(method)


class RetryingStorage(RDBStorage):
    """Optuna's storage, whose calls are made again where the server went away under them.

    A trial that was created while the answer with its number was lost stays behind without parameters or recipe; the
    next driver of the study closes it.
    """

    create_new_study = _retrying_method(RDBStorage.create_new_study)
    get_study_id_from_name = _retrying_method(RDBStorage.get_study_id_from_name)
    get_study_name_from_id = _retrying_method(RDBStorage.get_study_name_from_id)
    get_study_directions = _retrying_method(RDBStorage.get_study_directions)
    get_study_user_attrs = _retrying_method(RDBStorage.get_study_user_attrs)
    get_study_system_attrs = _retrying_method(RDBStorage.get_study_system_attrs)
    set_study_user_attr = _retrying_method(RDBStorage.set_study_user_attr)
    set_study_system_attr = _retrying_method(RDBStorage.set_study_system_attr)
    get_all_studies = _retrying_method(RDBStorage.get_all_studies)
    get_trial_id_from_study_id_trial_number = _retrying_method(RDBStorage.get_trial_id_from_study_id_trial_number)
    get_trial = _retrying_method(RDBStorage.get_trial)
    set_trial_user_attr = _retrying_method(RDBStorage.set_trial_user_attr)
    set_trial_system_attr = _retrying_method(RDBStorage.set_trial_system_attr)
    set_trial_intermediate_value = _retrying_method(RDBStorage.set_trial_intermediate_value)
    # These two are called by the cache that Optuna puts before its databases.
    _get_trials = _retrying_method(RDBStorage._get_trials)
    _set_trial_param = _retrying_method(RDBStorage._set_trial_param)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        create = super()._create_new_trial
        if template_trial is not None:  # stored twice, a result would count twice
            return create(study_id, template_trial)
        return retrying(create)(study_id)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's; a state that was stored while the answer was lost counts as set."""
        lost = False

        def once() -> bool:
            nonlocal lost
            try:
                return super(RetryingStorage, self).set_trial_state_values(trial_id, state, values)
            except StorageInternalError:
                lost = True
                raise
            except UpdateFinishedTrialError:
                if lost and self.get_trial(trial_id).state == state:
                    return True
                raise

        return retrying(once)()
