"""What answers consumed, as Chat Completions and the older Completions report it."""

from collections.abc import Iterable, Sequence

from runapi.upstream.sandbox.turns import Answer, Turn


def chat_usage(turns: Iterable[Turn], answers: Sequence[Answer]) -> dict[str, object]:
    """The usage of all answers to these turns."""
    prompt = cached = 0
    for turn in turns:
        prompt += turn.input_tokens
        cached += min(turn.directives.cached, turn.input_tokens)
    output = sum(answer.output_tokens for answer in answers)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(answer.reasoning_tokens for answer in answers),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
