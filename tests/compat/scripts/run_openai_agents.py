"""The OpenAI Agents SDK: a plain, a streamed, a tool-calling and a structured turn, each as its documentation shows it."""

import asyncio

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from openai.types.shared import Reasoning
from pydantic import BaseModel
from told import PROMPTS, TURNS, multiply, see, tell

MODELS = {"Responses": OpenAIResponsesModel, "Chat Completions": OpenAIChatCompletionsModel}


class City(BaseModel):
    name: str
    inhabitants: int


async def take(turn: dict[str, str]) -> None:
    async with AsyncOpenAI(base_url=turn["base_url"], api_key=turn["key"], max_retries=0) as client:
        model = MODELS[turn["protocol"]](model=turn["model"], openai_client=client)
        plain = Agent(name="Plain", model=model)
        see(turn, "plain turn", (await Runner.run(plain, PROMPTS["plain turn"])).final_output)
        streamed = Runner.run_streamed(plain, PROMPTS["streamed"])
        pieces = [
            event.data.delta
            async for event in streamed.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]
        see(turn, "streamed", "".join(pieces), len(pieces))
        thinking = ModelSettings(reasoning=Reasoning(effort="high"))
        armed = Agent(name="Armed", model=model, tools=[function_tool(multiply)], model_settings=thinking)
        see(turn, "tool turn", (await Runner.run(armed, PROMPTS["tool turn"])).final_output)
        asked = Agent(name="Asked", model=model, output_type=City)
        city = (await Runner.run(asked, PROMPTS["structured output"])).final_output
        see(turn, "structured output", city.model_dump())


async def main() -> None:
    set_tracing_disabled(disabled=True)
    for turn in TURNS:
        await take(turn)
    tell()


asyncio.run(main())
