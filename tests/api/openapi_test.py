#!/usr/bin/env python3
"""Holds api/openapi.yaml against the running service and against the table of routes.

    openapi_test.py api/openapi.yaml TENBIN ROUTES

Every operation is called with good input by the story below, and its answer must have a status that
the description names and a body that satisfies the schema, with no member that the schema lacks.
Then every operation is called with bad input that follows from its own description: no token, a
wrong method, an unknown parameter, parameters out of range, a broken or foreign body, things that
are not there; and with a tag that it has given, and with HEAD and OPTIONS.

An operation that is new needs its description in the YAML and one good call in `story`.
"""
import copy
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
import warnings

import yaml

warnings.simplefilter("ignore", DeprecationWarning)
import jsonschema

DESCRIPTION, TENBIN, ROUTES = sys.argv[1:4]
failures = []


def check(condition, words):
    if not condition:
        failures.append(words)
        print("FAILED:", words, flush=True)
    return condition


# ---- the description ----

document = yaml.safe_load(open(DESCRIPTION, encoding="utf-8"))


def strict(node):
    """Objects may have no members that their schema does not name."""
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node.setdefault("additionalProperties", False)
        for child in node.values():
            strict(child)
    elif isinstance(node, list):
        for child in node:
            strict(child)


strict_document = copy.deepcopy(document)
strict(strict_document["components"]["schemas"])
resolver = jsonschema.RefResolver.from_schema(strict_document)


def resolved(node):
    while "$ref" in node:
        target = document
        for key in node["$ref"][2:].split("/"):
            target = target[key]
        node = target
    return node


def misfit(schema, value):
    validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    return error and f"{'/'.join(map(str, error.absolute_path))}: {error.message}"


class Operation:
    def __init__(self, method, path, node):
        self.method, self.path, self.node = method.upper(), path, node
        self.id = node["operationId"]
        self.open = node.get("security") == []
        self.parameters = [resolved(p) for p in node.get("parameters", [])]
        self.query = {p["name"]: p for p in self.parameters if p["in"] == "query"}
        self.takes_body = "requestBody" in node
        self.good = None  # the first good call's path, query and body
        self.client = None  # who made it

    def has_header(self, name):
        return any(p["in"] == "header" and p["name"] == name for p in self.parameters)


operations = {}
for path, methods in document["paths"].items():
    for method, node in methods.items():
        operations[node["operationId"]] = Operation(method, path, node)


def check_description():
    in_code = {}
    for line in subprocess.check_output([ROUTES], text=True).splitlines():
        method, path, operation, entry, body, *parameters = line.split()
        in_code[operation] = (method, path, entry == "open", body == "json", sorted(parameters))
    for name in in_code.keys() - operations.keys():
        check(False, f"routes.cc has {name} {in_code[name][:2]}, the description lacks it")
    for name in operations.keys() - in_code.keys():
        check(False, f"the description has {name}, routes.cc lacks it")
    for name in operations.keys() & in_code.keys():
        o = operations[name]
        described = (o.method, o.path, o.open, o.takes_body, sorted(o.query))
        check(described == in_code[name], f"{name}: described {described}, in code {in_code[name]}")
    both = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    for o in operations.values():
        check(o.node.get("summary") and both.search(o.node.get("x-summary-ja", "")),
              f"{o.id}: a summary in both languages")
        in_path = set(re.findall(r"{(\w+)}", o.path))
        check(in_path == {p["name"] for p in o.parameters if p["in"] == "path"},
              f"{o.id}: parameters of the path")
    for group in ("parameters", "schemas", "responses"):
        for name, node in document["components"][group].items():
            check(node.get("description") and node.get("x-description-ja"),
                  f"{group}/{name}: a description in both languages")
            text = json.dumps(document)
            check(f"#/components/{group}/{name}\"" in text, f"{group}/{name} is used by nothing")


# ---- the service ----

