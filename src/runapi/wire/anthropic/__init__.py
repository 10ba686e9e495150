"""Anthropic Messages: what a request asks, what an answer says, how a stream runs."""
