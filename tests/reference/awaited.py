import asyncio

from openai import AsyncOpenAI


async def main():
    client = AsyncOpenAI()

    # Async create - returns ChatCompletion or AsyncStream[ChatCompletionChunk]
    response = await client.chat.completions.create(
        model="gpt-4", messages=[{"role": "user", "content": "Hello!"}]
    )
    print(response.choices[0].message.content)

    # Async streaming
    async for chunk in await client.chat.completions.create(
        model="gpt-4", messages=[{"role": "user", "content": "Tell me a story"}], stream=True
    ):
        if chunk.choices[0].delta.content:
            print(chunk.choices[0].delta.content, end="")

    # Async parse - returns ParsedChatCompletion with structured output
    from pydantic import BaseModel

    class CalendarEvent(BaseModel):
        name: str
        date: str
        participants: list[str]

    response = await client.chat.completions.parse(
        model="gpt-4o-2024-08-06",
        messages=[{"role": "user", "content": "Alice and Bob are meeting on Friday"}],
        response_format=CalendarEvent,
    )
    event = response.choices[0].message.parsed
    print(f"\n{event.name}: {', '.join(event.participants)}")
    await client.close()


asyncio.run(main())
