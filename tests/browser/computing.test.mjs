// Engine and strategy on the lab page: what is here can be chosen, what is not says how to get it, and the TOML agrees.

import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browser, id, lab, withLab } from "./bench.mjs";
import { openPage } from "./lab.mjs";

const ENGINE = "knob-engine-kind";
const STRATEGY = "knob-strategy-kind";

withLab({
  prepare: async () => {
    // PyTorch is said to be here, TensorFlow is half installed; the others are missing.
    const home = await mkdtemp(join(tmpdir(), "recspeed-lab-"));
    await mkdir(join(home, "engines/pytorch"), { recursive: true });
    await mkdir(join(home, "engines/tensorflow"), { recursive: true });
    const record = { python: "/bin/sh", own: false, requirements: "", versions: {}, bytes: 0 };
    await writeFile(join(home, "engines/pytorch/record.json"), JSON.stringify(record));
    return { home };
  },
});

/** The lab with a network, and its folded settings open. */
async function open(options = {}) {
  const page = await openPage(browser, lab.link, options);
  // After the example, which the first visit begins with.
  await page.locator(id("result-table")).waitFor();
  await page.locator(id("knob-recommender")).selectOption("mlp");
  await page.locator(`${id("advanced")} summary`).first().click();
  await page.locator(`${id(ENGINE)} option[value="pytorch"]:not([disabled])`).waitFor({ state: "attached" });
  return page;
}

const toml = (page) => page.locator(id("spec-toml")).inputValue();
const shown = (page, name) => page.locator(id(name)).inputValue();

