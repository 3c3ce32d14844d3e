"""Records the run that a first visit shows, on a running lab: the run, its events, and what its model answers.

    recspeed serve &   # prints the owner's link
    python3 tests/setup/showcase.py 'http://127.0.0.1:8080/?token=…'

Writes backend/server/showcase/01-implicit-als.json. Nothing in that file is written by hand: the model is asked for the users that the
lab itself names as examples. Build the page and the programs again afterwards, which hold the file.
"""

import json
import pathlib
import sys
import time
import urllib.request

NAME = "implicit-als"
OUT = pathlib.Path(__file__).parents[2] / f"backend/server/showcase/01-{NAME}.json"
# What is asked of the model for each user: as many items as the first sight of the page has room for.
PLACES = 5
SPEC = {
    "version": 1,
    "name": "Implicit ALS on 10,000 synthetic ratings",
    "seed": 42,
    "dataset": {"source": "builtin", "id": "beauty-synthetic-10k"},
    "recommender": {"kind": "als-implicit"},
    "evaluation": {"metrics": ["ndcg@10", "recall@10", "hit@10", "coverage@10"]},
}

base, token = sys.argv[1].rstrip("/").split("/?token=")


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(base + path, data, headers)) as answer:
        return json.load(answer)


run = ask("/api/runs", {"spec": SPEC})["id"]
while (record := ask(f"/api/runs/{run}"))["status"] not in ("finished", "failed", "cancelled"):
    time.sleep(0.1)
assert record["status"] == "finished", record
events = ask(f"/api/runs/{run}/events?limit=10000")["events"]
model = ask(f"/api/runs/{run}/model")
question = {"k": PLACES, "explain": True}
answers = [
    {"user": user, "answer": ask(f"/api/runs/{run}/recommendations", {"user": user, **question})}
    for user in model["users"]
]
# The model itself stays behind: a lab that imports the run keeps none of it.
record.pop("model", None)
story = json.dumps(
    {"record": record, "events": events, "asked": {"model": model, "answers": answers}},
    separators=(",", ":"),
    ensure_ascii=False,
)
OUT.write_text(story.replace(run, NAME) + "\n", encoding="utf-8")
print(f"{OUT}: {len(events)} events, {len(answers)} answers, {record['summary']['metrics']}")
