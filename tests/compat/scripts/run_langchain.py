"""LangChain's ChatOpenAI: a plain, a streamed, a tool-calling and a structured turn, each as its documentation shows it."""

import asyncio

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from told import PROMPTS, TURNS, multiply, see, tell


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


async def take(turn: dict[str, str]) -> None:
    is_chat = turn["protocol"] == "Chat Completions"
    thinking = {"reasoning_effort": "high"} if is_chat else {"reasoning": {"effort": "high"}}
    settings = {
        "model": turn["model"],
        "base_url": turn["base_url"],
        "api_key": turn["key"],
        "max_retries": 0,
        "use_responses_api": not is_chat,
        "max_tokens": 2000,
    }
    model = ChatOpenAI(**settings)
    see(turn, "plain turn", (await model.ainvoke(PROMPTS["plain turn"])).text)
    pieces = [text async for chunk in model.astream(PROMPTS["streamed"]) if (text := chunk.text)]
    see(turn, "streamed", "".join(pieces), len(pieces))

    tools = [tool(multiply)]
    armed = ChatOpenAI(
        **settings, **thinking, **({} if is_chat else {"include": ["reasoning.encrypted_content"]})
    ).bind_tools(tools)
    messages = [HumanMessage(PROMPTS["tool turn"])]
    messages.append(await armed.ainvoke(messages))
    messages += [await tools[0].ainvoke(call) for call in messages[-1].tool_calls]
    see(turn, "tool turn", (await armed.ainvoke(messages)).text)

    asked = model.with_structured_output(City)
    see(turn, "structured output", (await asked.ainvoke(PROMPTS["structured output"])).model_dump())


async def main() -> None:
    for turn in TURNS:
        await take(turn)
    tell()


asyncio.run(main())
