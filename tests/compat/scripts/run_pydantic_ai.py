"""Pydantic AI: a plain, a streamed, a tool-calling and a structured turn, each as its documentation shows it."""

import asyncio

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from told import PROMPTS, TURNS, multiply, see, tell

MODELS = {"Responses": OpenAIResponsesModel, "Chat Completions": OpenAIChatModel}


class City(BaseModel):
    name: str
    inhabitants: int


async def take(turn: dict[str, str]) -> None:
    async with AsyncOpenAI(base_url=turn["base_url"], api_key=turn["key"], max_retries=0) as client:
        model = MODELS[turn["protocol"]](turn["model"], provider=OpenAIProvider(openai_client=client))
        plain = Agent(model)
        see(turn, "plain turn", (await plain.run(PROMPTS["plain turn"])).output)
        async with plain.run_stream(PROMPTS["streamed"]) as streamed:
            pieces = [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]
        see(turn, "streamed", "".join(pieces), len(pieces))
        armed = Agent(model, tools=[multiply], model_settings={"openai_reasoning_effort": "high"})
        see(turn, "tool turn", (await armed.run(PROMPTS["tool turn"])).output)
        asked = Agent(model, output_type=NativeOutput(City))
        see(turn, "structured output", (await asked.run(PROMPTS["structured output"])).output.model_dump())


async def main() -> None:
    for turn in TURNS:
        await take(turn)
    tell()


asyncio.run(main())
