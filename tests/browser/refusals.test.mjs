// What the page says where something cannot be done: where the eye is, in words that can be followed.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage, startLab } from "./lab.mjs";

withLab();

/** Chooses a file in the window for files of one's own, and leaves the window open. */
async function choose(page, name, content) {
  await page.locator(id("knob-dataset")).selectOption("own");
  await page.locator(id("own-file-input")).setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(content) });
}

const WITHOUT_TIMES = Array.from({ length: 600 }, (_, i) => `u${i % 40},i${(i * 7) % 23},${1 + (i % 5)}`).join("\n");

test("ratings without times are brought in by the format that is chosen for them, and what needs an order is refused", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-recommender")).selectOption("popularity");
  await choose(page, "no-times.csv", WITHOUT_TIMES);
  await page.locator(id("own-file-tab")).click();
  await page.locator(id("own-file")).waitFor({ state: "detached" });
  await page.locator(id("run-in-tab")).click();
  await ends(page, "finished");
  await page.locator(id("knob-recommender")).selectOption("sasrec");
  await page.locator(id("run-in-tab")).click();
  await ends(page, "refused");
  assert.match(await page.locator(id("run-failure")).innerText(), /needs the order of each user's rows, which this data set does not have/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a file that a run in the tab could not read is refused in the window, as by the server", async () => {
  const page = await openPage(browser, lab.link);
  const error = page.locator(id("own-file-error"));
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52];
  await choose(page, "cat.png", png);
  await error.waitFor();
  assert.match(await error.innerText(), /cat\.png is neither UTF-8 text nor a table/);
  assert.equal(await page.locator(id("own-file-tab")).isEnabled(), false);
  assert.equal(await page.locator(id("own-file-server")).isEnabled(), false);

  // What looks like text is read by the engine before the window closes.
  const words = {};
  for (const where of ["tab", "server"]) {
    await page.locator(id("own-file-input")).setInputFiles({ name: "words.csv", mimeType: "text/csv", buffer: Buffer.from("a b\nc d\n") });
    await page.locator(id(`own-file-${where}`)).click();
    await error.waitFor();
    words[where] = await error.innerText();
  }
  assert.match(words.tab, /words\.csv: not one of 2 data lines can be read; .*Check that the file is written as amazon-csv/);
  assert.equal(words.tab, words.server);
  assert.equal(await page.locator(id("own-file")).isVisible(), true);
  assert.deepEqual(page.problems.filter((problem) => !problem.includes("422")), []);
  await page.context().close();
});

test("a server that does not answer is told in sight, over the run before, and announced", async () => {
  const own = await startLab();
  const page = await openPage(browser, own.link, { viewport: { width: 1440, height: 900 } });
  const button = page.locator(id("run-on-server"));
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  await own.kill();
  await button.click();
  const alert = page.locator(id("run-error"));
  await alert.waitFor();
  assert.equal(await alert.getAttribute("role"), "alert");
  assert.match(await alert.innerText(), /It did not begin\. The server does not answer/);
  const box = await alert.boundingBox();
  assert.ok(box.y >= 0 && box.y + box.height <= 900, `it stands at ${JSON.stringify(box)}`);
  await page.context().close();
  await own.stop();
});

/** What every page says while its server is not there. */
const interrupted = (page) => page.locator(id("toast")).filter({ hasText: "The connection to the server is interrupted" });

test("every open page says that its server is gone, until it answers again", async () => {
  const own = await startLab();
  const context = await browser.newContext();
  const pages = [];
  // The first link makes the owner of the other pages, too.
  for (const link of [own.link, ...["/runs", "/data", "/c", "/studies", "/studies/four-layer", "/plan"].map((path) => own.base + path)]) {
    const page = await context.newPage();
    const [answer] = await Promise.all([page.waitForResponse((answer) => answer.url().endsWith("/api/lab")), page.goto(link)]);
    await answer.finished();
    pages.push(page);
  }
  await Promise.all(pages.map(async (page) => assert.equal(await interrupted(page).count(), 0, page.url())));
  await own.kill();
  await Promise.all(pages.map((page) => interrupted(page).waitFor({ timeout: 30_000 })));
  const back = await startLab({ home: own.home, bind: new URL(own.base).host });
  await Promise.all(pages.map((page) => interrupted(page).waitFor({ state: "detached", timeout: 30_000 })));
  await context.close();
  await back.stop();
});

