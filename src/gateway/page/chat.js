// The chat page: asks the gateway that it came from, and nobody else. Keys stay in this tab
// (sessionStorage), conversations in this browser (localStorage).
//
// What it asks of the gateway:
//   GET  /v1/models            data[]: id, title?, tenbin {regions, licence, state, price {input,
//                              cached_input, output}, per_1000_japanese_characters}
//   GET  /v1/tenbin/balance    {project, region, free, today?}: what the project has left in this
//                              region, and what the key may still spend today if it has a budget
//   POST /v1/chat/completions  streamed, with "tenbin": {"charge": true}: an event tenbin.charge
//                              {charge} before [DONE]; headers Tenbin-Request, Tenbin-Region
//   GET  /v1/tenbin/requests/N {charge}, for answers that were stopped
// Amounts: a text is credits ("1.25"), a number is micro-credits.
"use strict";

const texts = {
  brand: ["Tenbin", "天秤 Tenbin"],
  page_title: ["Chat – Tenbin", "チャット – 天秤 Tenbin"],
  sign_in: ["Sign in", "サインイン"],
  sign_out: ["Sign out", "サインアウト"],
  door_title: ["Talk to a Japanese-language service", "日本語サービスと対話する"],
  door_about: ["Your project pays for what is answered, by the token.", "回答にかかった費用は、トークン単位でプロジェクトが負担します。"],
  key: ["Key", "キー"],
  key_hint: ["From your project’s lead, or `tenbin key create`. It is kept in this tab only and is gone when you close it.",
             "プロジェクトの責任者から受け取るか、`tenbin key create` で作成します。キーはこのタブにだけ保存され、タブを閉じると消えます。"],
  conversations: ["Conversations", "会話の一覧"],
  new: ["New conversation", "新しい会話"],
  untitled: ["New conversation", "新しい会話"],
  stays_here: ["Conversations are kept in this browser and nowhere else.", "会話はこのブラウザーにだけ保存されます。"],
  forget_all: ["Delete all", "すべて削除"],
  forget_sure: ["Delete all conversations in this browser? This cannot be undone.", "このブラウザーの会話をすべて削除しますか。元に戻せません。"],
  drop: ["Delete “{0}”", "「{0}」を削除"],
  drop_sure: ["Delete the conversation “{0}”?", "会話「{0}」を削除しますか。"],
  service: ["Service", "サービス"],
  more: ["Region, licence, price", "地域・ライセンス・料金"],
  region: ["Region", "地域"],
  licence: ["Licence", "ライセンス"],
  price_in: ["Input / 1M tokens", "入力 100 万トークン"],
  price_out: ["Output / 1M tokens", "出力 100 万トークン"],
  price_ja: ["1,000 Japanese characters", "日本語 1,000 文字"],
  about: ["about {0}", "約 {0}"],
  state: ["State", "状態"],
  credits: ["{0} credits", "{0} クレジット"],
  log: ["Conversation", "会話"],
  empty: ["Ask something. The answer appears here as it is written.", "質問を入力してください。回答は生成されながらここに表示されます。"],
  none: ["This key may use no service. Ask the lead of your project.", "このキーで使えるサービスがありません。プロジェクトの責任者に確認してください。"],
  you: ["You", "あなた"],
  your_words: ["Your message", "メッセージ"],
  send: ["Send", "送信"],
  stop: ["Stop", "停止"],
  how: ["Enter sends, Shift+Enter begins a line, Esc stops the answer.", "Enter で送信、Shift+Enter で改行、Esc で回答を停止します。"],
  cost: ["This conversation", "この会話の費用"],
  left: ["Left", "残高"],
  left_of: ["Left ({0}, {1})", "残高（{0}、{1}）"],
  today: ["Left today for this key", "このキーの本日の残り"],
  answering: ["Answering", "回答中です"],
  waited: ["Waiting for the service; the first answer after a pause takes longer", "サービスの応答を待っています。休止後の最初の回答には時間がかかります"],
  stopped: ["Stopped", "停止しました"],
  was_cut: ["cut at the longest length", "最大の長さで打ち切り"],
  was_stopped: ["stopped by you", "あなたが停止"],
  was_broken: ["broken off", "途中で途切れました"],
  by: ["{0}, {1}", "{0}（{1}）"],
  again: ["Try again", "もう一度試す"],
  key_wrong: ["This key is not valid: mistyped, revoked or expired. Ask the lead of your project for a new one.",
              "このキーは使えません。入力の誤り、取り消し、または期限切れです。プロジェクトの責任者に新しいキーを依頼してください。"],
  key_shape: ["A key begins with tnk_ and has 64 characters after that.", "キーは tnk_ で始まり、その後に 64 文字が続きます。"],
  e_credit: ["There is not enough credit for this answer.", "この回答のためのクレジットが足りません。"],
  do_credit: ["Choose a cheaper service, begin a new conversation (a long one costs more with each question), or ask the lead of your project for more.",
              "安いサービスを選ぶか、新しい会話を始めるか（会話が長いほど 1 問の費用が増えます）、プロジェクトの責任者に追加の配分を依頼してください。"],
  e_forbidden: ["This key may not use this service.", "このキーではこのサービスを使えません。"],
  do_forbidden: ["Choose another service, or ask the lead of your project for a key that may.", "別のサービスを選ぶか、利用できるキーをプロジェクトの責任者に依頼してください。"],
  e_many: ["Too many requests at once.", "短時間の利用が多すぎます。"],
  do_many: ["Try again in {0} seconds.", "{0} 秒後にもう一度試してください。"],
  e_away: ["The service cannot answer just now.", "サービスは現在応答できません。"],
  do_away: ["Try again in {0} seconds, or choose another service.", "{0} 秒後にもう一度試すか、別のサービスを選んでください。"],
  e_long: ["The conversation is too long for this service.", "会話がこのサービスの上限を超えました。"],
  do_long: ["Begin a new conversation, or shorten your message.", "新しい会話を始めるか、メッセージを短くしてください。"],
  e_bad: ["The service did not take this message.", "サービスがこのメッセージを受け付けませんでした。"],
  do_bad: ["Change it, or begin a new conversation.", "内容を変えるか、新しい会話を始めてください。"],
  e_broken: ["The answer broke off. What you see is what arrived, and you pay for no more than that.", "回答が途中で途切れました。表示されているのが届いた分で、それを超える費用はかかりません。"],
  do_broken: ["Try again; another replica or region will answer.", "もう一度試してください。別のレプリカまたは地域が応答します。"],
  e_net: ["The gateway cannot be reached.", "ゲートウェイに接続できません。"],
  do_net: ["Check your connection and try again.", "ネットワーク接続を確認して、もう一度試してください。"],
  e_full: ["This browser has no room left: this conversation is not kept.", "ブラウザーの保存領域がいっぱいのため、この会話は保存されません。"],
  do_full: ["Delete old conversations.", "古い会話を削除してください。"],
};
const licences = {
  permissive: ["free to use", "自由に利用可"], terms: ["own terms apply", "利用条件あり"],
  non_commercial: ["non-commercial only", "非商用のみ"], api_only: ["API only", "API のみ"],
};
const states = {
  running: ["ready", "稼働中"], ready: ["ready", "稼働中"], starting: ["starting", "起動中"], waiting: ["waiting for GPUs", "GPU 待ち"],
  stopped: ["stopped", "停止中"], idle: ["asleep; the first answer takes longer", "休止中（最初の回答に時間がかかります）"],
  no_credit: ["paused: its project has no credit", "休止中（運営プロジェクトの残高不足）"],
};

