"""Floor 3: calls to providers, the built-in sandbox, and the health of both."""
