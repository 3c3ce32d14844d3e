// From setting something to seeing what it does, with a mouse and by keyboard: nothing on the way is lost or in the way.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage, startLab, writeSpec } from "./lab.mjs";

withLab();

/** A spec on the small set, with what is said to learn and to be measured. */
const spec = (recommender, more = "") => `version = 1
seed = 7

[dataset]
source = "builtin"
id = "beauty-synthetic-10k"

[recommender]
kind = "${recommender}"
${more}
[evaluation]
metrics = ["ndcg@10"]
`;

/** One that is still at work when the test looks. */
const LONG = spec("mlp", "\n[training]\nepochs = 10000\nbatch_size = 64\n");

test("a file is named by typing, without an error before that, and one click runs it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "recspeed-flow-"));
  const file = join(folder, "mine.csv");
  const rows = Array.from({ length: 600 }, (_, i) => `u${i % 40},i${(i * 7) % 23},${1 + (i % 5)}.0,${1e9 + i}`);
  await writeFile(file, rows.join("\n"));
  const page = await openPage(browser, lab.link, { viewport: { width: 1440, height: 1400 } });
  const button = page.locator(id("run-on-server"));
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  await page.locator(id("knob-recommender")).selectOption("popularity");
  await page.locator(id("knob-dataset")).selectOption("file");
  const path = page.locator(id("knob-dataset-path"));
  await path.waitFor();
  assert.equal(await page.locator("p.field-error:visible").count(), 0, "nobody has had the time to name it");
  assert.equal(await page.locator(".problems-note").isVisible(), false);
  await page.locator(id("awaits-path")).waitFor();
  assert.equal(await button.isDisabled(), true);
  // The whole of a usual path is in sight.
  const [box, head] = [await path.boundingBox(), await page.locator(".knob-head", { has: path }).boundingBox()];
  assert.ok(box.width >= 0.95 * head.width, `${box.width} of ${head.width} px`);

  let asked = 0;
  page.on("request", (request) => (asked += request.method() === "POST" && request.url().endsWith("/api/runs") ? 1 : 0));
  await path.pressSequentially(file);
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]').disabled === false);
  assert.equal(await path.evaluate((box) => box === document.activeElement), true, "nobody has left the field");
  const at = await button.boundingBox();
  await page.mouse.click(at.x + at.width / 2, at.y + at.height / 2);
  await page.locator(id("open-run")).waitFor();
  await ends(page, "finished");
  assert.equal(asked, 1);

  // What is taken away again is one mistake, once its field is left.
  await path.fill("");
  assert.equal(await page.locator("p.field-error:visible").count(), 0);
  await path.blur();
  await page.locator("p.field-error:visible").waitFor();
  assert.equal(await page.locator("p.field-error:visible").count(), 1);
  assert.deepEqual(page.problems, []);
  await page.context().close();
  await rm(folder, { recursive: true, force: true });
});

