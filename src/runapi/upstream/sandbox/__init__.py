"""The built-in provider behind test keys: deterministic, free, and in the same shapes as OpenAI.

`player.answer` takes a body and gives a reply as an HTTP upstream would. Below it all is pure: `directives` (how a
message steers it), `answers` (what to say, in no dialect), `chat` (Chat Completions in and out).
"""
