"""The answer to any well-formed request, on whichever API it comes."""

from fakes import anthropic_replies, replies, responses_replies, unbridged_replies
from fakes.received import Request
from fakes.steps import Script


def polite_answer(request: Request) -> Script:
    """Say "Hello." in the form of the API that was asked, streamed or whole as the request wants it."""
    path = request.path.partition("?")[0]
    if request.method == "GET":
        return replies.polite_answer(request)
    if path.endswith(("/responses", "/responses/input_tokens")):
        return responses_replies.polite_answer(request)
    if path.endswith(("/messages", "/messages/count_tokens")):
        return anthropic_replies.polite_answer(request)
    if path.endswith("/embeddings"):
        return unbridged_replies.embeddings_reply()
    if path.endswith("/moderations"):
        return unbridged_replies.moderation_reply()
    if path.endswith("/completions") and not path.endswith("/chat/completions"):
        return unbridged_replies.completion_reply()
    return replies.polite_answer(request)