test("a run list whose stream was broken is read anew when that is back, and what was hidden meanwhile stays hidden", async () => {
  const page = await openPage(browser, lab.link);
  const run = await page.evaluate(async () => {
    const dataset = { source: "builtin", id: "beauty-synthetic-10k" };
    const spec = { version: 1, dataset, recommender: { kind: "mlp" }, training: { epochs: 10_000, batch_size: 16 } };
    const headers = { "content-type": "application/json" };
    return (await (await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) })).json()).id;
  });
  let broken = true;
  await page.route(/\/api\/stream/, (route) => (broken ? route.abort() : route.continue()));
  await page.goto(`${lab.base}/runs`);
  const status = page.locator(id("run-row")).filter({ has: page.locator(`a[href="/r/${run}"]`) }).locator(id("run-status"));
  await status.waitFor();
  await interrupted(page).getByRole("button", { name: "Hide this message" }).click();
  await page.evaluate(async (run) => {
    const stands = async () => (await (await fetch(`/api/runs/${run}`)).json()).status;
    await fetch(`/api/runs/${run}/cancel`, { method: "POST" });
    while ((await stands()) !== "cancelled") await new Promise((done) => setTimeout(done, 100));
  }, run);
  assert.match(await status.getAttribute("data-status"), /^(queued|running)$/, "nobody has told the list");
  assert.equal(await interrupted(page).count(), 0);
  broken = false;
  await page.waitForFunction(
    (run) => document.querySelector(`[data-testid="run-row"]:has(a[href="/r/${run}"]) [data-testid="run-status"]`)?.dataset.status === "cancelled",
    run,
    { timeout: 30_000 },
  );
  await page.context().close();
});

test("where the server that the in-tab runner comes from is gone, a run in the tab says so and does not have the page reloaded", async () => {
  const own = await startLab();
  const page = await openPage(browser, own.link);
  await page.locator(id("knob-recommender")).selectOption("popularity");
  const button = page.locator(id("run-in-tab"));
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  await own.kill();
  await button.click();
  const said = page.locator(id("run-failure"));
  await said.waitFor({ timeout: 30_000 });
  const words = await said.innerText();
  assert.match(words, /The server that the in-tab runner comes from does not answer/);
  assert.doesNotMatch(words, /Reload the page/);
  const back = await startLab({ home: own.home, bind: new URL(own.base).host });
  await button.click();
  await ends(page, "finished");
  await page.context().close();
  await back.stop();
});

test("where the first question to the server fails nothing of the owner's is offered or asked for, and it can be asked again", async () => {
  const page = await openPage(browser, lab.link);
  const button = page.locator(id("run-on-server"));
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  let silent = true;
  await page.route(/\/api\/lab$/, (route) => (silent ? route.abort() : route.continue()));
  const asked = [];
  page.on("request", (request) => /\/api\/(runs|stream)(\?|$)/.test(request.url()) && asked.push(request.url()));
  await page.goto(`${lab.base}/runs`);
  await page.getByRole("button", { name: "Try again" }).waitFor();
  assert.deepEqual(asked, []);
  await page.goto(lab.base);
  await page.locator(id("ask-server")).waitFor();
  assert.equal(await button.isEnabled(), false);
  silent = false;
  await page.locator(id("ask-server")).click();
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  await page.goto(`${lab.base}/runs`);
  await page.locator(id("run-list")).waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector(".run-list")?.getAttribute("aria-busy") === "false");
  assert.ok(asked.length > 0, "whoever is known to be the owner gets the list");
  await page.context().close();
});

