// What the page looks like and costs: no scrolling sideways, enough contrast, names for everything, budgets kept.
// RECSPEED_SCREENSHOTS names a folder for the pictures.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { openPage, startBrowser, startLab } from "./lab.mjs";
import { packedBytes } from "./page-cost.mjs";

let lab, browser;
before(async () => {
  lab = await startLab();
  browser = await startBrowser();
  SCREENS.compared = `/c/${await twoRuns()}`;
});
after(async () => {
  await browser?.close();
  await lab?.stop();
});

/** Ids of two finished runs on the same rows. */
async function twoRuns() {
  const page = await openPage(browser, lab.link);
  const ids = await page.evaluate(async () => {
    const dataset = { source: "builtin", id: "beauty-synthetic-10k" };
    const ids = [];
    for (const recommender of [{ kind: "item-mean" }, { kind: "biased-mf" }]) {
      const body = JSON.stringify({ spec: { version: 1, dataset, recommender, evaluation: { metrics: ["rmse", "mae"] } } });
      const run = await (await fetch("/api/runs", { method: "POST", headers: { "content-type": "application/json" }, body })).json();
      while ((await (await fetch(`/api/runs/${run.id}`)).json()).status !== "finished") await new Promise((done) => setTimeout(done, 100));
      ids.push(run.id);
    }
    return ids.join(",");
  });
  await page.context().close();
  return ids;
}

const WIDTHS = [1440, 1024, 390];
const SCREENS = { lab: "/", runs: "/runs", compare: "/c", data: "/data", plan: "/plan" };

for (const width of WIDTHS) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${width} px, ${colorScheme}: nothing sticks out, and axe finds nothing serious`, async () => {
      const page = await openPage(browser, lab.link, { viewport: { width, height: 900 }, colorScheme, reducedMotion: "reduce" });
      for (const [name, path] of Object.entries(SCREENS)) {
        await page.goto(`${lab.base}${path}`);
        await page.locator("main h1, main h2").first().waitFor();
        if (name === "data") await page.locator('[data-testid="data-report"]').waitFor();
        if (name === "compared") await page.locator('[data-testid="compared-table"]').waitFor();
        if (name === "lab") await page.locator('[data-testid="curve"] canvas').first().waitFor();
        const folds = page.locator('[data-testid="result-groups"] summary');
        if (await folds.count()) await folds.click();
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(sideways <= 0, `${name} scrolls ${sideways} px sideways`);
        const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]).analyze();
        const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
        assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(", ")}`), [], name);
        if (process.env.RECSPEED_SCREENSHOTS) {
          await mkdir(process.env.RECSPEED_SCREENSHOTS, { recursive: true });
          await page.screenshot({ path: join(process.env.RECSPEED_SCREENSHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        }
      }
      await page.context().close();
    });
  }
}

test("two runs side by side are read on a phone without scrolling, and no sentence is cut off", async () => {
  const page = await openPage(browser, lab.link, { viewport: { width: 390, height: 844 } });
  await page.goto(`${lab.base}${SCREENS.compared}`);
  await page.locator('[data-testid="compared-tests"] tbody tr').first().waitFor();
  const cut = await page.evaluate(() => {
    const edge = document.querySelector(".compare-parts").getBoundingClientRect().right;
    const out = (element) => element.getBoundingClientRect().right > edge + 1 || element.scrollWidth > element.clientWidth + 1;
    return [...document.querySelectorAll(".compare-parts p, .compare-parts td, .compare-parts th, .compare-parts .table-scroll")]
      .filter((element) => element.clientWidth > 1 && out(element))
      .map((element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 60)}`);
  });
  assert.deepEqual(cut, []);
  await page.context().close();
});

// The design's budgets are 300 KB for the page and 900 KB for the runner; docs/architecture.md says what stands in the way.
// Until they are met these numbers hold both where they are: 700,831 and 1,440,631 measured. The strategy studio takes 57,000 of the page,
// the comparison and data pages 25,000, the studies with engines and strategies in the form 43,000; the executors of parallel training
// 136,000 of the runner, those of DLRM and SASRec with divided tables 80,000 more.
const PAGE_BYTES = 704_000;
const RUNNER_BYTES = 1_446_000;

test("the programs grow no larger than what was measured or budgeted, after brotli", async () => {
  const sizes = await packedBytes();
  console.log(`page ${sizes.page} bytes, runner ${sizes.runner} bytes`);
  assert.ok(sizes.page <= PAGE_BYTES, `page: ${sizes.page} bytes`);
  assert.ok(sizes.runner <= RUNNER_BYTES, `runner: ${sizes.runner} bytes`);
});

test("the runner is not loaded before it is needed", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(lab.link);
  await page.locator('[data-testid="curve"] canvas').first().waitFor();
  assert.deepEqual(asked.filter((path) => path.startsWith("/runner/")), []);
  await context.close();
});
