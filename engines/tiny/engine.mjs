// An OpenAI-compatible server over node-llama-cpp: the engine of the tests, and what
// docs/engines.md asks of any engine, in one file.
//
//   node engine.mjs --model FILE.gguf [--port N] [--slots N] [--ctx N] [--queue N] [--threads N]
//                   [--name NAME] [--template FILE] [--log FILE]
//
// Loopback only; the port is $TENBIN_PORT if it is not given, 0 is any that is free. The first line
// on standard output says where it listens; then, or in --log, there is one line of JSON for every
// request that came to an engine's slot: what was computed for it, delivered or not.
//
// completion_tokens counts every token that was made, without the one that ends a reply.
import fs from "node:fs";
import http from "node:http";
import {parseArgs} from "node:util";

const {values: flags} = parseArgs({
  options: {
    model: {type: "string"},
    name: {type: "string"},
    template: {type: "string"},
    log: {type: "string"},
    port: {type: "string", default: process.env.TENBIN_PORT ?? "0"},
    slots: {type: "string", default: "2"},
    ctx: {type: "string", default: "4096"},
    queue: {type: "string", default: "64"},
    threads: {type: "string", default: "1"},
  },
});
const whole = (name, least, most) => {
  const n = Number(flags[name]);
  if (Number.isInteger(n) && n >= least && n <= most) return n;
  console.error(`engine: --${name} must be a whole number from ${least} to ${most}, not ${flags[name]}`);
  process.exit(2);
};
const port = whole("port", 0, 65535), slotCount = whole("slots", 1, 64), contextSize = whole("ctx", 64, 1048576);
const queueLimit = whole("queue", 0, 100000), threads = whole("threads", 0, 256);
if (flags.template && !fs.existsSync(flags.template)) {
  console.error(`engine: no file ${flags.template}; --template takes a file with a chat template in Jinja`);
  process.exit(2);
}
if (!flags.model || !fs.existsSync(flags.model)) {
  console.error(`engine: ${flags.model ? `no file ${flags.model}` : "which model? --model FILE.gguf"}; ` +
                "`tenbin model tiny --out tiny.gguf` writes one");
  process.exit(2);
}
// A line is in the file before anybody can ask for the totals with it in them, whatever kills us then.
const log = flags.log ? fs.openSync(flags.log, "a") : null;

const bodyLimit = 8 << 20;
const totals = {requests: {}, input: 0, cached: 0, computed: 0, delivered: 0, embedded: 0};
let engine = null;     // once the model is loaded
let draining = false;  // told to stop: what runs is finished, nothing new is begun
let running = 0;

/// What a client did wrong, or what there is no room for; told as OpenAI's API does.
class Refusal extends Error {
  constructor(status, code, message, param = null) {
    super(message);
    Object.assign(this, {status, code, param});
  }
}
const bad = (message, param, code = "invalid_request") => new Refusal(400, code, message, param);

// ---- the model ----

/// Of conversations, for models that were not made for any.
const plainForm = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:";

async function load() {
  const {getLlama, LlamaLogLevel} = await import("node-llama-cpp");
  const {Template} = await import("@huggingface/jinja");
  const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error});
  const model = await llama.loadModel({modelPath: flags.model});
  const perSlot = Math.min(contextSize, model.trainContextSize);
  const context = await model.createContext({contextSize: perSlot, sequences: slotCount, threads});
  const slots = Array.from({length: slotCount}, () => ({sequence: context.getSequence(), free: true}));
  const metadata = model.fileInfo.metadata;
  const template = flags.template ? fs.readFileSync(flags.template, "utf8") : metadata.tokenizer?.chat_template;
  engine = {
    llama, model, context, slots, perSlot, embedding: null,
    name: flags.name ?? metadata.general?.name ?? "model",
    template: new Template(template ?? plainForm),
    stops: template ? [] : ["\nuser:"],
    // The vocabulary may ask for a token that begins every prompt.
    start: metadata.tokenizer?.ggml?.add_bos_token === false ? null : model.tokens.bos,
  };
}

/// The whole text of a message: a string, or parts of which we know text only.
function contentOf(message, at) {
  if (message === null || typeof message !== "object" || typeof message.role !== "string")
    throw bad(`messages[${at}] must be an object with a role`, `messages[${at}]`);
  const {content} = message;
  if (content === null || content === undefined) return "";
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw bad(`messages[${at}].content must be text`, `messages[${at}].content`);
  return content.map((part) => {
    if (part?.type !== "text" || typeof part.text !== "string")
      throw bad(`messages[${at}].content: this engine reads text only`, `messages[${at}].content`, "unsupported_content");
    return part.text;
  }).join("");
}