test("a list that does not come says why and can be asked for again, wherever it is chosen from", async () => {
  const page = await openPage(browser, lab.link);
  await choose(page, "given.csv", WITHOUT_TIMES);
  await page.locator(id("own-file-server")).click();
  await page.locator(id("own-file")).waitFor({ state: "detached" });
  let broken = true;
  await page.route(/\/api\/(datasets|runs\?.*)$/, (route) => (broken ? route.abort() : route.continue()));
  const again = async (place, error) => {
    await place.locator(id(error)).waitFor();
    assert.match(await place.locator(id(error)).innerText(), /The server does not answer/);
    broken = false;
    await place.locator(id("try-again")).click();
    await place.locator(id(error)).waitFor({ state: "detached" });
    broken = true;
  };
  for (const [path, list] of [["/data", "data-choice"], ["/", "knob-dataset"]]) {
    await page.goto(`${lab.base}${path}`);
    const given = page.locator(`${id(list)} option`).filter({ hasText: "given.csv" });
    await page.locator(id("uploads-error")).waitFor();
    assert.equal(await page.locator(`${id(list)} optgroup[label="Given to the server"]`).count(), 0, path);
    await again(page.locator("main"), "uploads-error");
    await given.waitFor({ state: "attached" });
  }
  await page.goto(`${lab.base}/c`);
  const picker = page.locator(id("compare-picker"));
  await again(picker, "picker-error");
  await picker.locator(`.picker, ${id("compare-none")}`).first().waitFor({ state: "attached" });
  await page.context().close();
});

test("one wrong field is one setting to mend, whatever was typed there before", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-recommender")).selectOption("item-knn");
  const knob = page.locator(id("knob-recommender-neighbours"));
  for (const text of ["-5", "abc"]) {
    await knob.fill(text);
    await knob.blur();
    await page.locator(id("spec-problems")).filter({ hasText: `is ${text}` }).waitFor();
    assert.equal(await page.locator(`${id("spec-problems")} li`).count(), 1, text);
    assert.match(await page.locator(".problems-note").innerText(), /One setting must be mended/);
  }
  await page.context().close();
});

