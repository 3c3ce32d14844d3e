// Data files on the server's machine: found below RECSPEED_DATA, chosen by name, described, and nobody's business but the owner's.

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage, startLab, writeSpec } from "./lab.mjs";

const HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
const ROWS = Array.from({ length: 400 }, (_, i) => `${i % 20}\t${(i * 7) % 23}\t${1 + (i % 5)}\t${880000000 + i}`).join("\n");
const ITEMS = Array.from({ length: 23 }, (_, i) => `${i}\t${["red", "green", "blue"][i % 3]} thing`).join("\n");
const ODD = `it's <b>50 % & "größe".inter`;

let folder;

withLab({
  prepare: async () => {
    folder = await mkdtemp(join(tmpdir(), "recspeed-data-"));
    await mkdir(join(folder, "tiny"));
    await writeFile(join(folder, "tiny/tiny.inter"), `${HEADER}${ROWS}\n`);
    await writeFile(join(folder, "tiny/tiny.item"), `item_id:token\tclass:token_seq\n${ITEMS}\n`);
    await writeFile(join(folder, ODD), `${HEADER}${ROWS}\n`);
    await writeFile(join(folder, "notes.txt"), "no data\n");
    return { env: { RECSPEED_DATA: folder } };
  },
});

after(() => rm(folder, { recursive: true, force: true }));

/** The titles under "On this server" in a list of data sets. */
const listed = (page, list) => page.locator(`${id(list)} optgroup[label="On this server"] option`).allTextContents();

/** Waits until a list shows a choice whose title begins so. */
const shows = (page, list, title) =>
  page.waitForFunction(
    ([list, title]) => document.querySelector(list)?.selectedOptions[0]?.textContent.startsWith(title),
    [id(list), title],
  );

test("files on the server are in the list of data sets, and one runs at once with its format and its attributes", async () => {
  const page = await openPage(browser, lab.link);
  const list = page.locator(id("knob-dataset"));
  await list.locator("option", { hasText: "tiny/tiny.inter" }).waitFor({ state: "attached" });
  const titles = await listed(page, "knob-dataset");
  assert.equal(titles.length, 2, titles.join());
  assert.match(titles.join(), /tiny\/tiny\.inter \(RecBole, /);
  assert.ok(titles.some((title) => title.startsWith(ODD)), titles.join());

  await list.selectOption(await list.locator("option", { hasText: "tiny/tiny.inter" }).getAttribute("value"));
  const toml = page.locator(id("spec-toml"));
  await page.waitForFunction((name) => document.querySelector(name)?.value.includes('path = "tiny/tiny.inter"'), id("spec-toml"));
  assert.match(await toml.inputValue(), /source = "file"[^[]*format = "recbole"[^[]*items = "tiny\/tiny\.item"/);
  await shows(page, "knob-dataset", "tiny/tiny.inter (");
  await page.locator(".knob-choice .help").filter({ hasText: "with attributes of items" }).waitFor();

  // Content is read at once: nobody had to name the attributes.
  await page.locator(id("knob-recommender")).selectOption("content-tfidf");
  await page.locator(id("run-on-server")).click();
  await ends(page, "finished");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the data page describes a file on the server, whatever it is called, and hands it to the lab", async () => {
  const page = await openPage(browser, lab.link);
  await page.goto(`${lab.base}/data`);
  const choice = page.locator(id("data-choice"));
  await choice.locator("option", { hasText: ODD }).waitFor({ state: "attached" });
  await choice.selectOption(await choice.locator("option", { hasText: ODD }).getAttribute("value"));
  const report = page.locator(id("data-report"));
  await report.locator("h2", { hasText: ODD }).waitFor();
  assert.match(page.url(), /\/data\/file-[0-9a-f]{16}$/);
  assert.match(await report.innerText(), /Ratings\s+400\s+Users\s+20\s+Items\s+23\s+Density\s+86\.96 %/i);
  assert.equal(await page.locator(id("data-folder")).count(), 0, "there is nothing to be said of the folder");
  await page.locator(id("data-use")).click();
  await page.waitForURL((url) => url.pathname === "/");
  await shows(page, "knob-dataset", ODD);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a file is brought in on the data page, and its report opens", async () => {
  const page = await openPage(browser, lab.link);
  await page.goto(`${lab.base}/data`);
  await page.locator(id("data-add")).click();
  await page.locator(id("own-file-input")).setInputFiles({ name: "mine.tsv", mimeType: "text/plain", buffer: Buffer.from(ROWS) });
  await shows(page, "own-file-format", "MovieLens");
  await page.locator(id("own-file-server")).click();
  await page.waitForURL(/\/data\/[0-9a-f]{64}$/);
  await page.locator(id("data-report")).locator("h2", { hasText: "mine.tsv" }).waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a file that is named in the wrong format is refused in whole characters, and a button takes the right one", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("run-on-server")).waitFor();
  await writeSpec(
    page,
    'version = 1\n[dataset]\nsource = "file"\npath = "tiny/tiny.inter"\nformat = "amazon-csv"\n[recommender]\nkind = "item-mean"\n',
  );
  await page.locator(id("run-on-server")).click();
  await ends(page, "refused");
  const said = await page.locator(id("run-failure")).innerText();
  assert.match(said, /line 1 is `user_id:token⇥item_id:token⇥.*set dataset\.format to recbole/s);
  assert.doesNotMatch(said, /\ufffd/);
  const button = page.locator(id("instead-recbole"));
  assert.equal(await button.innerText(), "Use RecBole");
  await button.click();
  await page.waitForFunction((name) => document.querySelector(name)?.value.includes('format = "recbole"'), id("spec-toml"));
  await page.locator(id("run-on-server")).click();
  await ends(page, "finished");
  await page.context().close();
});

test("a guest is told of no file and of no path", async () => {
  const page = await openPage(browser, lab.base);
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  for (const [path, list] of [["/", "knob-dataset"], ["/data", "data-choice"]]) {
    await page.goto(`${lab.base}${path}`);
    await page.locator(`${id(list)} option`).first().waitFor({ state: "attached" });
    // Long enough for anything to be asked for that should not be.
    await page.waitForTimeout(500);
    assert.deepEqual(await listed(page, list), [], path);
    assert.equal(await page.locator(id("data-folder")).count(), 0, path);
  }
  assert.ok(!asked.some((path) => path.startsWith("/api/datasets/file")), asked.join());
  const told = await page.evaluate(async () => {
    const answer = await fetch("/api/datasets/files");
    return `${answer.status} ${await answer.text()}`;
  });
  assert.match(told, /^401 /);
  assert.doesNotMatch(told, /tiny|recspeed-data-/);
  await page.context().close();
});

test("a lab without a folder of data says in one sentence how to get one", async () => {
  const own = await startLab({ env: { RECSPEED_DATA: "" } });
  const page = await openPage(browser, own.link);
  await page.goto(`${own.base}/data`);
  await page.locator(id("data-folder")).filter({ hasText: "RECSPEED_DATA set to their folder" }).waitFor();
  assert.deepEqual(await listed(page, "data-choice"), []);
  await page.context().close();
  await own.stop();
});
