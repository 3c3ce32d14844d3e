// The catalogue of recommenders in the page: every kind once, found by words, tried in the lab; and the help, which leads there.

import { test } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ROOT, openPage } from "./lab.mjs";

withLab();

const PROGRAM = join(process.env.RECSPEED_BIN_DIR ?? join(ROOT, "target/release"), "recspeed");

/** What the terminal says of every recommender. */
async function catalogue() {
  const { stdout } = await promisify(execFile)(PROGRAM, ["recommenders", "--json"], { maxBuffer: 16 << 20 });
  return JSON.parse(stdout);
}

async function open(path, options = {}) {
  const page = await openPage(browser, lab.link, options);
  await page.goto(`${lab.base}${path}`);
  return page;
}

/** The cards in sight. */
const shown = (page) => page.locator(`${id("recommender")}:visible`);

test("every recommender of the catalogue has a card under its family, with the terminal’s own words", async () => {
  const all = await catalogue();
  const page = await open("/recommenders");
  await page.locator(id("recommender")).first().waitFor();
  await page.waitForFunction(() => document.title === "Recommenders · Recspeed");
  assert.deepEqual(await page.locator(`${id("recommender")} h3`).allInnerTexts(), all.map((entry) => entry.title));
  assert.deepEqual(await page.locator(`${id("recommender-family")} h2`).allInnerTexts(), [...new Set(all.map((entry) => entry.family))]);
  const texts = await page.locator(id("recommender")).allInnerTexts();
  for (const [at, entry] of all.entries()) {
    for (const words of [entry.kind, entry.summary, entry.predicts, entry.cold_users, entry.cold_items, entry.source.title]) {
      assert.ok(texts[at].includes(words), `${entry.kind} does not say: ${words}`);
    }
    const link = page.locator(`[id="${entry.kind}"] dd a`);
    assert.equal(await link.count(), entry.source.link ? 1 : 0, entry.kind);
    if (entry.source.link) assert.equal(await link.getAttribute("href"), entry.source.link);
  }
  assert.equal(await page.locator(id("recommender-count")).innerText(), `${all.length} recommenders`);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("parameters are there on demand, with what they do, what they take and what they are unless set", async () => {
  const ease = (await catalogue()).find((entry) => entry.kind === "ease");
  const page = await open("/recommenders");
  const card = page.locator("#ease");
  await card.waitFor();
  assert.equal(await card.locator("table").count(), 0);
  await card.locator("summary").click();
  const rows = card.locator("tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), ease.parameters.length);
  for (const [at, param] of ease.parameters.entries()) {
    const text = await rows.nth(at).innerText();
    for (const words of [param.name, param.help, param.allowed]) assert.ok(text.includes(words), `${text} lacks ${words}`);
  }
  await page.context().close();
});

test("the filter takes every word, says how many are left, and hides families without any", async () => {
  const page = await open("/recommenders");
  await page.locator(id("recommender")).first().waitFor();
  const all = await page.locator(id("recommender")).count();
  const search = page.locator(id("recommender-search"));
  await search.fill("steck 2019");
  await page.locator(id("recommender-count"), { hasText: ` of ${all} recommenders` }).waitFor();
  const kinds = await shown(page).evaluateAll((cards) => cards.map((card) => card.id));
  assert.ok(kinds.includes("ease") && kinds.length < 5, kinds.join());
  assert.equal(await page.locator(`${id("recommender-family")}:visible`).count(), 1);
  await search.fill("no recommender has such words");
  await page.getByText("No recommender is described by all of these words.").waitFor();
  assert.equal(await shown(page).count(), 0);
  await search.fill("");
  await page.locator(id("recommender-count"), { hasText: new RegExp(`^${all} recommenders$`) }).waitFor();
  assert.equal(await shown(page).count(), all);
  await page.context().close();
});

test("“Try it” opens the lab with that recommender on the reader’s own data, and “What is it?” leads back to its card", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-dataset")).selectOption({ value: "builtin:beauty-synthetic-100k" });
  await page.locator(id("what-is-it")).click();
  await page.locator("#mlp").waitFor();
  await page.locator("#ease").locator(id("try-it")).click();
  await page.waitForURL(/\/#x=/);
  await page.locator(id("knob-recommender")).waitFor();
  assert.equal(await page.locator(id("knob-recommender")).inputValue(), "ease");
  assert.equal(await page.locator(id("knob-dataset")).inputValue(), "builtin:beauty-synthetic-100k");
  await page.locator(id("what-is-it")).click();
  await page.waitForURL(/\/recommenders#ease$/);
  await page.locator("#ease").waitFor();
  const top = () => page.locator("#ease").evaluate((card) => card.getBoundingClientRect().top);
  await page.waitForFunction(() => document.getElementById("ease").getBoundingClientRect().top < window.innerHeight / 2);
  assert.ok((await top()) > -40, "its card is in sight");
  // The address alone leads there as well.
  await page.goto("about:blank");
  await page.goto(`${lab.base}/recommenders#sasrec`);
  await page.waitForFunction(() => document.getElementById("sasrec")?.getBoundingClientRect().top < window.innerHeight);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the help says in three sentences what this is, beside the keys, and leads to the catalogue", async () => {
  const page = await openPage(browser, lab.link, { viewport: { width: 390, height: 844 } });
  await page.locator(id("help")).click();
  const about = page.locator(id("about"));
  await about.waitFor();
  const text = await about.locator("p").first().innerText();
  assert.equal(text.match(/[.](\s|$)/g).length, 3, text);
  assert.ok(await page.locator(id("shortcuts")).isVisible());
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(sideways <= 0, `the help scrolls ${sideways} px sideways`);
  await page.locator(id("about-recommenders")).click();
  await page.locator(id("recommender")).first().waitFor();
  assert.equal(await page.locator("dialog[open]").count(), 0, "the window closes behind its link");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
