"""What ends a call shows no secret: not in the variables of tracebacks, by ``repr`` or by rich."""

from __future__ import annotations

import asyncio
import gc
import io
import pickle
import pprint
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import rich.console
import rich.pretty
import rich.traceback

from chatlib import AsyncOpenAI, AzureOpenAI, OpenAI, OpenAIError, Timeout
from chatlib.azure import AzureConfig, azure_config_from_env
from chatlib.config import Config, config_from_env
from chatlib.http import HttpRequest, HttpResponse, TransportError
from chatlib.operations import build_create, create_operation
from chatlib.redaction import Concealed, private_frames
from chatlib.testing import InMemoryServer, raw, stream
from chatlib.testing.loopback import Reply, Server, chunk, closed_port, completion, sse
from chatlib.transports.aiohttp import AiohttpTransport
from chatlib.transports.requests import RequestsTransport
from chatlib.transports.threads import ThreadTransport
from chatlib.transports.urllib3 import Urllib3Transport

SECRETS = ["KEYKEYKEY", "BASEPASSWORD", "QUERYSECRET", "GATEWAYTOKEN", "EXTRATOKEN", "PROXYSECRET"]
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
EXTRA: dict[str, Any] = {
    "extra_headers": {"X-Other-Auth": "EXTRATOKEN"},
    "extra_query": {"api-key": "EXTRATOKEN"},
    "extra_body": {"api_key": "EXTRATOKEN", "deep": [{"token": "EXTRATOKEN"}]},
}
OPTIONS = {name: value for name, value in EXTRA.items() if name != "extra_body"}
EVENTS = sse(chunk("Hi"), chunk(finish="stop"))
both = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])


class Exit(BaseException):
    """As gevent's timeout is: no Exception."""


class Alarm(Exception):
    """As a handler of a signal may raise it."""


def settings(url: str = "http://host.test/v1") -> dict[str, Any]:
    return {
        "api_key": "sk-KEYKEYKEY",
        "base_url": url.replace("//", "//user:BASEPASSWORD@") + "?sig=QUERYSECRET",
        "default_headers": {"X-Gateway-Token": "GATEWAYTOKEN"},
        "default_query": {"token": "QUERYSECRET"},
    }


def rich_text(value: Any) -> str:
    return rich.pretty.pretty_repr(value, max_string=80) + rich.pretty.pretty_repr(value)


def frames(error: BaseException) -> Iterator[tuple[str, dict[str, Any]]]:
    """The frames of an exception and all below it, but for those of the tests."""
    todo: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while todo:
        link = todo.pop()
        if link is None or any(link is known for known in seen):
            continue
        seen.append(link)
        todo += [link.__cause__, link.__context__]
        step = link.__traceback__
        while step is not None:
            frame = step.tb_frame
            if frame.f_globals.get("__name__") != __name__:
                yield f"{frame.f_code.co_filename}:{step.tb_lineno}", dict(frame.f_locals)
            step = step.tb_next


def safe_repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # of an object whose making was interrupted
        return f"{error!r}"


def leaks(error: BaseException, show: Callable[[Any], str] = safe_repr) -> list[str]:
    """Where a tool that prints the variables of a traceback shows a secret."""
    return [
        f"{where} {name} shows {secret}"
        for where, names in frames(error)
        for name, value in names.items()
        for secret in SECRETS
        if secret in show(value)
    ]


def ended(work: Callable[[], object], kind: type[BaseException]) -> BaseException:
    with pytest.raises(kind) as caught:
        work()
    return caught.value


# Exits at any point ---------------------------------------------------------------------------

PLAIN: dict[str, Callable[[str], Any]] = {
    "requests": lambda proxy: RequestsTransport(),
    "requests by a proxy": lambda proxy: RequestsTransport(proxies={"http": proxy}),
    "urllib3": lambda proxy: Urllib3Transport(),
    "urllib3 by a proxy": lambda proxy: Urllib3Transport(proxies={"http": proxy}),
    "memory": lambda proxy: InMemoryServer(default="Hello"),
}


SPARED = {"_pytest", "logging", "queue", "threading", "tracemalloc", "warnings", "weakref"}
"""Packages whose lines are left alone, and what they call."""