test("what fits neither the tab nor the server is refused as soon as it is chosen, and a button takes what fits", async () => {
  const page = await openPage(browser, lab.link);
  const told = page.locator(id("too-much"));
  const estimate = page.locator(id("forecast"));
  const button = page.locator(id("run-in-tab"));
  await page.locator(`[role="status"]:has(> ${id("too-much")})`).waitFor({ state: "attached" });
  await page.locator(id("knob-recommender")).selectOption("ease");
  await estimate.filter({ hasText: /In this tab the dense inverse over all items needs 34\.3 MiB of memory and about a second\./ }).waitFor();
  assert.equal(await told.isVisible(), false);
  assert.equal(await button.isEnabled(), true);

  await page.locator(id("knob-dataset")).selectOption("builtin:beauty-synthetic");
  await told.filter({ hasText: "Too much for this tab and for the server." }).waitFor();
  assert.match(
    await told.innerText(),
    /The dense inverse over all items needs 925\.9 GiB of memory and about \d+ hours \(up to about [\d,]+ of them would fit\); lower .*dataset\.min_item/,
  );
  assert.equal(await estimate.isVisible(), false);
  // Both buttons can be reached, say why they do nothing, and do nothing.
  for (const where of ["run-in-tab", "run-on-server"]) {
    const refused = page.locator(id(where));
    await refused.focus();
    assert.equal(await refused.evaluate((element) => element === document.activeElement), true, where);
    assert.equal(await refused.getAttribute("aria-disabled"), "true", where);
    const described = await refused.evaluate((element) => {
      const names = element.getAttribute("aria-describedby").split(" ");
      return names.map((name) => document.getElementById(name)?.textContent ?? `nothing is called ${name}`).join(" ");
    });
    assert.match(described, /Too much for .*The dense inverse over all items needs/, where);
    assert.doesNotMatch(described, /nothing is called/, where);
    await page.keyboard.press("Enter");
  }
  await page.keyboard.press("Control+Enter");
  await page.waitForTimeout(500);
  assert.equal(await page.locator(id("stop")).isVisible(), false, "a run began");
  assert.equal(await page.locator(id("run-failure")).count(), 0, "a run was refused");

  await told.locator(id("instead-slim")).click();
  await told.waitFor({ state: "hidden" });
  assert.equal(await page.locator(id("knob-recommender")).inputValue(), "slim");
  assert.equal(await page.locator(id("knob-dataset")).inputValue(), "builtin:beauty-synthetic");
  assert.equal(await button.evaluate((element) => element === document.activeElement), true, "what is left is to run it");
  assert.equal(await button.getAttribute("aria-disabled"), null);
  await estimate.filter({ hasText: "is known once the data are read" }).waitFor();
  await page.locator(id("knob-recommender")).selectOption("popularity");
  await estimate.waitFor({ state: "hidden" });
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a run that is refused before any work says so, and what its words name in its place is a button", async () => {
  const page = await openPage(browser, lab.link);
  // The page asks for no run that is known to be too large; whoever speaks to the server past it may.
  const run = await page.evaluate(async () => {
    const dataset = { source: "builtin", id: "beauty-synthetic" };
    const spec = { version: 1, dataset, recommender: { kind: "ease" }, evaluation: { metrics: ["ndcg@10"] } };
    const headers = { "content-type": "application/json" };
    const answer = await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) });
    return (await answer.json()).id;
  });
  await page.goto(`${lab.base}/r/${run}`);
  const said = page.locator(id("run-failure")).filter({ hasText: /Refused before any work/ });
  await said.waitFor({ timeout: 60_000 });
  await ends(page, "refused");
  assert.match(await said.innerText(), /dense inverse over all items needs .* \(up to about [\d,]+ of them would fit\); lower/);
  // It is the same in the list and on its own page, where the button opens the lab.
  await page.locator(id("instead-slim")).click();
  await page.waitForFunction(() => document.querySelector('[data-testid="spec-toml"]')?.value.includes('kind = "slim"'));
  assert.equal(await page.locator(id("knob-dataset")).inputValue(), "builtin:beauty-synthetic");
  await page.goto(`${lab.base}/runs`);
  assert.equal(await page.locator(`${id("run-row")} ${id("run-status")}`).first().innerText(), "refused");

  // What only the rows can tell is refused in the tab by the run.
  await page.goto(lab.base);
  await page.locator(id("knob-recommender")).selectOption("popularity");
  await choose(page, "no-times.csv", WITHOUT_TIMES);
  await page.locator(id("own-file-tab")).click();
  await page.locator(id("own-file")).waitFor({ state: "detached" });
  await page.locator(id("knob-recommender")).selectOption("sasrec");
  await page.locator(id("run-in-tab")).click();
  await ends(page, "refused");
  await page.locator(id("instead-item-knn")).click();
  assert.equal(await page.locator(id("knob-recommender")).inputValue(), "item-knn");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("what people read is told in words, without the marks and names that programs have for it", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-recommender")).selectOption("mlp");
  await page.locator(id("knob-recommender-hidden")).fill("64, cat");
  await page.keyboard.press("Tab");
  const error = page.locator("p.field-error").filter({ hasText: "64, cat" });
  await error.first().waitFor();
  assert.match(await error.first().innerText(), /is 64, cat; allowed: 1 to 16 whole numbers from 1 to 4096, for example 64, 64$/);
  assert.doesNotMatch(await page.locator(id("spec-problems")).innerText(), /`/);
  for (const [path, words] of [
    ["/data/zzz", "There is no data set “zzz”."],
    ["/c/gone", "None of these runs exists or has a result."],
    ["/#x=1.~~~", "The link is damaged (characters are missing or changed); copy it again, whole."],
  ]) {
    await page.goto("about:blank");
    await page.goto(`${lab.base}${path}`);
    const told = page.getByText(words);
    await told.first().waitFor();
    assert.doesNotMatch(await told.first().innerText(), /`|\/api\//);
  }
  await page.context().close();
});
