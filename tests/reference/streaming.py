from openai import OpenAI

client = OpenAI()

# Using stream() method with context manager
with client.chat.completions.create(
    model="gpt-4", messages=[{"role": "user", "content": "Count to 5"}], stream=True
) as stream:
    for chunk in stream:
        print(chunk.choices[0].delta.content or "", end="")

# Using stream context manager explicitly
stream = client.chat.completions.create(
    model="gpt-4", messages=[{"role": "user", "content": "Tell me a joke"}], stream=True
)

# Access streaming response
for chunk in stream:
    if chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)

# Stream with usage information
stream = client.chat.completions.create(
    model="gpt-4",
    messages=[{"role": "user", "content": "Hello!"}],
    stream=True,
    stream_options={"include_usage": True},
)

for chunk in stream:
    if chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="")

    # Usage included in final chunk
    if hasattr(chunk, "usage") and chunk.usage:
        print(f"\nTokens used: {chunk.usage.total_tokens}")
