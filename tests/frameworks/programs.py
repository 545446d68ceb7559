"""What is run for each framework: how the client is given to it, and a program for each case."""

from __future__ import annotations

import attrs

PRELUDE = """
import asyncio, os
from {home} import OpenAI, AsyncOpenAI
URL = {url!r}
os.environ["OPENAI_API_KEY"] = "k"
def client(key="k"):
    return OpenAI(api_key=key, base_url=URL, max_retries=0)
def aclient(key="k"):
    return AsyncOpenAI(api_key=key, base_url=URL, max_retries=0)
from pydantic import BaseModel
class Place(BaseModel):
    name: str
def locate(name: str) -> str:
    '''Find a place.

    Args:
        name: Its name.
    '''
    return "found " + name
TOOLS = [dict(type="function", function=dict(name="locate", parameters=dict(type="object")))]
def expect(condition):
    assert condition
    print("WORKED")
def expect_error(work, status):
    try:
        work()
    except BaseException as error:
        seen, found = error, False
        while seen is not None:
            is_it = getattr(seen, "status_code", None) == status or str(status) in str(seen)
            found = found or is_it
            seen = seen.__cause__ or seen.__context__
        expect(found)
"""


@attrs.frozen
class Framework:
    """A framework: what to install, and its programs."""

    requirements: list[str]
    home: str
    """The module of the client that is given to it."""
    setup: str
    cases: dict[str, str]


COMPAT = "chatlib.compat"

