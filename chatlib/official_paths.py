"""The module paths of the official package's chat part, where its users look for names.

``from chatlib.types.chat.chat_completion import Choice`` works although there is no such file: a
finder, which Python asks after all others, makes a module of an entry of the table. For type
checkers, which read files, ``scripts/write_stubs.py`` writes a stub for each entry. The modules
hold nothing of their own: a name is looked up in its home when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_EVENTS = """
    ChatCompletionStreamEvent ChunkEvent ContentDeltaEvent ContentDoneEvent
    FunctionToolCallArgumentsDeltaEvent FunctionToolCallArgumentsDoneEvent
    LogprobsContentDeltaEvent LogprobsContentDoneEvent LogprobsRefusalDeltaEvent
    LogprobsRefusalDoneEvent RefusalDeltaEvent RefusalDoneEvent
"""
_STREAMS = """
    ChatCompletionStream ChatCompletionStreamManager ChatCompletionStreamState
    AsyncChatCompletionStream AsyncChatCompletionStreamManager
"""
_SNAPSHOTS = """
    ParsedChatCompletionSnapshot=ParsedChatCompletion
    ParsedChatCompletionMessageSnapshot=ParsedChatCompletionMessage
    ParsedChoiceSnapshot=ParsedChoice
"""

PATHS = {
    "_base_client": "DEFAULT_MAX_RETRIES DEFAULT_TIMEOUT",
    "_client": "OpenAI AsyncOpenAI Client AsyncClient",
    "_constants": "DEFAULT_MAX_RETRIES DEFAULT_TIMEOUT",
    "_exceptions": """
        APIConnectionError APIError APIResponseValidationError APIStatusError
        APITimeoutError AuthenticationError BadRequestError ConflictError
        ContentFilterFinishReasonError InternalServerError LengthFinishReasonError
        NotFoundError OpenAIError PermissionDeniedError RateLimitError
        UnprocessableEntityError
    """,
    "_legacy_response": "LegacyAPIResponse=RawResponse",
    "_models": "BaseModel",
    "_response": "APIResponse=RawResponse AsyncAPIResponse=RawResponse",
    "_streaming": "Stream AsyncStream ServerSentEvent SSEDecoder",
    "_types": """
        NOT_GIVEN NotGiven Omit omit not_given Timeout Headers=ExtraHeaders
        Query=ExtraQuery Body=ExtraBody
    """,
    "lib": "pydantic_function_tool",
    "lib._parsing": "type_to_response_format_param=response_format_of",
    "lib._parsing._completions": "type_to_response_format_param=response_format_of",
    "lib._pydantic": "to_strict_json_schema=json_schema",
    "lib._tools": "pydantic_function_tool",
    "lib.azure": """
        AsyncAzureOpenAI AzureOpenAI BaseAzureClient=AzureClient
        AzureADTokenProvider=KeyFunction AsyncAzureADTokenProvider=KeyFunction
        MutuallyExclusiveAuthError=OpenAIError
    """,
    "lib.streaming": f"{_EVENTS} {_STREAMS} {_SNAPSHOTS}",
    "lib.streaming.chat": f"{_EVENTS} {_STREAMS} {_SNAPSHOTS}",
    "lib.streaming.chat._completions": _STREAMS,
    "lib.streaming.chat._events": _EVENTS,
    "lib.streaming.chat._types": _SNAPSHOTS,
    "pagination": "AsyncCursorPage SyncCursorPage",
    "resources": """
        Chat AsyncChat Completions CompletionsWithRawResponse=RawCompletions
        CompletionsWithStreamingResponse=StreamedCompletions AsyncCompletions
        AsyncCompletionsWithRawResponse=AsyncRawCompletions
        AsyncCompletionsWithStreamingResponse=AsyncStreamedCompletions Messages
        MessagesWithRawResponse=RawMessages MessagesWithStreamingResponse=StreamedMessages
        AsyncMessages AsyncMessagesWithRawResponse=AsyncRawMessages
        AsyncMessagesWithStreamingResponse=AsyncStreamedMessages Models AsyncModels Beta
        AsyncBeta
    """,
    "resources.beta": "Beta AsyncBeta",
    "resources.chat": """
        Chat AsyncChat Completions CompletionsWithRawResponse=RawCompletions
        CompletionsWithStreamingResponse=StreamedCompletions AsyncCompletions
        AsyncCompletionsWithRawResponse=AsyncRawCompletions
        AsyncCompletionsWithStreamingResponse=AsyncStreamedCompletions
    """,
    "resources.chat.chat": """
        Chat AsyncChat Completions CompletionsWithRawResponse=RawCompletions
        CompletionsWithStreamingResponse=StreamedCompletions AsyncCompletions
        AsyncCompletionsWithRawResponse=AsyncRawCompletions
        AsyncCompletionsWithStreamingResponse=AsyncStreamedCompletions
    """,
    "resources.chat.completions": """
        Completions CompletionsWithRawResponse=RawCompletions
        CompletionsWithStreamingResponse=StreamedCompletions AsyncCompletions
        AsyncCompletionsWithRawResponse=AsyncRawCompletions
        AsyncCompletionsWithStreamingResponse=AsyncStreamedCompletions Messages
        MessagesWithRawResponse=RawMessages MessagesWithStreamingResponse=StreamedMessages
        AsyncMessages AsyncMessagesWithRawResponse=AsyncRawMessages
        AsyncMessagesWithStreamingResponse=AsyncStreamedMessages
    """,
    "resources.chat.completions.completions": """
        Completions CompletionsWithRawResponse=RawCompletions
        CompletionsWithStreamingResponse=StreamedCompletions AsyncCompletions
        AsyncCompletionsWithRawResponse=AsyncRawCompletions
        AsyncCompletionsWithStreamingResponse=AsyncStreamedCompletions
    """,
    "resources.chat.completions.messages": """
        Messages MessagesWithRawResponse=RawMessages
        MessagesWithStreamingResponse=StreamedMessages AsyncMessages
        AsyncMessagesWithRawResponse=AsyncRawMessages
        AsyncMessagesWithStreamingResponse=AsyncStreamedMessages
    """,
    "resources.models": "Models AsyncModels",
    "types.chat.chat_completion": """
        ChatCompletion ChatCompletionMessage ChatCompletionTokenLogprob Choice
        ChoiceLogprobs CompletionUsage Metadata Moderation
        ModerationInput=ModerationInputUnion ModerationInputError
        ModerationInputModerationResults ModerationInputModerationResultsResult
        ModerationOutput=ModerationOutputUnion ModerationOutputError
        ModerationOutputModerationResults ModerationOutputModerationResultsResult
    """,
    "types.chat.chat_completion_allowed_tool_choice_param": """
        ChatCompletionAllowedToolChoiceParam ChatCompletionAllowedToolsParam
    """,
    "types.chat.chat_completion_allowed_tools_param": "ChatCompletionAllowedToolsParam",
    "types.chat.chat_completion_assistant_message_param": """
        Audio ChatCompletionAssistantMessageParam ChatCompletionContentPartRefusalParam
        ChatCompletionContentPartTextParam ChatCompletionMessageToolCallUnionParam
        ContentArrayOfContentPart=AssistantPartParam FunctionCall=FunctionCallParam
    """,
    "types.chat.chat_completion_audio": "ChatCompletionAudio",
    "types.chat.chat_completion_audio_param": "ChatCompletionAudioParam Voice VoiceID",
    "types.chat.chat_completion_chunk": """
        ChatCompletionChunk ChatCompletionTokenLogprob Choice=ChunkChoice ChoiceDelta
        ChoiceDeltaAudio ChoiceDeltaFunctionCall ChoiceDeltaToolCall
        ChoiceDeltaToolCallFunction ChoiceLogprobs=ChunkChoiceLogprobs CompletionUsage
        Moderation ModerationInput=ModerationInputUnion ModerationInputError
        ModerationInputModerationResults ModerationInputModerationResultsResult
        ModerationOutput=ModerationOutputUnion ModerationOutputError
        ModerationOutputModerationResults ModerationOutputModerationResultsResult
    """,
    "types.chat.chat_completion_content_part_image": """
        ChatCompletionContentPartImage ImageURL PromptCacheBreakpoint
    """,
    "types.chat.chat_completion_content_part_image_param": """
        ChatCompletionContentPartImageParam ImageURL=ImageURLParam
        PromptCacheBreakpoint=PromptCacheBreakpointParam
    """,
    "types.chat.chat_completion_content_part_input_audio_param": """
        ChatCompletionContentPartInputAudioParam InputAudio
        PromptCacheBreakpoint=PromptCacheBreakpointParam
    """,
    "types.chat.chat_completion_content_part_param": """
        ChatCompletionContentPartImageParam ChatCompletionContentPartInputAudioParam
        ChatCompletionContentPartParam ChatCompletionContentPartTextParam File FileFile
        FilePromptCacheBreakpoint
    """,
    "types.chat.chat_completion_content_part_refusal_param": """
        ChatCompletionContentPartRefusalParam
    """,
    "types.chat.chat_completion_content_part_text": """
        ChatCompletionContentPartText PromptCacheBreakpoint
    """,
    "types.chat.chat_completion_content_part_text_param": """
        ChatCompletionContentPartTextParam
        PromptCacheBreakpoint=PromptCacheBreakpointParam
    """,
    "types.chat.chat_completion_custom_tool_param": """
        ChatCompletionCustomToolParam Custom=ChatCompletionCustomToolParamCustom
        CustomFormatGrammar CustomFormatGrammarGrammar CustomFormatText
    """,
    "types.chat.chat_completion_deleted": "ChatCompletionDeleted",
    "types.chat.chat_completion_developer_message_param": """
        ChatCompletionContentPartTextParam ChatCompletionDeveloperMessageParam
    """,
    "types.chat.chat_completion_function_call_option_param": """
        ChatCompletionFunctionCallOptionParam
    """,
    "types.chat.chat_completion_function_message_param": "ChatCompletionFunctionMessageParam",
    "types.chat.chat_completion_function_tool": """
        ChatCompletionFunctionTool=FunctionTool FunctionDefinition
    """,
    "types.chat.chat_completion_function_tool_param": """
        ChatCompletionFunctionToolParam FunctionDefinition
    """,
    "types.chat.chat_completion_message": """
        Annotation AnnotationURLCitation ChatCompletionAudio ChatCompletionMessage
        ChatCompletionMessageToolCallUnion FunctionCall
    """,
    "types.chat.chat_completion_message_custom_tool_call": """
        ChatCompletionMessageCustomToolCall Custom
    """,
    "types.chat.chat_completion_message_custom_tool_call_param": """
        ChatCompletionMessageCustomToolCallParam Custom=CustomParam
    """,
    "types.chat.chat_completion_message_function_tool_call": """
        ChatCompletionMessageFunctionToolCall Function
    """,
    "types.chat.chat_completion_message_function_tool_call_param": """
        ChatCompletionMessageFunctionToolCallParam Function=FunctionParam
    """,
    "types.chat.chat_completion_message_param": """
        ChatCompletionAssistantMessageParam ChatCompletionDeveloperMessageParam
        ChatCompletionFunctionMessageParam ChatCompletionMessageParam
        ChatCompletionSystemMessageParam ChatCompletionToolMessageParam
        ChatCompletionUserMessageParam
    """,
    "types.chat.chat_completion_message_tool_call": """
        ChatCompletionMessageCustomToolCall ChatCompletionMessageFunctionToolCall
        ChatCompletionMessageToolCall ChatCompletionMessageToolCallUnion Function
    """,
    "types.chat.chat_completion_message_tool_call_param": """
        ChatCompletionMessageFunctionToolCallParam ChatCompletionMessageToolCallParam
        Function=FunctionParam
    """,
    "types.chat.chat_completion_message_tool_call_union_param": """
        ChatCompletionMessageCustomToolCallParam
        ChatCompletionMessageFunctionToolCallParam ChatCompletionMessageToolCallUnionParam
    """,
    "types.chat.chat_completion_modality": "ChatCompletionModality",
    "types.chat.chat_completion_named_tool_choice_custom_param": """
        ChatCompletionNamedToolChoiceCustomParam
        Custom=ChatCompletionNamedToolChoiceCustomParamCustom
    """,
    "types.chat.chat_completion_named_tool_choice_param": """
        ChatCompletionNamedToolChoiceParam
        Function=ChatCompletionNamedToolChoiceParamFunction
    """,
    "types.chat.chat_completion_prediction_content_param": """
        ChatCompletionContentPartTextParam ChatCompletionPredictionContentParam
    """,
    "types.chat.chat_completion_reasoning_effort": "ChatCompletionReasoningEffort ReasoningEffort",
    "types.chat.chat_completion_role": "ChatCompletionRole",
    "types.chat.chat_completion_store_message": """
        ChatCompletionContentPartImage ChatCompletionContentPartText ChatCompletionMessage
        ChatCompletionStoreMessage ChatCompletionStoreMessageContentPart
    """,
    "types.chat.chat_completion_stream_options_param": "ChatCompletionStreamOptionsParam",
    "types.chat.chat_completion_system_message_param": """
        ChatCompletionContentPartTextParam ChatCompletionSystemMessageParam
    """,
    "types.chat.chat_completion_token_logprob": "ChatCompletionTokenLogprob TopLogprob",
    "types.chat.chat_completion_tool_choice_option_param": """
        ChatCompletionAllowedToolChoiceParam ChatCompletionNamedToolChoiceCustomParam
        ChatCompletionNamedToolChoiceParam ChatCompletionToolChoiceOptionParam
    """,
    "types.chat.chat_completion_tool_message_param": """
        ChatCompletionContentPartTextParam ChatCompletionToolMessageParam
    """,
    "types.chat.chat_completion_tool_param": """
        ChatCompletionFunctionToolParam ChatCompletionToolParam FunctionDefinition
    """,
    "types.chat.chat_completion_tool_union_param": """
        ChatCompletionCustomToolParam ChatCompletionFunctionToolParam
        ChatCompletionToolUnionParam
    """,
    "types.chat.chat_completion_user_message_param": """
        ChatCompletionContentPartParam ChatCompletionUserMessageParam
    """,
    "types.chat.completion_create_params": """
        ChatCompletionAudioParam ChatCompletionFunctionCallOptionParam
        ChatCompletionMessageParam ChatCompletionPredictionContentParam
        ChatCompletionStreamOptionsParam ChatCompletionToolChoiceOptionParam
        ChatCompletionToolUnionParam ChatModel CompletionCreateParams
        CompletionCreateParamsBase CompletionCreateParamsNonStreaming
        CompletionCreateParamsStreaming Function=CompletionCreateParamsFunction
        FunctionCall FunctionParameters Metadata
        Moderation=CompletionCreateParamsModeration ModerationPolicy ModerationPolicyInput
        ModerationPolicyOutput PromptCacheOptions ReasoningEffort ResponseFormat
        ResponseFormatJSONObject ResponseFormatJSONSchema ResponseFormatText
        WebSearchOptions WebSearchOptionsUserLocation
        WebSearchOptionsUserLocationApproximate
    """,
    "types.chat.completion_list_params": "CompletionListParams Metadata",
    "types.chat.completion_update_params": "CompletionUpdateParams Metadata",
    "types.chat.completions": "MessageListParams",
    "types.chat.create_chat_completion_request_message_param": """
        ChatCompletionAssistantMessageParam ChatCompletionDeveloperMessageParam
        ChatCompletionFunctionMessageParam ChatCompletionSystemMessageParam
        ChatCompletionToolMessageParam ChatCompletionUserMessageParam
        CreateChatCompletionRequestMessageParam
    """,
    "types.chat.parsed_chat_completion": """
        ChatCompletion ChatCompletionMessage Choice ParsedChatCompletion
        ParsedChatCompletionMessage ParsedChoice ParsedFunctionToolCall
    """,
    "types.chat.parsed_function_tool_call": """
        ChatCompletionMessageFunctionToolCall Function ParsedFunction
        ParsedFunctionToolCall
    """,
    "types.chat_model": "ChatModel",
    "types.completion_usage": "CompletionTokensDetails CompletionUsage PromptTokensDetails",
    "types.shared": """
        ChatModel FunctionDefinition FunctionParameters Metadata ReasoningEffort
        ResponseFormatJSONObject ResponseFormatJSONSchema ResponseFormatText
    """,
    "types.shared.chat_model": "ChatModel",
    "types.shared.function_definition": "FunctionDefinition FunctionParameters",
    "types.shared.function_parameters": "FunctionParameters",
    "types.shared.metadata": "Metadata",
    "types.shared.reasoning_effort": "ReasoningEffort",
    "types.shared.response_format_json_object": "ResponseFormatJSONObject",
    "types.shared.response_format_json_schema": "JSONSchema ResponseFormatJSONSchema",
    "types.shared.response_format_text": "ResponseFormatText",
    "types.shared_params": """
        ChatModel FunctionDefinition FunctionParameters JSONSchema Metadata
        ReasoningEffort ResponseFormatJSONObject ResponseFormatJSONSchema
        ResponseFormatText
    """,
    "types.shared_params.chat_model": "ChatModel",
    "types.shared_params.function_definition": "FunctionDefinition FunctionParameters",
    "types.shared_params.function_parameters": "FunctionParameters",
    "types.shared_params.metadata": "Metadata",
    "types.shared_params.reasoning_effort": "ReasoningEffort",
    "types.shared_params.response_format_json_object": "ResponseFormatJSONObject",
    "types.shared_params.response_format_json_schema": "JSONSchema ResponseFormatJSONSchema",
    "types.shared_params.response_format_text": "ResponseFormatText",
    "version": "VERSION",
}
"""The names in each module; ``a=b`` is a name that is ``b`` here."""

HOMES = {
    "config": "KeyFunction",
    "client.base": "AzureClient",
    "client.async_completions": """
        AsyncBeta AsyncChat AsyncCompletions AsyncMessages AsyncRawCompletions AsyncRawMessages
        AsyncStreamedCompletions AsyncStreamedMessages
    """,
    "client.completions": """
        Beta Chat Completions Messages RawCompletions RawMessages StreamedCompletions
        StreamedMessages
    """,
    "client.models": "AsyncModels Models",
}
"""Where names live that neither :mod:`chatlib` nor :mod:`chatlib.types` has."""

_HOME_OF = {name: home for home, names in HOMES.items() for name in names.split()}


def names_of(path: str) -> dict[str, str]:
    """Return the names in a module of the table, each with its name in its home.

    Args:
        path: The path below ``chatlib``.
    """
    pairs = (entry.partition("=") for entry in PATHS[path].split())
    return {name: own or name for name, _, own in pairs}


def home_of(name: str) -> str:
    """Return the module that a name of the library is imported from.

    Args:
        name: The name there.
    """
    if name in _HOME_OF:
        return f"chatlib.{_HOME_OF[name]}"
    types = importlib.import_module("chatlib.types")
    return "chatlib.types" if hasattr(types, name) else "chatlib"


def find_spec(name: str) -> ModuleSpec | None:
    """Return how a module of the table is made; None for any other.

    Args:
        name: The whole name of the module.
    """
    if name.partition(".")[2] not in PATHS:
        return None
    return ModuleSpec(name, _Loader())


def fill(name: str) -> None:
    """Give a package, which has a file, the names of the table.

    Args:
        name: The whole name of the package.
    """
    sys.modules[name].__class__ = OfficialPath


def submodule(package: str, name: str) -> ModuleType | None:
    """Return a module of the table that is in a package; None if there is none.

    Args:
        package: The whole name of the package.
        name: The name of the module in it.
    """
    whole = f"{package}.{name}"
    return importlib.import_module(whole) if whole.partition(".")[2] in PATHS else None


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return OfficialPath(spec.name, "Names known from the official package.")

    def exec_module(self, module: ModuleType) -> None:
        pass


class OfficialPath(ModuleType):
    """A module of the table."""

    def __getattr__(self, name: str) -> Any:
        path = self.__name__.partition(".")[2]
        names = names_of(path)
        if name == "__all__":
            return list(names)
        if name in names:
            own = names[name]
            value = getattr(importlib.import_module(home_of(own)), own)
        else:
            value = submodule(self.__name__, name)
        if value is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *names_of(self.__name__.partition(".")[2])]
