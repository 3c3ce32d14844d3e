// The page as its users meet it, in a real browser.

import { test } from "node:test";
import assert from "node:assert/strict";
import { writeFile, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage, overhearTheRunner, runInTerminal, writeSpec } from "./lab.mjs";

withLab();

/** The metrics in sight, every digit of them. */
function values(page) {
  return page
    .locator(`${id("result-table")} [data-value]`)
    .evaluateAll((cells) => Object.fromEntries(cells.map((cell) => [cell.dataset.testid.replace("metric-", ""), cell.dataset.value])));
}

const NETWORK = `version = 1
name = "Four-layer network"
seed = 7
[dataset]
source = "builtin"
id = "beauty-synthetic-10k"
[recommender]
kind = "mlp"
hidden = [64, 64, 64]
[training]
epochs = 3
batch_size = 64
learning_rate = 0.001
[evaluation]
metrics = ["rmse", "mae", "accuracy", "ndcg@10"]
max_users = 200
`;

test("a first visit shows a finished experiment and one sentence, without an error", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("sentence")).waitFor();
  await page.locator(`${id("curve")} canvas`).first().waitFor();
  await page.locator(id("result-table")).waitFor();
  assert.match(await page.locator(id("result-table")).innerText(), /ndcg@10/);
  assert.equal(await page.locator(id("run-in-tab")).isEnabled(), true);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("knobs and TOML follow each other, and a mistake is told where it stands", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-recommender")).first().waitFor();
  await writeSpec(page, NETWORK.replace("learning_rate = 0.001", "learning_rate = 0.01"));
  await page.waitForFunction(() =>
    [...document.querySelectorAll("input")].some((input) => ["0.01", "1e-2"].includes(input.value)),
  );
  await writeSpec(page, NETWORK.replace("epochs = 3", "epochs = 0"));
  const problems = page.locator(id("spec-problems"));
  await problems.filter({ hasText: "training.epochs" }).waitFor();
  assert.match(await problems.innerText(), /1 to 10000|1 to 10,000/);
  await writeSpec(page, NETWORK.replace("[training]", "[trainnig]"));
  await problems.filter({ hasText: "trainnig" }).waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the network trains in the tab and gives the terminal's numbers", async () => {
  const context = await browser.newContext();
  await overhearTheRunner(context);
  const page = await context.newPage();
  await page.goto(lab.link);
  await page.locator(id("run-in-tab")).waitFor();
  await writeSpec(page, NETWORK);
  await page.locator(id("run-in-tab")).click();
  await page.waitForFunction(() => window.overheard.some((event) => event.kind === "finished" || event.kind === "failed"), null, {
    timeout: 60_000,
  });
  const events = await page.evaluate(() => window.overheard);
  assert.deepEqual(events.map((event) => event.seq), events.map((_, index) => index), "the tab's stream has no gaps");
  const last = events.at(-1);
  assert.equal(last.kind, "finished", last.cause);
  await ends(page, "finished");

  const folder = await mkdtemp(join(tmpdir(), "recspeed-spec-"));
  const file = join(folder, "network.toml");
  await writeFile(file, NETWORK);
  const terminal = await runInTerminal(file);
  assert.deepEqual(Object.keys(last.summary.metrics), Object.keys(terminal.metrics));
  for (const [name, value] of Object.entries(terminal.metrics)) {
    const here = last.summary.metrics[name];
    assert.ok(Math.abs(here - value) <= 1e-3 * Math.abs(value) + 1e-6, `${name}: ${here} in the tab, ${value} in the terminal`);
  }
  assert.equal(last.summary.engine.device, "browser");
  assert.equal(last.summary.data.sha256, terminal.data.sha256, "the same made-up rows");
  await context.close();
});