const $ = (id) => document.getElementById(id);
const keyName = "tenbin.key", storeName = "tenbin.chat.1", langName = "tenbin.lang";

let language = "ja";
const pick = ([en, ja]) => (language === "ja" ? ja : en);
const say = (name, ...figures) => pick(texts[name]).replace(/\{(\d)\}/g, (_, i) => figures[i]);

// ---- amounts: integers, micro-credits ----

function micro(amount) {
  if (typeof amount === "number" && Number.isFinite(amount)) return BigInt(Math.round(amount));
  const parts = typeof amount === "string" ? /^(-?)(\d+)(?:\.(\d{1,6})\d*)?$/.exec(amount) : null;
  if (!parts) return null;
  const value = BigInt(parts[2]) * 1000000n + BigInt((parts[3] ?? "").padEnd(6, "0") || "0");
  return parts[1] ? -value : value;
}
/// All digits that count: 0.00123, 1,234.5.
function shown(value) {
  const sign = value < 0n ? "-" : "", size = value < 0n ? -value : value;
  const rest = (size % 1000000n).toString().padStart(6, "0").replace(/0+$/, "");
  const whole = (size / 1000000n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  return sign + whole + (rest ? "." + rest : "");
}
const credits = (value) => say("credits", shown(value));
/// Of large amounts the digits behind the second are noise.
const balance = (value) => credits(value >= 100000000n ? (value / 10000n) * 10000n : value);

// ---- server-sent events, byte by byte ----

/// Takes bytes as they come, gives {event, data} when one is whole. Lines are found among bytes, so
/// that a character which is cut between two reads is put together before it is read as text.
class EventReader {
  #held = [];
  #size = 0;
  #afterReturn = false;
  #event = "";
  #data = [];
  #decoder = new TextDecoder("utf-8", {ignoreBOM: true});

  *read(bytes) {
    let from = 0;
    for (let at = 0; at < bytes.length; ++at) {
      const byte = bytes[at];
      if (byte === 10 && this.#afterReturn) {  // of CR LF
        this.#afterReturn = false;
        from = at + 1;
        continue;
      }
      this.#afterReturn = byte === 13;
      if (byte !== 10 && byte !== 13) continue;
      const event = this.#line(this.#whole(bytes.subarray(from, at)));
      from = at + 1;
      if (event) yield event;
    }
    if (from < bytes.length) {
      this.#held.push(bytes.slice(from));
      this.#size += bytes.length - from;
    }
  }
  #whole(tail) {
    if (this.#held.length === 0) return tail;
    const all = new Uint8Array(this.#size + tail.length);
    let at = 0;
    for (const part of [...this.#held, tail]) {
      all.set(part, at);
      at += part.length;
    }
    this.#held = [];
    this.#size = 0;
    return all;
  }
  #line(bytes) {
    if (bytes.length === 0) {
      const event = this.#data.length > 0 ? {event: this.#event || "message", data: this.#data.join("\n")} : null;
      this.#event = "";
      this.#data = [];
      return event;
    }
    const line = this.#decoder.decode(bytes);
    const colon = line.indexOf(":");
    if (colon === 0) return null;  // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#event = value;
    return null;
  }
}

// ---- what is kept ----

const blank = () => ({id: crypto.randomUUID ? crypto.randomUUID() : String(Date.now()) + Math.random(), at: Date.now(), service: "", cost: "0", messages: []});
let conversations = [], current = blank(), services = [], left = null;
let running = null;  // {abort, conversation, message}: the answer that is being written

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(storeName) ?? "[]");
    conversations = Array.isArray(kept) ? kept.filter((c) => c && typeof c.id === "string" && Array.isArray(c.messages)) : [];
  } catch {
    conversations = [];
  }
}
/// Another tab may have written meanwhile: only this conversation is put in its place.
function keep(conversation) {
  const mine = conversation.messages.length > 0 ? conversation : null;
  load();
  conversations = conversations.filter((c) => c.id !== conversation.id);
  if (mine) conversations.unshift(mine);
  conversations.sort((a, b) => b.at - a.at);
  store();
  drawList();
}
function store() {
  try {
    localStorage.setItem(storeName, JSON.stringify(conversations));
  } catch {
    notice("e_full", "do_full");
  }
}
const titleOf = (conversation) => {
  const first = conversation.messages.find((m) => m.role === "user")?.content.trim().replace(/\s+/g, " ") ?? "";
  if (!first) return say("untitled");
  const letters = window.Intl?.Segmenter ? [...new Intl.Segmenter(language).segment(first)].map((s) => s.segment) : [...first];
  return letters.length > 30 ? letters.slice(0, 30).join("") + "…" : first;
};

