"""A training run in miniature: a bigram model of Japanese text, trained by data-parallel gradient
descent over a gang. Each rank works on its own part of the text; rank 0 averages the gradients
over sockets, as an all-reduce would, and writes checkpoints, from which a later attempt goes on.

Needs Python alone. Tenbin tells each rank who it is: TENBIN_RANK, TENBIN_SIZE, TENBIN_ADDRESSES.
"""
import json
import math
import os
import socket
import struct
import sys
import time

STEPS, STEP_SECONDS, RATE = int(os.environ.get("STEPS", "40")), 0.12, 0.5
TEXT = "春はあけぼの。やうやう白くなりゆく山ぎは、すこしあかりて、紫だちたる雲のほそくたなびきたる。夏は夜。月のころはさらなり。" * 4

rank, size = int(os.environ["TENBIN_RANK"]), int(os.environ["TENBIN_SIZE"])
addresses = [a.rsplit(":", 1) for a in os.environ["TENBIN_ADDRESSES"].split(",")]


def receive(peer):
    def exactly(n):
        data = b""
        while len(data) < n:
            part = peer.recv(n - len(data))
            if not part:
                sys.exit("a peer is gone")
            data += part
        return data
    return json.loads(exactly(struct.unpack("!I", exactly(4))[0]))


def send(peer, value):
    data = json.dumps(value).encode()
    peer.sendall(struct.pack("!I", len(data)) + data)


def connect():
    """Rank 0 listens at its address, the others find it there."""
    if rank == 0:
        listener = socket.create_server((addresses[0][0], int(addresses[0][1])))
        return [listener.accept()[0] for _ in range(size - 1)]
    for _ in range(100):
        try:
            return [socket.create_connection((addresses[0][0], int(addresses[0][1])))]
        except OSError:
            time.sleep(0.05)
    sys.exit("rank 0 does not answer")


letters = sorted(set(TEXT))
index = {c: i for i, c in enumerate(letters)}
n = len(letters)
pairs = [(index[a], index[b]) for a, b in zip(TEXT, TEXT[1:])][rank::size]


def gradient(weights):
    loss, grad = 0.0, {}
    for a, b in pairs:
        row = weights[a]
        top = max(row)
        exps = [math.exp(w - top) for w in row]
        total = sum(exps)
        loss -= math.log(exps[b] / total)
        g = grad.setdefault(a, [0.0] * n)
        for j in range(n):
            g[j] += exps[j] / total / len(pairs)
        g[b] -= 1.0 / len(pairs)
    return loss / len(pairs), grad


peers = connect()
weights, first = [[0.0] * n for _ in range(n)], 0
if rank == 0 and os.path.exists("checkpoint.json"):
    with open("checkpoint.json") as f:
        saved = json.load(f)
    weights, first = saved["weights"], saved["step"]
    print(f"goes on from step {first}", flush=True)
if rank == 0:
    for peer in peers:
        send(peer, [first, weights])
else:
    first, weights = receive(peers[0])

for step in range(first, STEPS):
    began = time.monotonic()
    loss, grad = gradient(weights)
    if rank == 0:
        parts = [(loss, grad)] + [tuple(receive(p)) for p in peers]
        mean = {}
        for _, g in parts:
            for a, row in g.items():
                target = mean.setdefault(int(a), [0.0] * n)
                for j, x in enumerate(row):
                    target[j] += x / size
        loss = sum(p[0] for p in parts) / size
        for peer in peers:
            send(peer, mean)
    else:
        send(peers[0], [loss, grad])
        mean = {int(a): row for a, row in receive(peers[0]).items()}
    for a, row in mean.items():
        for j, x in enumerate(row):
            weights[a][j] -= RATE * n * x
    if rank == 0 and (step % 5 == 4 or step + 1 == STEPS):
        with open("checkpoint.tmp", "w") as f:
            json.dump({"step": step + 1, "weights": weights}, f)
        os.replace("checkpoint.tmp", "checkpoint.json")
        print(f"step {step + 1:3} loss {loss:.4f}", flush=True)
    time.sleep(max(0.0, STEP_SECONDS - (time.monotonic() - began)))
print(f"rank {rank} of {size} is done", flush=True)
