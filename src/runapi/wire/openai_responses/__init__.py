"""OpenAI Responses: what a request asks, what an answer says, as a client and as an upstream of ours speak it."""