// ---- drawing ----

function make(tag, words, className) {
  const element = document.createElement(tag);
  if (words !== undefined) element.textContent = words;
  if (className) element.className = className;
  return element;
}

function speak(words) {
  const said = $("said");
  said.textContent = said.textContent === words ? words + "\u00A0" : words;
}

function setLanguage(wanted, remember) {
  language = wanted === "en" ? "en" : "ja";
  document.documentElement.lang = language;
  document.title = say("page_title");
  if (remember) try { localStorage.setItem(langName, language); } catch { /* the next visit asks the browser again */ }
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = say(element.dataset.t);
  for (const button of document.querySelectorAll(".lang")) button.setAttribute("aria-pressed", String(button.value === language));
  $("door-error").textContent = "";
  $("notice").replaceChildren();
  draw();
}

function draw() {
  $("title").textContent = say("log");
  drawList();
  drawServices();
  drawTurns();
  drawMoney();
}

function drawList() {
  $("list").replaceChildren(...conversations.map((conversation) => {
    const item = make("li"), title = titleOf(conversation);
    const open = make("button", title, "pick"), drop = make("button", "×", "drop");
    open.type = drop.type = "button";
    open.title = title;
    if (conversation.id === current.id) open.setAttribute("aria-current", "true");
    drop.setAttribute("aria-label", say("drop", title));
    open.addEventListener("click", () => choose(conversation));
    drop.addEventListener("click", () => {
      if (!confirm(say("drop_sure", title))) return;
      load();
      conversations = conversations.filter((c) => c.id !== conversation.id);
      store();
      if (conversation.id === current.id) begin();
      else drawList();
    });
    item.append(open, drop);
    return item;
  }));
  $("forget").hidden = conversations.length === 0;
}

