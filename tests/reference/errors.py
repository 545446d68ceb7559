from openai import APIError, OpenAI, RateLimitError

client = OpenAI()

try:
    response = client.chat.completions.create(
        model="gpt-4", messages=[{"role": "user", "content": "Hello"}]
    )
except RateLimitError as e:
    print(f"Rate limit hit: {e}")
    # Handle rate limiting (e.g., retry with backoff)
except APIError as e:
    print(f"API error: {e.status_code} - {e.message}")
    # Handle other API errors