def is_spared(frame: Any) -> bool:
    """Whether what is raised here reaches nobody, or would leave a lock held for ever.

    A trace function can raise where no signal can: between taking a lock and the ``with`` for it.
    """
    # Until the arguments of a call are concealed, they are what the caller's own frame passes.
    if frame.f_globals.get("__name__") in (
        "chatlib.client.methods",
        "chatlib.client.async_methods",
    ):
        return True
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        has_lock = name in ("urllib3._collections", "chatlib.testing.memory_server")
        has_lock = has_lock or name == "chatlib.client.arguments"
        if frame.f_code.co_name == "__del__" or has_lock or name.partition(".")[0] in SPARED:
            return True
        frame = None if name == __name__ else frame.f_back
    return False


def ends_at(line: int, error: BaseException, work: Callable[[], object]) -> BaseException | None:
    """Do some work, in which an exception is raised at a line of it; None if there are fewer."""
    count = 0

    def local(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        if event == "line":
            count += not is_spared(frame)
            if count == line:
                sys.settrace(None)
                raise error
        return local

    def trace(frame: Any, *_: Any) -> Any:
        return None if frame.f_globals.get("__name__") == __name__ else local

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except BaseException as raised:
        return raised
    finally:
        sys.settrace(before)
    return None


# An exit in the midst of closing leaves sockets and generators that only the collector ends.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(sys.gettrace() is not None, reason="something else traces")
@pytest.mark.parametrize(
    "kind",
    [
        Exit,
        pytest.param(KeyboardInterrupt, marks=pytest.mark.slow),
        pytest.param(Alarm, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", PLAIN)
@both
def test_exits_at_any_point(name: str, kind: type[BaseException], streamed: bool) -> None:
    """While building, connecting, sending and reading: no line of any library shows a secret."""
    reply = Reply.stream(EVENTS) if streamed else Reply.json(completion("Hello"))
    with Server(reply) as server:
        proxy = server.origin.replace("//", "//user:PROXYSECRET@")
        made = PLAIN[name](proxy)
        client = OpenAI(**settings(server.url), transport=made, max_retries=0)
        create = client.chat.completions.create

        def work() -> None:
            got: Any = create(**ASK, **OPTIONS, stream=streamed)
            if streamed:
                list(got)

        work()
        line = step = 61
        found = []
        while (error := ends_at(line, kind(), work)) is not None:
            found += leaks(error)
            line += step
            del error
        client.close()
    gc.collect()
    assert [] == found
    assert line > 5 * step


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals with a timer")
@pytest.mark.parametrize("kind", [Exit, KeyboardInterrupt, SystemExit, Alarm])
@pytest.mark.parametrize("transport", [RequestsTransport, Urllib3Transport])
@pytest.mark.parametrize(
    "reply", [Reply(delay=30), Reply.stream([b": ping\n\n", 30.0])], ids=["headers", "body"]
)
@both
def test_signals_while_waiting(
    transport: Any, reply: Reply, kind: type[BaseException], streamed: bool
) -> None:
    """Ctrl-C and an alarm that end a wait for the server leave no secret behind."""

    def interrupt(*_: object) -> None:
        raise kind

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with Server(reply) as server:
            made = transport()
            client = OpenAI(**settings(server.url), transport=made, max_retries=0)

            def work() -> None:
                got: Any = client.chat.completions.create(**ASK, **EXTRA, stream=streamed)
                list(got)

            signal.setitimer(signal.ITIMER_REAL, 0.15)
            error = ended(work, kind)
            client.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [] == leaks(error)
    assert [] == leaks(error, rich_text)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Alarm])
def test_exits_while_sleeping(kind: type[BaseException]) -> None:
    """Nor does one between two attempts."""

    def sleep(seconds: float) -> None:
        raise kind

    for transport in (RequestsTransport(), Urllib3Transport()):
        url = f"http://127.0.0.1:{closed_port()}/v1"
        with OpenAI(**settings(url), transport=transport, sleep=sleep) as client:
            error = ended(lambda c=client: c.chat.completions.create(**ASK, **EXTRA), kind)
        assert [] == leaks(error)


AWAITED: dict[str, Callable[[], Any]] = {
    "aiohttp": AiohttpTransport,
    "aiohttp by a proxy": lambda: AiohttpTransport(
        proxies={"http": f"http://user:PROXYSECRET@127.0.0.1:{closed_port()}"}
    ),
    "threads": lambda: ThreadTransport(RequestsTransport()),
    "threads and urllib3": lambda: ThreadTransport(Urllib3Transport()),
    "memory": lambda: InMemoryServer(default=stream("a", pause=1)),
}


@pytest.mark.parametrize("name", AWAITED)
@pytest.mark.parametrize("how", ["cancel", "total", "refused"])
@both
def test_awaited_exits(name: str, how: str, streamed: bool) -> None:
    """A cancellation, a deadline and a failure, over each awaited transport."""

    async def main(url: str) -> list[str]:
        transport = AWAITED[name]()
        async with AsyncOpenAI(**settings(url), transport=transport, max_retries=0) as client:

            async def work() -> None:
                timeout = Timeout(9, total=0.2) if how == "total" else Timeout(9)
                options: dict[str, Any] = {**ASK, **EXTRA, "timeout": timeout}
                got: Any = await client.chat.completions.create(**options, stream=streamed)
                async for _ in got:
                    pass

            task = asyncio.ensure_future(work())
            await asyncio.sleep(0.2)
            if how == "cancel":
                task.cancel()
            try:
                await task
            except BaseException as error:
                return leaks(error) + leaks(error, rich_text)
        return []

    with Server(Reply.stream([b": ping\n\n", 30.0])) as server:
        url = f"http://127.0.0.1:{closed_port()}/v1" if how == "refused" else server.url
        assert [] == asyncio.run(main(url))


# Failures -------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", PLAIN)
def test_failures_in_rich(name: str, streamed: bool) -> None:
    """A traceback of rich with all variables opens attrs classes and mappings, and shows none."""
    port = closed_port()
    made = PLAIN[name](f"http://user:PROXYSECRET@127.0.0.1:{port}")
    if name == "memory":
        made = InMemoryServer(TransportError("down"))
    with OpenAI(**settings(f"http://127.0.0.1:{port}/v1"), transport=made, max_retries=0) as client:
        error = ended(
            lambda: client.chat.completions.create(**ASK, **EXTRA, stream=streamed), OpenAIError
        )
    assert [] == leaks(error)
    console = rich.console.Console(file=io.StringIO(), width=200)
    # Of the test's own frames, which hold what it gave.
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_globals.get("__name__") == __name__:
        traceback = traceback.tb_next
    console.print(
        rich.traceback.Traceback.from_exception(type(error), error, traceback, show_locals=True)
    )
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "extra_headers" in shown
    assert [] == [secret for secret in SECRETS if secret in shown]


@both
def test_a_refused_redirect_that_quotes_the_query(streamed: bool) -> None:
    """A server may send the query, with its key, back in ``Location``."""
    moved = {"location": "http://other.test/v1?sig=QUERYSECRET"}
    server = InMemoryServer(raw(307, b"", headers=moved))
    with OpenAI(**settings(), transport=server) as client:
        error = ended(lambda: client.chat.completions.create(**ASK, stream=streamed), OpenAIError)
    assert "other.test" in str(error)
    assert [] == leaks(error) + leaks(error, rich_text)


METHODS: dict[str, Callable[[Any, dict[str, Any]], object]] = {
    "create": lambda made, options: made.create(**ASK, **options),
    "parse": lambda made, options: made.parse(**ASK, **options),
    "stream": lambda made, options: made.stream(**ASK, **options).__enter__(),
    "run": lambda made, options: made.run(**ASK, tools=[], **options),
    "retrieve": lambda made, options: made.retrieve("id", **options),
    "update": lambda made, options: made.update("id", metadata={}, **options),
    "list": lambda made, options: list(made.list(**options)),
    "delete": lambda made, options: made.delete("id", **options),
    "messages": lambda made, options: list(made.messages.list("id", **options)),
    "raw": lambda made, options: made.with_raw_response.create(**ASK, **options),
    "streamed": lambda made, options: made.with_streaming_response.create(
        **ASK, **options
    ).__enter__(),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("error", [TransportError("down"), KeyboardInterrupt()])
def test_each_method(face: Any, name: str, error: BaseException) -> None:
    """All methods of both faces hide what they were given."""
    if isinstance(error, KeyboardInterrupt) and "a" in face.name[:1]:
        pytest.skip("a loop does not pass it by the task")
    client = face.client(**settings(), transport=InMemoryServer(error, stored=False), max_retries=0)
    extra = OPTIONS if name in ("retrieve", "list", "delete", "messages") else EXTRA
    caught = ended(
        lambda: METHODS[name](client.chat.completions, extra), (type(error), OpenAIError)
    )  # type: ignore[arg-type]
    found = [leak for leak in leaks(caught) if "tests/faces" not in leak]
    assert [] == found
    assert [] == [leak for leak in leaks(caught, rich_text) if "tests/faces" not in leak]


WRONG: dict[str, Callable[[], object]] = {
    "key": lambda: Config(api_key="sk-KEYKEYKEY\n"),
    "key, bytes": lambda: Config(api_key=b"sk-KEYKEYKEY"),  # type: ignore[arg-type]
    "key of Azure": lambda: AzureConfig(api_key="sk-KEYKEYKEY\n"),
    "URL": lambda: Config(base_url="http://user:BASEPASSWORD@ho st/?sig=QUERYSECRET"),
    "retries": lambda: Config(**settings(), max_retries=-1),
    "setting": lambda: Config(**settings(), wrong=1),
    "key from env": lambda: config_from_env({"OPENAI_API_KEY": "“sk-KEYKEYKEY”"}),
    "URL from env": lambda: config_from_env(
        {"OPENAI_BASE_URL": "x://u:BASEPASSWORD@h"}, **{**settings(), "base_url": None}
    ),
    "setting of env": lambda: config_from_env(**settings(), max_retries=-1),
    "client": lambda: OpenAI(**settings(), wrong=1),  # type: ignore[call-arg]
    "client's retries": lambda: OpenAI(**settings(), max_retries=-1),
    "options": lambda: OpenAI(**settings()).with_options(
        default_headers={"X-Token": "GATEWAYTOKEN"}, max_retries=-1
    ),
    "changed": lambda: Config(**settings()).changed(**{**settings(), "wrong": 1}),
    "credentials of Azure": lambda: AzureConfig(**settings()).changed(
        api_key="sk-KEYKEYKEY", azure_ad_token="sk-KEYKEYKEY"
    ),
    "endpoint of Azure": lambda: azure_config_from_env(
        azure_endpoint="http://u:BASEPASSWORD@h h", api_version="1", api_key="sk-KEYKEYKEY"
    ),
    "endpoint from env": lambda: azure_config_from_env(
        {"AZURE_OPENAI_ENDPOINT": "http://u:BASEPASSWORD@h h"}, api_version="1", api_key="k"
    ),
    "token of Azure": lambda: AzureOpenAI(
        azure_ad_token="sk-KEYKEYKEY\n", azure_endpoint="http://h", api_version="1"
    ),
    "header": lambda: build_create(
        Config(**settings()), **ASK, extra_headers={"X-Auth": "EXTRATOKEN\n"}
    ),
    "default header": lambda: build_create(
        Config(default_headers={"X-Token": "GATEWAYTOKEN\n"}), **ASK
    ),
    "headers": lambda: build_create(
        Config(**settings()),
        **ASK,
        extra_headers=[("X-Auth", "EXTRATOKEN")],  # type: ignore[arg-type]
    ),
    "query": lambda: build_create(
        Config(**settings()),
        **ASK,
        extra_query=[("token", "EXTRATOKEN")],  # type: ignore[arg-type]
    ),
    "parameter": lambda: OpenAI(**settings()).chat.completions.create(
        **ASK,
        api_key="EXTRATOKEN",
        **EXTRA,  # type: ignore[call-overload]
    ),
    "proxies": lambda: Urllib3Transport(
        proxies={"http": "http://u:PROXYSECRET@h"},
        verify=True,
        ssl_context=object(),  # type: ignore[arg-type]
    ),
    "awaited proxies": lambda: AiohttpTransport(
        proxies={"http": "http://u:PROXYSECRET@h"},
        verify=True,
        ssl_context=object(),  # type: ignore[arg-type]
    ),
    "socks": lambda: asyncio.run(
        AiohttpTransport(proxies={"http": "socks4://u:PROXYSECRET@h"}).asend(
            HttpRequest("GET", "http://u:BASEPASSWORD@h/")
        )
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str) -> None:
    """What can't be used is not shown by the frames that refuse it."""
    error = ended(WRONG[name], Exception)
    # Frames whose variables are the caller's own objects: those of build_create().
    found = [leak for leak in leaks(error) + leaks(error, rich_text) if "operations.py" not in leak]
    assert [] == found
    assert not any(secret in f"{error}{error!r}" for secret in SECRETS)


# Values ---------------------------------------------------------------------------------------


def values() -> list[Any]:
    config = Config(**settings(), organization="org")
    azure = azure_config_from_env(
        {},
        azure_endpoint="http://u:BASEPASSWORD@h",
        api_version="1",
        azure_ad_token="KEYKEYKEY",
        default_headers={"X-Gateway-Token": "GATEWAYTOKEN"},
    )
    operation = create_operation({**ASK, **EXTRA})
    request = operation.build(config)
    client = OpenAI(**settings())
    proxies = {"https": "http://u:PROXYSECRET@h"}
    return [
        config,
        azure,
        operation,
        request,
        HttpResponse(200, {"Set-Cookie": "EXTRATOKEN"}, b"", request=request),
        client,
        client.with_options(default_headers={"X-Token": "EXTRATOKEN"}).config,
        RequestsTransport(proxies=proxies),
        Urllib3Transport(proxies=proxies),
        pickle.loads(pickle.dumps(config)),
        {"base_url": client.base_url, **operation.options},
        attrs.evolve(config, timeout=None),
    ]


def test_values_hide_their_secrets() -> None:
    """By whatever they are shown: repr, pprint, rich, asdict, vars."""
    for value in values():
        shown = repr(value) + str(value) + pprint.pformat(value, width=20) + rich_text(value)
        if attrs.has(type(value)):
            fields = attrs.asdict(value, filter=lambda field, _: field.name != "content")
            shown += repr(fields) + pprint.pformat(fields) + rich_text(fields)
        if hasattr(value, "__dict__"):
            shown += repr(vars(value)) + rich_text(vars(value))
        assert [] == [secret for secret in SECRETS if secret in shown], value


def test_values_are_still_what_was_given() -> None:
    """To the program that uses them they are the texts; over the wire go plain ones."""
    config = Config(**settings())
    assert settings()["base_url"] == config.base_url
    assert settings()["default_headers"] == config.default_headers
    assert config == pickle.loads(pickle.dumps(config)) == attrs.evolve(config)
    request = build_create(config, **ASK, **EXTRA)
    assert "http://user:BASEPASSWORD@host.test/v1/chat/completions?sig=QUERYSECRET" in request.url
    assert {
        "api_key": "EXTRATOKEN",
        "deep": [{"token": "EXTRATOKEN"}],
    }.items() <= request.json().items()
    sent = request.headers.reveal()
    assert ("GATEWAYTOKEN", "EXTRATOKEN") == (sent["X-Gateway-Token"], sent["X-Other-Auth"])
    assert {str} == {type(value) for value in sent.values()}


def test_concealed_text() -> None:
    """It is a text in all but its repr, however little of it is shown."""
    text = Concealed("secret")
    assert ("secret", "'***'", "'***'") == (f"{text}", repr(text), repr(text[:3]))
    assert "s" == text[0]
    assert text == pickle.loads(pickle.dumps(text)) == "secret"
    assert "'***'" == repr(pickle.loads(pickle.dumps(text)))


# Frames ---------------------------------------------------------------------------------------


class Own:
    """A transport of the user's."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def send(self, request: HttpRequest) -> HttpResponse:
        return self.carried(request.headers.reveal())

    def carried(self, headers: dict[str, str]) -> HttpResponse:
        raise self.error


def test_transports_of_ones_own() -> None:
    """What ends a call is cleared of their frames too; their mistakes can be looked at."""
    for error in (KeyboardInterrupt(), TransportError("down")):
        client = OpenAI(**settings(), transport=Own(error), max_retries=0)
        caught = ended(lambda c=client: c.chat.completions.create(**ASK), BaseException)
        link: BaseException | None = caught
        while link is not None:
            step = link.__traceback__
            while step is not None:
                if step.tb_frame.f_code.co_name in ("send", "carried"):
                    assert {} == step.tb_frame.f_locals
                step = step.tb_next
            link = link.__cause__ or link.__context__
    client = OpenAI(**settings(), transport=Own(ValueError("a mistake")), max_retries=0)
    caught = ended(lambda: client.chat.completions.create(**ASK), ValueError)
    step = caught.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    assert step is not None
    assert "headers" in step.tb_frame.f_locals


def test_exceptions_of_others_keep_their_variables() -> None:
    """An exception that was being handled before the call is not this library's."""

    def fail() -> None:
        kept = "mine"
        raise LookupError(kept)

    def work() -> None:
        try:
            fail()
        except LookupError:
            with private_frames():
                raise ValueError("inside")  # noqa: B904

    context = ended(work, ValueError).__context__
    assert context is not None
    assert context.__traceback__ is not None
    step = context.__traceback__.tb_next
    assert step is not None
    assert "mine" == step.tb_frame.f_locals["kept"]