const regionsOf = (service) => {
  const {regions, region} = service?.tenbin ?? {};
  return [regions ?? region ?? []].flat().join(", ");
};

function drawServices() {
  const select = $("service"), about = $("about-service");
  select.replaceChildren(...services.map((service) => {
    const option = make("option", service.title && service.title !== service.id ? `${service.title} (${service.id})` : service.id);
    option.value = service.id;
    return option;
  }));
  if (services.some((s) => s.id === current.service)) select.value = current.service;
  const service = services.find((s) => s.id === select.value);
  about.replaceChildren();
  $("more").hidden = !service;
  if (!service) return;
  const told = service.tenbin ?? {};
  const row = (name, words) => {
    if (!words) return;
    const part = make("div");
    part.append(make("dt", say(name)), make("dd", words));
    about.append(part);
  };
  const price = (amount) => (micro(amount) === null ? "" : credits(micro(amount)));
  row("region", regionsOf(service));
  row("licence", licences[told.licence] ? pick(licences[told.licence]) : told.licence);
  row("state", states[told.state] ? pick(states[told.state]) : told.state);
  row("price_in", price(told.price?.input));
  row("price_out", price(told.price?.output));
  const thousand = price(told.per_1000_japanese_characters);
  row("price_ja", thousand && say("about", thousand));
}