test("a run on the server is watched, shared, and seen by somebody else", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("run-on-server")).waitFor();
  await writeSpec(page, NETWORK.replace("seed = 7", "seed = 11").replace("epochs = 3", "epochs = 5"));
  await page.locator(id("run-on-server")).click();
  // Of this run: the example before it is finished, too, until the server has answered, and has no accuracy.
  await page.locator(id("result-table")).filter({ hasText: "accuracy" }).waitFor();
  await ends(page, "finished");
  const beside = (kind) => page.locator(`${id("result-table")} th [data-baseline="${kind}"]`).allInnerTexts();
  for (const [kind, title, count] of [["global-mean", "Global mean", 3], ["bias", "User and item bias", 3], ["popularity", "Popularity", 1]]) {
    const told = await beside(kind);
    assert.equal(told.length, count, `${kind} stands beside the metrics that it has: rmse, mae and accuracy, or ndcg@10`);
    assert.ok(told.every((text) => new RegExp(`^${title}: \\d`).test(text)), told.join("; "));
  }
  await page.locator(`${id("curve")} canvas`).first().waitFor();
  const metrics = await values(page);
  assert.deepEqual(Object.keys(metrics).sort(), ["accuracy", "mae", "ndcg-10", "rmse"]);

  await page.locator(id("share")).first().click();
  const links = await page.locator(`${id("share-dialog")} input`).evaluateAll((inputs) => inputs.map((input) => input.value));
  const permalink = links.find((link) => link.includes("#x="));
  const stored = links.find((link) => /\/r\/[a-z0-9-]+/.test(link));
  assert.ok(permalink, `no permalink among ${links}`);
  assert.ok(stored, `no stored-run link among ${links}`);
  assert.ok(permalink.length < 2048);

  // Somebody else: another browser profile, without the owner's cookie.
  const guest = await openPage(browser, stored);
  await ends(guest, "finished");
  assert.deepEqual(await values(guest), metrics);
  await guest.locator(`${id("curve")} canvas`).first().waitFor();
  const visitor = await openPage(browser, permalink);
  await visitor.locator(id("run-in-tab")).waitFor();
  await visitor.waitForFunction(
    () => [...document.querySelectorAll("input, textarea")].some((input) => input.value.includes("Four-layer network")) ||
      document.body.innerText.includes("seed = 11"),
  );
  // What a link brings stands alone: neither the lab's example nor a word about changed settings beside it.
  assert.equal(await visitor.locator(id("result-table")).count(), 0);
  assert.equal(await visitor.locator(id("moved-on")).count(), 0);

  // A fork goes on from the run: its numbers are shown, and nothing has been changed yet.
  await guest.locator(id("fork")).click();
  await guest.locator(id("result-table")).waitFor();
  assert.deepEqual(await values(guest), metrics);
  assert.equal(await guest.locator(id("moved-on")).count(), 0);
  assert.deepEqual([...page.problems, ...guest.problems, ...visitor.problems], []);
  for (const one of [page, guest, visitor]) await one.context().close();
});

test("a long run can be cancelled, and the list says so in words", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("run-on-server")).waitFor();
  await writeSpec(page, NETWORK.replace("epochs = 3", "epochs = 10000"));
  await page.locator(id("run-on-server")).click();
  await ends(page, "running");
  await page.locator(id("cancel")).first().click();
  await ends(page, "cancelled");
  const told = page.locator(id("run-failure"));
  await told.waitFor();
  assert.match(await told.innerText(), /^\s*The run was cancelled/);
  await page.goto(`${lab.base}/runs`);
  await page.locator(id("run-row")).filter({ hasText: "cancelled" }).first().waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the reader stays at the buttons when a run begins and ends, and a reload shows the run that is at work", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("run-on-server")).waitFor();
  await writeSpec(page, NETWORK.replace("epochs = 3", "epochs = 10000"));
  const here = () => page.evaluate(() => document.activeElement.dataset.testid);
  const stands = (name) => page.waitForFunction((name) => document.activeElement.dataset.testid === name, name);
  await page.locator(id("run-on-server")).focus();
  await page.keyboard.press("Enter");
  await ends(page, "running");
  await stands("run-on-server");
  await page.reload();
  await ends(page, "running");
  assert.match(await page.locator(id("spec-toml")).inputValue(), /epochs = 10000/);
  await page.locator(id("cancel")).focus();
  await page.keyboard.press("Enter");
  await ends(page, "cancelled");
  // The button went with the run: what it stood beside is said.
  await stands("stage-title");

  // A run in the tab would be lost: the browser asks.
  await page.locator(id("run-in-tab")).focus();
  await page.keyboard.press("Enter");
  await ends(page, "running");
  await stands("stop");
  let asked = 0;
  page.on("dialog", (dialog) => {
    asked += dialog.type() === "beforeunload" ? 1 : 0;
    return dialog.dismiss();
  });
  await page.evaluate(() => void setTimeout(() => location.reload(), 0));
  await page.waitForTimeout(500);
  assert.equal(asked, 1);
  assert.equal(await here(), "stop");
  await page.keyboard.press("Enter");
  await ends(page, "cancelled");
  await stands("run-in-tab");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a stream that answers with errors is opened again, and the run is seen to its end", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  let refused = 0;
  await page.route(/\/api\/stream/, (route) => {
    refused += 1;
    return refused <= 3 ? route.fulfill({ status: refused === 2 ? 502 : 503, body: "gone" }) : route.continue();
  });
  await page.goto(lab.link);
  await page.locator(id("run-on-server")).waitFor();
  await writeSpec(page, NETWORK.replace("seed = 7", "seed = 12").replace("epochs = 3", "epochs = 60"));
  await page.locator(id("run-on-server")).click();
  // The experiment that a first visit shows is finished too: this run has not begun before it asks for its stream.
  for (let tries = 0; tries < 300 && refused < 2; tries += 1) await page.waitForTimeout(100);
  await ends(page, "finished", 90_000);
  assert.ok(refused >= 2, `the stream was asked for ${refused} times`);
  assert.equal(Object.keys(await values(page)).length, 4);
  await context.close();
});

