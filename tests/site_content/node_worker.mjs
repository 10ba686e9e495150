// Run the modules that are named on stdin, one a line, and say on stdout what became of each.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const say = process.stdout.write.bind(process.stdout);
let printed = "";
process.stdout.write = (text) => {
  printed += text;
  return true;
};

for await (const line of createInterface({ input: process.stdin })) {
  const { script, folder } = JSON.parse(line);
  process.chdir(folder);
  printed = "";
  let fault = "";
  try {
    await import(pathToFileURL(script).href);
  } catch (error) {
    fault = String(error?.stack ?? error);
  }
  say(JSON.stringify({ printed, fault }) + "\n");
}