function turnOf(message) {
  const turn = make("article", undefined, `turn ${message.role}`);
  turn.append(make("h2", message.role === "user" ? say("you") : message.service ?? ""));
  const words = make("p", message.content, "words");
  turn.append(words);
  const notes = [];
  if (message.region) notes.push(message.region);
  if (message.end === "length") notes.push(say("was_cut"));
  if (message.end === "stopped") notes.push(say("was_stopped"));
  if (message.end === "broken") notes.push(say("was_broken"));
  if (message.charge !== undefined) notes.push(credits(BigInt(message.charge)));
  if (notes.length > 0) turn.append(make("p", notes.join(" · "), "foot"));
  if (running?.message === message) turn.classList.add("busy");
  return turn;
}

function drawTurns() {
  const log = $("log");
  if (current.messages.length === 0) {
    log.replaceChildren(make("p", say(services.length > 0 ? "empty" : "none"), "empty"));
    return;
  }
  log.replaceChildren(...current.messages.map(turnOf));
  log.scrollTop = log.scrollHeight;
}

function drawMoney() {
  $("cost").textContent = credits(BigInt(current.cost ?? "0"));
  const free = micro(left?.free ?? left?.left), today = micro(left?.today?.left ?? left?.today);
  $("left").textContent = free === null ? "–" : balance(free);
  $("left-name").textContent = left?.project ? say("left_of", left.project, left.region ?? "") : say("left");
  $("today-part").hidden = today === null;
  if (today !== null) $("today").textContent = balance(today);
}

/// What went wrong, what to do, and what the gateway said of it.
function notice(what, what_to_do, figures = [], detail = "", again = null) {
  const box = $("notice");
  box.replaceChildren(make("p", say(what), "what"), make("p", say(what_to_do, ...figures)));
  if (detail) box.append(make("p", detail, "detail"));
  if (again) {
    const button = make("button", say("again"));
    button.type = "button";
    button.addEventListener("click", again);
    box.append(button);
  }
}

// ---- the gateway ----

const key = () => sessionStorage.getItem(keyName) ?? "";
const headers = (more = {}) => ({Authorization: `Bearer ${key()}`, "Accept-Language": language, ...more});

async function get(path) {
  const answer = await fetch(path, {headers: headers(), cache: "no-store", credentials: "omit"});
  if (!answer.ok) throw Object.assign(new Error(path), {status: answer.status});
  return answer.json();
}

const detailOf = (error) => (error && (language === "ja" ? error.message_ja : error.message_en)) || error?.message || "";

/// Says a refusal in plain words. True if there is something to ask again.
function refused(status, error, wait, again) {
  const detail = detailOf(error), code = String(error?.code ?? "");
  if (status === 401) return signOut("key_wrong");
  const seconds = Math.max(1, Math.ceil(Number(wait) || 5));
  if (status === 402) notice("e_credit", "do_credit", [], detail, again);
  else if (status === 403) notice("e_forbidden", "do_forbidden", [], detail);
  else if (status === 429) notice("e_many", "do_many", [seconds], detail, again);
  else if (code.includes("context")) notice("e_long", "do_long", [], detail);
  else if (status >= 500) notice("e_away", "do_away", [seconds], detail, again);
  else notice("e_bad", "do_bad", [], detail, again);
}

async function lookAtMoney() {
  try {
    left = await get("/v1/tenbin/balance");
    drawMoney();
  } catch (error) {
    if (error.status === 401) signOut("key_wrong");
  }
}

async function enter() {
  try {
    services = (await get("/v1/models")).data ?? [];
  } catch (error) {
    if (error.status === 401 || error.status === 403) return signOut("key_wrong");
    return signOut("e_net", true);
  }
  $("door").hidden = true;
  $("room").hidden = false;
  for (const element of document.querySelectorAll(".signed-in")) element.hidden = false;
  load();
  begin();
  lookAtMoney();
}

