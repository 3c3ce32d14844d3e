// What a comparison of stored runs says, and what it does not hold against each other.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { openPage } from "./lab.mjs";

withLab();

/** Ids of finished runs of these specs, as a link has them. */
async function finished(page, specs) {
  const ids = await page.evaluate(async (specs) => {
    const ids = [];
    for (const spec of specs) {
      const body = JSON.stringify({ spec });
      const answer = await fetch("/api/runs", { method: "POST", headers: { "content-type": "application/json" }, body });
      const run = await answer.json();
      if (!answer.ok) throw new Error(JSON.stringify(run));
      for (;;) {
        const { status } = await (await fetch(`/api/runs/${run.id}`)).json();
        if (status === "finished") break;
        if (status === "failed") throw new Error(`a run of ${spec.recommender.kind} failed`);
        await new Promise((done) => setTimeout(done, 100));
      }
      ids.push(run.id);
    }
    return ids;
  }, specs);
  return ids.join(",");
}

const spec = (recommender, metrics, more = {}) => ({
  version: 1,
  dataset: { source: "builtin", id: "beauty-synthetic-10k" },
  recommender,
  evaluation: { metrics },
  ...more,
});

/** What the server answers of one run that left this curve of its loss. */
function ofCurve(points) {
  const method = { name: "NMF", kind: "nmf", seeds: [1], random: true, metrics: {}, fit_s: { mean: 1, values: [1] }, peak_bytes: 1 };
  return {
    methods: [{ ...method, runs: ["a"], settings: [], same_rows: true, same_scale: true }],
    metrics: [], settings: [], warnings: [], left_out: [],
    curves: [{ method: 0, run: "a", name: "loss", split: "train", points }],
  };
}

test("errors on two scales have no best, no difference and no test, and those on one scale keep them", async () => {
  const page = await openPage(browser, lab.link);
  const likes = spec({ kind: "densenet", layers: 2, growth: 2 }, ["rmse", "auc"], { training: { epochs: 1 } });
  const [item, mean] = ["item-mean", "global-mean"].map((kind) => spec({ kind }, ["rmse", "auc"]));
  const runs = (await finished(page, [item, likes, mean])).split(",");
  await page.goto(`${lab.base}/c/${runs.slice(0, 2).join(",")}`);
  const errors = page.locator(`${id("compared-rmse")} td`);
  await errors.first().waitFor();
  await page.locator(id("compared-tests")).filter({ hasText: "on another scale" }).waitFor();
  assert.equal(await errors.count(), 2);
  assert.equal(await page.locator(`${id("compared-rmse")} :is(.best-mark, .change)`).count(), 0);
  assert.match(await page.locator(id("compare-warnings")).innerText(), /Errors are on two scales/);
  assert.equal(await page.locator(id("compared-tests")).getByText("user-rmse").count(), 0);
  assert.equal(await page.locator(`${id("compared-auc")} .best-mark`).count(), 1, "an order has no scale");
  assert.equal(await page.locator(id("compared-of-mean")).count(), 0, "one number has two values there");

  await page.goto(`${lab.base}/c/${runs.join(",")}`);
  await page.locator(id("compared-tests")).filter({ hasText: "user-rmse" }).waitFor();
  const changes = await errors.evaluateAll((cells) => cells.map((cell) => cell.querySelectorAll(".change").length));
  assert.deepEqual(changes, [0, 0, 1]);
  assert.equal(await page.locator(`${id("compared-rmse")} .best-mark`).count(), 1);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("one number for everybody has a column, in which it stands beside the metrics that it has, and a phone shows it below them", async () => {
  const page = await openPage(browser, lab.link);
  // Also where the first method gives scores alone.
  const scores = spec({ kind: "popularity" }, ["hit@10"]);
  const runs = await finished(page, [scores, spec({ kind: "item-mean" }, ["rmse", "mae", "hit@10"])]);
  await page.goto(`${lab.base}/c/${runs}`);
  const head = page.locator(id("compared-of-mean"));
  await head.waitFor();
  const column = await head.evaluate((cell) => cell.cellIndex);
  assert.equal(column, 3, "behind the names and both methods");
  const rows = await page.locator(`${id("compared-table")} tbody tr`).evaluateAll(
    (rows, column) => rows.map((row) => ({ name: row.dataset.testid ?? "", cells: row.cells.length, text: row.cells[column]?.textContent })),
    column,
  );
  assert.ok(rows.length > 5 && rows.every(({ cells }) => cells === column + 1), JSON.stringify(rows));
  const has = ["compared-rmse", "compared-mae"].map((name) => rows.find((row) => row.name === name).text);
  assert.ok(has.every((text) => /^[\d.]+$/.test(text)) && has[0] !== has[1], JSON.stringify(rows));
  const others = rows.filter(({ name }) => !["compared-rmse", "compared-mae"].includes(name));
  assert.deepEqual([...new Set(others.map(({ text }) => text))], ["–"], JSON.stringify(others));
  const below = page.locator(`${id("compared-rmse")} .of-mean`);
  assert.equal(await below.isVisible(), false);

  await page.setViewportSize({ width: 390, height: 844 });
  await head.waitFor({ state: "hidden" });
  assert.equal(await below.innerText(), `one number for everybody: ${has[0]}`);
  assert.equal(await page.locator(`${id("compared-hit-10")} .of-mean`).count(), 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the words of a curve that went up and down do not say that it fell", async () => {
  const page = await openPage(browser, lab.link);
  const points = [9286, 20.5, 9100, 12.25, 17.36];
  const swings = points.map((value, at) => ({ step: at + 1, epoch: at + 1, value }));
  await page.route("**/api/comparison?*", (route) => route.fulfill({ json: ofCurve(swings) }));
  await page.goto(`${lab.base}/c/a`);
  const words = page.getByText("NMF: loss went up and down, from 9286 to 17.36, in 5 epochs");
  await words.first().waitFor({ state: "attached" });
  const said = await words.first().textContent();
  assert.match(said, /the lowest was 12\.25 at epoch 4; the highest was 9286 at epoch 1\./);
  assert.ok(!said.includes("fell"), said);
  await page.context().close();
});

test("the legend tells how far a curve is in whole epochs", async () => {
  const page = await openPage(browser, lab.link);
  let points = [];
  await page.route("**/api/comparison?*", (route) => route.fulfill({ json: ofCurve(points) }));
  for (const [epoch, told] of [[20, "20"], [2.5, "2.5"]]) {
    points = [{ step: 1, epoch: 1, value: 0.9 }, { step: 40, epoch, value: 0.5 }];
    await page.goto(`${lab.base}/c/a`);
    const axis = page.locator(".u-legend .u-series").first();
    await axis.locator(".u-value").filter({ hasText: /\d/ }).waitFor();
    assert.match(await axis.innerText(), /epoch/);
    assert.equal(await axis.locator(".u-value").innerText(), told);
  }
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("tests of a comparison that did not come are asked for again by a button", async () => {
  const page = await openPage(browser, lab.link);
  const runs = await finished(page, ["item-mean", "global-mean"].map((kind) => spec({ kind }, ["rmse"])));
  let broken = true;
  await page.route("**/api/comparison/tests?*", (route) => (broken ? route.abort() : route.continue()));
  await page.goto(`${lab.base}/c/${runs}`);
  const card = page.locator(id("compared-tests"));
  await card.locator(id("tests-error")).waitFor();
  broken = false;
  await card.locator(id("try-again")).click();
  await card.filter({ hasText: "user-rmse" }).waitFor();
  assert.equal(await card.locator(id("tests-error")).count(), 0);
  await page.context().close();
});
