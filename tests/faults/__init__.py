"""What becomes of a call when the server or the network fails, over each transport."""