function signOut(why, keepKey) {
  running?.abort.abort();
  if (!keepKey) sessionStorage.removeItem(keyName);
  services = [];
  left = null;
  current = blank();
  $("room").hidden = true;
  $("log").replaceChildren();
  $("list").replaceChildren();
  $("text").value = "";
  for (const element of document.querySelectorAll(".signed-in")) element.hidden = true;
  $("door").hidden = false;
  $("key").value = "";
  $("door-error").textContent = why ? say(why) : "";
  $("key").focus();
}

// ---- talking ----

function busy(is) {
  $("send").hidden = is;
  $("stop").hidden = !is;
  $("service").disabled = is;
}

function begin() {
  running?.abort.abort();
  const service = current.service;
  current = blank();
  current.service = service;
  closeList();
  $("notice").replaceChildren();
  draw();
  $("text").focus();
}

function choose(conversation) {
  if (conversation.id !== current.id) running?.abort.abort();
  current = conversation;
  closeList();
  $("notice").replaceChildren();
  draw();
  $("text").focus();
}

function closeList() {
  $("side").classList.remove("open");
  $("open-list").setAttribute("aria-expanded", "false");
}

function spend(conversation, message, charge) {
  const amount = micro(charge);
  if (amount === null) return;
  conversation.cost = (BigInt(conversation.cost ?? "0") + amount - BigInt(message.charge ?? "0")).toString();
  message.charge = amount.toString();
}

/// An answer that did not end by itself is settled a moment later.
async function chargeLater(conversation, message) {
  for (const wait of [300, 1000, 3000]) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (!key() || message.charge !== undefined) return;
    try {
      const told = await get(`/v1/tenbin/requests/${encodeURIComponent(message.request)}`);
      if (micro(told.charge) === null) continue;
      spend(conversation, message, told.charge);
      keep(conversation);
      if (conversation === current) drawTurns();
      return lookAtMoney();
    } catch { /* not settled yet */ }
  }
}

async function answer() {
  const conversation = current, abort = new AbortController();
  const service = $("service").value;
  conversation.service = service;
  conversation.at = Date.now();
  const asked = conversation.messages.map(({role, content}) => ({role, content}));
  const message = {role: "assistant", content: "", service};
  conversation.messages.push(message);
  running = {abort, conversation, message};
  busy(true);
  $("notice").replaceChildren();
  drawTurns();
  speak(say("answering"));
  const slow = setTimeout(() => speak(say("waited")), 4000);
  const again = () => {
    if (running) return;
    const at = conversation.messages.indexOf(message);
    if (at >= 0) conversation.messages.splice(at, 1);
    if (conversation.messages.at(-1)?.role === "user") answer();
  };

  const log = $("log");
  let drawn = 0;
  const show = () => {
    drawn = 0;
    const words = log.querySelector(".turn.busy .words");
    if (!words || conversation !== current) return;
    const low = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    words.textContent = message.content;
    if (low) log.scrollTop = log.scrollHeight;
  };
  let end = "broken", trouble = null, status = 0, wait = null;
  try {
    const reply = await fetch("/v1/chat/completions", {
      method: "POST", signal: abort.signal, credentials: "omit", cache: "no-store",
      headers: headers({"Content-Type": "application/json", "Tenbin-Charge": "yes"}),
      body: JSON.stringify({model: service, messages: asked, stream: true, stream_options: {include_usage: true}, tenbin: {charge: true}}),
    });
    message.request = reply.headers.get("Tenbin-Request") ?? undefined;
    message.region = reply.headers.get("Tenbin-Region") ?? undefined;
    status = reply.status;
    wait = reply.headers.get("Retry-After");
    if (!reply.ok) {
      end = "refused";
      trouble = (await reply.json().catch(() => ({}))).error ?? {};
    } else {
      const events = new EventReader();
      reading: for (const reader = reply.body.getReader();;) {
        const {done, value} = await reader.read();
        if (done) break;
        for (const {event, data} of events.read(value)) {
          if (data === "[DONE]") {
            if (end === "broken" && !trouble) end = "stop";
            break reading;
          }
          const told = JSON.parse(data);
          if (event === "tenbin.charge") {
            spend(conversation, message, told.charge);
          } else if (told.error) {
            trouble = told.error;
            end = "broken";
          } else {
            const choice = told.choices?.[0];
            if (choice?.delta?.content) {
              clearTimeout(slow);
              message.content += choice.delta.content;
              drawn ||= requestAnimationFrame(show);
            }
            if (choice?.finish_reason) end = choice.finish_reason;
          }
        }
      }
    }
  } catch (error) {
    if (abort.signal.aborted) end = "stopped";
    else if (status === 0) end = "unreachable";
    else end = "broken";
  }
  clearTimeout(slow);
  if (drawn) cancelAnimationFrame(drawn);
  running = null;
  busy(false);
  message.end = end;
  const empty = message.content === "";
  if (end === "refused" || end === "unreachable" || (empty && end !== "stop")) {
    conversation.messages.splice(conversation.messages.indexOf(message), 1);
  }
  keep(conversation);
  if (message.request && message.charge === undefined && end !== "refused") chargeLater(conversation, message);
  if (conversation === current && key()) {
    drawTurns();
    if (end === "refused") refused(status, trouble, wait, again);
    else if (end === "unreachable") notice("e_net", "do_net", [], "", again);
    else if (end === "broken") notice("e_broken", "do_broken", [], detailOf(trouble), again);
    // The whole answer at once: nobody wants it read token by token.
    speak(end === "stopped" ? say("stopped") : end === "refused" || end === "unreachable" ? "" : message.content);
  }
  drawMoney();
  lookAtMoney();
}

