"""Encode results as lines in the format of output files of OpenAI's Batch API.

Two fields are added: ``digest`` of the request, and ``kind`` of an answer that is not a completion.
An error has its class and attributes besides ``code`` and ``message``, so that it can be restored.
Lines written by OpenAI are read too.
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
from chatlib.structured.tool_runs import ToolRoundsExceededError, ToolRun
from chatlib.types.completion import ChatCompletion
from chatlib.wire.codec import structure, to_json, to_request
from chatlib.wire.error_bodies import error_from_response

# https://developers.openai.com/api/docs/guides/batch#5-retrieve-the-results

START = b'{"id":'
"""The first bytes of each line written by this module."""

_NOT_STORED = {"message", "request", "response", "completion"}
_DEFAULT_ATTRIBUTES = {
    **dict.fromkeys("body request response completion code param type status_code".split()),
    "request_id": None,
    "attempts": 1,
    "retry_after": None,
}


# Encode ----------------------------------------------------------------------------------------


def _write_error(answer: Any, why: Exception) -> APIResponseValidationError:
    message = (
        "The answer cannot be written to the results file: "
        f"{type(why).__name__}: {_message_of(why)[:200]}"
    )
    error = APIResponseValidationError(None, None, message=message)
    if isinstance(answer, (ChatCompletion, ToolRun)):
        error.completion = answer.completion if isinstance(answer, ToolRun) else answer
    return error


def answer_line(job: Job, answer: Any) -> bytes:
    """Encode the answer of a call.

    Raises:
        APIResponseValidationError: If it is of a supported type, but cannot be encoded.
        TypeError: If it is neither a completion, a tool run nor a JSON value.
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
    except Exception as error:  # no answer of a server ends the run
        raise _write_error(answer, error) from error
    raise TypeError(
        f"the call returned a {type(answer).__name__}, which cannot be stored in a results "
        "file; return a completion, a ToolRun or JSON values, or omit results="
    )


def _is_json(value: Any) -> bool:
    """Return whether a value is unchanged by encoding and decoding as JSON."""
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and _is_json(item) for name, item in value.items())
    if kind is list:
        return all(map(_is_json, value))
    return value is None or kind in (str, int, float, bool)


def _message_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # its __str__ fails
        return type(error).__name__


def error_line(job: Job, error: Exception) -> bytes:
    """Encode the exception of a call."""
    said = {"code": None, "message": _message_of(error), "class": type(error).__name__}
    try:
        return _error_line(job, error, dict(said))
    except Exception:  # an attribute cannot be encoded; the message can
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
    for end in "\x85\u2028\u2029":  # str.splitlines() would split there
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
    """Return the attributes of an error that can be encoded as JSON."""
    fields = {}
    for name, value in vars(error).items():
        if name not in _NOT_STORED:
            try:
                fields[name] = to_request(value)
            except (TypeError, ValueError):
                continue
    return fields


# Decode ----------------------------------------------------------------------------------------


def is_result(line: Any) -> bool:
    """Return whether a decoded line is a result."""
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
    """Return whether a decoded line is the result of a failed request."""
    response = line.get("response") or {}
    return line.get("error") is not None or not 200 <= response.get("status_code", 0) <= 299


def read_line(line: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Any, Exception | None]:
    """Decode a line into an answer or an error.

    Args:
        line: The decoded JSON of the line.
        params: The parameters of the request, which name the type of the answer.

    Returns:
        The answer and None, or None and the error. A malformed line is an error.
    """
    try:
        if has_failed(line):
            failed = read_error(line)
            str(failed)  # some errors format their attributes lazily
            return None, failed
        return read_answer(line, params), None
    except OpenAIError as error:  # the answer does not have the requested type
        return None, error
    except Exception as error:
        found = OpenAIError(
            f"the line of {line['custom_id']!r} in the results file cannot be decoded: "
            f"{type(error).__name__}: {_message_of(error)[:200]}"
        )
        found.__cause__ = error
        return None, found


def read_error(line: Mapping[str, Any]) -> Exception:
    """Decode the error in the line of a failed request, with its class."""
    response, fields = line.get("response") or {}, dict(line.get("error") or {})
    status, body = response.get("status_code"), response.get("body")
    if "class" not in fields:  # written by OpenAI
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
    """Decode the answer of a call.

    Args:
        line: The decoded JSON of the line.
        params: The parameters of the request, which name the type of the answer.

    Raises:
        ParseError: If the answer does not have that type.
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
    """Return the class of an error that this library raises, or None for others."""
    cls = _OTHERS.get(name) or getattr(errors, name, None)
    return cls if isinstance(cls, type) and issubclass(cls, Exception) else None


_OTHERS: dict[str, type[Exception]] = {
    cls.__name__: cls
    for cls in (ParseError, ToolRoundsExceededError, DecodeError, TypeError, ValueError)
}
