// Keeps the page as things are: says times in the reader's zone, and fetches the board again when
// something has happened, or every few seconds where events do not come through. Commands nothing.
"use strict";

const board = document.getElementById("board");
const state = document.getElementById("state");
const asOf = document.getElementById("as-of");
const words = document.body.dataset;
const language = document.documentElement.lang;
const quick = 1000, few = 5000, slow = 15000;  // ms between two fetches: told of news, alone, told of none

const zone = new Intl.DateTimeFormat(language, {timeZoneName: "short"});
const day = new Intl.DateTimeFormat(language, {month: "short", day: "numeric"});
const year = new Intl.DateTimeFormat(language, {year: "numeric", month: "short", day: "numeric"});
const clock = new Intl.DateTimeFormat(language, {hour: "2-digit", minute: "2-digit", hourCycle: "h23"});
const exact = new Intl.DateTimeFormat(language, {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"});

function inOurZone(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const date = at.getFullYear() === now.getFullYear() ? day : year;
    time.textContent = at.toDateString() === now.toDateString() ? clock.format(at) : `${date.format(at)} ${clock.format(at)}`;
  }
}

function sayWhen(at) {
  const name = zone.formatToParts(at).find((part) => part.type === "timeZoneName");
  const time = document.createElement("time");
  time.dateTime = at.toISOString();
  time.title = at.toISOString().replace("T", " ").slice(0, 19) + " UTC";
  time.textContent = exact.format(at) + (name ? " " + name.value : "");
  asOf.replaceChildren(time);
}

// Only changes are said, so that nobody is read the same words again and again.
function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

let tag = "", timer = 0, fetching = false, again = false, events = null, last = 0;

function soon(ms) {
  clearTimeout(timer);
  timer = setTimeout(look, Math.max(0, ms));
}

async function look() {
  if (document.hidden) return;
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  again = false;
  last = Date.now();
  let live = events !== null && events.readyState === EventSource.OPEN;
  try {
    const answer = await fetch(`/board?lang=${language}`, {cache: "no-store", headers: tag ? {"If-None-Match": tag} : {}});
    if (answer.status === 401) return location.reload();  // signed out, or the token is over
    if (answer.status === 200) {
      const html = await answer.text();
      const fresh = new DOMParser().parseFromString(html, "text/html");
      inOurZone(fresh);
      board.replaceChildren(...fresh.body.childNodes);
      tag = answer.headers.get("ETag") || "";
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    sayWhen(new Date(answer.headers.get("Date") || Date.now()));
    say(live ? words.live : words.poll);
  } catch {
    live = false;
    say(words.lost);
  } finally {
    fetching = false;
    soon(again ? quick : live ? slow : few);
  }
}

function news() {
  if (fetching) {
    again = true;
  } else {
    soon(quick - (Date.now() - last));
  }
}

function listen() {
  if (events || !window.EventSource) return;
  events = new EventSource("/v1/events");
  for (const kind of words.kinds.split(" ")) events.addEventListener(kind, news);
  for (const last of ["open", "signed_out"]) events.addEventListener(last, news);
  events.addEventListener("error", () => soon(quick));
}

// A page that nobody looks at keeps no connection.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    if (events) events.close();
    events = null;
    clearTimeout(timer);
  } else {
    listen();
    soon(0);
  }
});

inOurZone(document);
sayWhen(new Date(asOf.querySelector("time").dateTime));
if (!document.hidden) {
  listen();
  soon(few);
}
