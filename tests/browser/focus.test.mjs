// Where the keyboard is when what it was at has gone: at the heading of another page, at what comes where one tried again.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { openPage } from "./lab.mjs";

withLab();

/** The id of a finished run on the server. */
const finished = (page, kind) =>
  page.evaluate(async (kind) => {
    const dataset = { source: "builtin", id: "beauty-synthetic-10k" };
    const spec = { version: 1, dataset, recommender: { kind }, evaluation: { metrics: ["rmse"] } };
    const headers = { "content-type": "application/json" };
    const run = await (await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) })).json();
    for (;;) {
      const { status } = await (await fetch(`/api/runs/${run.id}`)).json();
      if (status === "finished") return run.id;
      if (status === "failed") throw new Error(`a run of ${kind} failed`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }, kind);

/** The id of a run on the server that was cancelled, and takes minutes when it is tried again. */
const cancelled = (page) =>
  page.evaluate(async () => {
    const dataset = { source: "builtin", id: "beauty-synthetic-10k" };
    const spec = { version: 1, dataset, recommender: { kind: "mlp" }, training: { epochs: 2000 }, evaluation: { metrics: ["rmse"] } };
    const headers = { "content-type": "application/json" };
    const run = await (await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) })).json();
    await fetch(`/api/runs/${run.id}/cancel`, { method: "POST" });
    for (;;) {
      const { status } = await (await fetch(`/api/runs/${run.id}`)).json();
      if (status === "cancelled") return run.id;
      await new Promise((done) => setTimeout(done, 100));
    }
  });

/** Waits until the focus is at what this selector names. */
const stands = (page, place) => page.waitForFunction((place) => document.activeElement?.matches(place), place);

/** Waits until the focus is at the heading of the page, which reads so. */
const arrives = (page, text) =>
  page.waitForFunction((text) => document.activeElement?.matches("main h1") && document.activeElement.textContent === text, text);

/** As by the buttons of the browser: without a new page load. */
const go = (page, address) =>
  page.evaluate((address) => {
    history.pushState(null, "", address);
    dispatchEvent(new PopStateEvent("popstate"));
  }, address);

test("another page has the focus at its heading and says its title; the first page and choices on a page leave it where it is", async () => {
  const page = await openPage(browser, lab.link);
  const said = page.locator(id("arrived"));
  const run = await finished(page, "item-mean");
  await page.locator(id("result-table")).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "BODY");
  assert.equal(await said.textContent(), "");
  const to = (name) => page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true }).click();

  // Another query and another experiment in the address are no other page.
  await page.locator(id("knob-recommender")).focus();
  await page.locator(id("knob-recommender")).selectOption("popularity");
  await page.waitForFunction(() => location.hash.startsWith("#x="));
  await go(page, "/?embed=0#here");
  await page.waitForTimeout(300);
  await stands(page, id("knob-recommender"));
  assert.equal(await said.textContent(), "");

  await to("Runs");
  await arrives(page, "Runs");
  await page.waitForFunction(() => document.querySelector('[data-testid="arrived"]').textContent === "Runs · Recspeed");
  // The ring is for those who came by the keyboard.
  const ringed = () =>
    page.evaluate(() => [document.activeElement.matches(":focus-visible"), getComputedStyle(document.activeElement).outlineStyle !== "none"]);
  const [visible, ring] = await ringed();
  assert.equal(ring, visible);

  // A heading that comes with an answer has the focus when it is there.
  const row = page.locator(`${id("run-row")} a[href="/r/${run}"]`);
  const called = await row.textContent();
  await row.click();
  await arrives(page, called);
  await page.keyboard.press("c");
  await arrives(page, "Comparison");
  assert.deepEqual(await ringed(), [true, true]);
  await page.locator(`${id("compare-picker")} input`).first().focus();
  await page.keyboard.press("Space");
  await page.waitForURL(/\/c\/./);
  await page.waitForTimeout(300);
  await stands(page, `${id("compare-picker")} input`);

  await to("Data");
  await arrives(page, "Data");
  const list = page.locator(id("data-choice"));
  const others = await list.locator("option").evaluateAll((all) => all.map((one) => one.value));
  await list.focus();
  await list.selectOption(others[1]);
  await page.waitForURL(`**/data/${others[1]}`);
  await page.waitForTimeout(300);
  await stands(page, id("data-choice"));

  await to("Studies");
  await arrives(page, "Studies");
  const study = page.locator(`${id("study-row")} a`).first();
  const title = await study.textContent();
  await study.click();
  await arrives(page, title);
  await page.goBack();
  await arrives(page, "Studies");
  await go(page, "/nowhere");
  await arrives(page, "There is no page here");
  await page.waitForFunction(() => document.querySelector('[data-testid="arrived"]').textContent === "There is no page here · Recspeed");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a heading that comes late takes the focus from nobody who has gone elsewhere meanwhile", async () => {
  const page = await openPage(browser, lab.link);
  const run = await finished(page, "item-mean");
  let answer;
  const held = new Promise((done) => (answer = done));
  await page.route(new RegExp(`/api/runs/${run}$`), async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`${lab.base}/plan`);
  await page.locator("main h1").waitFor();
  await go(page, `/r/${run}`);
  await stands(page, "#main");
  await page.locator(id("theme-switch")).focus();
  answer();
  await page.locator("main h1").waitFor();
  await page.waitForTimeout(300);
  await stands(page, id("theme-switch"));
  await page.context().close();
});