test("a run at work whose page is opened, loaded again and left is seen to its end on its page and in the lab", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("run-on-server")).waitFor();
  await writeSpec(page, NETWORK.replace("seed = 7", "seed = 31").replace("epochs = 3", "epochs = 4000"));
  await page.locator(id("run-on-server")).click();
  await page.locator(id("open-run")).click();
  await page.waitForURL(/\/r\//);
  await ends(page, "running");
  const back = () => page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Lab" }).click();
  const own = page.url();
  // The page that is loaded again asks for the same run twice: as its own, and as the one that this tab has started.
  await page.reload();
  await ends(page, "running");
  await page.waitForFunction(() => document.querySelector('[data-testid="run-progress"]'));
  await back();
  await page.waitForURL((url) => url.pathname === "/");
  await ends(page, "running");
  await page.locator(id("cancel")).click();
  await ends(page, "cancelled");
  // One that ends by itself while its page is open.
  await writeSpec(page, NETWORK.replace("seed = 7", "seed = 32").replace("epochs = 3", "epochs = 300"));
  await page.locator(id("run-on-server")).click();
  await page.waitForFunction((own) => !own.endsWith(document.querySelector('[data-testid="open-run"]')?.getAttribute("href") ?? own), own);
  await page.locator(id("open-run")).click();
  await page.waitForURL(/\/r\//);
  await page.reload();
  await ends(page, "finished", 90_000);
  await back();
  await ends(page, "finished");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a file of the reader's own runs in the tab without leaving it, then on the server", async () => {
  const rows = Array.from({ length: 600 }, (_, i) => `u${i % 40},i${(i * 7) % 23},${1 + (i % 5)}.0,${1e9 + i}`);
  const csv = { name: "mine.csv", mimeType: "text/csv", buffer: Buffer.from(rows.join("\n")) };
  const page = await openPage(browser, lab.link);
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
  await page.locator(id("knob-recommender")).selectOption("popularity");
  await page.locator(id("knob-dataset")).selectOption("own");
  await page.locator(id("own-file-input")).setInputFiles(csv);
  await page.waitForFunction(() => document.querySelector('[data-testid="own-file-format"]').value === "amazon-csv");
  await page.locator(id("own-file-tab")).click();
  await page.locator(id("own-file")).waitFor({ state: "detached" });
  await page.locator(id("run-in-tab")).click();
  await ends(page, "finished");
  const here = await values(page);
  assert.deepEqual(sent, [], "nothing was sent");

  await page.locator(id("knob-dataset")).selectOption("own");
  await page.locator(id("own-file-input")).setInputFiles(csv);
  await page.locator(id("own-file-server")).click();
  await page.locator(id("own-file")).waitFor({ state: "detached" });
  await page.locator(id("run-on-server")).click();
  await page.waitForURL(/./);
  await page.waitForFunction(() => document.querySelector('[data-testid="open-run"]'));
  await ends(page, "finished");
  assert.deepEqual(await values(page), here, "the same numbers in the tab and on the server");
  // Its page calls it by the file's name, for those too who may not see the list of files.
  const own = `${lab.base}${await page.locator(id("open-run")).getAttribute("href")}`;
  const visitor = await openPage(browser, own);
  await visitor.locator("h1").filter({ hasText: "on mine.csv" }).waitFor();
  await visitor.context().close();

  // What is no file of ratings is refused in words, and the window stays.
  await page.locator(id("knob-dataset")).selectOption("own");
  await page.locator(id("own-file-input")).setInputFiles({ name: "noise.csv", mimeType: "text/csv", buffer: Buffer.alloc(5000, 0xff) });
  await page.locator(id("own-file-server")).click();
  const error = page.locator(id("own-file-error"));
  await error.waitFor();
  assert.match(await error.innerText(), /noise\.csv/);
  assert.deepEqual(page.problems.filter((problem) => !problem.includes("422")), []);
  await page.context().close();
});

