"""A result as a line of a file, in the format of the output files of OpenAI's Batch API.

Two fields are added: ``digest``, of what was asked, and for what is no completion its ``kind``. An
error has, beside ``code`` and ``message``, its class and whatever else it says, so that it can be
made again. Lines that OpenAI wrote are read as well.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from chatlib import errors
from chatlib.errors import APIError, APIResponseValidationError, OpenAIError
from chatlib.headers import Headers
from chatlib.http import HttpResponse, ResponseInfo
from chatlib.many.jobs import Job
from chatlib.structured.completions import ParseError, is_typed, parse_completion
from chatlib.structured.decoder import DecodeError
from chatlib.structured.tools import ToolRoundsExceededError, ToolRun
from chatlib.types.completion import ChatCompletion
from chatlib.wire.codec import structure, to_json, to_request
from chatlib.wire.error_bodies import error_from_response

# https://developers.openai.com/api/docs/guides/batch#5-retrieve-the-results

START = b'{"id":'
"""How each line begins that was written here."""

_NOT_STORED = {"message", "request", "response", "completion"}
_DEFAULT_ATTRIBUTES = {
    **dict.fromkeys("body request response completion code param type status_code".split()),
    "request_id": None,
    "attempts": 1,
    "retry_after": None,
}


# Written ----------------------------------------------------------------------------------------


def _write_error(answer: Any, why: Exception) -> APIResponseValidationError:
    message = (
        "The answer can't be written to the file of results: "
        f"{type(why).__name__}: {_message_of(why)[:200]}"
    )
    error = APIResponseValidationError(None, None, message=message)
    if isinstance(answer, (ChatCompletion, ToolRun)):
        error.completion = answer.completion if isinstance(answer, ToolRun) else answer
    return error


def answer_line(job: Job, answer: Any) -> bytes:
    """The line for what a call returned.

    Raises:
        APIResponseValidationError: it is of the right type, but can't be written.
        TypeError: it is neither a completion nor a tool run nor plain JSON values.
    """
    try:
        if isinstance(answer, ChatCompletion):
            return _line(job, response=_response(answer))
        if isinstance(answer, ToolRun):
            run = {"messages": to_request(answer.messages), "rounds": answer.rounds}
            return _line(job, kind="tool_run", response=_response(answer.completion), run=run)
        if _is_json(answer):
            response = {"status_code": 200, "request_id": None, "body": answer}
            return _line(job, kind="json", response=response)
    except Exception as error:  # whatever a server can bring about, it ends no run
        raise _write_error(answer, error) from error
    raise TypeError(
        f"the call returned a {type(answer).__name__}, which a file of results can't give "
        "back; let it return a completion, a ToolRun or JSON values, or leave results= out"
    )


def _is_json(value: Any) -> bool:
    """Whether JSON gives a value back as it is."""
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and _is_json(item) for name, item in value.items())
    if kind is list:
        return all(map(_is_json, value))
    return value is None or kind in (str, int, float, bool)


def _message_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # whose own words are broken
        return type(error).__name__


def error_line(job: Job, error: Exception) -> bytes:
    """The line for what a call raised."""
    said = {"code": None, "message": _message_of(error), "class": type(error).__name__}
    try:
        return _error_line(job, error, dict(said))
    except Exception:  # what it carries can't be written; what it says can
        return _line(job, error=said)


def _error_line(job: Job, error: Exception, fields: dict[str, Any]) -> bytes:
    response = None
    if isinstance(error, (OpenAIError, DecodeError)):
        fields.update(_json_of(error))
    completion = getattr(error, "completion", None)
    if isinstance(error, APIError) and error.response is not None:
        body = {"error": fields.pop("body", None)}
        response = {"status_code": error.status_code, "request_id": error.request_id, "body": body}
    elif isinstance(completion, ChatCompletion):
        response = _response(completion)
    return _line(job, response=response, error=fields)


def _line(job: Job, **fields: Any) -> bytes:
    name = {"id": f"req_{uuid.uuid4().hex}", "custom_id": job.custom_id, "digest": job.digest}
    line = to_json({**name, "response": None, "error": None, **fields})
    for end in "\x85\u2028\u2029":  # at which Python's splitlines() would split it
        line = line.replace(end.encode(), f"\\u{ord(end):04x}".encode())
    return line + b"\n"


def _response(completion: ChatCompletion) -> dict[str, Any]:
    status = completion.http.status if completion.http is not None else 200
    return {
        "status_code": status,
        "request_id": completion.request_id,
        "body": completion.to_dict(),
    }


def _json_of(error: Exception) -> dict[str, Any]:
    """What is known of an error, as far as JSON can say it."""
    fields = {}
    for name, value in vars(error).items():
        if name not in _NOT_STORED:
            try:
                fields[name] = to_request(value)
            except (TypeError, ValueError):
                continue
    return fields


# Read -------------------------------------------------------------------------------------------


def is_result(line: Any) -> bool:
    """Whether a decoded line is a result at all."""
    if not isinstance(line, dict) or not isinstance(line.get("custom_id"), str):
        return False
    response, error = line.get("response"), line.get("error")
    if not isinstance(error, (dict, type(None))):
        return False
    if response is None:
        return bool(error)
    if not isinstance(response, dict) or not isinstance(response.get("status_code"), int):
        return False
    body = response.get("body")
    return isinstance(body, dict) or line.get("kind") == "json" or has_failed(line)


def has_failed(line: Mapping[str, Any]) -> bool:
    """Whether a decoded line says that its request failed."""
    response = line.get("response") or {}
    return line.get("error") is not None or not 200 <= response.get("status_code", 0) <= 299


def read_line(line: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Any, Exception | None]:
    """The answer in a line, or the error; ``params`` say what type it was asked for.

    A line that says what no line can say gives an error too.
    """
    try:
        if has_failed(line):
            failed = read_error(line)
            str(failed)  # which some errors make of their fields
            return None, failed
        return read_answer(line, params), None
    except OpenAIError as error:  # it is not of the type that is asked for now
        return None, error
    except Exception as error:
        found = OpenAIError(
            f"the line of {line['custom_id']!r} in the file of results can't be read: "
            f"{type(error).__name__}: {_message_of(error)[:200]}"
        )
        found.__cause__ = error
        return None, found


def read_error(line: Mapping[str, Any]) -> Exception:
    """The error in a line that has one, of the class that it had."""
    response, fields = line.get("response") or {}, dict(line.get("error") or {})
    status, body = response.get("status_code"), response.get("body")
    if "class" not in fields:  # a line that OpenAI wrote
        if status is not None and not 200 <= status <= 299:
            return error_from_response(_http(response))
        return APIError(str(fields.get("message")), body=fields)
    message = str(fields.pop("message", ""))
    name = fields.pop("class")
    cls = _class_of(name)
    if cls is None:
        return OpenAIError(f"{name}: {message}")
    error = cls.__new__(cls, message)
    if issubclass(cls, APIError):
        fields = {**_DEFAULT_ATTRIBUTES, **fields, "message": message}
        if isinstance(body, dict) and "error" in body:
            fields.update(body=body["error"], response=_http(response))
    elif issubclass(cls, OpenAIError) and isinstance(body, dict):
        fields["completion"] = _completion(response)
    if issubclass(cls, (OpenAIError, DecodeError)):
        vars(error).update(fields)
    return error


def read_answer(line: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    """What a call returned, from its line; ``params`` say what type it was asked for.

    Raises:
        ParseError: it is not of that type.
    """
    response, kind = line["response"], line.get("kind")
    if kind == "json":
        return response["body"]
    completion = _completion(response)
    if kind == "tool_run":
        return ToolRun(completion, line["run"]["messages"], line["run"]["rounds"])
    if is_typed(params.get("response_format")):
        tools = params.get("tools")
        listed = tools if isinstance(tools, (list, tuple)) else ()
        return parse_completion(completion, params["response_format"], listed)
    return completion


def _completion(response: Mapping[str, Any]) -> ChatCompletion:
    made = structure(response["body"], ChatCompletion)
    http = _http(response)
    made._http = ResponseInfo(http.status, http.headers)
    return made


def _http(response: Mapping[str, Any]) -> HttpResponse:
    request_id = response.get("request_id")
    headers = Headers({"x-request-id": request_id} if request_id else {})
    return HttpResponse(response["status_code"], headers, to_json(response.get("body")))


def _class_of(name: str) -> type[Exception] | None:
    """The class of an error that this library raises; None for any other."""
    cls = _OTHERS.get(name) or getattr(errors, name, None)
    return cls if isinstance(cls, type) and issubclass(cls, Exception) else None


_OTHERS: dict[str, type[Exception]] = {
    cls.__name__: cls
    for cls in (ParseError, ToolRoundsExceededError, DecodeError, TypeError, ValueError)
}
