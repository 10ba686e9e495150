"""OpenAI Chat Completions: what a request asks, what a reply says, how a stream runs."""
