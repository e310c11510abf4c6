#!/usr/bin/env python3
"""What Tenbin understands of a batch script is what a real Slurm understands of it.

compare.py TENBIN UP.SH

Each script below goes to sbatch (held) and is looked at with `scontrol show job`, and goes to
`tenbin submit --dry-run -o json`. The two must agree on every figure that both have. Skipped (77) with a
word where no Slurm can be started: not root, no UP.SH, Slurm not installed (TENBIN_SLURM_INSTALL=1 lets
UP.SH install it).
"""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HEAD = "#!/bin/bash\n"
SCRIPTS = {
    "short": HEAD + "#SBATCH -J s1 -N 2 -t 10 --gres=gpu:2\n#SBATCH -n 4 -c 3\ntrue\n",
    "long": HEAD + "#SBATCH --job-name=long\n#SBATCH --nodes=2\n#SBATCH --ntasks-per-node=4\n#SBATCH --cpus-per-task=2\n"
                   "#SBATCH --gpus-per-node=h100:4\n#SBATCH --mem=20G\n#SBATCH --time=1-02:03:00\ntrue\n",
    "quotes": HEAD + "#SBATCH --job-name=\"two words\" # comment\n#SBATCH -D '/tmp/a # b'\n#SBATCH -t 5 --gres=gpu:1\ntrue\n",
    "escape": HEAD + "#SBATCH --job-name=a\\\"\\#b -t 0:30:00 --gres=gpu:1\ntrue\n",
    "hash": HEAD + "#SBATCH -t 5 --gres=gpu:1 -J name#rest -t 6\ntrue\n",
    "escape_quoted": HEAD + "#SBATCH -t 5 --gres=gpu:1 -J \"a\\\"b c\"\ntrue\n",
    "late": HEAD + "#SBATCH -J early -t 5 --gres=gpu:1\n\n  # comment\necho x\n#SBATCH -J late -t 50\n",
    "twice": HEAD + "#SBATCH -J one -t 5 --gres=gpu:1\n#SBATCH -J two\ntrue\n",
    "comments": HEAD + "# SBATCH -J no\n##SBATCH -J no\n #SBATCH -J no\n#SBATCH -J yes -t 5 --gres=gpu:1\ntrue\n",
    "prefix": HEAD + "#SBATCH --job-n=pre --time=7 --gres=gpu:1\ntrue\n",
    "glued": HEAD + "#SBATCH -Jglued -N1 -n2 -c4 -t5 --gres=gpu:1\ntrue\n",
    "minutes": HEAD + "#SBATCH -t 90 --gres=gpu:1\ntrue\n",
    "min_sec": HEAD + "#SBATCH -t 10:00 --gres=gpu:1\ntrue\n",
    "hms": HEAD + "#SBATCH -t 1:20:00 --gres=gpu:1\ntrue\n",
    "days_hours": HEAD + "#SBATCH -t 2-3 --gres=gpu:1\ntrue\n",
    "days_hm": HEAD + "#SBATCH -t 2-3:04 --gres=gpu:1\ntrue\n",
    "per_task": HEAD + "#SBATCH -N 2 -n 8 --gpus-per-task=1 -t 5\ntrue\n",
    "mem_cpu": HEAD + "#SBATCH -N 1 -n 2 -c 4 --mem-per-cpu=2G --gres=gpu:1 -t 5\ntrue\n",
    "array": HEAD + "#SBATCH --array=1,3,5-9:2 --gres=gpu:1 -t 5\ntrue\n",
    "array_order": HEAD + "#SBATCH --array=7,1-3,2 --gres=gpu:1 -t 5\ntrue\n",
    "requeue": HEAD + "#SBATCH --requeue --gres=gpu:1 -t 5\ntrue\n",
    "no_requeue": HEAD + "#SBATCH --no-requeue --gres=gpu:1 -t 5\ntrue\n",
    "both_requeue": HEAD + "#SBATCH --no-requeue\n#SBATCH --requeue --gres=gpu:1 -t 5\ntrue\n",
    "output": HEAD + "#SBATCH -o logs/%x.out -D /tmp -J out --gres=gpu:1 -t 5\ntrue\n",
    "env": HEAD + "#SBATCH -J file -t 5 --gres=gpu:1\ntrue\n",
}
ENVIRONMENT = {"env": {"SBATCH_TIMELIMIT": "17", "SBATCH_JOB_NAME": "environment"}}
# What sbatch will not take, Tenbin must not take either.
REFUSED = {
    "no_interpreter": "true\n",
    "dos": "#!/bin/bash\r\n#SBATCH -t 5 --gres=gpu:1\r\ntrue\r\n",
    "unknown": HEAD + "#SBATCH --frobnicate --gres=gpu:1 -t 5\n",
    "ambiguous": HEAD + "#SBATCH --gpus-p=1 -t 5\n",
    "unclosed": HEAD + "#SBATCH -J 'x --gres=gpu:1 -t 5\n",
    "bad_time": HEAD + "#SBATCH -t soon --gres=gpu:1\n",
    "bad_array": HEAD + "#SBATCH --array=1- --gres=gpu:1 -t 5\n",
    "bad_nodes": HEAD + "#SBATCH -N zero --gres=gpu:1 -t 5\n",
    "bad_mem": HEAD + "#SBATCH --mem=much --gres=gpu:1 -t 5\n",
    "bad_mode": HEAD + "#SBATCH --open-mode=w --gres=gpu:1 -t 5\n",
    "bad_signal": HEAD + "#SBATCH --signal=NOSUCH --gres=gpu:1 -t 5\n",
    "escaped_blank": HEAD + "#SBATCH --gres=gpu:1 -t 5 --job-name=a\\ b\n",
    "ambiguous_time": HEAD + "#SBATCH --gres=gpu:1 --tim=5\n",
    "no_value": HEAD + "#SBATCH --gres=gpu:1 -t\n",
    "value_too_many": HEAD + "#SBATCH --hold=yes --gres=gpu:1 -t 5\n",
}
FLEET = """
[[funder]]
name = "f"
commitment = { amount = "1000000.00", currency = "USD" }
credits_per_unit = "1"
[[programme]]
name = "p"
[[organisation]]
name = "o"
[[provider]]
name = "v"
[[region]]
name = "r"
[[pool]]
name = "batch"
provider = "v"
region = "r"
gpu_model = "h100"
gpus_per_node = 8
[[node]]
name = "n1"
pool = "batch"
[[node]]
name = "n2"
pool = "batch"
first_device = 8
[[price]]
pool = "batch"
gpu_hour = "1"
[[grant]]
name = "g"
programme = "p"
organisation = "o"
[[lot]]
name = "l"
grant = "g"
funder = "f"
amount = { amount = "900000.00", currency = "USD" }
valid_from = 2020-01-01T00:00:00Z
expires = 2090-01-01T00:00:00Z
[[project]]
name = "pr"
organisation = "o"
[[allocation]]
name = "a"
grant = "g"
project = "pr"
amount = "800000"
"""


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def run(words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **more)


