"""Decide what to say: text, a refusal, JSON or tool calls, cut to the limits that the caller set."""

import codecs
import hashlib
import itertools

import msgspec

from runapi.core.problems import Problem, invalid_value
from runapi.upstream.sandbox.schema_checks import SchemaFault
from runapi.upstream.sandbox.schema_values import make_value
from runapi.upstream.sandbox.turns import Answer, Finish, Form, Tool, ToolCall, ToolKind, Turn
from runapi.wire.tokens import count_text, split_text

REASONING_BY_EFFORT = {"minimal": 16, "low": 32, "medium": 64, "high": 128, "xhigh": 256, "max": 512}

MOST_CHARACTERS = 1_000_000

_TOKENS_A_PIECE = 3
_QUOTE_CHARACTERS = 120
_READ_CHARACTERS = 10_000  # of what the user said, to find those
_RESULT_CHARACTERS = 4_000
_WORDS = ("tick ", "tock ", "ding ", "dong ")
_REFUSAL = "I'm sorry, but I can't help with that."
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def compose(turn: Turn) -> tuple[Answer, ...]:
    """Write the answers to `turn`: the same ones for the same turn.

    Raises:
        Problem: 400, a schema of the request allows no value that can be found, or the answers would be too long.
    """
    first = _compose_one(turn, 0)
    if turn.count * max(len(first.text), sum(len(call.arguments) for call in first.calls)) > MOST_CHARACTERS:
        raise invalid_value("n", f"the sandbox writes at most {MOST_CHARACTERS} characters a request.")
    others = range(1, turn.count)
    if first.calls:
        return (first, *(_with_own_ids(first, turn.seed, index) for index in others))
    if first.is_refusal or turn.directives.reply is not None or turn.form is not None:
        return (first,) * turn.count
    return (first, *(_compose_one(turn, index) for index in others))


def _compose_one(turn: Turn, index: int) -> Answer:
    reasoning = turn.directives.reasoning
    if reasoning is None:
        reasoning = REASONING_BY_EFFORT.get(turn.effort or "", 0)
    budget = None
    if turn.cap is not None:
        reasoning = min(reasoning, turn.cap)
        budget = turn.cap - reasoning
    if turn.directives.refuse:
        text = _REFUSAL if turn.directives.reply is None else turn.directives.reply
        return _say(turn, text, reasoning, budget, is_refusal=True)
    calls = _calls_to_make(turn)
    if calls:
        return _call(turn, calls, reasoning, budget)
    return _say(turn, _until_stop(_text(turn, index), turn.stop), reasoning, budget)


# ---- text ------------------------------------------------------------------------------------------------


def _say(turn: Turn, text: str, reasoning: int, budget: int | None, *, is_refusal: bool = False) -> Answer:
    tokens = split_text(text)
    used, finish = len(tokens), Finish.STOP
    if budget is not None and used > budget:
        text, tokens = _shorten(tokens, budget)
        used, finish = budget, Finish.LENGTH
    return Answer(
        pieces=_pieces(text, tokens, turn.directives.chunks),
        is_refusal=is_refusal,
        finish=finish,
        output_tokens=reasoning + used,
        reasoning_tokens=reasoning,
    )


def _text(turn: Turn, index: int) -> str:
    if turn.directives.reply is not None:
        return turn.directives.reply
    if turn.form is not None:
        return _json_text(turn, turn.form)
    prefix = f"Answer {index + 1} of {turn.count}. " if turn.count > 1 else ""
    if turn.directives.chunks is not None:
        return prefix + _filler(turn.directives.chunks)
    return prefix + _plain_text(turn)


def _plain_text(turn: Turn) -> str:
    results = turn.tool_results
    if results:
        said = " | ".join(results)
        more = " ..." if len(said) > _RESULT_CHARACTERS else ""
        return f"The tool{'s' * (len(results) > 1)} answered: {said[:_RESULT_CHARACTERS]}{more}"
    missing = [call.name for call in turn.directives.calls[turn.calls_answered :]]
    if missing:
        offered = ", ".join(tool.name for tool in turn.tools) or "none"
        return f"The sandbox was asked to call {missing[0]}, but the tools that may be called are: {offered}."
    said = " ".join(turn.text[:_READ_CHARACTERS].split())
    is_whole = len(said) <= _QUOTE_CHARACTERS and len(turn.text) <= _READ_CHARACTERS
    quote = said if is_whole else said[:_QUOTE_CHARACTERS] + " ..."
    return (
        f'Hello from the RunAPI sandbox. You wrote: "{quote}". No model was called: the same request gets this same '
        "answer every time. A live key gets real ones."
    )


def _filler(count: int) -> str:
    return "".join(_WORDS[at % len(_WORDS)] for at in range(count))


