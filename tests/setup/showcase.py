"""Makes the stored run that a first visit shows, by running its spec on a running lab.

    recspeed serve &   # prints the owner's link
    python3 tests/setup/showcase.py 'http://127.0.0.1:8080/?token=…'

Writes backend/server/showcase/01-four-layer-network.json.
"""

import json
import pathlib
import sys
import time
import urllib.request

NAME = "four-layer-network"
OUT = pathlib.Path(__file__).parents[2] / "backend/server/showcase/01-four-layer-network.json"

base, token = sys.argv[1].rstrip("/").split("/?token=")


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(base + path, data, headers)) as answer:
        return json.load(answer)


spec = json.loads(OUT.read_text())["record"]["spec"]
spec["evaluation"]["metrics"] = ["rmse", "mae", "nrmse", "nmae"]
run = ask("/api/runs", {"spec": spec})["id"]
while (record := ask(f"/api/runs/{run}"))["status"] not in ("finished", "failed", "cancelled"):
    time.sleep(0.1)
assert record["status"] == "finished", record
events = ask(f"/api/runs/{run}/events?limit=10000")["events"]
story = json.dumps({"record": record, "events": events}, separators=(",", ":")).replace(run, NAME)
OUT.write_text(story + "\n")
print(f"{OUT}: {len(events)} events, {record['summary']['metrics']}")