class Service:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tenbin-openapi-")
        os.chmod(self.folder, 0o711)
        self.state = self.folder + "/state"
        self.process = subprocess.Popen(
            [TENBIN, "serve", "--state", self.state, "--work", self.folder + "/work", "--port", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            if os.path.exists(self.state + "/url") and os.path.exists(self.state + "/admin.token"):
                break
            if self.process.poll() is not None:
                sys.exit("tenbin serve ended")
            time.sleep(0.05)
        else:
            sys.exit("tenbin serve did not come up")
        self.address = open(self.state + "/url").read().strip().removeprefix("http://")
        self.token = open(self.state + "/admin.token").read().strip()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.type = self.headers.get("content-type", "").split(";")[0]
        self.stream = self.type == "text/event-stream"
        # A stream does not end: its first bytes will do.
        self.body = response.read1(65536) if self.stream else response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    def __init__(self, address, token, language="en"):
        self.address, self.token, self.language = address, token, language
        self.connection = None

    def send(self, method, path, query=None, body=None, headers=None):
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        sent = {"Accept-Language": self.language}
        if self.token:
            sent["Authorization"] = "Bearer " + self.token
        if body is not None:
            sent["Content-Type"] = "application/json"
            if not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            if isinstance(body, str):
                body = body.encode()
        sent.update(headers or {})
        for attempt in (1, 2):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPConnection(self.address, timeout=60)
                self.connection.request(method, target, body=body, headers=sent)
                answer = Answer(self.connection.getresponse())
                if answer.stream:
                    self.connection.close()
                    self.connection = None
                return answer
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if attempt == 2:
                    raise


def filled(path, arguments):
    return re.sub(r"{(\w+)}", lambda m: urllib.parse.quote(str(arguments[m[1]]), safe=""), path)


def hold(operation, answer, words):
    """The answer is one that the description promises."""
    where = f"{operation.id} ({words})"
    responses = operation.node["responses"]
    if not check(str(answer.status) in responses, f"{where}: {answer.status} is not described: {answer.body[:300]}"):
        return
    response = resolved(responses[str(answer.status)])
    content = response.get("content", {})
    for header in response.get("headers", {}):
        check(header.lower() in answer.headers, f"{where}: no header {header}")
    if not content:
        return check(not answer.body, f"{where}: has a body")
    if not check(answer.type in content, f"{where}: is {answer.type}, described {list(content)}"):
        return
    if answer.type.endswith("json"):
        try:
            wrong = misfit(content[answer.type]["schema"], answer.json)
        except ValueError as e:
            wrong = f"not JSON: {e}"
        check(not wrong, f"{where}: {answer.status}: {wrong}")
    if answer.status >= 400:
        problem = answer.json
        check(problem["status"] == answer.status, f"{where}: the status in the problem")
        check(problem["type"] == "urn:tenbin:" + problem["code"], f"{where}: type")


def call(client, name, path=None, query=None, body=None, expect=(200, 201), headers=None):
    o = operations[name]
    if body is not None and o.takes_body and expect == (200, 201):
        wrong = misfit(o.node["requestBody"]["content"]["application/json"]["schema"], body)
        check(not wrong, f"{name}: the good body does not satisfy its own schema: {wrong}")
    answer = client.send(o.method, filled(o.path, path or {}), query, body, headers)
    expect = expect if isinstance(expect, tuple) else (expect,)
    check(answer.status in expect, f"{name} {path or ''} {query or ''}: {answer.status}, expected {expect}: {answer.body[:400]}")
    hold(o, answer, "called")
    if answer.status < 300 and o.good is None:
        o.good, o.client = (path or {}, query or {}, body), client
    return answer


# ---- good input ----

YEN = {"amount": "1000000", "currency": "JPY"}
DECLARATIONS = [
    ("declareFunder", {"name": "f", "title": "資金", "commitment": YEN, "credits_per_unit": "1"}),
    ("declareProgramme", {"name": "p", "title": "P"}),
    ("declareOrganisation", {"name": "o"}),
    ("declareGrant", {"name": "g", "programme": "p", "organisation": "o"}),
    ("declareLot", {"name": "l", "grant": "g", "funder": "f", "amount": YEN,
                    "valid_from": "2020-01-01T00:00:00+09:00", "expires": "2099-01-01T00:00:00Z"}),
    ("declareProject", {"name": "one", "title": "一", "organisation": "o"}),
    ("declareAllocation", {"name": "a", "grant": "g", "project": "one", "amount": "500000.5"}),
    ("declarePerson", {"name": "sato", "title": "佐藤", "role": "member"}),
    ("declareMember", {"project": "one", "person": "sato"}),
    ("declareProvider", {"name": "v"}),
    ("declareRegion", {"name": "r", "title": "東"}),
    ("declarePool", {"name": "q", "provider": "v", "region": "r", "gpu_model": "h100", "gpus_per_node": 8}),
    ("declareNode", {"name": "n", "pool": "q"}),
    ("declarePrice", {"pool": "q", "gpu_hour": "3.5", "fraction_factor": "1.1"}),
    ("declarePolicy", {"backfill": "none"}),
]


def job(name="train", argv=("true",), **more):
    return {"project": "one", "name": name, "gpus": 1, "time_limit_ms": 60000, "run": {"argv": list(argv)}, **more}


def story(admin, service):
    call(admin, "health")
    check(call(admin, "ready").json == {"status": "ready", "reasons": []}, "ready")
    metrics = call(admin, "readMetrics")
    check(b"\ntenbin_" in metrics.body, "readMetrics: figures")
    text = call(Client(service.address, None), "describeApi").body
    check(text == open(DESCRIPTION, "rb").read(), "describeApi: the bytes of api/openapi.yaml")

    for name, body in DECLARATIONS:
        first = call(admin, name, body=body, expect=(200, 201))
        # There is always a policy: the first declaration changes it.
        check((first.status, first.json["result"]) == ((200, "changed") if name == "declarePolicy" else (201, "created")),
              f"{name}: created")
        again = call(admin, name, body=body)
        check(again.status == 200 and again.json["result"] == "unchanged", f"{name}: unchanged")
    call(admin, "declarePolicy", body={"backfill": "easy"})
    call(admin, "apply", body={"items": [
        {"kind": "region", "name": f"r{i}", "title": f"R{i}"} for i in range(20)] + [
        {"kind": "project", "name": f"more-{i}", "organisation": "o"} for i in range(10)] + [
        {"kind": "member", "project": f"more-{i}", "person": who} for i in range(10) for who in ("sato", "admin")]})
    refused = call(admin, "apply", body={"items": [{"kind": "node", "name": "x", "pool": "none"}]}).json["refused"]
    check(refused["problem"]["code"] == "unknown_pool", "apply: the refused item's problem")

    for kind, name in (("Funder", "f"), ("Programme", "p"), ("Organisation", "o"), ("Grant", "g"), ("Lot", "l"),
                       ("Project", "one"), ("Allocation", "a"), ("Person", "sato"), ("Provider", "v"), ("Region", "r"),
                       ("Pool", "q"), ("Node", "n"), ("Price", "q")):
        one = call(admin, "get" + kind, {"name": name}).json
        listed = call(admin, "list" + kind + "s").json["items"]
        check(one in listed, f"get{kind}: as in the list")
    call(admin, "listMembers", query={"project": "one", "person": "sato"})
    check(call(admin, "listPolicies").json["items"] == [{"order": "fifo", "backfill": "easy", "placement": "best_fit", "seed": 0, "cpu_jobs": False}], "listPolicies")
    call(admin, "declarePrice", body={"pool": "q", "gpu_hour": "4"})
    prices = call(admin, "listPoolPrices", {"name": "q"}).json["items"]
    check([p["gpu_hour"] for p in prices] == ["4", "3.5"] and [p["in_force"] for p in prices] == [True, False],
          "listPoolPrices: newest first")

    check(call(admin, "whoAmI").json["person"] == "admin", "whoAmI")
    call(admin, "declarePerson", body={"name": "leaver"})
    call(admin, "declareMember", body={"project": "one", "person": "leaver", "role": "auditor"})
    check(call(admin, "removeMember", body={"project": "one", "person": "leaver"}).json["result"] == "removed", "removeMember")
    call(admin, "disablePerson", {"name": "leaver"})
    call(admin, "enablePerson", {"name": "leaver"})
    again = call(admin, "declareProgramme", body={"name": "p", "title": "Q"})
    check(again.status == 200 and again.json["result"] == "changed", "declareProgramme: changed")
    reader = call(admin, "createToken", body={"person": "sato", "scope": "read"}).json
    call(Client(service.address, reader["token"]), "submitJob", body=job(), expect=403)
    token = call(admin, "createToken", body={"person": "sato", "label": "t", "expires": "2099-01-01T00:00:00Z"}).json
    spare = call(admin, "createToken", body={"person": "sato"}).json
    call(admin, "listTokens", query={"person": "sato"})
    call(admin, "revokeToken", {"id": spare["id"]})
    sato = Client(service.address, token["token"], "ja")

    quote = call(sato, "quoteJob", body={k: v for k, v in job().items() if k != "run"}).json
    check(quote["options"][0]["starts"] == "now", "quoteJob")
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = call(sato, "submitJob", body=job(argv=["echo", "やあ"]), headers=key).json
    again = call(sato, "submitJob", body=job(argv=["echo", "やあ"]), headers=key).json
    check(first["job"] == again["job"], "submitJob: the same key is the same job")
    over = call(sato, "waitForJob", {"id": first["job"]}, {"timeout_ms": 60000}).json
    check(over["state"] == "completed", f"waitForJob: {over}")
    call(sato, "getJob", {"id": first["job"]})
    call(sato, "explainJob", {"id": first["job"]})
    output = call(sato, "getOutput", {"id": first["job"]})
    check(output.body.decode() == "やあ\n" and output.headers["tenbin-next-offset"] == "7", "getOutput")

    call(admin, "drainNode", {"name": "n"})
    waiting = call(sato, "submitJob", body=job("waits", tasks=3)).json
    array, task = waiting["job"], waiting["first_task"]
    whole = call(sato, "getJob", {"id": array}).json
    check((whole["tasks"]["total"], whole["tasks"]["waiting"], whole["state"]) == (3, 3, "queued"), f"an array: {whole}")
    one = call(sato, "getJob", {"id": task + 1}).json
    check((one["array"], one["task"], one["tasks"]) == (array, 1, None), f"a task: {one}")
    call(sato, "explainJob", {"id": array})
    call(sato, "cancelJob", {"id": task})
    call(sato, "cancelJob", {"id": task}, expect=409)
    check([j["id"] for j in call(admin, "listJobs", query={"state": "queued", "project": "one"}).json["items"]] == [array],
          "listJobs: one line for an array that has not started")

    # All that a job can ask for; what waits for others, and what is on hold.
    held = call(sato, "submitJob", body=job(
        "held", hold=True, retries=2, labels={"team": "a\"b,c", "x=y": "=z"}, cpus="0.5", memory_mib=64, models=["h100"],
        regions=["r"], run={"script": "#!/bin/sh\nexit 0\n", "argv": ["x"], "environment": {"A": "b"}, "directory": "/tmp",
                            "output_cap": 4096, "grace_ms": 1000, "submit_directory": "/tmp", "append": True,
                            "tasks_per_member": 2, "signal": "USR1", "signal_before_ms": 1000, "signal_to": "shell",
                            "requeue": False})).json["job"]
    check(call(sato, "getJob", {"id": held}).json["state"] == "on_hold", "a job on hold")
    after = call(sato, "submitJob", body=job("after", after=[{"job": held}, {"job": array, "when": "any"}])).json["job"]
    check(call(sato, "getJob", {"id": after}).json["state"] == "blocked", "a job that waits for others")
    never = call(sato, "submitJob", body=job("never", after=[{"job": held, "when": "not_ok"}])).json["job"]
    call(sato, "explainJob", {"id": after})
    many = call(sato, "submitJob", body=job(
        "many", hold=True, tasks_at_once=5, run={"argv": ["true"], "array": "1,3,5-9:2"}, labels={"team": "many"})).json
    check(many["tasks"] == 5, f"tasks from run.array: {many}")
    million = call(sato, "submitJob", body=job("million", hold=True, gpus="0.1", time_limit_ms=1, tasks=1_000_000)).json
    check((million["tasks"], million["first_task"]) == (1_000_000, million["job"] + 1), f"a million tasks: {million}")
    call(sato, "submitJob", body=job(tasks=1_000_001), expect=422)
    for label, found in (("team=a\"b,c", [held]), ("x=y=z", []), ("team=many", [many["job"]]), ("team=", [])):
        listed = call(sato, "listJobs", query={"label": label}).json["items"]
        check([j["id"] for j in listed] == found, f"listJobs: {label}: {[j['id'] for j in listed]}")
    check([j["id"] for j in call(sato, "listJobs", query={"state": "on_hold", "sort": "id"}).json["items"]] ==
          [held, many["job"], million["job"]], "listJobs: on hold")
    call(sato, "cancelJob", {"id": million["job"] + 500_000})
    check(call(sato, "getJob", {"id": million["job"]}).json["tasks"]["cancelled"] == 1, "one task of a million")
    call(sato, "cancelJob", {"id": million["job"]})
    over = call(sato, "waitForJob", {"id": million["job"]}, {"timeout_ms": 60000}).json
    check((over["state"], over["tasks"]["cancelled"]) == ("cancelled", 1_000_000), f"a million cancelled: {over}")
    check(call(sato, "getJob", {"id": million["job"] + 7}).json["state"] == "cancelled", "a task that never had a row")

    call(admin, "resumeNode", {"name": "n"})
    call(sato, "waitForJob", {"id": array}, {"timeout_ms": 60000})
    check(call(sato, "releaseJob", {"id": held}).json["job"] == held, "releaseJob")
    over = call(sato, "waitForJob", {"id": held}, {"timeout_ms": 60000}).json
    check((over["state"], over["labels"]) == ("completed", {"team": "a\"b,c", "x=y": "=z"}), f"a job with all: {over}")
    check(call(sato, "waitForJob", {"id": after}, {"timeout_ms": 60000}).json["state"] == "completed", "after others")
    over = call(sato, "waitForJob", {"id": never}, {"timeout_ms": 60000}).json
    check((over["state"], over["reason"]) == ("cancelled", "dependency_never_met"), f"never met: {over}")
    check([j["id"] for j in call(sato, "listJobs", query={"label": "team=a\"b,c"}).json["items"]] == [held], "label, over")
    call(sato, "releaseJob", {"id": many["job"]})
    over = call(sato, "waitForJob", {"id": many["job"]}, {"timeout_ms": 60000}).json
    check((over["state"], over["tasks"]["completed"]) == ("completed", 5), f"an array: {over}")
    late = call(sato, "submitJob", body=job("late", hold=True)).json["job"]
    call(sato, "releaseJob", {"id": late})
    call(sato, "waitForJob", {"id": late}, {"timeout_ms": 60000})
    call(sato, "holdJob", {"id": late}, expect=409)
    sleeps = call(sato, "submitJob", body=job("sleeps", argv=["sleep", "30"])).json["job"]
    call(admin, "drainNode", {"name": "n"})
    waits = call(sato, "submitJob", body=job("to hold")).json["job"]
    check(call(sato, "holdJob", {"id": waits}).json["state"] == "on_hold", "holdJob")
    call(sato, "cancelJob", {"id": waits})
    answer = call(sato, "getOutput", {"id": sleeps}, {"wait_ms": 50})
    check(answer.headers["tenbin-job-state"] == "running" and not answer.body, f"getOutput: waits: {answer.headers}")
    call(sato, "cancelJob", {"id": sleeps})
    call(sato, "waitForJob", {"id": sleeps}, {"timeout_ms": 60000})
    call(admin, "resumeNode", {"name": "n"})

    stream = call(sato, "followEvents", query={"since": "0", "job": str(held), "project": "one", "kinds": "JobStarted"})
    check(stream.body.startswith(b": tenbin\n"), f"followEvents: {stream.body[:100]}")
    call(sato, "followEvents", query={"project": "hidden"}, expect=404)
    call(sato, "readMetrics", expect=404)
    call(admin, "evacuateNode", {"name": "n"})
    call(admin, "resumeNode", {"name": "n"})
    call(admin, "getFleet")
    call(sato, "getFleet")

    balance = call(sato, "getBalance", {"name": "one"}).json
    statement = call(sato, "getStatement", {"name": "one"}).json
    check(statement["adds_up"] and statement["charged"] == balance["spent"], f"getStatement: {statement}")
    check(call(admin, "getFundersStatement").json["adds_up"], "getFundersStatement")

    # The chain of hashes, from the records as they are answered.
    before, sequence, start = bytes(32), 0, 1
    while start:
        page = call(admin, "readJournal", query={"as": "text", "from": start, "limit": 7}).json
        for r in page["items"]:
            sequence += 1
            check(r["sequence"] == sequence, "readJournal: in order")
            before = hashlib.blake2b(before + struct.pack("<Qq", r["sequence"], r["at_ms"]) + r["body"].encode(),
                                     digest_size=32).digest()
            check(before.hex() == r["hash"], f"readJournal: the hash of record {sequence}")
        start = page["next"]
    check(sequence == page["last"], "readJournal: to the last")
    call(admin, "readJournal")

    # What a member may not.
    for name in ("listFunders", "listPersons", "readJournal", "getFundersStatement"):
        call(sato, name, expect=403)
    call(sato, "getFunder", {"name": "f"}, expect=403)
    call(admin, "declareProject", body={"name": "hidden", "organisation": "o"})
    for name in ("getProject", "getBalance", "getStatement"):
        call(sato, name, {"name": "hidden"}, expect=404)
    call(sato, "listJobs", query={"project": "hidden"}, expect=404)
    return sato


# ---- bad input, from the description itself ----

def out_of_range(schema):
    schema = resolved(schema)
    if "x-refused" in schema:
        return schema["x-refused"]
    if "enum" in schema:
        return ["nonsense"]
    if schema.get("type") == "integer":
        return ["x", "1.5", str(schema.get("minimum", 0) - 1)] + (
            [str(schema["maximum"] + 1)] if "maximum" in schema else [])
    if "pattern" in schema and "{4}" in schema["pattern"]:
        return ["yesterday"]
    return []


def spoil(admin, service):
    stranger, japanese = Client(service.address, None), Client(service.address, admin.token, "ja")
    for o in operations.values():
        if not check(o.good is not None, f"{o.id}: the story has no good call of it"):
            continue
        arguments, query, body = o.good
        path = filled(o.path, arguments)

        def refused(client, status, words, method=o.method, path=path, query=None, body=body, headers=None):
            answer = client.send(method, path, query, body, headers)
            if check(answer.status == status, f"{o.id} ({words}): {answer.status}, expected {status}: {answer.body[:300]}"):
                hold(o, answer, words)
            return answer

        if not o.open:
            answer = refused(stranger, 401, "no token")
            check("bearer" in answer.headers.get("www-authenticate", "").lower(), f"{o.id}: WWW-Authenticate")
            refused(Client(service.address, "tnb_wrong"), 401, "a wrong token")
        if o.id not in ("health", "ready"):  # probes are answered whatever they bring along
            refused(admin, 400, "a parameter that is not there", query={"nonsense": "1"})
            answer = japanese.send(o.method, path, {"nonsense": "1"}, body).json
            check(answer["detail"] == answer["texts"]["ja"] != answer["texts"]["en"], f"{o.id}: in Japanese")
        for name, parameter in o.query.items():
            for value in out_of_range(parameter["schema"]):
                refused(admin, 400, f"{name}={value}", query={name: value})
            refused(admin, 400, f"{name} twice", query=[(name, "1"), (name, "1")])
        if "cursor" in o.query:
            refused(admin, 400, "a cursor of another list", query={"cursor": "0123abcd~1"})
        if o.takes_body:
            refused(admin, 400, "half of a body", body='{"a":')
            refused(admin, 400, "an unknown field", body={**body, "nonsense": 1})
            refused(admin, 400, "a list for a body", body=[])
            refused(admin, 415, "a form for a body", headers={"Content-Type": "application/x-www-form-urlencoded"})
            for key in body:
                refused(admin, 400, f"{key} of a wrong type", body={**body, key: {"x": []}})
        elif o.method == "POST":
            refused(admin, 400, "a body where none belongs", body={"a": 1})
        if o.has_header("Idempotency-Key"):
            refused(admin, 400, "a key that is no UUID", headers={"Idempotency-Key": "again"})
        if "{id}" in o.path:
            refused(admin, 404, "a number that is not there", path=o.path.replace("{id}", "999999999"))
            check(admin.send(o.method, o.path.replace("{id}", "zero")).status == 404, f"{o.id}: a word for a number")
        if "{name}" in o.path:
            refused(admin, 404, "a name that is not there", path=o.path.replace("{name}", "nobody"))

        there = {x.method for x in operations.values() if x.path == o.path}
        allow = there | {"OPTIONS"} | ({"HEAD"} if "GET" in there else set())
        answer = admin.send("DELETE", path)
        check(answer.status == 405 and set(answer.headers["allow"].split(", ")) == allow, f"{o.id}: DELETE: {answer.status}")
        check(not misfit({"$ref": "#/components/schemas/Problem"}, answer.json), f"{o.id}: DELETE is a problem")
        answer = stranger.send("OPTIONS", path)
        check(answer.status == 204 and set(answer.headers["allow"].split(", ")) == allow and not answer.body,
              f"{o.id}: OPTIONS: {answer.status} {answer.headers}")
        if o.method == "GET":
            got, head = (o.client.send(m, path, query) for m in ("GET", "HEAD"))
            check(head.status == 200 and not head.body, f"{o.id}: HEAD: {head.status}")
            if o.has_header("If-None-Match"):
                for tag, status in ((got.headers["etag"], 304), ('"other", ' + got.headers["etag"], 304), ("*", 304),
                                    ('W/"0"', 200)):
                    answer = o.client.send("GET", path, query, headers={"If-None-Match": tag})
                    if check(answer.status == status, f"{o.id}: If-None-Match {tag}: {answer.status}"):
                        hold(o, answer, "conditional")
            else:
                check("etag" not in got.headers, f"{o.id}: an ETag that is not described")

    check(admin.send("GET", "/v1/nothing").status == 404, "no such address")
    check(admin.send("GET", "/v1/%zz").status == 400, "a broken address")
    check(admin.send("OPTIONS", "*").status == 204, "OPTIONS *")


# ---- lists ----

def pages(client, path, query):
    items, cursor = [], None
    for _ in range(10_000):
        answer = client.send("GET", path, {**query, **({"cursor": cursor} if cursor else {})})
        if not check(answer.status == 200, f"{path} {query}: {answer.status} {answer.body[:300]}"):
            return items
        items += answer.json["items"]
        cursor = answer.json["next"]
        if cursor is None:
            return items
    check(False, f"{path} {query}: pages without end")
    return items


def lists(admin, sato):
    for kind in ("regions", "projects", "members", "tokens", "nodes"):
        path = f"/v1/{kind}"
        whole = pages(admin, path, {})
        check(whole, f"{path} has items")
        for limit in (1, 3, 7):
            check(pages(admin, path, {"limit": limit}) == whole, f"{path} by {limit}")
        down = sorted(pages(admin, path, {"limit": 3, "sort": "-id"}), key=json.dumps)
        check(down == sorted(whole, key=json.dumps), f"{path} from the end")
        if kind in ("regions", "projects"):
            names = [i["name"] for i in whole]
            check([i["name"] for i in pages(admin, path, {"limit": 3, "sort": "name"})] == sorted(names), f"{path} by name")
            check([i["name"] for i in pages(admin, path, {"limit": 4, "sort": "-name"})] == sorted(names)[::-1],
                  f"{path} by name, from the end")
    check([m["project"] for m in pages(admin, "/v1/members", {"person": "sato", "limit": 2})] ==
          ["one"] + [f"more-{i}" for i in range(10)], "members of one person")
    check(len(pages(sato, "/v1/projects", {"limit": 2})) == 11, "a member's projects")

    first = admin.send("GET", "/v1/regions", {"limit": 2}).json
    check(admin.send("GET", "/v1/regions", {"limit": 2, "sort": "name", "cursor": first["next"]}).status == 400,
          "a cursor with another order")


def jobs_while_they_settle(admin, sato):
    """Whoever pages while jobs come and end sees every job and array once; tasks are there once they have started, and
    stay."""
    stop = threading.Event()
    rounds = [0]
    submitted = {j["id"] for j in pages(admin, "/v1/jobs", {})}

    def walk(client, query):
        seen = set()
        while not stop.is_set():
            for sort in ("id", "-id"):
                wanted = submitted | seen
                ids = [j["id"] for j in pages(client, "/v1/jobs", {"limit": 7, "sort": sort, **query})]
                seen = set(ids)
                check(ids == sorted(seen, reverse=sort == "-id"), f"jobs by {sort}: {ids}")
                check(wanted <= seen, f"jobs by {sort}: without {wanted - seen}")
                rounds[0] += 1

    watchers = [threading.Thread(target=walk, args=(Client(c.address, c.token), q))
                for c, q in ((admin, {}), (sato, {}), (sato, {"project": "one"}))]
    for w in watchers:
        w.start()
    began = time.time()
    while time.time() - began < 6:
        for tasks in (4, 1):
            made = sato.send("POST", "/v1/jobs", body=job("brief", tasks=tasks, gpus="0.5")).json
            submitted = submitted | {made["job"]}
        time.sleep(0.15)
    stop.set()
    for w in watchers:
        w.join()
    check(rounds[0] >= 10, "pages were read meanwhile")

    # Two walks are compared: nothing may end between them.
    until = time.time() + 60
    while time.time() < until and any(j["state"] in ("queued", "running") for j in pages(admin, "/v1/jobs", {"name": "brief"})):
        time.sleep(0.1)
    last = admin.send("GET", "/v1/jobs", {"limit": 1}).json["items"][0]["id"]
    for state in ("completed", "cancelled", "failed"):
        query = {"state": state, "limit": 5}
        everything = [j for j in pages(admin, "/v1/jobs", {}) if j["state"] == state]
        check([j["id"] for j in pages(admin, "/v1/jobs", query)] == [j["id"] for j in everything], f"jobs {state}")
    for query in ({"name": "brief"}, {"name": "brief", "project": "one"}, {"person": "sato", "name": "waits"},
                  {"region": "r", "person": "sato"}):
        found = pages(admin, "/v1/jobs", {**query, "limit": 9})
        check(found and all(j[k] == v for j in found for k, v in query.items()), f"jobs {query}")
    middle = admin.send("GET", f"/v1/jobs/{last // 2}").json["submitted"]
    later = pages(admin, "/v1/jobs", {"submitted_from": middle, "limit": 20})
    earlier = pages(admin, "/v1/jobs", {"submitted_to": middle, "limit": 20})
    check(all(j["submitted"] >= middle for j in later) and all(j["submitted"] < middle for j in earlier), "jobs between instants")
    total = len(pages(admin, "/v1/jobs", {}))
    check(len(later) + len(earlier) >= total and later and earlier, "jobs before and after an instant are all jobs")

    # The statement by lines, in pieces and between instants.
    path = "/v1/projects/one/statement"
    lines, cursor = [], None
    while True:
        page = sato.send("GET", path, {"limit": 6, **({"cursor": cursor} if cursor else {})}).json
        lines += page["lines"]
        cursor = page["next"]
        check(page["adds_up"], "the statement adds up on every page")
        if not cursor:
            break
    check(len({x["job"] for x in lines}) == len(lines), "each job has one line")
    micro = lambda text: round(float(text) * 1e6)
    check(sum(micro(x["charged"]) for x in lines) == micro(page["charged"]), "the lines add up to what was charged")
    at = lines[len(lines) // 2]["at"]
    early, late = (sato.send("GET", path, {"limit": 1000, k: at}).json for k in ("to", "from"))
    check(early["lines"] + late["lines"] == lines, "the statement between instants")
    check(micro(early["charged"]) + micro(late["charged"]) == micro(page["charged"]), "its sums")
    check(sato.send("GET", path, {"from": at, "to": at}).status == 400, "a period that ends before it begins")


check_description()
service = Service()
try:
    admin = Client(service.address, service.token)
    sato = story(admin, service)
    lists(admin, sato)
    jobs_while_they_settle(admin, sato)
    spoil(admin, service)
finally:
    service.end()
print(f"{len(operations)} operations, {len(failures)} failures")
sys.exit(1 if failures else 0)