/// The tokens of a conversation in the model's own form. What people wrote is put in behind the
/// form: the name of a control token in it is letters, not a control token.
function tokensOfChat(messages) {
  if (!Array.isArray(messages) || messages.length === 0) throw bad("messages must be a list of at least one", "messages");
  const {model, template, start} = engine;
  const texts = messages.map(contentOf);
  const mark = (i) => `\uE000${i}\uE001`;
  const render = (contents) => template.render({
    messages: messages.map((message, i) => ({...message, content: contents[i]})),
    add_generation_prompt: true,
    bos_token: "", eos_token: model.tokens.eosString ?? "",
  });
  let parts;
  try {
    const form = render(texts.map((_, i) => mark(i)));
    parts = form.split(/\uE000(\d+)\uE001/);
    const found = parts.filter((_, i) => i % 2 === 1);
    if (found.length !== texts.length) parts = [render(texts)];  // a form that looks into the texts
  } catch (error) {
    throw bad(`the model's form for conversations refused these messages: ${error.message}`, "messages");
  }
  const tokens = parts.flatMap((part, i) =>
    i % 2 === 1 ? model.tokenize(texts[Number(part)], false) : model.tokenize(part, true));
  return start === null ? tokens : [start, ...tokens];
}

function tokensOfPrompt(prompt) {
  const {model, start} = engine;
  if (typeof prompt === "string") {
    const tokens = model.tokenize(prompt, false);
    return start === null ? tokens : [start, ...tokens];
  }
  const size = model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? Infinity;
  if (Array.isArray(prompt) && prompt.length > 0 && prompt.every((t) => Number.isInteger(t) && t >= 0 && t < size)) return prompt;
  throw bad("prompt must be a text, or a list of the model's token numbers", "prompt");
}

// ---- slots ----

const waiting = [];

/// A free slot, of those the one that has most of these tokens in its memory already.
function bestSlot(tokens) {
  let best = null, most = -1;
  for (const slot of engine.slots) {
    if (!slot.free) continue;
    const {firstDifferentIndex: same} = slot.sequence.compareContextTokens(tokens);
    if (same > most) [best, most] = [slot, same];
  }
  return best;
}
function takeSlot(tokens, gone) {
  const slot = bestSlot(tokens);
  if (slot) {
    slot.free = false;
    return slot;
  }
  if (waiting.length >= queueLimit)
    throw new Refusal(503, "queue_full", `all ${slotCount} slots are taken and ${waiting.length} requests wait`);
  return new Promise((resolve) => {
    const place = {tokens, resolve};
    waiting.push(place);
    gone.addEventListener("abort", () => {
      const at = waiting.indexOf(place);
      if (at < 0) return;
      waiting.splice(at, 1);
      resolve(null);
    });
  });
}
function giveSlot(slot) {
  slot.free = true;
  const next = waiting.shift();
  if (!next) return;
  const best = bestSlot(next.tokens);
  best.free = false;
  next.resolve(best);
}

// ---- making text ----

const number = (q, name, least, most, otherwise) => {
  const value = q[name];
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== "number" || !(value >= least && value <= most)) throw bad(`${name} must be a number from ${least} to ${most}`, name);
  return value;
};
function settingsOf(q, input) {
  const room = engine.perSlot - input.length - 1;
  if (room < 1) {
    throw bad(`the prompt has ${input.length} tokens, and the context holds ${engine.perSlot}`,
              q.messages ? "messages" : "prompt", "context_length_exceeded");
  }
  const asked = q.max_completion_tokens ?? q.max_tokens;
  if (asked !== undefined && asked !== null && !(Number.isInteger(asked) && asked >= 1)) throw bad("max_tokens must be a whole number of at least 1", "max_tokens");
  const stops = q.stop === undefined || q.stop === null ? [] : [q.stop].flat();
  if (stops.length > 16 || !stops.every((s) => typeof s === "string" && s !== "")) throw bad("stop must be a text, or a list of at most 16", "stop");
  if (q.messages) stops.push(...engine.stops);
  const n = number(q, "n", 1, 16, 1);
  if (!Number.isInteger(n)) throw bad("n must be a whole number", "n");
  const penalty = number(q, "frequency_penalty", -2, 2, 0), presence = number(q, "presence_penalty", -2, 2, 0);
  return {
    n, stops, most: Math.min(asked ?? room, room),
    evaluate: {
      temperature: number(q, "temperature", 0, 2, 0.8),
      topP: number(q, "top_p", 0, 1, 0.95),
      topK: number(q, "top_k", 0, 100000, 40),
      minP: number(q, "min_p", 0, 1, 0.05),
      ...(q.seed === undefined || q.seed === null ? {} : {seed: number(q, "seed", 0, 2 ** 53, 0) >>> 0}),
    },
    penalty, presence,
  };
}

