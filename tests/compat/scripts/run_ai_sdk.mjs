// The Vercel AI SDK: a plain, a streamed, a tool-calling and a structured turn, each as its documentation shows it.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const { turns, prompts } = JSON.parse(process.env.TASK);
const City = z.object({ name: z.string(), inhabitants: z.number() });
const seen = [];
let ran = [];

const see = (turn, feature, said, pieces = 0) => {
  seen.push({ ...turn, feature, said, pieces, ran });
  ran = [];
};

const multiply = tool({
  description: "Multiply two numbers.",
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: async ({ a, b }) => {
    ran.push([a, b]);
    return a * b;
  },
});

// The provider for each protocol, the name under which it takes its options, and the model of it.
const providers = {
  Responses: ({ base_url, key }) => createOpenAI({ baseURL: base_url, apiKey: key }),
  "Chat Completions": ({ base_url, key }) =>
    createOpenAICompatible({
      name: "runapi",
      baseURL: base_url,
      apiKey: key,
      includeUsage: true,
      supportsStructuredOutputs: true,
    }),
};
const optionsOf = { Responses: "openai", "Chat Completions": "runapi" };

for (const turn of turns) {
  const model = providers[turn.protocol](turn)(turn.model);
  const asked = { model, maxRetries: 0 };
  const plain = await generateText({ ...asked, prompt: prompts["plain turn"] });
  see(turn, "plain turn", plain.text);

  const pieces = [];
  const streamed = streamText({ ...asked, prompt: prompts["streamed"] });
  for await (const piece of streamed.textStream) pieces.push(piece);
  see(turn, "streamed", pieces.join(""), pieces.length);

  const providerOptions = { [optionsOf[turn.protocol]]: { reasoningEffort: "high", store: false } };
  if (turn.protocol === "Responses") providerOptions.openai.include = ["reasoning.encrypted_content"];
  else delete providerOptions.runapi.store;
  const armed = await generateText({
    ...asked,
    prompt: prompts["tool turn"],
    tools: { multiply },
    stopWhen: stepCountIs(3),
    providerOptions,
  });
  see(turn, "tool turn", armed.text);

  const given = await generateText({
    ...asked,
    prompt: prompts["structured output"],
    output: Output.object({ schema: City }),
  });
  see(turn, "structured output", given.output);
}
console.log(JSON.stringify(seen));
