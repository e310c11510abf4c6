#!/usr/bin/env python3
"""The chat page in a real browser, against a gateway that answers, refuses and breaks as it is told.

    chat_page_test.py SOURCE          with TENBIN_SHOTS=FOLDER it leaves pictures there
"""

import http.server
import json
import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser as browsers

source = sys.argv[1]
shots = os.environ.get("TENBIN_SHOTS")
folder = os.path.join(source, "src/gateway/page")
key = "tnk_" + "0123456789abcdef" * 4
reply = "天秤は東京と大阪の計算資源を公平に配分します。鱻・🗾「葛\U000E0100」ｶﾅ <b>&amp;</b> も字です！\n二行目です。"

# The headers are those of the program.
with open(os.path.join(folder, "chat_page.cc"), encoding="utf-8") as file:
    written = file.read()
headers = [(name, re.sub(r'"\s*"', "", value)) for name, value in
           re.findall(r'\{"([A-Z][A-Za-z-]+)",\s*((?:"[^"]*"\s*)+)\}', written)]
headers = [(name, value.strip().strip('"')) for name, value in headers]
assert any(name == "Content-Security-Policy" for name, _ in headers), headers
types = {"chat.html": "text/html; charset=utf-8", "chat.css": "text/css; charset=utf-8",
         "chat.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"}