/// Makes one reply: calls send(text, tokens so far) for every piece of whole characters, and waits
/// for it. Gives what ended it; count.computed is right at every instant, whatever happens.
async function generate(input, settings, count, gone, send) {
  const {model} = engine;
  const slot = await takeSlot(input, gone);
  if (!slot) return "cancelled";
  try {
    const {sequence} = slot;
    // The last token is looked at again in any case: what follows it is asked.
    await sequence.adaptStateToTokens(input.slice(0, -1), false);
    const cached = Math.min(sequence.nextTokenIndex, input.length - 1);
    count.input = input.length;
    count.cached = Math.max(count.cached, cached);
    totals.input += input.length;
    totals.cached += cached;
    const made = [];
    const options = {...settings.evaluate};
    if (settings.penalty !== 0 || settings.presence !== 0) {
      options.repeatPenalty = {punishTokens: () => made, penalty: 1, frequencyPenalty: settings.penalty, presencePenalty: settings.presence};
    }
    let held = [], text = "";  // tokens of a part of a character, and text that may begin a stop
    const before = (ready) => input.slice(-4).concat(made.slice(0, made.length - ready)).slice(-8);
    const begins = (t) => {
      for (let length = Math.min(t.length, Math.max(0, ...settings.stops.map((s) => s.length - 1))); length > 0; --length) {
        if (settings.stops.some((s) => s.startsWith(t.slice(-length)))) return length;
      }
      return 0;
    };
    for await (const token of sequence.evaluate(input.slice(cached), options)) {
      ++count.computed;
      ++totals.computed;
      made.push(token);
      held.push(token);
      if (gone.aborted) return "cancelled";
      const piece = model.detokenize(held, false, before(held.length));
      // U+FFFD: bytes of a character that is not whole. Five are more than a character has.
      if (!piece.endsWith("\uFFFD") || held.length > 4) {
        held = [];
        text += piece;
        const stop = settings.stops.map((s) => text.indexOf(s)).filter((at) => at >= 0);
        if (stop.length > 0) {
          const last = text.slice(0, Math.min(...stop));
          if (last !== "") await send(last, count.computed);
          return "stop";
        }
        const ready = text.length - begins(text);
        if (ready > 0) {
          await send(text.slice(0, ready), count.computed);
          text = text.slice(ready);
        }
      }
      if (gone.aborted) return "cancelled";
      if (made.length >= settings.most) {
        if (text !== "") await send(text, count.computed);
        return "length";
      }
    }
    if (held.length > 0) text += model.detokenize(held, false, before(held.length));
    if (text !== "") await send(text, count.computed);
    return "stop";
  } finally {
    giveSlot(slot);
  }
}

const usageOf = (count) => ({
  prompt_tokens: count.input,
  completion_tokens: count.computed,
  total_tokens: count.input + count.computed,
  prompt_tokens_details: {cached_tokens: count.cached},
});

