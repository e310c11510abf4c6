// The engine over a real llama.cpp, with the models of `tenbin model tiny`: what docs/engines.md
// promises, counted by the token.
//
//   node engine_test.mjs ENGINE TENBIN FOLDER
import assert from "node:assert/strict";
import {execFileSync, spawn} from "node:child_process";
import fs from "node:fs";
import {setTimeout as sleep} from "node:timers/promises";

const [program, tenbin, folder] = process.argv.slice(2);
const make = (name, ...flags) => {
  const out = `${folder}/${name}.gguf`;
  return {file: out, ...JSON.parse(execFileSync(tenbin, ["model", "tiny", "--out", out, "--expect", ...flags], {encoding: "utf8"}))};
};
const fixed = make("fixed"), loop = make("loop", "--repeat", "--ctx", "8192"), noise = make("noise", "--kind", "random");

class Engine {
  static async start(model, ...flags) {
    const engine = new Engine();
    engine.log = `${folder}/${Math.random()}.log`;
    engine.process = spawn(program, ["--model", model.file, "--port", "0", "--log", engine.log, ...flags], {stdio: ["ignore", "pipe", "inherit"]});
    engine.ended = new Promise((resolve) => engine.process.on("exit", (code, signal) => resolve(signal ?? code)));
    let said = "";
    await new Promise((resolve, reject) => {
      engine.process.stdout.on("data", (part) => (said += part).includes("\n") && resolve());
      engine.ended.then(() => reject(new Error("the engine ended")));
    });
    engine.url = JSON.parse(said.split("\n")[0]).listening;
    for (let i = 0; i < 400 && (await fetch(engine.url + "/health")).status !== 200; ++i) await sleep(25);
    return engine;
  }
  post(path, body, more = {}) {
    return fetch(this.url + path, {method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), ...more});
  }
  async ask(body) {
    const answer = await this.post("/v1/chat/completions", {messages: [{role: "user", content: "天秤とは？"}], ...body});
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer;
  }
  async events(answer) {
    const lines = (await answer.text()).split("\n\n").filter((line) => line !== "");
    assert.equal(lines.pop(), "data: [DONE]");
    return lines.map((line) => JSON.parse(line.slice("data: ".length)));
  }
  lines() {
    return fs.readFileSync(this.log, "utf8").trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }
  async metric(name) {
    const text = await (await fetch(this.url + "/metrics")).text();
    return Number(text.match(new RegExp(`^tenbin_engine_${name} (\\d+)$`, "m"))[1]);
  }
  async stop() {
    this.process.kill("SIGTERM");
    return this.ended;
  }
}