class Gateway(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Door)
        self.mode, self.asked, self.cut, self.free = "answer", [], threading.Event(), 1_234_567_890_000
        self.go_on, self.seen = threading.Event(), []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *_):
        pass  # a browser that leaves

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, status, body, kind="application/json", more=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *more]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code, en, ja, more=()):
        self.give(status, {"error": {"message": en, "message_en": en, "message_ja": ja, "type": "x", "param": None, "code": code}}, more=more)

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def signed_in(self):
        if self.headers.get("Authorization") == "Bearer " + key:
            return True
        self.refuse(401, "bad_key", "no such key", "このキーはありません")
        return False

    def do_GET(self):
        self.server.seen.append(self.path)
        path = self.path.split("?")[0]
        if path == "/chat" or path.startswith("/chat/"):
            name = {"/chat": "chat.html"}.get(path, path[6:])
            with open(os.path.join(folder, name), "rb") as page:
                return self.give(200, page.read(), types[name], headers)
        if not self.signed_in():
            return None
        if path == "/v1/models":
            price = {"id": 1, "input": 50_000_000, "cached_input": 5_000_000, "output": 150_000_000}
            return self.give(200, {"object": "list", "data": [
                {"id": "nihongo-small", "object": "model", "tenbin": {
                    "regions": ["japan-east", "japan-west"], "licence": "permissive", "price": price, "state": "running",
                    "per_1000_japanese_characters": 97_500}},
                {"id": "kotoba-large", "object": "model", "tenbin": {
                    "regions": ["japan-east"], "licence": "non_commercial", "price": {**price, "output": 900_000_000}, "state": "idle",
                    "per_1000_japanese_characters": "0.585"}}]})
        if path == "/v1/tenbin/balance":
            credits = f"{self.server.free // 1_000_000}.{self.server.free % 1_000_000:06}"
            return self.give(200, {"project": "consumer", "region": "japan-west", "free": credits, "today": {"left": "99.5"}})
        if path.startswith("/v1/tenbin/requests/"):
            return self.give(200, {"charge": "0.000321"})
        return self.refuse(404, "not_found", "no", "なし")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.signed_in():
            return None
        asked = json.loads(body)
        self.server.asked.append((asked, dict(self.headers)))
        mode = self.server.mode
        if mode == "402":
            return self.refuse(402, "insufficient_credit", "3.2 credits are needed, 0.1 is free", "3.2 クレジット必要ですが、残りは 0.1 です")
        if mode == "429":
            return self.refuse(429, "rate_limit", "60 a minute", "毎分 60 件", [("Retry-After", "7")])
        if mode == "503":
            return self.refuse(503, "no_replica", "no replica is up", "稼働中のレプリカがありません", [("Retry-After", "12")])
        if mode == "400":
            return self.refuse(400, "context_length_exceeded", "too long", "長すぎます")
        if mode == "drop":
            return self.hang_up()
        self.send_response(200)
        for name, value in (("Content-Type", "text/event-stream"), ("Tenbin-Request", "r1"), ("Tenbin-Region", "japan-west"),
                            ("Transfer-Encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()

        def raw(data):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def event(value, name=None):
            return ((f"event: {name}\r\n" if name else "") + "data: " + json.dumps(value, ensure_ascii=False) + "\r\n\r\n").encode()

        def piece(text, end=None):
            return event({"id": "x", "choices": [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": end}]})

        try:
            if mode == "slow":
                for i in range(10_000):
                    raw(piece(f"{i} "))
                    time.sleep(0.02)
            elif mode == "broken":
                raw(piece("ここまで"))
                raw(event({"error": {"message": "engine died", "message_en": "engine died", "message_ja": "エンジンが停止しました", "code": "broken"}}))
            elif mode == "torn":  # the connection ends, without a word
                raw(piece("途中"))
                time.sleep(0.2)  # bytes that come with the end are the browser's to lose
                return self.hang_up()
            else:
                stream = b": hello\r\n\r\n" + b"".join(piece(c) for c in re.findall(r".{1,3}", reply, re.S))
                stream += piece("", "stop") + event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 30}})
                stream += event({"charge": "0.004875"}, "tenbin.charge") + b"data: [DONE]\r\n\r\n"
                step = 7 if mode == "answer" else 1  # never where a character or a line ends
                for at in range(0, len(stream), step):
                    raw(stream[at:at + step])
                self.server.free -= 4_875
            raw(b"")
        except OSError:
            self.server.cut.set()
        return None


failed = 0


def check(what, good, why=""):
    global failed
    if not good:
        failed += 1
        print(f"WRONG {what} {why}")


def ask(page, text):
    page.run("document.getElementById('text').focus()")
    page.write(text)
    page.press("Enter")


def words(page):
    return page.run("[...document.querySelectorAll('.turn .words')].map(e => e.textContent)")


def idle(page):
    page.until("running === null && document.getElementById('stop').hidden")


def sign_in(page, gateway, language):
    page.go(f"{gateway.url}/chat?lang={language}")
    page.until("!document.getElementById('door').hidden")
    page.run("document.getElementById('key').focus()")
    page.write(key)
    page.press("Enter")
    page.until("!document.getElementById('room').hidden && document.getElementById('left').textContent.includes('1,234')")


def story(browser, gateway):
    page = browser.page(1280, 900)
    page.go(gateway.url + "/chat")
    page.until("document.documentElement.lang === 'ja' && document.title.includes('チャット')")
    check("the door has the focus", page.run("document.activeElement.id") == "key")
    page.write("tnk_short")
    page.press("Enter")
    page.until("document.getElementById('door-error').textContent.includes('64 文字')")
    page.run("document.getElementById('key').value = ''")
    page.write("tnk_" + "f" * 64)
    page.press("Enter")
    page.until("document.getElementById('door-error').textContent.includes('取り消し')")
    check("a key that is not taken is not kept", page.run("sessionStorage.length") == 0)
    page.write(key)
    page.press("Enter")
    page.until("!document.getElementById('room').hidden")
    check("the key is in this tab only", page.run("sessionStorage.getItem('tenbin.key')") == key and
          page.run("JSON.stringify({...localStorage}).includes('tnk_')") is False)
    page.until("document.getElementById('left').textContent === '1,234,567.89 クレジット'")
    about = page.run("document.getElementById('about-service').innerText")
    for part in ("japan-east, japan-west", "自由に利用可", "50 クレジット", "150 クレジット", "約 0.0975 クレジット", "稼働中"):
        check("what the service is", part in about, f"no {part} in {about}")
    check("what is left today", "99.5" in page.run("document.getElementById('money').innerText"))

    # An answer, byte by byte.
    page.run("window.saidTimes = 0; new MutationObserver(() => ++saidTimes).observe(document.getElementById('said'), {childList: true, characterData: true, subtree: true})")
    for mode in ("answer", "bytes"):
        gateway.mode = mode
        ask(page, "天秤とは何ですか？")
        idle(page)
        page.until("document.querySelectorAll('.turn.busy').length === 0")
        check(f"the reply ({mode})", words(page)[-1] == reply, words(page)[-1])
    asked, sent = gateway.asked[-1]
    check("the whole conversation is sent", [m["role"] for m in asked["messages"]] == ["user", "assistant", "user"])
    check("and is streamed", asked["stream"] is True and asked["tenbin"] == {"charge": True} and asked["model"] == "nihongo-small")
    check("in the reader's language", sent["Accept-Language"] == "ja", sent)
    check("nothing is read token by token", page.run("saidTimes") <= 6, page.run("saidTimes"))
    check("the answer is read once, whole", page.run("document.getElementById('said').textContent.trim()") == reply.strip())
    page.until("document.getElementById('cost').textContent === '0.00975 クレジット'")
    check("an answer says where from and how much", "japan-west · 0.004875 クレジット" in page.run("document.querySelector('.turn.assistant .foot').textContent"))
    check("letters stay letters", page.run("document.querySelectorAll('.turn b').length") == 0)

    # The keyboard.
    before = len(gateway.asked)
    page.run("document.getElementById('text').focus()")
    page.write("へんかん")
    page.press("Process", 229)
    page.run("""document.getElementById('text').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))""")
    page.run("""document.getElementById('text').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true}))""")
    check("Enter while an input method composes sends nothing", len(gateway.asked) == before)
    page.send("Input.imeSetComposition", text="変換", selectionStart=2, selectionEnd=2)
    page.press("Enter", 229)
    check("nor with a composition open", len(gateway.asked) == before)
    page.send("Input.insertText", text="変換")
    page.press("Enter", modifiers=8)
    check("Shift+Enter begins a line", page.run("document.getElementById('text').value").count("\n") == 1 and len(gateway.asked) == before)
    gateway.mode = "slow"
    page.press("Enter")
    page.until("document.querySelectorAll('.turn')[5]?.querySelector('.words').textContent.length > 20")
    check("the button is there to stop", page.run("document.getElementById('send').hidden && !document.getElementById('stop').hidden"))
    gateway.cut.clear()
    page.press("Escape")
    idle(page)
    check("Esc stops the gateway's work too", gateway.cut.wait(5))
    check("and says so", "あなたが停止" in page.run("[...document.querySelectorAll('.foot')].at(-1).textContent"))
    page.until("[...document.querySelectorAll('.foot')].at(-1).textContent.includes('0.000321')")
    page.until("document.getElementById('cost').textContent === '0.010071 クレジット'")

    # What goes wrong, in plain words, and again.
    for mode, part, detail in (("402", "クレジットが足りません", "3.2 クレジット必要"), ("429", "7 秒後", "毎分 60 件"),
                               ("503", "12 秒後", "稼働中のレプリカがありません"), ("400", "長すぎます", "上限"),
                               ("drop", "接続できません", "ネットワーク"), ("broken", "途中で途切れました", "エンジンが停止しました"),
                               ("torn", "途中で途切れました", "もう一度")):
        gateway.mode = mode
        turns = len(words(page))
        ask(page, "もう一度")
        page.until("document.getElementById('notice').childNodes.length > 0 && running === null")
        said = page.run("document.getElementById('notice').innerText")
        check(f"{mode} is said", part in said and detail in said, said)
        kept_part = mode in ("broken", "torn")
        check(f"{mode}: what came is kept", len(words(page)) == turns + (2 if kept_part else 1), words(page))
        gateway.mode = "answer"
        if mode == "400":
            page.run("document.getElementById('text').focus()")
            ask(page, "短く")
        else:
            page.run("document.querySelector('#notice button').click()")
        idle(page)
        page.until("document.getElementById('notice').childNodes.length === 0")
        check(f"{mode}: again, and not twice", len(words(page)) == turns + 2 and words(page)[-1] == reply, words(page)[turns:])

    # What is kept.
    turns = len(words(page))
    page.run("document.getElementById('new').click()")
    check("a new conversation is empty and free", words(page) == [] and page.run("document.getElementById('cost').textContent") == "0 クレジット")
    ask(page, "<img src=x onerror=alert(1)> 二つ目の会話です。題はとても長いので途中で切られるはずです")
    idle(page)
    titles = page.run("[...document.querySelectorAll('#list .pick')].map(e => e.textContent)")
    check("both are listed, the last first", len(titles) == 2 and titles[1] == "天秤とは何ですか？" and titles[0].endswith("…"), titles)
    page.send("Page.reload")
    page.until("document.querySelectorAll('#list .pick').length === 2")
    page.run("document.querySelectorAll('#list .pick')[1].click()")
    check("and there after a reload", len(words(page)) == turns and "クレジット" in page.run("document.getElementById('cost').textContent"))
    page.run("window.confirm = () => true; document.querySelectorAll('#list .drop')[1].click()")
    check("one can be deleted", page.run("document.querySelectorAll('#list .pick').length") == 1 and words(page) == [])
    page.run("document.querySelector('.lang[value=en]').click()")
    check("the language changes at once", page.run("document.documentElement.lang") == "en" and "New conversation" in page.run("document.getElementById('side').innerText"))
    page.run("document.getElementById('service').value = 'kotoba-large'; document.getElementById('service').dispatchEvent(new Event('change'))")
    check("another service", "non-commercial only" in page.run("document.getElementById('about-service').innerText"))
    ask(page, "hi")
    idle(page)
    check("is the one that is asked", gateway.asked[-1][0]["model"] == "kotoba-large" and gateway.asked[-1][1]["Accept-Language"] == "en")
    page.run("document.getElementById('sign-out').click()")
    check("signed out, the key is gone", page.run("sessionStorage.length") == 0 and page.run("document.getElementById('room').hidden"))

    outside = [e["request"]["url"] for e in page.events("Network.requestWillBeSent") if not e["request"]["url"].startswith(gateway.url + "/")]
    check("no request went outside", outside == [], outside)
    check("nor one with the key in its address", not any("tnk_" in path for path in gateway.seen))
    wrong = [e["entry"]["text"] for e in page.events("Log.entryAdded") if "Content Security Policy" in e["entry"]["text"]]
    wrong += [e["exceptionDetails"]["text"] for e in page.events("Runtime.exceptionThrown")]
    check("the browser has nothing to complain of", wrong == [], wrong)


def reader(browser, gateway):
    """The reader of events alone, cut at every place."""
    page = browser.page(800, 600)
    page.go(gateway.url + "/chat")
    got = page.run("""(() => {
      const text = ':c\\n\\ndata: a鱻\\r\\n\\r\\nevent: e\\rdata: 1\\rdata:2\\r\\rdata\\n\\nid: 7\\ndata:  🗾葛\\u{E0100}ﾃﾞ\\n\\n\\n\\ndata: lost';
      const bytes = new TextEncoder().encode(text), wanted = JSON.stringify([...new EventReader().read(bytes)]);
      for (let first = 0; first <= bytes.length; ++first) {
        for (let second = first; second <= bytes.length; ++second) {
          const reader = new EventReader();
          const all = [...reader.read(bytes.subarray(0, first)), ...reader.read(bytes.subarray(first, second)), ...reader.read(bytes.subarray(second))];
          if (JSON.stringify(all) !== wanted) return `cut at ${first} and ${second}: ${JSON.stringify(all)}`;
        }
      }
      return wanted;
    })()""")
    check("events, cut anywhere", got == json.dumps([{"event": "message", "data": "a鱻"}, {"event": "e", "data": "1\n2"}, {"event": "message", "data": ""},
                                                     {"event": "message", "data": " 🗾葛\U000E0100ﾃﾞ"}], ensure_ascii=False, separators=(",", ":")), got)
    amounts = page.run("[micro('1.25'), micro('0.0000019'), micro(97500), micro('x'), micro(null)].map(String).concat(shown(1234567890000n), shown(-5n))")
    check("amounts", amounts == ["1250000", "1", "97500", "null", "null", "1,234,567.89", "-0.000005"], amounts)


def looks(browser, gateway):
    """No page is wider than its window; both languages, wide and narrow, light and dark."""
    for language in ("ja", "en"):
        for width, height in ((1280, 800), (360, 740)):
            for dark in (False, True):
                gateway.mode = "answer"
                name = f"{language}-{width}-{'dark' if dark else 'light'}"
                page = browser.page(width, height, dark, language)

                def look(what):
                    over = page.run("document.documentElement.scrollWidth - innerWidth")
                    check(f"{name} {what} fits", over <= 0, f"{over} px too wide")
                    over = page.run("document.documentElement.scrollHeight - innerHeight")
                    check(f"{name} {what} needs no scrolling to send", over <= 0, f"{over} px too high")
                    hidden = page.run("""[...document.querySelectorAll('button, select, textarea, input')].filter(e => e.checkVisibility() && !e.closest('#list, #side'))
                      .filter(e => { const r = e.getBoundingClientRect(); return r.left < 0 || r.right > innerWidth + 1 || r.bottom > innerHeight + 1; }).map(e => e.id || e.textContent)""")
                    check(f"{name} {what}: all can be reached", hidden == [], hidden)
                    if shots:
                        page.shot(os.path.join(shots, f"{name}-{what}.png"))

                page.go(f"{gateway.url}/chat?lang={language}")
                page.until("!document.getElementById('door').hidden")
                look("door")
                sign_in(page, gateway, language)
                look("empty")
                ask(page, "天秤とは何ですか？二つの地域のどちらが答えたかも教えてください。")
                idle(page)
                ask(page, "長い語: " + "あ" * 60 + "x" * 80)
                idle(page)
                look("talk")
                if width < 500:
                    page.run("document.getElementById('more').open = true")
                    look("service")
                    page.run("document.getElementById('more').open = false")
                gateway.mode = "402"
                ask(page, "もう一つ")
                page.until("document.getElementById('notice').childNodes.length > 0")
                look("refused")
                if width < 500:
                    page.run("document.getElementById('open-list').click()")
                    look("list")
                    page.press("Escape")
                    check(f"{name}: Esc closes the list", page.run("!document.getElementById('side').classList.contains('open')"))


def main():
    program = browsers.find()
    if not program:
        print("skipped: no Chromium here")
        return 77
    gateway = Gateway()
    browser = browsers.Browser(program)
    try:
        reader(browser, gateway)
        story(browser, gateway)
        gateway.free = 1_234_567_890_000
        looks(browser, gateway)
    finally:
        browser.close()
        gateway.shutdown()
    print("the chat page does what it should" if failed == 0 else f"{failed} wrong")
    return 1 if failed else 0


sys.exit(main())