async function answer(q, chat, request, response, gone) {
  const input = chat ? tokensOfChat(q.messages) : tokensOfPrompt(q.prompt);
  const settings = settingsOf(q, input);
  const id = (chat ? "chatcmpl-" : "cmpl-") + crypto.randomUUID().replaceAll("-", "");
  const base = {id, object: chat ? (q.stream ? "chat.completion.chunk" : "chat.completion") : "text_completion",
                created: Math.floor(Date.now() / 1000), model: engine.name};
  const count = {input: input.length, cached: 0, computed: 0, delivered: 0};
  const began = performance.now();
  const everywhere = q.stream_options?.continuous_usage_stats === true;
  const atEnd = q.stream_options?.include_usage === true;
  const timings = q.timings_per_token === true;
  let how = "broken";

  const write = async (choices, usage) => {
    if (gone.aborted) return;
    if (!response.headersSent) response.writeHead(200, {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"});
    const chunk = {...base, choices};
    if (usage) chunk.usage = usageOf(count);
    if (timings) chunk.timings = {prompt_n: count.input - count.cached, cache_n: count.cached, predicted_n: count.computed};
    if (!response.write(`data: ${JSON.stringify(chunk)}\n\n`)) {
      // A reader that is slow is waited for, and the model with it.
      await new Promise((resolve) => {
        response.once("drain", resolve);
        gone.addEventListener("abort", resolve, {once: true});
      });
    }
  };
  try {
    const texts = [], ends = [];
    for (let index = 0; index < settings.n; ++index) {
      texts.push("");
      if (q.stream && chat) await write([{index, delta: {role: "assistant", content: ""}, finish_reason: null}], everywhere);
      const end = await generate(input, settings, count, gone, async (text, tokens) => {
        texts[index] += text;
        if (q.stream) await write([chat ? {index, delta: {content: text}, finish_reason: null} : {index, text, finish_reason: null}], everywhere);
        if (!gone.aborted) count.delivered = tokens;
      });
      if (end === "cancelled") {
        how = "cancelled";
        return;
      }
      ends.push(end);
      count.delivered = count.computed;
      if (q.stream) await write([chat ? {index, delta: {}, finish_reason: end} : {index, text: "", finish_reason: end}], everywhere);
    }
    how = ends.at(-1);
    if (q.stream) {
      if (atEnd) await write([], true);
      response.end("data: [DONE]\n\n");
    } else {
      sendJson(response, 200, {
        ...base,
        choices: texts.map((text, index) => chat
          ? {index, message: {role: "assistant", content: text}, finish_reason: ends[index], logprobs: null}
          : {index, text, finish_reason: ends[index], logprobs: null}),
        usage: usageOf(count),
      });
    }
    if (gone.aborted) how = "cancelled";
  } finally {
    totals.delivered += count.delivered;
    record(request, {id, path: chat ? "chat" : "completion", ...count, n: settings.n, how, ms: Math.round(performance.now() - began)});
  }
}

async function embed(q, request, response) {
  const inputs = typeof q.input === "string" || typeof q.input?.[0] === "number" ? [q.input] : q.input;
  if (!Array.isArray(inputs) || inputs.length === 0 || inputs.length > 2048) throw bad("input must be a text, or a list of at most 2048", "input");
  const {model} = engine;
  const all = inputs.map((one) => tokensOfPrompt(one));
  const long = all.find((tokens) => tokens.length >= engine.perSlot - 2);
  if (long) throw bad(`an input has ${long.length} tokens, and the context holds ${engine.perSlot}`, "input", "context_length_exceeded");
  engine.embedding ??= model.createEmbeddingContext({contextSize: engine.perSlot, threads});
  const context = await engine.embedding;
  const began = performance.now(), data = [];
  let tokens = 0;
  for (const [index, input] of all.entries()) {
    const {vector} = await context.getEmbeddingFor(input);
    tokens += input.length;
    data.push({object: "embedding", index,
               embedding: q.encoding_format === "base64" ? Buffer.from(Float32Array.from(vector).buffer).toString("base64") : [...vector]});
  }
  totals.embedded += tokens;
  record(request, {id: "", path: "embedding", input: tokens, cached: 0, computed: 0, delivered: 0, n: all.length, how: "stop",
                   ms: Math.round(performance.now() - began)});
  sendJson(response, 200, {object: "list", data, model: engine.name, usage: {prompt_tokens: tokens, total_tokens: tokens}});
}

// ---- the door ----

function record(request, line) {
  totals.requests[line.how] = (totals.requests[line.how] ?? 0) + 1;
  const name = request.headers["tenbin-request"] ?? request.headers["x-request-id"] ?? "";
  const text = JSON.stringify({time: new Date().toISOString(), request: name, ...line}) + "\n";
  log === null ? process.stdout.write(text) : fs.writeSync(log, text);
}
function sendJson(response, status, body, headers = {}) {
  if (response.headersSent || response.destroyed) return response.end();
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {"Content-Type": "application/json; charset=utf-8", "Content-Length": bytes.length, ...headers});
  response.end(bytes);
}
function refuse(response, error) {
  const known = error instanceof Refusal;
  if (!known) console.error(error);
  const status = known ? error.status : 500;
  const body = {error: {message: known ? error.message : "the engine failed; its log says more",
                        type: status < 500 ? "invalid_request_error" : "server_error",
                        param: error.param ?? null, code: known ? error.code : "engine_failed"}};
  if (response.headersSent) {
    // Never a clean end on a broken stream.
    if (!response.destroyed) response.write(`data: ${JSON.stringify(body)}\n\n`, () => response.destroy());
    return;
  }
  sendJson(response, status, body, status === 503 ? {"Retry-After": "1"} : {});
}
async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    if ((size += part.length) > bodyLimit) throw new Refusal(413, "too_large", `a request may have ${bodyLimit} bytes`);
    parts.push(part);
  }
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", {fatal: true}).decode(Buffer.concat(parts)));
  } catch {
    throw bad("the body is not JSON in UTF-8", null, "bad_json");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw bad("the body must be a JSON object", null, "bad_json");
  return value;
}
function metrics() {
  const lines = [];
  const metric = (name, kind, help, ...rows) => {
    lines.push(`# HELP tenbin_engine_${name} ${help}`, `# TYPE tenbin_engine_${name} ${kind}`);
    for (const [labels, value] of rows) lines.push(`tenbin_engine_${name}${labels} ${value}`);
  };
  metric("requests_total", "counter", "Requests by how they ended.", ...Object.entries(totals.requests).map(([how, n]) => [`{how="${how}"}`, n]));
  metric("prompt_tokens_total", "counter", "Tokens of prompts.", ["", totals.input]);
  metric("cached_prompt_tokens_total", "counter", "Tokens of prompts that were in memory already.", ["", totals.cached]);
  metric("completion_tokens_total", "counter", "Tokens made, delivered or not.", ["", totals.computed]);
  metric("delivered_tokens_total", "counter", "Tokens made and handed to the client.", ["", totals.delivered]);
  metric("embedding_tokens_total", "counter", "Tokens embedded.", ["", totals.embedded]);
  metric("slots", "gauge", "Requests that can run at once.", ["", slotCount]);
  metric("slots_busy", "gauge", "Requests that run.", ["", engine ? engine.slots.filter((slot) => !slot.free).length : 0]);
  metric("queue", "gauge", "Requests that wait for a slot.", ["", waiting.length]);
  return lines.join("\n") + "\n";
}

