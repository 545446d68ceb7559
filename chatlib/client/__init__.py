"""The clients: requests over a transport, retries, streams, pages and raw access."""