def minutes(text):
    days, _, rest = text.rpartition("-")
    h, m, s = (int(x) for x in rest.split(":"))
    return (int(days or 0) * 24 + h) * 60 + m + (s > 0)


def megabytes(text):
    number, unit = re.fullmatch(r"([\d.]+)([MGT]?)", text).groups()
    return int(float(number) * {"": 1, "M": 1, "G": 1024, "T": 1024 * 1024}[unit])


def of_slurm(shown):
    f = {}
    for key in ("JobName", "NumNodes", "NumTasks", "CPUs/Task", "TimeLimit", "Requeue", "ArrayTaskId", "WorkDir",
                "MinMemoryNode", "MinMemoryCPU", "TresPerNode", "TresPerTask", "TresPerJob", "Comment", "StdOut"):
        found = re.search(rf"^ *(?:.* )?{re.escape(key)}=(.*?)(?= [A-Za-z/:]+=|$)", shown, re.M)
        f[key] = found[1].strip() if found else None
    nodes = int(f["NumNodes"].split("-")[0])
    tasks = int(f["NumTasks"])
    gpus = lambda text: int(re.sub(r".*:", "", text)) if re.search(r":\d+$", text) else 1
    out = {"name": f["JobName"], "minutes": minutes(f["TimeLimit"]), "requeue": f["Requeue"] == "1",
           "comment": f["Comment"], "nodes": nodes}
    out["tasks_here"] = max(tasks // nodes, 1)
    cpus = f["CPUs/Task"]
    out["cpus"] = int(cpus) * out["tasks_here"] if cpus and cpus != "N/A" else None
    if f["TresPerNode"]:
        out["gpus"] = gpus(f["TresPerNode"])
    elif f["TresPerTask"]:
        out["gpus"] = gpus(f["TresPerTask"]) * out["tasks_here"]
    if f["MinMemoryNode"] and megabytes(f["MinMemoryNode"]):
        out["memory"] = megabytes(f["MinMemoryNode"])
    if f["MinMemoryCPU"]:
        out["memory"] = megabytes(f["MinMemoryCPU"]) * (out["cpus"] or 1)
    if f["ArrayTaskId"]:
        indexes = []
        for part in f["ArrayTaskId"].split("%")[0].split(","):
            found = re.fullmatch(r"(\d+)(?:-(\d+))?(?::(\d+))?", part)
            first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
            indexes += range(first, last + 1, step)
        out["array"] = sorted(indexes)
    out["output"] = os.path.join(f["WorkDir"], f["StdOut"]) if f["StdOut"] else None
    return out


def of_tenbin(request):
    r = request["run"]
    out = {"name": request["name"], "minutes": -(-request["time_limit_ms"] // 60_000),
           "requeue": r.get("requeue", True), "comment": request.get("labels", {}).get("comment"),
           "nodes": request.get("members", 1), "tasks_here": r.get("tasks_per_member", 1),
           "cpus": int(request["cpus"]) if "cpus" in request else None, "gpus": int(request["gpus"])}
    if "memory_mib" in request:
        out["memory"] = request["memory_mib"]
    if "array" in r:
        indexes = []
        for part in r["array"].split(","):
            found = re.fullmatch(r"(\d+)(?:-(\d+))?(?::(\d+))?", part)
            indexes += range(int(found[1]), int(found[2] or found[1]) + 1, int(found[3] or 1))
        out["array"] = indexes
    out["output"] = os.path.join(r["directory"], r["output"]) if "output" in r else None
    return out


def main():
    tenbin, up = sys.argv[1], pathlib.Path(sys.argv[2])
    if os.geteuid() != 0:
        skip("a Slurm of one's own needs root")
    if not up.exists():
        skip(f"there is no {up}")
    if not shutil.which("sbatch") and os.environ.get("TENBIN_SLURM_INSTALL") != "1":
        skip("Slurm is not installed (TENBIN_SLURM_INSTALL=1 installs it)")
    place = pathlib.Path(tempfile.mkdtemp(prefix="tb-slurm-"))
    place.chmod(0o755)
    base = random.randrange(20_000, 28_000, 100)
    slurm = dict(os.environ, TENBIN_SLURM_DIR=str(place / "s"), TENBIN_SLURM_CLUSTERS="east", TENBIN_SLURM_NODES="2",
                 TENBIN_SLURM_BASE_PORT=str(base),
                 TENBIN_SLURM_INSTALL=os.environ.get("TENBIN_SLURM_INSTALL", "0"))
    service, failures = None, 0
    try:
        started = subprocess.run([str(up)], env=slurm, capture_output=True, text=True, timeout=300)
        if started.returncode != 0:
            skip("Slurm does not start: " + started.stderr.strip()[-300:])
        slurm["SLURM_CONF"] = str(place / "s/east/slurm.conf")
        state = place / "state"
        service = subprocess.Popen([tenbin, "serve", "--state", str(state), "--work", str(place / "work"),
                                    "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("TENBIN_", "SBATCH_", "SLURM_"))}
        ours["TENBIN_STATE"] = str(state)
        (place / "fleet.toml").write_text(FLEET)
        for _ in range(100):
            if (state / "url").exists():
                break
            time.sleep(0.1)
        applied = run([tenbin, "apply", "-f", str(place / "fleet.toml")], env=ours)
        assert applied.returncode == 0, applied.stderr

        def both(name, text, more):
            script = place / f"{name}.sbatch"
            script.write_bytes(text.encode())
            theirs = run(["sbatch", "--parsable", "-H", str(script)], env={**slurm, **more}, cwd="/tmp")
            mine = run([tenbin, "submit", "--dry-run", "-o", "json", "--project", "pr", str(script)],
                       env={**ours, **more}, cwd="/tmp")
            return theirs, mine

        for name, text in SCRIPTS.items():
            theirs, mine = both(name, text, ENVIRONMENT.get(name, {}))
            if theirs.returncode != 0 or mine.returncode != 0:
                print(f"{name}: sbatch {theirs.returncode} {theirs.stderr.strip()}; tenbin {mine.returncode} {mine.stderr.strip()}")
                failures += 1
                continue
            shown = run(["scontrol", "show", "job", theirs.stdout.strip()], env=slurm).stdout
            slurms, tenbins = of_slurm(shown), of_tenbin(json.loads(mine.stdout)["request"])
            if name not in ("requeue", "no_requeue", "both_requeue"):
                slurms.pop("requeue")  # without a word the site's default counts
            if name != "output":
                slurms.pop("output")  # Slurm has a default, Tenbin keeps what `job logs` shows
            if "--mem" not in text:
                slurms.pop("memory", None)  # the site's default
            if tenbins["output"]:
                tenbins["output"] = tenbins["output"].replace("%x", tenbins["name"])
            for key, value in slurms.items():
                if value is None or (key == "cpus" and tenbins["cpus"] is None and value == 1):
                    continue
                if tenbins.get(key) != value:
                    print(f"{name}: {key}: Slurm understood {value!r}, Tenbin {tenbins.get(key)!r}")
                    failures += 1
        for name, text in REFUSED.items():
            theirs, mine = both(name, text, {})
            if theirs.returncode == 0 or mine.returncode == 0:
                print(f"{name}: should be refused: sbatch {theirs.returncode}, tenbin {mine.returncode} {mine.stdout[:200]}")
                failures += 1
        print(f"{len(SCRIPTS)} scripts compared, {len(REFUSED)} refused by both, {failures} differences")
    finally:
        if service:
            service.terminate()
            service.wait(30)
        down = up.with_name("down.sh")
        if down.exists():
            subprocess.run([str(down), "--wipe"], env=slurm, capture_output=True, timeout=120)
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(failures > 0)


main()