const routes = {
  "/v1/chat/completions": (q, request, response, gone) => answer(q, true, request, response, gone),
  "/v1/completions": (q, request, response, gone) => answer(q, false, request, response, gone),
  "/v1/embeddings": (q, request, response) => embed(q, request, response),
  "/v1/chat/completions/input_tokens": (q, request, response) =>
    sendJson(response, 200, {object: "response.input_tokens", input_tokens: tokensOfChat(q.messages).length}),
  "/tokenize": (q, request, response) => {
    const tokens = q.messages ? tokensOfChat(q.messages) : tokensOfPrompt(q.content ?? q.prompt);
    sendJson(response, 200, {tokens, count: tokens.length, max_model_len: engine.perSlot});
  },
};

async function handle(request, response) {
  const path = new URL(request.url, "http://engine").pathname;
  if (request.method === "GET" || request.method === "HEAD") {
    if (path === "/health") {
      const state = draining ? "draining" : engine ? "ok" : "loading";
      return sendJson(response, state === "ok" ? 200 : 503, {status: state});
    }
    if (path === "/metrics") {
      response.writeHead(200, {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"});
      return response.end(metrics());
    }
    if (path === "/v1/models") {
      const data = engine ? [{id: engine.name, object: "model", created: 0, owned_by: "tenbin", max_model_len: engine.perSlot}] : [];
      return sendJson(response, 200, {object: "list", data});
    }
  }
  const route = Object.hasOwn(routes, path) ? routes[path] : null;
  if (!route) throw new Refusal(404, "not_found", `there is no ${path} here`);
  if (request.method !== "POST") throw new Refusal(405, "method_not_allowed", `${path} takes POST`);
  if (draining) throw new Refusal(503, "draining", "this engine is stopping");
  if (!engine) throw new Refusal(503, "loading", "the model is being loaded");
  const q = await bodyOf(request);
  const gone = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  ++running;
  try {
    await route(q, request, response, gone.signal);
  } finally {
    --running;
    leave();
  }
}

const server = http.createServer({requestTimeout: 30000}, (request, response) => {
  handle(request, response).catch((error) => refuse(response, error));
});
server.on("error", (error) => {
  console.error(`engine: cannot listen on 127.0.0.1:${port}: ${error.message}`);
  process.exit(1);
});

function leave() {
  if (!draining || running > 0) return;
  // What was answered last is on its way still.
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 1000).unref();
}
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    if (draining) process.exit(1);
    draining = true;
    leave();
  });
}

server.listen(port, "127.0.0.1", () => {
  console.log(JSON.stringify({listening: `http://127.0.0.1:${server.address().port}`}));
  load().then(() => console.log(JSON.stringify({ready: engine.name, context: engine.perSlot, slots: slotCount})), (error) => {
    console.error(`engine: ${flags.model} could not be loaded: ${error.message}`);
    process.exit(1);
  });
});