def _json_text(turn: Turn, form: Form) -> str:
    if form.schema is None:
        value = {"source": "sandbox", "answer": _plain_text(turn)}
        return msgspec.json.encode(value).decode()
    try:
        return msgspec.json.encode(make_value(form.schema)).decode()
    except SchemaFault as fault:
        raise Problem(
            400,
            f"Invalid schema for response_format '{form.name}': the sandbox found no value for it: {fault}. "
            "Give one yourself with [[sandbox:reply ...]].",
            param="response_format",
            code="invalid_json_schema",
        ) from None


def _until_stop(text: str, stops: tuple[str, ...]) -> str:
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(found)] if found else text


# ---- limits ----------------------------------------------------------------------------------------------


def _shorten(tokens: list[bytes], most: int) -> tuple[str, list[bytes]]:
    """Keep at most `most` tokens, whole characters only, so that counting the text again gives no more."""
    keep = most
    while True:
        text = b"".join(tokens[:keep]).decode("utf-8", "ignore")
        again = split_text(text)
        if len(again) <= most:
            return text, again
        keep -= 1


def _pieces(text: str, tokens: list[bytes], count: int | None) -> tuple[str, ...]:
    """Cut `text` as a stream sends it: a few tokens at a time, or in `count` pieces as equal as can be."""
    if count is not None:
        return _equal_pieces(text, count)
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces = (
        decoder.decode(b"".join(tokens[at : at + _TOKENS_A_PIECE]))
        for at in range(0, len(tokens), _TOKENS_A_PIECE)
    )
    return tuple(piece for piece in pieces if piece)


def _equal_pieces(text: str, count: int) -> tuple[str, ...]:
    edges = [len(text) * at // count for at in range(count + 1)]
    return tuple(text[start:end] for start, end in itertools.pairwise(edges) if end > start)


# ---- tool calls ------------------------------------------------------------------------------------------


def _calls_to_make(turn: Turn) -> list[tuple[Tool, str | None]]:
    """The calls that this answer makes, each with its arguments if they were given."""
    asked = turn.directives.calls
    if not turn.parallel_calls:
        asked = asked[turn.calls_answered : turn.calls_answered + 1]
    elif turn.calls_answered:
        asked = ()
    by_name = {tool.name: tool for tool in turn.tools}
    calls = [(by_name[call.name], call.arguments) for call in asked if call.name in by_name]
    if not calls and turn.must_call:
        calls = [(turn.tools[0], None)]
    return calls


def _call(turn: Turn, calls: list[tuple[Tool, str | None]], reasoning: int, budget: int | None) -> Answer:
    made: list[ToolCall] = []
    used, finish = 0, Finish.TOOL_CALLS
    for at, (tool, given) in enumerate(calls):
        arguments = given if given is not None else _make_arguments(tool)
        name_tokens, tokens = count_text(tool.name), split_text(arguments)
        left = None if budget is None else budget - used - name_tokens
        if left is not None and len(tokens) > left:
            finish = Finish.LENGTH
            used = budget or 0
            if left <= 0:
                break
            arguments, tokens = _shorten(tokens, left)
        else:
            used += name_tokens + len(tokens)
        pieces = _pieces(arguments, tokens, turn.directives.chunks)
        made.append(ToolCall(_call_id(turn.seed, 0, at), tool.kind, tool.name, pieces))
        if finish is Finish.LENGTH:
            break
    return Answer(
        calls=tuple(made), finish=finish, output_tokens=reasoning + used, reasoning_tokens=reasoning
    )


def _make_arguments(tool: Tool) -> str:
    if tool.kind is ToolKind.CUSTOM:
        return f"sample input for {tool.name}"
    schema = tool.schema if isinstance(tool.schema, dict) else {}
    try:
        value = make_value({"type": "object", **schema}, optional=False)
    except SchemaFault as fault:
        raise Problem(
            400,
            f"Invalid schema for function '{tool.name}': the sandbox found no arguments for it: {fault}. "
            f"Give them yourself with [[sandbox:tool {tool.name} {{...}}]].",
            param="tools",
            code="invalid_function_parameters",
        ) from None
    return msgspec.json.encode(value).decode()


def _with_own_ids(answer: Answer, seed: bytes, index: int) -> Answer:
    calls = tuple(
        msgspec.structs.replace(call, id=_call_id(seed, index, at)) for at, call in enumerate(answer.calls)
    )
    return msgspec.structs.replace(answer, calls=calls)


def _call_id(seed: bytes, index: int, at: int) -> str:
    return "call_" + letters(seed, f"call {index} {at}", 24)


def letters(seed: bytes, purpose: str, count: int) -> str:
    """Derive `count` (at most 32) letters and digits from `seed`: others for every purpose."""
    digest = hashlib.blake2b(
        seed, digest_size=32, person=hashlib.blake2b(purpose.encode(), digest_size=16).digest()
    )
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest.digest()[:count])