test("whatever becomes of files, the list of data sets shows the one that the spec names", async () => {
  const rows = (people) => Buffer.from(Array.from({ length: 400 }, (_, i) => `u${i % people},i${(i * 7) % 23},${1 + (i % 5)}.0,${1e9 + i}`).join("\n"));
  const [a, b] = [31, 37].map((people) => ({ name: `people-${people}.csv`, mimeType: "text/csv", buffer: rows(people) }));
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-recommender")).selectOption("popularity");
  const give = async (file, where) => {
    await page.locator(id("knob-dataset")).selectOption("own");
    await page.locator(id("own-file-input")).setInputFiles(file);
    await page.waitForFunction(() => document.querySelector('[data-testid="own-file-format"]').value === "amazon-csv");
    await page.locator(id(`own-file-${where}`)).click();
    await page.locator(id("own-file")).waitFor({ state: "detached" });
    // The window is gone before the frame in which the list follows.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const told = await page.locator(`${id("knob-dataset")} option:checked`).innerText();
    const value = await page.locator(id("knob-dataset")).inputValue();
    const toml = await page.evaluate(() => document.querySelector('[data-testid="spec-toml"]').value);
    assert.match(told, new RegExp(file.name.replace(".", "\\.")), where);
    assert.ok(toml.includes(value.split(":")[2]), `${where}: the spec names ${toml}, the list ${value}`);
  };
  await give(b, "server");
  await give(a, "server");
  await give(b, "tab");
  await give(b, "server");
  await give(a, "tab");
  await give(a, "server");
  await page.locator(id("knob-dataset")).selectOption("builtin:beauty-synthetic-10k");
  await give(b, "tab");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a tab that cannot read the data says so before it is asked to run", async () => {
  const page = await openPage(browser, lab.link);
  await writeSpec(page, NETWORK.replace('source = "builtin"\nid = "beauty-synthetic-10k"', 'source = "file"\nformat = "amazon-csv"\npath = "nowhere.csv"'));
  await page.locator(id("tab-note")).filter({ hasText: /cannot read a file on the server's disk/ }).waitFor();
  assert.equal(await page.locator(id("run-in-tab")).isDisabled(), true);
  await page.keyboard.press("Control+Enter");
  assert.equal(await page.locator(id("run-on-server")).isEnabled(), true);
  // The server looks, and names the place as it is written in the spec.
  await page.locator(id("run-on-server")).click();
  const failure = page.locator(`${id("run-failure")}, ${id("run-error")}`);
  await failure.first().waitFor();
  assert.match(await failure.first().innerText(), /(^|[ .])dataset\.path: /m);
  await page.locator(id("knob-dataset")).selectOption("builtin:beauty-synthetic-10k");
  assert.equal(await page.locator(id("run-in-tab")).isEnabled(), true);
  assert.deepEqual(page.problems.filter((problem) => !problem.includes("422")), []);
  await page.context().close();
});

test("a run from which nothing is heard is told so, with the end that awaits it and a way to end it now", async () => {
  const page = await openPage(browser, lab.link);
  const spec = { version: 1, dataset: { source: "builtin", id: "beauty-synthetic-10k" }, recommender: { kind: "mlp" } };
  const now = Date.now();
  const record = { id: "quiet", status: "running", spec, created_ms: now - 47_000, started_ms: now - 46_000, attempts: 1 };
  const started = { run: "quiet", seq: 0, at_us: 1_000_000, kind: "phase", phase: "fit" };
  let cancelled = 0;
  await page.route(/api\/runs\/quiet$/, (route) => route.fulfill({ json: record }));
  await page.route(/api\/runs\/quiet\/events/, (route) => route.fulfill({ json: { events: route.request().url().includes("from=0") || !route.request().url().includes("from") ? [started] : [], more: false } }));
  await page.route(/api\/runs\/quiet\/cancel$/, (route) => {
    cancelled += 1;
    return route.fulfill({ json: { ...record, status: "cancelled", ended_ms: now } });
  });
  await page.goto(`${lab.base}/r/quiet`);
  const silence = page.locator(id("silence"));
  // What the server allows is asked for beside the run, and may come after the first sentence.
  await silence.filter({ hasText: "The server ends it" }).waitFor({ timeout: 15_000 });
  assert.match(await silence.innerText(), /^Nothing heard for (45|50|55) s\. .* The server ends it 1 h 00 min after its start\./);
  await page.locator(id("end-silent")).click();
  await ends(page, "cancelled");
  assert.equal(cancelled, 1);
  assert.equal(await silence.count(), 0);
  await page.context().close();
});

test("a table is for the server, and the tab says so", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-dataset")).selectOption("own");
  await page.locator(id("own-file-input")).setInputFiles({ name: "mine.parquet", mimeType: "application/octet-stream", buffer: Buffer.from("PAR1rest") });
  await page.waitForFunction(() => document.querySelector('[data-testid="own-file-format"]').value === "parquet");
  assert.equal(await page.locator(id("own-file-tab")).isDisabled(), true);
  assert.match(await page.locator(id("own-file")).innerText(), /the server reads it, a tab does not/);
  await page.locator(id("own-file-server")).click();
  assert.match(await page.locator(id("own-file-error")).innerText(), /no sound Parquet file/);
  await page.context().close();
});

test("a run's model is asked by keyboard, for users and baskets, and says what it does not know", async () => {
  const page = await openPage(browser, lab.link);
  const spec = {
    version: 1,
    dataset: { source: "builtin", id: "beauty-synthetic-10k", min_user: 2 },
    recommender: { kind: "item-knn" },
    evaluation: { metrics: ["ndcg@5"], max_users: 50 },
  };
  const run = await page.evaluate(async (spec) => {
    const body = JSON.stringify({ spec });
    return (await fetch("/api/runs", { method: "POST", headers: { "content-type": "application/json" }, body })).json();
  }, spec);
  await page.goto(`${lab.base}/r/${run.id}`);
  await page.locator(id("ask")).waitFor({ timeout: 60_000 });
  const model = await page.evaluate(async (run) => (await fetch(`/api/runs/${run}/model`)).json(), run.id);
  const whom = page.locator(id("ask-whom"));
  await whom.fill(model.users[0]);
  await page.locator(id("ask-k")).fill("3");
  await page.keyboard.press("Enter");
  await page.locator(`${id("ask-list")} li`).nth(2).waitFor();
  assert.equal(await page.locator(`${id("ask-list")} li`).count(), 3);
  await whom.fill("nobody");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.match(await page.locator(id("ask-error")).innerText(), /The model knows no user nobody|knows no user `nobody`/);
  // What cannot be asked takes the place of what was answered before.
  await whom.fill("");
  await page.locator(id("ask-go")).click();
  assert.match(await page.locator(id("ask-error")).innerText(), /type the id of a user/);
  await whom.fill(model.users[0]);
  await page.locator(id("ask-k")).fill("0");
  await page.locator(id("ask-go")).click();
  assert.match(await page.locator(id("ask-error")).innerText(), /“0” is not a number from 1 to 100/);
  assert.equal(await page.locator(id("ask-list")).count(), 0);
  await page.locator(id("ask-k")).fill("3");
  await page.getByRole("button", { name: "A basket" }).click();
  await whom.fill(`${model.items[0]}:5`);
  await page.locator(id("ask-go")).click();
  await page.locator(`${id("ask-list")} small`).first().waitFor();
  assert.match(await page.locator(id("ask-list")).innerText(), /the basket has/);
  // More than the model knows anything of: a line says where that ends, and behind it nothing has a reason.
  await page.locator(id("ask-k")).fill("100");
  await page.locator(id("ask-go")).click();
  const border = page.locator(id("ask-border"));
  await border.waitFor();
  assert.match(await border.innerText(), /Nothing is known from here on: ties at score 0/);
  const after = await page.locator(`${id("ask-border")} ~ li .number`).allInnerTexts();
  assert.ok(after.length > 0 && after.every((score) => score === "0"), `${after}`);
  await page.context().close();
});

test("a finished run without a model, as the example of a first visit, is not asked for one", async () => {
  const page = await openPage(browser, lab.base);
  const asked = [];
  page.on("response", (response) => asked.push(`${response.status()} ${new URL(response.url()).pathname}`));
  const { showcase } = await page.evaluate(async () => (await fetch("/api/lab")).json());
  await page.goto(`${lab.base}/r/${showcase}`);
  await page.locator(`${id("stage")} canvas`).first().waitFor();
  await page.waitForLoadState("networkidle", { timeout: 5000 }).catch(() => {});
  assert.ok(asked.some((line) => line.endsWith(`/api/runs/${showcase}`)), `${asked}`);
  assert.deepEqual(asked.filter((line) => line.startsWith("404") || line.endsWith("/model")), []);
  assert.equal(await page.locator(id("ask")).count(), 0);
  await page.context().close();
});

test("runs are put side by side by ticking them, and the link shows the same to somebody else", async () => {
  const page = await openPage(browser, lab.link);
  const run = (kind, seed, more = {}) => ({
    version: 1,
    seed,
    data_seed: 42,
    dataset: { source: "builtin", id: "beauty-synthetic-10k" },
    recommender: { kind },
    evaluation: { metrics: ["rmse"] },
    ...more,
  });
  const ids = await page.evaluate(async (specs) => {
    const ids = [];
    for (const spec of specs) {
      const body = JSON.stringify({ spec });
      ids.push((await (await fetch("/api/runs", { method: "POST", headers: { "content-type": "application/json" }, body })).json()).id);
    }
    const over = async (id) => ["finished", "failed"].includes((await (await fetch(`/api/runs/${id}`)).json()).status);
    for (const id of ids) while (!(await over(id))) await new Promise((done) => setTimeout(done, 100));
    return ids;
  }, [run("item-mean", 42), run("biased-mf", 42), run("biased-mf", 43), run("global-mean", 42, { split: { kind: "leave-last-out" } })]);

  await page.goto(`${lab.base}/c`);
  const box = (name) => page.locator(`${id("compare-picker")} label`).filter({ hasText: name }).locator("input");
  // By keyboard: the list around a choice changes, the box stays and keeps the focus.
  await box("Item mean").first().focus();
  await page.keyboard.press("Space");
  await page.waitForURL(`**/c/${ids[0]}`);
  await page.locator(id("compared-table")).waitFor();
  const focused = () => page.evaluate(() => [document.activeElement.closest("label")?.innerText.split("\n")[0], document.activeElement.checked]);
  assert.match((await focused())[0] ?? "nothing", /^Item mean/);
  assert.equal((await focused())[1], true);
  await page.goto(`${lab.base}/c/${ids.join(",")}`);
  const cells = page.locator(`${id("compared-rmse")} td`);
  await cells.first().waitFor();
  assert.equal(await cells.count(), 5, "two seeds of one method are one column, and the global mean and user and item bias are the last");
  assert.match(await cells.nth(1).innerText(), /±/);
  assert.equal(await page.locator(`${id("compared-rmse")} :is(.best-mark, .lead-mark)`).count(), 1);
  assert.match(await page.locator(id("compare-warnings")).innerText(), /split\.kind is leave-last-out, not/);
  await page.getByRole("button", { name: "Make this the baseline" }).first().click();
  await page.waitForURL(`**/c/${ids[1]},**`);
  await page.getByRole("button", { name: /Take .* out/ }).first().click();
  await page.waitForURL(`**/c/${ids[0]},${ids[3]}`);

  const guest = await openPage(browser, `${lab.base}/c/${ids.join(",")}`);
  await guest.locator(id("compared-rmse")).waitFor();
  await guest.locator(id("compare-picker")).filter({ hasText: "belongs to the owner" }).waitFor();
  await guest.goto(`${lab.base}/c/gone`);
  assert.match(await guest.locator(id("compare-error")).innerText(), /None of these runs exists or has a result/);
  assert.deepEqual([...page.problems, ...guest.problems].filter((problem) => !problem.includes("422")), []);
  for (const one of [page, guest]) await one.context().close();
});

test("damaged, later and bomb links are one clear sentence", async () => {
  for (const [link, words] of [
    ["1.damaged", /damaged/],
    ["99.eJwDAAAAAAE", /version 99/],
    [`1.${deflateSync(Buffer.alloc(2_000_000, " ")).toString("base64url")}`, /unpacks to more than/],
  ]) {
    const page = await openPage(browser, `${lab.base}/#x=${link}`);
    const error = page.locator(id("link-error"));
    await error.waitFor();
    assert.match(await error.innerText(), words);
    // The page shows its own example instead, as a first visit does.
    await page.locator(id("result-table")).waitFor();
    assert.equal(await page.locator(id("moved-on")).count(), 0);
    await page.context().close();
  }
});