FRAMEWORKS = {
    "langchain-openai": Framework(
        ["langchain-openai"],
        COMPAT,
        """
from langchain_openai import ChatOpenAI
def model(key="k"):
    c, a = client(key), aclient(key)
    return ChatOpenAI(model="m", root_client=c, root_async_client=a, max_retries=0,
        client=c.chat.completions, async_client=a.chat.completions)
""",
        {
            "chat": 'expect("Ulm" in model().invoke("Hi").content)',
            "stream": 'expect("Ulm" in "".join(p.content for p in model().stream("Hi")))',
            "tools": """
calls = model().bind_tools([locate]).invoke("Hi").tool_calls
expect(calls[0]["args"] == {"name": "Ulm"})
""",
            "typed": """
made = model().with_structured_output(Place, method="json_schema").invoke("Hi")
expect(made == Place(name="Ulm"))
""",
            "awaited": 'expect("Ulm" in asyncio.run(model().ainvoke("Hi")).content)',
            "401": 'expect_error(lambda: model("bad").invoke("Hi"), 401)',
            "429": 'expect_error(lambda: model("busy").invoke("Hi"), 429)',
        },
    ),
    "openai-agents": Framework(
        ["openai-agents"],
        COMPAT,
        """
from agents import Agent, Runner, OpenAIChatCompletionsModel, function_tool, set_tracing_disabled
set_tracing_disabled(True)
def agent(key="k", **options):
    model = OpenAIChatCompletionsModel(model="m", openai_client=aclient(key))
    return Agent(name="a", model=model, **options)
""",
        {
            "chat": 'expect("Ulm" in Runner.run_sync(agent(), "Hi").final_output)',
            "stream": """
async def ask():
    result = Runner.run_streamed(agent(), "Hi")
    async for _ in result.stream_events():
        pass
    return result.final_output
expect("Ulm" in asyncio.run(ask()))
""",
            "tools": """
made = agent(tools=[function_tool(locate)])
expect("Ulm" in Runner.run_sync(made, "Hi").final_output)
""",
            "typed": """
made = Runner.run_sync(agent(output_type=Place), "Hi").final_output
expect(made == Place(name="Ulm"))
""",
            "awaited": 'expect("Ulm" in asyncio.run(Runner.run(agent(), "Hi")).final_output)',
            "401": 'expect_error(lambda: Runner.run_sync(agent("bad"), "Hi"), 401)',
            "429": 'expect_error(lambda: Runner.run_sync(agent("busy"), "Hi"), 429)',
        },
    ),
    "instructor": Framework(
        ["instructor"],
        COMPAT,
        """
import instructor
def ask(key="k", **options):
    made = instructor.from_openai(client(key), mode=instructor.Mode.JSON)
    messages = [{"role": "user", "content": "Hi"}]
    return made.chat.completions.create(model="m", messages=messages, max_retries=0, **options)
""",
        {
            "chat": 'expect("Ulm" in ask(response_model=None).choices[0].message.content)',
            "stream": """
messages = [{"role": "user", "content": "Hi"}]
made = instructor.from_openai(client(), mode=instructor.Mode.JSON)
parts = list(made.chat.completions.create_partial(model="m", messages=messages,
    response_model=Place))
expect(parts[-1].name == "Ulm")
""",
            "tools": """
made = instructor.from_openai(client(), mode=instructor.Mode.TOOLS)
messages = [{"role": "user", "content": "Hi"}]
expect(made.chat.completions.create(model="m", messages=messages, response_model=Place).name
    == "Ulm")
""",
            "typed": 'expect(ask(response_model=Place) == Place(name="Ulm"))',
            "awaited": """
made = instructor.from_openai(aclient(), mode=instructor.Mode.JSON)
messages = [{"role": "user", "content": "Hi"}]
expect(asyncio.run(made.chat.completions.create(model="m", messages=messages,
    response_model=Place)).name == "Ulm")
""",
            "401": 'expect_error(lambda: ask("bad", response_model=Place), 401)',
            "429": 'expect_error(lambda: ask("busy", response_model=Place), 429)',
        },
    ),
    "pydantic-ai": Framework(
        ["pydantic-ai-slim[openai]"],
        COMPAT,
        """
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
def agent(key="k", **options):
    model = OpenAIChatModel("m", provider=OpenAIProvider(openai_client=aclient(key)))
    return Agent(model, **options)
""",
        {
            "chat": 'expect("Ulm" in agent().run_sync("Hi").output)',
            "stream": """
async def ask():
    async with agent().run_stream("Hi") as result:
        return "".join([part async for part in result.stream_text(delta=True)])
expect("Ulm" in asyncio.run(ask()))
""",
            "tools": 'expect("Ulm" in agent(tools=[locate]).run_sync("Hi").output)',
            "typed": 'expect(agent(output_type=Place).run_sync("Hi").output == Place(name="Ulm"))',
            "awaited": 'expect("Ulm" in asyncio.run(agent().run("Hi")).output)',
            "401": 'expect_error(lambda: agent("bad").run_sync("Hi"), 401)',
            "429": 'expect_error(lambda: agent("busy").run_sync("Hi"), 429)',
        },
    ),
    "magentic": Framework(
        ["magentic"],
        COMPAT,
        """
from magentic import prompt, chatprompt, StreamedStr, FunctionCall
from magentic.chat_model.openai_chat_model import OpenaiChatModel
def model(key="k"):
    made = OpenaiChatModel("m")
    made._client, made._async_client = client(key), aclient(key)
    return made
def ask(key="k", **options):
    @prompt("Hi", model=model(key), **options)
    def asked() -> str: ...
    return asked()
""",
        {
            "chat": 'expect("Ulm" in ask())',
            "stream": """
@prompt("Hi", model=model())
def asked() -> StreamedStr: ...
expect("Ulm" in "".join(asked()))
""",
            "tools": """
@prompt("Hi", model=model(), functions=[locate])
def asked() -> FunctionCall[str]: ...
expect(asked()() == "found Ulm")
""",
            "typed": """
@prompt("Hi", model=model())
def asked() -> Place: ...
expect(asked() == Place(name="Ulm"))
""",
            "awaited": """
@prompt("Hi", model=model())
async def asked() -> str: ...
expect("Ulm" in asyncio.run(asked()))
""",
            "401": 'expect_error(lambda: ask("bad"), 401)',
            "429": 'expect_error(lambda: ask("busy"), 429)',
        },
    ),
    "haystack": Framework(
        ["haystack-ai"],
        COMPAT,
        """
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
def ask(key="k", **options):
    made = OpenAIChatGenerator(model="m", api_base_url=URL, **options)
    made.client, made.async_client = client(key), aclient(key)
    return made
HI = [ChatMessage.from_user("Hi")]
""",
        {
            "chat": 'expect("Ulm" in ask().run(HI)["replies"][0].text)',
            "stream": """
parts = []
ask(streaming_callback=lambda part: parts.append(part.content)).run(HI)
expect("Ulm" in "".join(parts))
""",
            "tools": """
answer = ask(tools=[create_tool_from_function(locate)]).run(HI)["replies"][0]
expect(answer.tool_calls[0].arguments == {"name": "Ulm"})
""",
            "typed": """
answer = ask(generation_kwargs={"response_format": Place}).run(HI)["replies"][0]
expect("Ulm" in answer.text)
""",
            "awaited": 'expect("Ulm" in asyncio.run(ask().run_async(HI))["replies"][0].text)',
            "401": 'expect_error(lambda: ask("bad").run(HI), 401)',
            "429": 'expect_error(lambda: ask("busy").run(HI), 429)',
        },
    ),
    "semantic-kernel": Framework(
        ["semantic-kernel"],
        COMPAT,
        """
from semantic_kernel.connectors.ai.open_ai import (
    OpenAIChatCompletion, OpenAIChatPromptExecutionSettings)
from semantic_kernel.contents import ChatHistory
def ask(key="k", **options):
    made = OpenAIChatCompletion(ai_model_id="m", async_client=aclient(key))
    history = ChatHistory()
    history.add_user_message("Hi")
    settings = OpenAIChatPromptExecutionSettings(**options)
    return asyncio.run(made.get_chat_message_content(history, settings))
""",
        {
            "chat": 'expect("Ulm" in str(ask()))',
            "stream": """
async def ask():
    made = OpenAIChatCompletion(ai_model_id="m", async_client=aclient())
    history = ChatHistory()
    history.add_user_message("Hi")
    settings = OpenAIChatPromptExecutionSettings()
    return [str(p) async for p in made.get_streaming_chat_message_content(history, settings)]
expect("Ulm" in "".join(asyncio.run(ask())))
""",
            "tools": """
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.functions import kernel_function
class Places:
    @kernel_function
    def locate(self, name: str) -> str:
        return locate(name)
async def call():
    kernel = Kernel()
    kernel.add_plugin(Places(), "places")
    made = OpenAIChatCompletion(ai_model_id="m", async_client=aclient())
    history = ChatHistory()
    history.add_user_message("Hi")
    settings = OpenAIChatPromptExecutionSettings(
        function_choice_behavior=FunctionChoiceBehavior.Auto())
    return await made.get_chat_message_content(history, settings, kernel=kernel)
expect("Ulm" in str(asyncio.run(call())))
""",
            "typed": 'expect("Ulm" in str(ask(response_format=Place)))',
            "401": 'expect_error(lambda: ask("bad"), 401)',
            "429": 'expect_error(lambda: ask("busy"), 429)',
        },
    ),
    "smolagents": Framework(
        ["smolagents[openai]"],
        "chatlib",
        """
from smolagents import OpenAIModel, tool
def model(key="k"):
    made = OpenAIModel(model_id="m", api_base=URL, api_key=key)
    made.client = client(key)
    return made
HI = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
""",
        {
            "chat": 'expect("Ulm" in model().generate(HI).content)',
            "stream": """
expect("Ulm" in "".join(p.content or "" for p in model().generate_stream(HI)))
""",
            "tools": """
answer = model().generate(HI, tools_to_call_from=[tool(locate)])
expect("Ulm" in str(answer.tool_calls[0].function.arguments))
""",
            "401": 'expect_error(lambda: model("bad").generate(HI), 401)',
            "429": 'expect_error(lambda: model("busy").generate(HI), 429)',
        },
    ),
    "llama-index": Framework(
        ["llama-index-llms-openai"],
        "chatlib",
        """
from llama_index.llms.openai import OpenAI as Model
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
def model(key="k"):
    return Model(model="gpt-4o", api_base=URL, max_retries=0, openai_client=client(key),
        async_openai_client=aclient(key))
HI = [ChatMessage(role="user", content="Hi")]
""",
        {
            "chat": 'expect("Ulm" in str(model().chat(HI)))',
            "stream": 'expect("Ulm" in "".join(p.delta or "" for p in model().stream_chat(HI)))',
            "tools": """
made = FunctionTool.from_defaults(locate)
answer = model().chat_with_tools([made], user_msg="Hi")
expect("Ulm" in str(model().get_tool_calls_from_response(answer)))
""",
            "typed": """
expect(model().as_structured_llm(Place).chat(HI).raw == Place(name="Ulm"))
""",
            "awaited": 'expect("Ulm" in str(asyncio.run(model().achat(HI))))',
            "401": 'expect_error(lambda: model("bad").chat(HI), 401)',
            "429": 'expect_error(lambda: model("busy").chat(HI), 429)',
        },
    ),
    "agno": Framework(
        ["agno", "openai"],
        "chatlib",
        """
from agno.agent import Agent
from agno.models.openai import OpenAIChat
def agent(key="k", **options):
    model = OpenAIChat(id="m", client=client(key), async_client=aclient(key))
    return Agent(model=model, telemetry=False, **options)
""",
        {
            "chat": 'expect("Ulm" in agent().run("Hi").content)',
            "stream": """
expect("Ulm" in "".join(str(p.content or "") for p in agent().run("Hi", stream=True)))
""",
            "tools": 'expect("Ulm" in agent(tools=[locate]).run("Hi").content)',
            "typed": """
expect(agent(output_schema=Place).run("Hi").content == Place(name="Ulm"))
""",
            "awaited": 'expect("Ulm" in asyncio.run(agent().arun("Hi")).content)',
            "401": """
from agno.models.message import Message
work = lambda: agent("bad").model.response(messages=[Message(role="user", content="Hi")])
expect_error(work, 401)
""",
            "429": """
from agno.models.message import Message
work = lambda: agent("busy").model.response(messages=[Message(role="user", content="Hi")])
expect_error(work, 429)
""",
        },
    ),
    "langsmith": Framework(
        ["langsmith", "openai"],
        "chatlib",
        """
os.environ["LANGSMITH_TRACING"] = "false"
from langsmith.wrappers import wrap_openai
M = [{"role": "user", "content": "Hi"}]
""",
        {
            "chat": """
made = wrap_openai(client()).chat.completions.create(model="m", messages=M)
expect("Ulm" in made.choices[0].message.content)
""",
            "stream": """
made = wrap_openai(client()).chat.completions.create(model="m", messages=M, stream=True)
expect("Ulm" in "".join(p.choices[0].delta.content or "" for p in made))
""",
            "awaited": """
made = wrap_openai(aclient()).chat.completions.create(model="m", messages=M)
expect("Ulm" in asyncio.run(made).choices[0].message.content)
""",
            "tools": """
made = wrap_openai(client()).chat.completions.create(model="m", messages=M, tools=TOOLS)
expect(made.choices[0].message.tool_calls[0].function.name == "locate")
""",
            "typed": """
made = wrap_openai(client()).chat.completions.parse(model="m", messages=M, response_format=Place)
expect(made.choices[0].message.parsed == Place(name="Ulm"))
""",
            "401": """
made = wrap_openai(client("bad"))
expect_error(lambda: made.chat.completions.create(model="m", messages=M), 401)
""",
            "429": """
made = wrap_openai(client("busy"))
expect_error(lambda: made.chat.completions.create(model="m", messages=M), 429)
""",
        },
    ),
    "opik": Framework(
        ["opik", "openai"],
        "chatlib",
        """
os.environ["OPIK_TRACK_DISABLE"] = "true"
from opik.integrations.openai import track_openai
M = [{"role": "user", "content": "Hi"}]
""",
        {
            "chat": """
made = track_openai(client()).chat.completions.create(model="m", messages=M)
expect("Ulm" in made.choices[0].message.content)
""",
            "stream": """
made = track_openai(client()).chat.completions.create(model="m", messages=M, stream=True)
expect("Ulm" in "".join(p.choices[0].delta.content or "" for p in made))
""",
            "tools": """
made = track_openai(client()).chat.completions.create(model="m", messages=M, tools=TOOLS)
expect(made.choices[0].message.tool_calls[0].function.name == "locate")
""",
            "typed": """
made = track_openai(client()).chat.completions.parse(model="m", messages=M, response_format=Place)
expect(made.choices[0].message.parsed == Place(name="Ulm"))
""",
            "awaited": """
made = track_openai(aclient()).chat.completions.create(model="m", messages=M)
expect("Ulm" in asyncio.run(made).choices[0].message.content)
""",
            "401": """
made = track_openai(client("bad"))
expect_error(lambda: made.chat.completions.create(model="m", messages=M), 401)
""",
            "429": """
made = track_openai(client("busy"))
expect_error(lambda: made.chat.completions.create(model="m", messages=M), 429)
""",
        },
    ),
    "autogen": Framework(
        ["autogen-ext[openai]", "autogen-agentchat"],
        "chatlib",
        """
from autogen_core.models import UserMessage
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import BaseOpenAIChatCompletionClient
INFO = {"vision": False, "function_calling": True, "json_output": True, "family": "unknown",
    "structured_output": True}
HI = [UserMessage(content="Hi", source="user")]
def model(key="k"):
    return BaseOpenAIChatCompletionClient(aclient(key), create_args={"model": "m"},
        model_info=INFO)
""",
        {
            "chat": 'expect("Ulm" in asyncio.run(model().create(HI)).content)',
            "stream": """
async def ask():
    return [part async for part in model().create_stream(HI)]
expect("Ulm" in "".join(p for p in asyncio.run(ask()) if isinstance(p, str)))
""",
            "tools": """
made = FunctionTool(locate, description="Find a place.")
expect("Ulm" in asyncio.run(model().create(HI, tools=[made])).content[0].arguments)
""",
            "typed": """
expect("Ulm" in asyncio.run(model().create(HI, json_output=Place)).content)
""",
            "401": 'expect_error(lambda: asyncio.run(model("bad").create(HI)), 401)',
            "429": 'expect_error(lambda: asyncio.run(model("busy").create(HI)), 429)',
        },
    ),
    "llm": Framework(
        ["llm"],
        "chatlib",
        """
import llm
from llm.default_plugins import openai_models
openai_models.openai.OpenAI, openai_models.openai.AsyncOpenAI = OpenAI, AsyncOpenAI
def model(key="k", kind=openai_models.Chat):
    made = kind("m", api_base=URL, supports_schema=True, supports_tools=True)
    made.key = key
    return made
""",
        {
            "chat": 'expect("Ulm" in model().prompt("Hi", stream=False).text())',
            "stream": 'expect("Ulm" in "".join(model().prompt("Hi", stream=True)))',
            "tools": """
expect("Ulm" in model().chain("Hi", tools=[locate], stream=False).text())
""",
            "typed": 'expect("Ulm" in model().prompt("Hi", schema=Place, stream=False).text())',
            "awaited": """
async def ask():
    made = model(kind=openai_models.AsyncChat)
    return await made.prompt("Hi", stream=False).text()
expect("Ulm" in asyncio.run(ask()))
""",
            "401": 'expect_error(lambda: model("bad").prompt("Hi", stream=False).text(), 401)',
            "429": 'expect_error(lambda: model("busy").prompt("Hi", stream=False).text(), 429)',
        },
    ),
}