test("a box keeps what is typed into it until it is left, and what is set is set with every letter", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("run-in-tab")).waitFor();
  await writeSpec(page, LONG);
  const epochs = page.locator(id("knob-training-epochs"));
  const toml = () => page.locator(id("spec-toml")).inputValue();
  await epochs.fill("");
  assert.equal(await epochs.inputValue(), "", "the default does not come back under the reader's hand");
  await epochs.pressSequentially("04");
  assert.match(await toml(), /^epochs = 4$/m);
  assert.equal(await epochs.inputValue(), "04");
  await epochs.blur();
  await page.waitForFunction(() => document.querySelector('[data-testid="knob-training-epochs"]').value === "4");
  // What is wrong is told when the field is left, and what is right again at once.
  await epochs.fill("x");
  assert.equal(await page.locator("p.field-error:visible").count(), 0);
  await epochs.blur();
  await page.locator("p.field-error:visible").waitFor();
  await epochs.fill("5");
  await page.locator("p.field-error:visible").waitFor({ state: "detached" });
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("while a run works on the server another one is queued, one runs in the tab, and each is found again", async () => {
  const page = await openPage(browser, lab.link, { viewport: { width: 1440, height: 1400 } });
  const button = page.locator(id("run-on-server"));
  const others = page.locator(id("other-run"));
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  await writeSpec(page, LONG);
  await button.click();
  await ends(page, "running");
  const title = await page.locator(id("stage-title")).innerText();
  assert.equal(await others.count(), 0);
  // The same again would give the same numbers.
  assert.equal(await button.getAttribute("aria-disabled"), "true");
  await page.locator(id("server-note")).filter({ hasText: "on the server already" }).waitFor();

  await writeSpec(page, spec("popularity"));
  await button.filter({ hasText: "Add to the queue" }).waitFor();
  assert.equal(await page.locator(id("run-in-tab")).isEnabled(), true);
  await button.click();
  await page.locator(id("toast")).filter({ hasText: "Queued" }).waitFor();
  await others.filter({ hasText: /number 1 in the queue/ }).waitFor();
  assert.equal(await page.locator(id("stage-title")).innerText(), title, "what works is shown on");
  await ends(page, "running");

  // In the tab meanwhile: what works on the server goes on beside it.
  await writeSpec(page, spec("popularity").replace("seed = 7", "seed = 8"));
  await page.locator(id("run-in-tab")).click();
  await ends(page, "finished");
  assert.match(await page.locator(".stage-about").first().innerText(), /in this tab/);
  await others.filter({ hasText: "running" }).waitFor();
  assert.equal(await others.count(), 2);

  // Each can be shown and ended, and what is set is shown when its turn has come.
  await others.filter({ hasText: "running" }).locator(id("show-run")).click();
  await ends(page, "running");
  assert.equal(await others.count(), 1);
  await writeSpec(page, spec("popularity"));
  await page.locator(id("cancel")).click();
  await page.locator(id("stage-title")).filter({ hasText: "Popularity" }).waitFor();
  await ends(page, "finished");
  await page.locator(id("open-run")).waitFor();
  assert.equal(await others.count(), 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("of a run whose server is gone is said since when nothing was heard, and it cannot be cancelled", async () => {
  const own = await startLab();
  const page = await openPage(browser, own.link);
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  await writeSpec(page, LONG);
  await page.locator(id("run-on-server")).click();
  await ends(page, "running");
  assert.equal(await page.locator(id("cancel")).isEnabled(), true);
  await own.kill();
  await ends(page, "unheard", 30_000);
  assert.match(await page.locator(id("run-status")).first().innerText(), /^not connected, last heard \d+ s ago$/);
  assert.equal(await page.locator(id("cancel")).isDisabled(), true);
  await page.context().close();
  await own.stop();
});

test("why a run was refused stays in sight while other settings are tried", async () => {
  const page = await openPage(browser, lab.link);
  await page.waitForFunction(() => document.querySelector('[data-testid="run-on-server"]')?.disabled === false);
  const file = 'source = "file"\nformat = "amazon-csv"\npath = "nowhere.csv"';
  await writeSpec(page, spec("popularity").replace('source = "builtin"\nid = "beauty-synthetic-10k"', file));
  await page.locator(id("run-on-server")).click();
  await ends(page, "refused");
  const why = page.locator(id("run-failure"));
  await why.filter({ hasText: "nowhere.csv" }).waitFor();
  await page.locator(id("knob-recommender")).selectOption("item-knn");
  await page.locator(id("moved-on")).waitFor();
  assert.match(await why.innerText(), /nowhere\.csv/);
  await page.context().close();
});

test("Tab goes over the definitions, and one is opened by Enter, beside the knobs, and shut by Escape or by leaving", async () => {
  const page = await openPage(browser, lab.link, { viewport: { width: 1440, height: 900 } });
  const hint = page.locator(".lab-controls .hint").first();
  const [mark, text] = [hint.locator(".hint-mark"), hint.locator(".hint-text")];
  await mark.waitFor();
  const goes = async () => {
    await page.locator(id("theme-switch")).focus();
    for (let tries = 0; tries < 20; tries += 1) {
      await page.keyboard.press("Tab");
      if (await mark.evaluate((mark) => mark === document.activeElement)) return;
    }
    assert.fail("the mark is not reached by Tab");
  };
  await goes();
  assert.equal(await text.isVisible(), false, "the focus alone opens nothing");
  await page.keyboard.press("Enter");
  await text.waitFor();
  assert.equal(await mark.getAttribute("aria-expanded"), "true");
  const [tip, column] = [await text.boundingBox(), await page.locator(".lab-controls").boundingBox()];
  assert.ok(tip.x >= column.x + column.width - 20, `the definition at ${tip.x} px lies on the knobs, up to ${column.x + column.width} px`);
  await page.keyboard.press("Escape");
  await text.waitFor({ state: "hidden" });
  await page.keyboard.press("Enter");
  await text.waitFor();
  await page.keyboard.press("Tab");
  await text.waitFor({ state: "hidden" });
  await page.context().close();
});

test("the window for a file begins at the file", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("knob-dataset")).selectOption("own");
  await page.locator(id("own-file-input")).waitFor();
  await page.waitForFunction(() => document.activeElement.dataset.testid === "own-file-input");
  await page.context().close();
});

test("no line of the spec is wider than its box, and what is typed lies on what is coloured", async () => {
  const page = await openPage(browser, lab.link, { viewport: { width: 1440, height: 900 } });
  await page.locator(id("spec-toml")).waitFor();
  await writeSpec(page, spec("popularity").replace('["ndcg@10"]', '["ndcg@10", "recall@10", "hit@10", "coverage@10", "novelty@10"]'));
  const seen = await page.locator(".code").evaluate((code) => {
    const [colours, area] = [code.querySelector("pre"), code.querySelector("textarea")];
    return { over: code.scrollWidth - code.clientWidth, apart: Math.abs(colours.scrollHeight - area.scrollHeight) };
  });
  assert.ok(seen.over <= 1, `${seen.over} px over the edge`);
  // The coloured text ends with an empty line more, at most.
  assert.ok(seen.apart <= 24, `the two texts are ${seen.apart} px apart`);
  await page.context().close();
});