test("whoever tries again by the keyboard is at what comes in that place, not at the top of the document", async () => {
  const page = await openPage(browser, lab.link);
  const runs = [await finished(page, "item-mean"), await finished(page, "global-mean")];
  let broken = null;
  await page.route(/\/api\//, (route) => (broken?.test(new URL(route.request().url()).pathname) ? route.abort() : route.continue()));
  for (const [path, asked, error, place] of [
    ["/studies", /^\/api\/studies$/, "studies-error", `[role="group"]:has(${id("study-list")})`],
    ["/studies/retrieval", /^\/api\/studies\/retrieval$/, "study-error", "main h1"],
    ["/data", /\/report$/, "data-error", '[role="group"]:has(h2)'],
    ["/data", /^\/api\/datasets$/, "uploads-error", id("data-choice")],
    ["/", /^\/api\/datasets$/, "uploads-error", id("knob-dataset")],
    [`/r/${runs[0]}`, new RegExp(`^/api/runs/${runs[0]}$`), "run-unopened", "main h1"],
    ["/runs", /^\/api\/runs$/, "runs-error", `${id("run-row")}:first-child a`],
    ["/c", /^\/api\/runs$/, "picker-error", `${id("compare-picker")}:has(.picker)`],
    [`/c/${runs.join(",")}`, /^\/api\/comparison$/, "compare-error", `[role="group"]:has(${id("compared-table")})`],
    [`/c/${runs.join(",")}`, /^\/api\/comparison\/tests$/, "tests-error", `${id("compared-tests")}:has(td)`],
  ]) {
    broken = asked;
    await page.goto(`${lab.base}${path}`);
    const refused = page.locator(".refused").filter({ has: page.locator(id(error)) });
    await refused.waitFor();
    await refused.locator(id("try-again")).focus();
    broken = null;
    await page.keyboard.press("Enter");
    await page.locator(id(error)).waitFor({ state: "detached" });
    await stands(page, place).catch(async (cause) => {
      const here = await page.evaluate(() => document.activeElement.outerHTML.slice(0, 200));
      throw new Error(`${path}, ${error}: the focus is at ${here}`, { cause });
    });
  }
  await page.context().close();
});

test("whoever asks for older runs, or takes a deletion back, by the keyboard is at the first run that comes", async () => {
  const page = await openPage(browser, lab.link);
  for (const kind of ["item-mean", "global-mean"]) await finished(page, kind);
  // The server's own list in two parts, the second of which does not come at first.
  let broken = true;
  let all;
  await page.route(/\/api\/runs\?/, async (route) => {
    const url = new URL(route.request().url());
    const older = url.searchParams.has("before");
    if (older && broken) return route.abort();
    url.searchParams.delete("before");
    const answer = await (await route.fetch({ url: url.href })).json();
    all = answer.runs.length;
    return route.fulfill({ json: older ? { runs: answer.runs.slice(1) } : { runs: answer.runs.slice(0, 1), next: "more" } });
  });
  const press = async (button) => {
    await button.focus();
    await page.keyboard.press("Enter");
  };
  const rows = page.locator(id("run-row"));
  const older = page.locator(id("more-runs"));
  const second = `${id("run-row")}:nth-child(2) a`;
  await page.goto(`${lab.base}/runs`);
  await press(older);
  await page.locator(id("runs-error")).waitFor();
  await stands(page, ".run-list");
  // What is asked again is what did not come: the first run stays, and the others come behind it.
  broken = false;
  await press(page.locator(id("try-again")));
  await stands(page, second);
  assert.equal(await rows.count(), all);
  assert.equal(await older.count(), 0);
  await page.locator(id("runs-count")).filter({ hasText: `${all} runs shown` }).waitFor({ state: "attached" });

  await page.reload();
  await press(older);
  await stands(page, second);

  const link = await rows.first().locator("a").getAttribute("href");
  await press(rows.first().locator(id("delete-run")));
  await stands(page, ".run-list");
  await press(page.locator(id("undo")));
  await stands(page, `a[href="${link}"]`);
  await page.context().close();
});

test("whoever hides a message by the keyboard is at the main part of the page", async () => {
  const page = await openPage(browser, lab.link);
  const run = await cancelled(page);
  await page.route(/\/retry$/, (route) => route.abort());
  await page.goto(`${lab.base}/r/${run}`);
  await page.locator(id("retry")).click();
  const hide = page.locator(id("toast")).getByRole("button", { name: "Hide this message" });
  await hide.focus();
  await page.keyboard.press("Enter");
  await stands(page, "#main");
  await page.context().close();
});

test("whoever presses a button that goes, by the keyboard, is at the part of the page that it stood in", async () => {
  const page = await openPage(browser, lab.link);
  const runs = [await finished(page, "item-mean"), await finished(page, "global-mean"), await finished(page, "user-mean")];
  const press = async (button) => {
    await button.focus();
    await page.keyboard.press("Enter");
  };

  const table = `[role="group"]:has(${id("compared-table")})`;
  const methods = (number) =>
    page.waitForFunction((number) => document.querySelectorAll(".compared-head").length === number, number);
  await page.goto(`${lab.base}/c/${runs.join(",")}`);
  await methods(3);
  await press(page.getByRole("button", { name: /^Take “/ }).last());
  await methods(2);
  await stands(page, table);
  const first = await page.locator(".compared-head").first().textContent();
  await press(page.getByRole("button", { name: "Make this the baseline" }));
  await page.waitForFunction((first) => document.querySelector(".compared-head")?.textContent !== first, first);
  await methods(2);
  await stands(page, table);

  // A finished run is copied; one that was cancelled is tried again, and cancelled again.
  await page.goto(`${lab.base}/r/${runs[0]}`);
  await page.locator(id("fork")).waitFor();
  assert.equal(await page.locator(id("retry")).count(), 0);
  await page.goto(`${lab.base}/r/${await cancelled(page)}`);
  await press(page.locator(id("retry")));
  await page.locator(id("cancel")).waitFor();
  await stands(page, ".tools");
  await press(page.locator(id("cancel")));
  await page.locator(id("retry")).waitFor();
  await stands(page, ".tools");

  await page.goto(`${lab.base}/`);
  await page.locator(id("spec-toml")).fill("version = = 1");
  await press(page.locator(id("restore-spec")));
  await page.locator(id("restore-spec")).waitFor({ state: "detached" });
  await stands(page, id("spec-toml"));
  await page.context().close();
});