test("an engine that is here is chosen, the tab says that it cannot, and one that is not here says how to get it", async () => {
  const page = await open();
  const off = await page.locator(`${id(ENGINE)} option[disabled]`).evaluateAll((all) => all.map((option) => option.value));
  assert.deepEqual(off, ["tensorflow", "pyvelox", "deepspeed", "torchgpipe"]);
  await page.locator(id(ENGINE)).focus();
  await page.locator(id(ENGINE)).selectOption("pytorch");
  await page.waitForFunction(() => document.querySelector('[data-testid="spec-toml"]').value.includes('kind = "pytorch"'));
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), ENGINE, "the reader is still at the list");
  assert.equal(await page.locator(id("run-in-tab")).isDisabled(), true);
  assert.match(await page.locator(id("tab-note")).innerText(), /PyTorch runs on the server/);
  assert.equal(await page.locator(id("run-on-server")).isEnabled(), true);

  // PyTorch finds a GPU only once it runs: the list says before that whether there is one.
  const { gpu } = await page.evaluate(async () => (await fetch("/api/lab")).json());
  const cuda = await page
    .locator(`${id("knob-engine-device")} option[value="cuda"]`)
    .evaluate((option) => ({ off: option.disabled, title: option.textContent }));
  assert.equal(cuda.off, gpu !== "here", cuda.title);
  assert.match(cuda.title, gpu === "here" ? /a GPU of the server/ : /cuda \(no (GPU|driver) on this server\)/);

  await page.locator(`${id("more-engines")} summary`).click();
  const commands = await page.locator(`${id("more-engines")} code`).allInnerTexts();
  assert.ok(commands.includes("recspeed engines install torchgpipe"), commands.join());
  assert.match(await page.locator(id("more-engines")).innerText(), /TensorFlow.*half installed/);

  // A spec that names an engine that is not here is told so before it is sent.
  await page.locator(id("spec-toml")).fill((await toml(page)).replace("pytorch", "deepspeed"));
  await page.waitForFunction((name) => document.querySelector(`[data-testid="${name}"]`).value === "deepspeed", ENGINE);
  assert.equal(await page.locator(id("run-on-server")).isDisabled(), true);
  assert.match(await page.locator(id("server-note")).innerText(), /recspeed engines install deepspeed/);

  // A recommender that the engine does not train takes the engine away.
  await page.locator(id("knob-recommender")).selectOption("popularity");
  assert.equal(await page.locator(id(ENGINE)).count(), 0);
  assert.equal(await page.locator(id(STRATEGY)).count(), 0);
  assert.doesNotMatch(await toml(page), /deepspeed/);
  assert.equal(await page.locator(id("run-in-tab")).isEnabled(), true);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a strategy shows its own settings, form and TOML agree, and the studio opens with them", async () => {
  const page = await open();
  assert.deepEqual(
    await page.locator(`${id(STRATEGY)} option:not([disabled])`).evaluateAll((all) => all.map((option) => option.value)),
    ["single", "data-parallel", "pipeline", "zero", "hybrid"],
  );
  await page.locator(id(STRATEGY)).selectOption("pipeline");
  await page.locator(id("knob-strategy-micro-batches")).fill("8");
  await page.locator(id("knob-strategy-micro-batches")).press("Tab");
  await page.locator(id("knob-strategy-schedule")).selectOption("interleaved");
  await page.locator(id("knob-strategy-chunks")).waitFor();
  await page.locator(id("knob-strategy-recompute")).selectOption("always");
  const written = await toml(page);
  for (const line of ['kind = "pipeline"', "micro_batches = 8", 'schedule = "interleaved"', 'recompute = "always"']) {
    assert.ok(written.includes(line), `${line} is missing in ${written}`);
  }
  await page.locator(id("spec-toml")).fill(written.replace('schedule = "interleaved"', 'schedule = "gpipe"'));
  await page.waitForFunction(() => document.querySelector('[data-testid="knob-strategy-schedule"]').value === "gpipe");
  assert.equal(await page.locator(id("knob-strategy-chunks")).count(), 0);

  // A mistake is told at its field.
  await page.locator(id("knob-strategy-stages")).fill("9");
  await page.locator(id("knob-strategy-stages")).press("Tab");
  await page.locator(".field-error", { hasText: "the model has 4 layers" }).waitFor();
  await page.locator(id("knob-strategy-stages")).fill("4");
  await page.locator(id("knob-strategy-stages")).press("Tab");

  await page.locator(id("plan-strategy")).click();
  await page.waitForURL(/\/plan\?.*recompute=always/);
  await page.locator("canvas[data-drawn]").waitFor();
  await page.goBack();
  await page.locator(`${id("advanced")} summary`).first().click();
  assert.equal(await shown(page, "knob-strategy-stages"), "4", "the way back keeps the draft");

  // What the engine does not have cannot be chosen, and what was set goes.
  await page.locator(id(ENGINE)).selectOption("pytorch");
  assert.equal(await shown(page, STRATEGY), "single");
  assert.deepEqual(
    await page.locator(`${id(STRATEGY)} option:not([disabled])`).evaluateAll((all) => all.map((option) => option.value)),
    ["single"],
  );
  assert.equal(await page.locator(id("spec-problems")).locator("li").count(), 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("who divides a network with tables says how, and the link keeps it", async () => {
  const page = await open();
  assert.equal(await page.locator(id("knob-strategy-tables")).count(), 0);
  await page.locator(id("knob-recommender")).selectOption("dlrm");
  await page.locator(id(STRATEGY)).selectOption("zero");
  await page.locator(id("knob-strategy-tables")).selectOption("column-wise");
  await page.waitForFunction(() => document.querySelector('[data-testid="spec-toml"]').value.includes('tables = "column-wise"'));
  await page.locator(id("knob-recommender")).selectOption("sasrec");
  assert.equal(await shown(page, "knob-strategy-tables"), "column-wise");
  await page.locator(id("knob-recommender")).selectOption("mlp");
  assert.equal(await page.locator(id("knob-strategy-tables")).count(), 0);
  assert.doesNotMatch(await toml(page), /tables/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("what DeepSpeed’s ZeRO 3 keeps whole is asked where it counts, and can be taken away where it does not", async () => {
  const page = await open();
  const stage = page.locator(id("knob-strategy-stage"));
  const kept = page.locator(id("knob-strategy-persistence-threshold"));
  await page.locator(id(STRATEGY)).selectOption("zero");
  await stage.fill("3");
  await stage.press("Tab");
  assert.equal(await kept.count(), 0, "Burn divides every layer");
  // It is not here, so that no list offers it.
  await page.locator(id("spec-toml")).fill((await toml(page)).replace('kind = "burn"', 'kind = "deepspeed"'));
  await kept.fill("0");
  await kept.press("Tab");
  await page.waitForFunction(() => document.querySelector('[data-testid="spec-toml"]').value.includes("persistence_threshold = 0"));
  await stage.fill("2");
  await stage.press("Tab");
  await page.locator(".field-error", { hasText: "is for strategy.stage = 3" }).waitFor();
  await kept.fill("");
  await kept.waitFor({ state: "detached" });
  assert.doesNotMatch(await toml(page), /persistence_threshold/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a divided run of the form trains on the server and in the tab to the same loss", async () => {
  const page = await open();
  await page.locator(id(STRATEGY)).selectOption("zero");
  await page.locator(id("knob-strategy-stage")).fill("2");
  await page.locator(id("knob-strategy-stage")).press("Tab");
  const ended = () =>
    page.waitForFunction(() => document.querySelector('[data-testid="run-status"]')?.dataset.status === "finished", null, { timeout: 60_000 });
  const rmse = () => page.locator(id("metric-rmse")).first().getAttribute("data-value").then(Number);
  await page.locator(id("run-on-server")).click();
  await page.locator(id("cancel")).waitFor({ state: "hidden" });
  await page.locator(id("open-run")).waitFor();
  await ended();
  const there = await rmse();
  await page.locator(id("run-in-tab")).click();
  await page.locator(id("open-run")).waitFor({ state: "detached" });
  await ended();
  assert.ok(Math.abs((await rmse()) - there) < 1e-4 * there);
  // The tab keeps the timeline of its run, as long as it is not loaded again.
  await page.locator(id("ranks-timeline")).click();
  const note = page.locator(id("plan-run-note"));
  await note.filter({ hasText: "take turns" }).waitFor();
  await page.locator(".timeline-title").filter({ hasText: "Measured" }).waitFor();
  await page.reload();
  await note.filter({ hasText: "its timeline went with it" }).waitFor();
  assert.equal(await page.locator(".timeline-title").filter({ hasText: "Measured" }).count(), 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