const until = async (what, test) => {
  for (let i = 0; i < 400; ++i) {
    if (await test()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
};

const cases = {
  async "the reply and its count are the model's, streamed or not"(engine) {
    const whole = await (await engine.ask({})).json();
    assert.equal(whole.choices[0].message.content, fixed.reply);
    assert.equal(whole.choices[0].finish_reason, "stop");
    assert.equal(whole.usage.completion_tokens, fixed.reply_tokens);
    const input = await (await engine.post("/v1/chat/completions/input_tokens", {messages: [{role: "user", content: "天秤とは？"}]})).json();
    assert.equal(whole.usage.prompt_tokens, input.input_tokens);

    const plain = await engine.events(await engine.ask({stream: true}));
    assert.equal(plain.map((e) => e.choices[0].delta.content ?? "").join(""), fixed.reply);
    assert.ok(plain.every((e) => !("usage" in e)), "usage was not asked for");
    assert.equal(plain.at(-1).choices[0].finish_reason, "stop");

    const last = await engine.events(await engine.ask({stream: true, stream_options: {include_usage: true}}));
    assert.deepEqual(last.at(-1).choices, []);
    assert.equal(last.at(-1).usage.completion_tokens, fixed.reply_tokens);
    assert.equal(last.filter((e) => e.usage).length, 1);
  },

  async "usage in every chunk, and characters of several tokens come whole"(engine) {
    const events = await engine.events(await engine.ask({stream: true, stream_options: {include_usage: true, continuous_usage_stats: true}, timings_per_token: true}));
    const counts = events.map((e) => e.usage.completion_tokens);
    assert.deepEqual(counts, [...counts].sort((a, b) => a - b));
    assert.equal(counts.at(-1), fixed.reply_tokens);
    const pieces = events.filter((e) => e.choices[0]?.delta.content);
    assert.ok(pieces.every((e) => !e.choices[0].delta.content.includes("\uFFFD")));
    assert.equal(pieces.length, fixed.reply_tokens - (3 - 1) - (4 - 1) - (4 - 1));  // what is spelled in bytes
    assert.ok(events.every((e) => e.timings.predicted_n === e.usage.completion_tokens));
  },

  async "a prompt that is in memory is told as cached"(engine) {
    const {usage} = await (await engine.ask({})).json();
    assert.equal(usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens - 1);
  },

  async "max_tokens, stop, n, seed"(engine) {
    const cut = await (await engine.ask({max_tokens: 5})).json();
    assert.equal(cut.choices[0].finish_reason, "length");
    assert.equal(cut.usage.completion_tokens, 5);
    assert.ok(fixed.reply.startsWith(cut.choices[0].message.content));
    const stopped = await (await engine.ask({stop: ["を公"]})).json();  // lies across two tokens
    assert.equal(stopped.choices[0].message.content, fixed.reply.split("を公")[0]);
    const streamed = await engine.events(await engine.ask({stop: "を公", stream: true}));
    assert.equal(streamed.map((e) => e.choices[0].delta.content ?? "").join(""), fixed.reply.split("を公")[0]);
    const four = await (await engine.ask({n: 4})).json();
    assert.deepEqual(four.choices.map((c) => c.message.content), Array(4).fill(fixed.reply));
    assert.equal(four.usage.completion_tokens, 4 * fixed.reply_tokens);
  },

  async "completions from a text, and from token numbers"(engine) {
    const whole = await (await engine.post("/v1/completions", {prompt: "こんにちは"})).json();
    assert.equal(whole.choices[0].text, fixed.reply);
    const {tokens, count} = await (await engine.post("/tokenize", {content: "こんにちは"})).json();
    assert.equal(tokens.length, count);
    const again = await (await engine.post("/v1/completions", {prompt: tokens})).json();
    assert.equal(again.choices[0].text, fixed.reply);
    assert.equal(again.usage.prompt_tokens, count);
  },

  async "the name of a control token in what people write is letters"(engine) {
    const count = async (content) => (await (await engine.post("/v1/chat/completions/input_tokens", {messages: [{role: "user", content}]})).json()).input_tokens;
    assert.equal(await count("<|end|>") - await count(""), "<|end|>".length);
  },

  async "embeddings, as numbers and as base64"(engine) {
    const plain = await (await engine.post("/v1/embeddings", {input: ["天秤", "資源"]})).json();
    assert.equal(plain.data.length, 2);
    assert.ok(plain.usage.prompt_tokens >= 4);
    const packed = await (await engine.post("/v1/embeddings", {input: "天秤", encoding_format: "base64"})).json();
    const bytes = Buffer.from(packed.data[0].embedding, "base64");
    const numbers = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    assert.equal(numbers.length, plain.data[0].embedding.length);
    assert.ok(Math.abs(numbers[0] - plain.data[0].embedding[0]) < 1e-5);
  },

  async "what is wrong is said as OpenAI's API says it"(engine) {
    const refused = async (status, code, path, body) => {
      const answer = await engine.post(path, body);
      const {error} = await answer.json();
      assert.equal(answer.status, status, error.message);
      assert.equal(error.code, code, error.message);
    };
    await refused(400, "bad_json", "/v1/chat/completions", "{");
    await refused(400, "bad_json", "/v1/chat/completions", "[]");
    await refused(400, "invalid_request", "/v1/chat/completions", {});
    await refused(400, "invalid_request", "/v1/chat/completions", {messages: [1]});
    await refused(400, "unsupported_content", "/v1/chat/completions", {messages: [{role: "user", content: [{type: "image_url"}]}]});
    await refused(400, "invalid_request", "/v1/completions", {prompt: "x", max_tokens: 0});
    await refused(400, "invalid_request", "/v1/completions", {prompt: "x", temperature: "hot"});
    await refused(400, "invalid_request", "/v1/completions", {prompt: [1e9]});
    await refused(400, "context_length_exceeded", "/v1/completions", {prompt: "字".repeat(5000)});
    await refused(404, "not_found", "/v1/audio/speech", {});
    await refused(404, "not_found", "/constructor", {});
  },

  async "a client that leaves ends the work; the log tells what was computed"(engine, endless) {
    const before = endless.lines().length;
    const leave = new AbortController();
    const answer = await endless.post("/v1/chat/completions", {messages: [{role: "user", content: "？"}], stream: true, max_tokens: 8000},
                                      {signal: leave.signal, headers: {"Tenbin-Request": "left-early"}});
    const reader = answer.body.getReader();
    for (let i = 0; i < 20; ++i) await reader.read();
    leave.abort();
    await until("the slot is free", async () => await endless.metric("slots_busy") === 0);
    const line = endless.lines().at(-1);
    assert.equal(endless.lines().length, before + 1);
    assert.equal(line.request, "left-early");
    assert.equal(line.how, "cancelled");
    assert.ok(line.computed >= line.delivered && line.computed < 8000 && line.delivered > 0, JSON.stringify(line));
    // Unstreamed, it is no different.
    const other = new AbortController();
    const gone = endless.post("/v1/chat/completions", {messages: [{role: "user", content: "？"}], max_tokens: 8000}, {signal: other.signal}).catch(() => null);
    await until("it runs", async () => await endless.metric("slots_busy") === 1);
    other.abort();
    await gone;
    await until("the slot is free again", async () => await endless.metric("slots_busy") === 0);
  },

  async "more than its slots wait, more than its queue are refused; all is counted once"(engine, endless) {
    const ask = () => endless.post("/v1/completions", {prompt: "？", max_tokens: 400});
    const answers = await Promise.all(Array.from({length: 7}, ask));  // 2 slots, a queue of 3
    const good = answers.filter((a) => a.status === 200), full = answers.filter((a) => a.status === 503);
    assert.equal(good.length, 5);
    assert.equal(full.length, 2);
    assert.equal(full[0].headers.get("retry-after"), "1");
    for (const answer of good) assert.equal((await answer.json()).usage.completion_tokens, 400);
    assert.equal(await endless.metric("completion_tokens_total"), endless.lines().reduce((sum, line) => sum + line.computed, 0));
  },

  async "told to stop, it finishes what runs and begins nothing"(engine, endless) {
    const answer = await endless.post("/v1/completions", {prompt: "？", max_tokens: 600, stream: true, stream_options: {include_usage: true}});
    endless.process.kill("SIGTERM");
    await sleep(50);
    const late = await endless.post("/v1/completions", {prompt: "？"}).then((a) => a.status, () => 503);
    assert.equal(late, 503);
    const events = await endless.events(answer);
    assert.equal(events.at(-1).usage.completion_tokens, 600);
    assert.equal(await endless.ended, 0);
    assert.equal(endless.lines().at(-1).computed, 600);
  },

  async "random weights make noise, as long as was asked"() {
    const engine = await Engine.start(noise);
    const whole = await (await engine.ask({max_tokens: 50, seed: 1})).json();
    assert.ok(whole.usage.completion_tokens <= 50);
    assert.notEqual(whole.choices[0].message.content, fixed.reply);
    assert.equal(await engine.stop(), 0);
  },

  async "a model's form of conversations can be another one"() {
    const form = `${folder}/form.jinja`;
    fs.writeFileSync(form, "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] | trim }}{% endfor %}");
    const engine = await Engine.start(fixed, "--template", form);
    const count = async (content) => (await (await engine.post("/tokenize", {messages: [{role: "user", content}]})).json()).count;
    assert.equal(await count("字字字") - await count("字"), 2);
    assert.equal((await (await engine.ask({})).json()).choices[0].message.content, fixed.reply);
    assert.equal(await engine.stop(), 0);
  },

  async "bad flags end it with a word"() {
    for (const flags of [["--model", folder + "/none.gguf"], ["--model", fixed.file, "--slots", "0"], ["--model", fixed.file, "--template", folder + "/none"]]) {
      const ended = spawn(program, flags, {stdio: "ignore"});
      assert.equal(await new Promise((resolve) => ended.on("exit", resolve)), 2);
    }
  },
};

const engine = await Engine.start(fixed);
const endless = await Engine.start(loop, "--slots", "2", "--queue", "3", "--ctx", "8192");
let wrong = 0;
for (const [name, run] of Object.entries(cases)) {
  try {
    await run(engine, endless);
    console.log(`ok    ${name}`);
  } catch (error) {
    ++wrong;
    console.log(`WRONG ${name}\n${error.stack}`);
  }
}
await engine.stop();
endless.process.kill("SIGKILL");
process.exit(wrong === 0 ? 0 : 1);
