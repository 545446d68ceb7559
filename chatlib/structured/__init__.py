"""Types: described as JSON schemas, decoded from JSON, made of answers and tool calls."""
