// What an application's developer does with OpenAI's client, against whatever its base URL names.
//
//   node openai_test.mjs ENGINE TENBIN FOLDER
//
// With OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL a gateway is asked whose service runs the
// model of `tenbin model tiny`; without them an engine is started.
import assert from "node:assert/strict";
import {execFileSync, spawn} from "node:child_process";
import OpenAI from "openai";

const [engine, tenbin, folder] = process.argv.slice(2);
const told = JSON.parse(execFileSync(tenbin, ["model", "tiny", "--out", `${folder}/tiny.gguf`, "--expect"], {encoding: "utf8"}));
let baseURL = process.env.OPENAI_BASE_URL, apiKey = process.env.OPENAI_API_KEY ?? "tnk_none", model = process.env.OPENAI_MODEL ?? "tiny";
let child = null;
if (!baseURL) {
  child = spawn(engine, ["--model", `${folder}/tiny.gguf`, "--port", "0", "--name", model], {stdio: ["ignore", "pipe", "inherit"]});
  let said = "";
  await new Promise((resolve, reject) => {
    child.stdout.on("data", (part) => (said += part).includes('"ready"') && resolve());
    child.on("exit", () => reject(new Error("the engine ended")));
  });
  baseURL = JSON.parse(said.split("\n")[0]).listening + "/v1";
}
const client = new OpenAI({baseURL, apiKey, maxRetries: 0});
const messages = [{role: "system", content: "簡潔に。"}, {role: "user", content: "天秤とは何ですか？"}];

const cases = {
  async "a whole answer"() {
    const {data, response} = await client.chat.completions.create({model, messages}).withResponse();
    assert.equal(data.choices[0].message.content, told.reply);
    assert.equal(data.choices[0].message.role, "assistant");
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.equal(data.usage.completion_tokens, told.reply_tokens);
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
    if (!child) assert.match(response.headers.get("tenbin-charge") ?? "", /^\d+(\.\d+)?$/);
  },
  async "a streamed one, with usage and without"() {
    for (const include_usage of [true, false]) {
      let text = "", usage = null, end = null, seen = 0;
      const stream = await client.chat.completions.create({model, messages, stream: true, ...(include_usage ? {stream_options: {include_usage}} : {})});
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta?.content ?? "";
        end = chunk.choices[0]?.finish_reason ?? end;
        if (chunk.usage) [usage, seen] = [chunk.usage, seen + 1];
      }
      assert.equal(text, told.reply);
      assert.equal(end, "stop");
      assert.equal(seen, include_usage ? 1 : 0);
      if (usage) assert.equal(usage.completion_tokens, told.reply_tokens);
    }
  },
  async "the client's helper for streams"() {
    const helper = client.chat.completions.stream({model, messages});
    let pieces = 0;
    helper.on("content", () => ++pieces);
    assert.equal(await helper.finalContent(), told.reply);
    assert.ok(pieces > 10);
  },
  async "an answer that is cut, and one that is left"() {
    const cut = await client.chat.completions.create({model, messages, max_completion_tokens: 7});
    assert.equal(cut.choices[0].finish_reason, "length");
    assert.equal(cut.usage.completion_tokens, 7);
    const stream = await client.chat.completions.create({model, messages, stream: true});
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta?.content) break;
    }
    assert.ok(stream.controller.signal.aborted);
  },
  async "completions, embeddings, models"() {
    const plain = await client.completions.create({model, prompt: "天秤とは？"});
    assert.equal(plain.choices[0].text, told.reply);
    const {data, usage} = await client.embeddings.create({model, input: ["天秤", "公平"]});
    assert.equal(data.length, 2);
    assert.equal(data[0].embedding.length, 128);
    assert.ok(data[0].embedding.every(Number.isFinite));
    assert.ok(usage.prompt_tokens > 0);
    const names = [];
    for await (const one of client.models.list()) names.push(one.id);
    assert.ok(names.includes(model), names.join());
  },
  async "what is wrong comes as the client's own errors"() {
    await assert.rejects(client.chat.completions.create({model, messages: []}), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, String(error));
      assert.ok(error.message.includes("messages"), error.message);
      return true;
    });
    await assert.rejects(client.images.generate({model, prompt: "x"}), OpenAI.NotFoundError);
    if (child) return;
    await assert.rejects(new OpenAI({baseURL, apiKey: "tnk_" + "0".repeat(64), maxRetries: 0}).models.list(), OpenAI.AuthenticationError);
  },
};

let wrong = 0;
for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    console.log(`ok    ${name}`);
  } catch (error) {
    ++wrong;
    console.log(`WRONG ${name}\n${error.stack}`);
  }
}
if (child) {
  child.removeAllListeners("exit");
  child.kill("SIGTERM");
}
process.exit(wrong === 0 ? 0 : 1);
