// What every page owes its readers: keys that do nothing by accident, menus that close, a title that is its own, warnings in words.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage } from "./lab.mjs";

withLab();

test("shortcuts of a single key do nothing in a window, in a field and where they are off, and that is remembered", async () => {
  const page = await openPage(browser, lab.link);
  const theme = page.locator(id("theme-switch"));
  const shows = (name) => page.locator(`${id("theme-switch")}[aria-label^="Theme: ${name}."]`).waitFor();
  await shows("system");
  await page.keyboard.press("t");
  await shows("light");

  const nothingHappens = async (keys, where) => {
    for (const key of keys) await page.keyboard.press(key);
    await page.waitForTimeout(150);
    assert.match(await theme.getAttribute("aria-label"), /^Theme: light\./, where);
    assert.equal(new URL(page.url()).pathname, "/", where);
    assert.equal(await page.locator(id("stop")).isVisible(), false, `${where}: a run began`);
  };
  await page.evaluate(() => {
    const text = document.body.appendChild(document.createElement("div"));
    text.id = "written";
    text.contentEditable = "true";
  });
  for (const field of ["#written", id("knob-recommender"), id("spec-toml")]) {
    await page.locator(field).focus();
    await nothingHappens(["t", "r"], field);
  }

  await page.goto(lab.base);
  await page.locator(`${id("run-in-tab")}:enabled`).waitFor();
  await page.keyboard.press("?");
  const list = page.locator(id("shortcuts"));
  await list.waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "BUTTON", "no field has the focus");
  await nothingHappens(["t", "r", "Control+Enter"], "a window");
  await page.locator(id("single-keys")).uncheck();
  await page.keyboard.press("Escape");
  await list.waitFor({ state: "detached" });
  await nothingHappens(["t", "r", "?"], "switched off");
  assert.equal(await list.count(), 0);

  await page.goto(lab.base);
  await shows("light");
  await nothingHappens(["t", "r"], "switched off before");
  await page.locator(id("help")).click();
  assert.equal(await page.locator(id("single-keys")).isChecked(), false);
  await page.locator(id("single-keys")).check();
  await page.keyboard.press("Escape");
  await list.waitFor({ state: "detached" });
  await page.keyboard.press("t");
  await shows("dark");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a menu is closed by Escape, which gives its button the focus back, and by a click elsewhere", async () => {
  const page = await openPage(browser, lab.link);
  const run = await page.evaluate(async () => {
    const spec = { version: 1, dataset: { source: "builtin", id: "beauty-synthetic-10k" }, recommender: { kind: "popularity" } };
    const headers = { "content-type": "application/json" };
    return (await (await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) })).json()).id;
  });
  await page.goto(`${lab.base}/r/${run}`);
  await ends(page, "finished");
  const button = page.locator(id("downloads"));
  const item = page.locator(id("download-summary"));
  await button.click();
  await item.waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await item.evaluate((item) => item === document.activeElement), true);
  await page.keyboard.press("Escape");
  await item.waitFor({ state: "hidden" });
  assert.equal(await button.evaluate((button) => button === document.activeElement), true);
  await page.keyboard.press("Enter");
  await item.waitFor();
  await page.locator("main h1").click();
  await item.waitFor({ state: "hidden" });
  // Its own button still opens and closes it.
  await button.click();
  await item.waitFor();
  await button.click();
  await item.waitFor({ state: "hidden" });
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("an address without a run, a study or a page has a title of its own, not that of the page before", async () => {
  const page = await openPage(browser, lab.link);
  const titled = (name) => page.waitForFunction((title) => document.title === title, `${name} · Recspeed`);
  // As by the buttons of the browser: without a new page load.
  const go = (path) =>
    page.evaluate((path) => {
      history.pushState(null, "", path);
      dispatchEvent(new PopStateEvent("popstate"));
    }, path);
  for (const [path, name] of [
    ["/r/gone", "There is no such run"],
    ["/studies/gone", "There is no such study"],
    ["/nowhere", "There is no page here"],
  ]) {
    await page.goto(`${lab.base}/runs`);
    await titled("Runs");
    await go(path);
    await titled(name);
    await go("/plan");
    await titled("Strategy studio");
    await page.goto(`${lab.base}${path}`);
    await titled(name);
    assert.equal(await page.locator("main h1").innerText(), name);
  }
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("warnings about data stand in a box that is named so, each a sentence", async () => {
  const page = await openPage(browser, lab.link);
  await page.route("**/api/datasets/*/report", async (route) => {
    const response = await route.fetch();
    const told = await response.json();
    await route.fulfill({ response, json: { ...told, warnings: ["a line is damaged", "1 of the 2 items have no line"] } });
  });
  await page.goto(`${lab.base}/data`);
  const box = page.getByRole("note", { name: "Warnings" });
  await box.waitFor();
  assert.deepEqual(await box.locator("li").allInnerTexts(), ["A line is damaged.", "1 of the 2 items have no line."]);
  assert.doesNotMatch(await page.locator("main").innerText(), /Mind/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a field in which nothing is wrong is described by its help alone", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-recommender")).selectOption("item-knn");
  const knob = page.locator(id("knob-recommender-neighbours"));
  await knob.waitFor();
  const told = () => page.locator('p[id$="-error"]').evaluateAll((all) => all.map((one) => one.textContent.trim()));
  const right = await told();
  assert.ok(right.length > 5, `${right.length} fields`);
  assert.deepEqual([...new Set(right)], [""]);
  await knob.fill("-5");
  await knob.blur();
  await page.locator("p.field-error").filter({ hasText: /recommender\.neighbours.*-5/s }).first().waitFor();
  await page.context().close();
});
