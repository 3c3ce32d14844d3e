// What the page promises before a run, what it tells of one, and what it leaves unasked.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage } from "./lab.mjs";

withLab();

test("a method without a curve promises none, and what was computed says by what, from which commit", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("curve")).first().waitFor();
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  await page.locator(id("knob-recommender")).selectOption("popularity");
  await page.locator(id("moved-on")).filter({ hasText: "see the new numbers" }).waitFor();
  await page.locator(id("run-in-tab")).click();
  await ends(page, "finished");
  const { version } = await page.evaluate(async () => (await fetch("/api/lab")).json());
  const facts = page.locator(id("result-facts"));
  await facts.filter({ hasText: "none: the lab itself, on the processor" }).waitFor();
  const told = await facts.textContent();
  assert.ok(told.includes(`recspeed ${version}`), told);
  assert.doesNotMatch(told, /Products of matrices|burn \d|(^|\D)0 µs/);

  const empty = page.locator(id("curve-empty"));
  await page.locator(id("knob-recommender")).selectOption("ease");
  await empty.filter({ hasText: "this method has no curve" }).waitFor();
  await page.locator(id("knob-recommender")).selectOption("biased-mf");
  await empty.filter({ hasText: "the curve appears here while it learns" }).waitFor();
  await page.locator(id("moved-on")).filter({ hasText: "see the new curve" }).waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a guest may run in the tab and is told what the server needs, and the page asks for nothing that it would be refused", async () => {
  const page = await openPage(browser, "about:blank");
  const refused = [];
  page.on("response", (response) => response.status() === 401 && refused.push(response.url()));
  await page.goto(lab.base);
  await page.locator(id("run-in-tab")).waitFor();
  assert.equal(await page.locator(id("run-in-tab")).isEnabled(), true);
  await page.locator(id("server-note")).filter({ hasText: /owner/ }).waitFor();
  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await page.locator(id("runs-forbidden")).waitFor();
  await page.getByRole("link", { name: "Compare", exact: true }).click();
  await page.locator(id("compare-picker")).filter({ hasText: "belongs to the owner" }).waitFor();
  await page.goto(`${lab.base}/runs`);
  await page.locator(id("runs-forbidden")).waitFor();
  // A stream that is refused would be asked for again within a second.
  await page.waitForTimeout(1500);
  assert.deepEqual(refused, []);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
