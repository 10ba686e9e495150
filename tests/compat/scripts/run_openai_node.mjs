// The openai SDK for Node: a plain, a streamed, a tool-calling and a structured turn, each as its documentation shows it.
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const { turns, prompts } = JSON.parse(process.env.TASK);
const City = z.object({ name: z.string(), inhabitants: z.number() });
const parameters = {
  type: "object",
  properties: { a: { type: "integer" }, b: { type: "integer" } },
  required: ["a", "b"],
  additionalProperties: false,
};
const described = { name: "multiply", description: "Multiply two numbers.", parameters };
const seen = [];
let ran = [];

const see = (turn, feature, said, pieces = 0) => {
  seen.push({ ...turn, feature, said, pieces, ran });
  ran = [];
};

const multiply = ({ a, b }) => {
  ran.push([a, b]);
  return String(a * b);
};

const user = (content) => [{ role: "user", content }];

async function takeChat(client, turn) {
  const { model } = turn;
  const plain = await client.chat.completions.create({ model, messages: user(prompts["plain turn"]) });
  see(turn, "plain turn", plain.choices[0].message.content);

  const pieces = [];
  const stream = client.chat.completions.stream({ model, messages: user(prompts["streamed"]) });
  stream.on("content", (piece) => pieces.push(piece));
  see(turn, "streamed", await stream.finalContent(), pieces.length);

  const tool = { type: "function", function: { ...described, parse: JSON.parse, function: multiply } };
  const messages = user(prompts["tool turn"]);
  const runner = client.chat.completions.runTools({ model, messages, tools: [tool], reasoning_effort: "high" });
  see(turn, "tool turn", await runner.finalContent());

  const response_format = zodResponseFormat(City, "city");
  const asked = { model, messages: user(prompts["structured output"]), response_format };
  see(turn, "structured output", (await client.chat.completions.parse(asked)).choices[0].message.parsed);
}

async function takeResponses(client, turn) {
  const { model } = turn;
  see(turn, "plain turn", (await client.responses.create({ model, input: prompts["plain turn"] })).output_text);

  let pieces = 0;
  const stream = client.responses.stream({ model, input: prompts["streamed"] });
  stream.on("response.output_text.delta", () => (pieces += 1));
  see(turn, "streamed", (await stream.finalResponse()).output_text, pieces);

  const asked = { model, tools: [{ type: "function", strict: true, ...described }], reasoning: { effort: "high" } };
  const called = await client.responses.create({ ...asked, input: prompts["tool turn"] });
  const results = called.output
    .filter((item) => item.type === "function_call")
    .map(({ call_id, arguments: given }) => ({
      type: "function_call_output",
      call_id,
      output: multiply(JSON.parse(given)),
    }));
  const followed = { ...asked, input: results, previous_response_id: called.id };
  see(turn, "tool turn", (await client.responses.create(followed)).output_text);

  const format = zodTextFormat(City, "city");
  const parsed = await client.responses.parse({ model, input: prompts["structured output"], text: { format } });
  see(turn, "structured output", parsed.output_parsed);
}

for (const turn of turns) {
  const client = new OpenAI({ baseURL: turn.base_url, apiKey: turn.key, maxRetries: 0 });
  await (turn.protocol === "Responses" ? takeResponses : takeChat)(client, turn);
}
console.log(JSON.stringify(seen));
