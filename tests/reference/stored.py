from openai import OpenAI

client = OpenAI()

# Create a chat completion with store=True
response = client.chat.completions.create(
    model="gpt-4",
    messages=[{"role": "user", "content": "Tell me about Python"}],
    store=True,
    metadata={"user_id": "user123", "session": "abc"},
)

completion_id = response.id
print(f"Stored completion: {completion_id}")

# Retrieve the stored completion later
stored = client.chat.completions.retrieve(completion_id)
print(stored.choices[0].message.content)

# Update metadata
updated = client.chat.completions.update(
    completion_id, metadata={"user_id": "user123", "session": "abc", "reviewed": "true"}
)

# List all stored completions
page = client.chat.completions.list(limit=10, order="desc")
for completion in page.data:
    print(f"{completion.id}: {completion.created}")

# List messages from a specific completion
messages_page = client.chat.completions.messages.list(completion_id)
for message in messages_page.data:
    print(f"{message.role}: {message.content}")

# Delete when no longer needed
deleted = client.chat.completions.delete(completion_id)
print(f"Deleted: {deleted.deleted}")