function ask() {
  const words = $("text").value;
  if (running || words.trim() === "" || !$("service").value) return;
  // What was asked in vain is asked anew, not twice.
  if (current.messages.at(-1)?.role === "user") current.messages.pop();
  current.messages.push({role: "user", content: words});
  $("text").value = "";
  answer();
}

// ---- what people do ----

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = $("key").value.replace(/\s/g, "");
  if (!/^tnk_[0-9a-f]{64}$/.test(given)) {
    $("door-error").textContent = say("key_shape");
    return;
  }
  sessionStorage.setItem(keyName, given);
  enter();
});
$("sign-out").addEventListener("click", () => signOut());
$("new").addEventListener("click", begin);
$("forget").addEventListener("click", () => {
  if (!confirm(say("forget_sure"))) return;
  conversations = [];
  store();
  begin();
});
$("open-list").addEventListener("click", () => {
  const open = $("side").classList.toggle("open");
  $("open-list").setAttribute("aria-expanded", String(open));
  if (open) $("new").focus();
});
$("service").addEventListener("change", () => {
  current.service = $("service").value;
  drawServices();
});
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("stop").addEventListener("click", () => {
  running?.abort.abort();
  $("text").focus();
});
$("text").addEventListener("keydown", (event) => {
  // While an input method composes, Enter takes its proposal (229: browsers that end composing first).
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  ask();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || event.keyCode === 229) return;
  if (running) running.abort.abort();
  else if ($("side").classList.contains("open")) {
    closeList();
    $("open-list").focus();
  }
});
for (const button of document.querySelectorAll(".lang")) button.addEventListener("click", () => setLanguage(button.value, true));
window.addEventListener("storage", (event) => {
  if (event.key !== storeName || !key()) return;
  load();
  drawList();
});

// On a narrow screen what a service is stands behind a word.
$("more").open = !matchMedia("(max-width: 760px)").matches;
const asked = new URLSearchParams(location.search).get("lang");
let kept = null;
try { kept = localStorage.getItem(langName); } catch { /* no storage */ }
for (const element of document.querySelectorAll(".signed-in")) element.hidden = true;
setLanguage(asked ?? kept ?? ((navigator.language ?? "ja").startsWith("ja") ? "ja" : "en"), false);
if (key()) enter();
else signOut();
