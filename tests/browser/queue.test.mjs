// One run after another from the lab page: what is in hand is not asked for twice, and everything else can wait in line.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage, writeSpec } from "./lab.mjs";

withLab();

const LONG = `version = 1
seed = 41
[dataset]
source = "builtin"
id = "beauty-synthetic-10k"
[recommender]
kind = "mlp"
hidden = [64, 64, 64]
[training]
epochs = 4000
batch_size = 64
learning_rate = 0.001
[evaluation]
metrics = ["rmse"]
`;

test("while the server has a run in hand, another experiment can be queued, and one can run in the tab", async () => {
  const page = await openPage(browser, lab.link);
  const there = page.locator(id("run-on-server"));
  await there.waitFor();
  await writeSpec(page, LONG);
  await there.click();
  await ends(page, "running");
  // The same experiment is not asked for twice.
  await there.waitFor({ state: "hidden" });
  const first = await page.locator(id("open-run")).getAttribute("href");
  await writeSpec(page, LONG.replace("seed = 41", "seed = 42"));
  await there.waitFor();
  assert.match(await there.innerText(), /Add to the server's queue/);
  assert.equal(await page.locator(id("cancel")).isVisible(), true, "the run that is shown can still be cancelled");
  await there.click();
  await page.waitForFunction((first) => {
    const href = document.querySelector('[data-testid="open-run"]')?.getAttribute("href");
    return href && href !== first;
  }, first);
  await ends(page, "queued");
  const second = await page.locator(id("open-run")).getAttribute("href");
  // A tab waits for nobody.
  await writeSpec(page, LONG.replace("seed = 41", "seed = 43").replace("epochs = 4000", "epochs = 1"));
  await page.locator(id("run-in-tab")).click();
  await ends(page, "finished");
  for (const href of [first, second]) {
    await page.goto(new URL(href, lab.link).href);
    await page.locator(id("cancel")).click();
    await ends(page, "cancelled");
  }
  await page.context().close();
});

test("what is typed into a field of words is taken as it is typed, so that the next click finds its button", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-recommender")).waitFor();
  await writeSpec(page, LONG.replace('source = "builtin"\nid = "beauty-synthetic-10k"', 'source = "file"\npath = "a"'));
  const path = page.locator(id("knob-dataset-path"));
  await path.fill("");
  const run = page.locator(id("run-on-server"));
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]').disabled);
  await path.pressSequentially("nowhere/at-all.csv");
  // Nothing has left the field, and the button is ready.
  assert.equal(await run.isDisabled(), false);
  await run.click();
  // The server refuses a file that is not there; that it was asked is what counts.
  await page.locator(`${id("run-error")}, ${id("run-status")}[data-status="failed"], ${id("run-status")}[data-status="refused"]`).first().waitFor();
  await page.context().close();
});
