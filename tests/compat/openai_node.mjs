// The real openai SDK for Node, before the server at BASE_URL: prints what each kind of turn gave, as JSON.
import OpenAI, { APIError } from "openai";

const { BASE_URL, KEY, PLAIN_MODEL, TOOL_MODEL, PLAIN_PROMPT, TOOL_PROMPT, CUT_PROMPT } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0, timeout: 30_000 });
const plain = { model: PLAIN_MODEL, messages: [{ role: "user", content: PLAIN_PROMPT }] };
const given = {};

given.plain = await client.chat.completions.create(plain);

given.streamed = [];
const asked = { ...plain, stream: true, stream_options: { include_usage: true } };
for await (const chunk of await client.chat.completions.create(asked)) given.streamed.push(chunk);

const helper = client.chat.completions.stream(plain);
given.helper = { content: await helper.finalContent(), usage: await helper.totalUsage() };

const ran = [];
const multiply = ({ a, b }) => {
  ran.push([a, b]);
  return String(a * b);
};
const parameters = {
  type: "object",
  properties: { a: { type: "integer" }, b: { type: "integer" } },
  required: ["a", "b"],
};
const tool = {
  type: "function",
  function: { name: "multiply", description: "Multiply two numbers.", parameters, parse: JSON.parse, function: multiply },
};
given.tools = [];
for (const stream of [false, true]) {
  const messages = [{ role: "user", content: TOOL_PROMPT }];
  const runner = client.chat.completions.runTools({ model: TOOL_MODEL, messages, tools: [tool], stream });
  given.tools.push(await runner.finalContent());
}
given.ran = ran;

given.models = [];
for await (const model of client.models.list()) given.models.push(model.id);

try {
  await new OpenAI({ baseURL: BASE_URL, apiKey: "sk-made-up", maxRetries: 0 }).models.list();
} catch (error) {
  given.wrongKey = { name: error.constructor.name, status: error.status, code: error.code };
}

if (CUT_PROMPT) {
  try {
    const cut = { ...asked, messages: [{ role: "user", content: CUT_PROMPT }] };
    for await (const chunk of await client.chat.completions.create(cut)) void chunk;
    given.cut = "taken for a whole answer";
  } catch (error) {
    given.cut = error instanceof APIError ? "noticed" : String(error);
  }
}

console.log(JSON.stringify(given));
