"""Which HTTP status says the same as an error of outlive."""

from http import HTTPStatus

from fastapi import HTTPException

from outlive.admin.query import QueryError
from outlive.errors import (
    BackendUnavailableError,
    ConfigError,
    JournalFullError,
    NotInitializedError,
    OutliveError,
    ScheduleConflictError,
    TaskArgumentError,
    TaskConflictError,
    TaskStateError,
    UnknownQueueError,
    UnknownScheduleError,
    UnknownTaskError,
)

#: The first that fits decides.
_STATUS_CODES: dict[type[OutliveError], HTTPStatus] = {
    UnknownTaskError: HTTPStatus.NOT_FOUND,
    UnknownScheduleError: HTTPStatus.NOT_FOUND,
    ScheduleConflictError: HTTPStatus.CONFLICT,
    UnknownQueueError: HTTPStatus.NOT_FOUND,
    TaskConflictError: HTTPStatus.CONFLICT,
    TaskStateError: HTTPStatus.BAD_REQUEST,
    TaskArgumentError: HTTPStatus.BAD_REQUEST,
    QueryError: HTTPStatus.BAD_REQUEST,
    ConfigError: HTTPStatus.BAD_REQUEST,
    BackendUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    JournalFullError: HTTPStatus.SERVICE_UNAVAILABLE,
    NotInitializedError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_RETRY_LATER = {HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"}}

#: The errors that become answers.
ANSWERED = tuple(_STATUS_CODES)


def as_http(error: OutliveError) -> HTTPException:
    """The answer to one of `ANSWERED`."""
    code = next(code for kind, code in _STATUS_CODES.items() if isinstance(error, kind))
    return HTTPException(code, str(error), _RETRY_LATER.get(code))
