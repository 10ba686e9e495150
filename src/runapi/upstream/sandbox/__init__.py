"""The built-in provider behind test keys: deterministic, free, and in the same shapes as OpenAI.

`routes.answer` takes a path and a body and gives a reply as an HTTP upstream would. Below it all is pure: `directives`
(how a message steers it), `answers` (what to say, in no dialect), and one module for each API that says it: `chat`,
`responses`, `completions`, `embeddings`, `moderations`.
"""
