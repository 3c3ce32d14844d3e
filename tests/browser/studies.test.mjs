// The pages of the studies: what was recorded and not measured here, what was measured, what is missing, what goes wrong, and the button that measures.

import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { browser, id, lab, withLab } from "./bench.mjs";
import { openPage } from "./lab.mjs";

/** A report as `recspeed study` keeps it. */
const REPORT = {
  study: "four-layer",
  title: "Four-layer network",
  question: "How long does each framework take to train the same small network on 10,000 ratings?",
  measured_ms: 1795651200000,
  command: "recspeed study four-layer --repeats 7 --threads 2",
  machine: { host: "linux, a processor, 2 cores", threads: 2, build: "0.1.0+6d7dd33c1f2a.changed.1a2b3c4d", versions: { burn: "0.22.1", torch: "2.9.0" }, load: { before: 1.2, after: 2.6, others: 0.23 } },
  conditions: ["10,000 ratings to learn from, 2,500 to test on; `hidden = [64, 64, 64]`.", "471 steps of 64 rows."],
  tables: [
    {
      title: "Measured",
      whose: "measured",
      rows_are: "engine",
      columns: [
        { name: "training", unit: "seconds", better: "lower" },
        { name: "start of the framework", unit: "seconds" },
        { name: "peak memory", unit: "bytes", better: "lower" },
        { name: "RMSE, 0 to 1", unit: "plain", better: "lower" },
      ],
      rows: [
        {
          name: "Burn",
          note: "burn 0.22.1",
          cells: [
            { cell: "number", value: 0.0362, spread: { least: 0.0359, most: 0.0376, runs: 7 } },
            { cell: "text", text: "none" },
            { cell: "number", value: 17825792 },
            { cell: "number", value: 0.3336 },
          ],
        },
        {
          name: "PyTorch",
          note: "torch 2.9.0",
          cells: [
            { cell: "number", value: 0.3624, spread: { least: 0.346, most: 0.372, runs: 7 } },
            { cell: "number", value: 1.68 },
            { cell: "number", value: 658505728 },
            { cell: "number", value: 0.3336, note: "another seed" },
          ],
        },
        {
          name: "PyVelox and PyTorch",
          cells: [{ cell: "missing", install: "recspeed engines install pyvelox", why: "Not installed." }, { cell: "empty" }, { cell: "empty" }, { cell: "empty" }],
        },
        {
          name: "DeepSpeed",
          cells: [{ cell: "missing", install: "recspeed engines install deepspeed", why: "not installed" }, { cell: "empty" }, { cell: "empty" }, { cell: "empty" }],
        },
        { name: "TensorFlow (Keras)", cells: [{ cell: "failed", cause: "It crashed: Segmentation fault. `--limit 60` gives it longer." }, { cell: "empty" }, { cell: "empty" }, { cell: "empty" }] },
        { name: "Burn on libtorch-cuda", cells: [{ cell: "missing", install: "", why: "no GPU here" }, { cell: "empty" }, { cell: "empty" }, { cell: "empty" }] },
      ],
      bars: 0,
    },
    {
      title: "The paper, on its own machine (10,000 ratings, 3 epochs)",
      whose: "paper",
      rows_are: "engine",
      columns: [
        { name: "training", unit: "seconds", better: "lower" },
        { name: "RMSE", unit: "plain", better: "lower" },
      ],
      rows: [
        { name: "PyTorch", cells: [{ cell: "number", value: 15, printed: "15 s" }, { cell: "number", value: 0.37, printed: "0.37" }] },
        { name: "PyVelox", cells: [{ cell: "number", value: 13, printed: "13 s" }, { cell: "number", value: 0.37, printed: "0.37" }] },
      ],
      bars: 0,
    },
  ],
  differences: [{ heading: "Time", text: "Other hardware, and `fit_s` runs from numbers in memory to trained weights." }],
};

withLab({
  prepare: async () => {
    const home = await mkdtemp(join(tmpdir(), "recspeed-lab-"));
    await mkdir(join(home, "studies"), { recursive: true });
    await writeFile(join(home, "studies/four-layer.json"), JSON.stringify(REPORT));
    await writeFile(join(home, "studies/methods.attempt.json"), JSON.stringify({ status: "running", asked_ms: 1795651200000, started_ms: 1795651200001 }));
    await writeFile(join(home, "studies/mixed.json"), "{");
    return { home };
  },
});

/** A page of the owner's. */
async function open(path, options = {}) {
  const page = await openPage(browser, lab.link, options);
  await page.goto(`${lab.base}${path}`);
  return page;
}

async function looksRight(page, name) {
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(sideways <= 0, `${name} scrolls ${sideways} px sideways`);
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]).analyze();
  const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(", ")}`), [], name);
}

for (const width of [1440, 1024, 390, 320]) {
  for (const colorScheme of width === 320 ? ["light"] : ["light", "dark"]) {
    test(`${width} px, ${colorScheme}: a study that was measured and one that was recorded elsewhere`, async () => {
      const page = await open("/studies/four-layer", { viewport: { width, height: 900 }, colorScheme, reducedMotion: "reduce" });
      for (const [name, path, ready] of [
        ["study", "/studies/four-layer", "study-report"],
        ["study-recorded", "/studies/retrieval", "study-recorded"],
      ]) {
        await page.goto(`${lab.base}${path}`);
        await page.locator(id(ready)).waitFor();
        await looksRight(page, name);
        if (process.env.RECSPEED_SCREENSHOTS) {
          await mkdir(process.env.RECSPEED_SCREENSHOTS, { recursive: true });
          await page.screenshot({ path: join(process.env.RECSPEED_SCREENSHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        }
      }
      assert.deepEqual(page.problems, []);
      await page.context().close();
    });
  }
}

test("a report shows what was measured, what is missing with its command, and the paper beside it", async () => {
  const page = await open("/studies/four-layer");
  const report = page.locator(id("study-report"));
  await report.waitFor();
  const text = await report.innerText();
  for (const part of ["36.2 ms", "35.9 ms to 37.6 ms, 7 runs", "17 MiB", "another seed", "recspeed engines install pyvelox deepspeed", "Segmentation fault", "burn 0.22.1, torch 2.9.0"]) {
    assert.ok(text.includes(part), `${part} is missing in ${text}`);
  }
  const bars = await page.locator(`${id("study-bars")} svg`).evaluateAll((all) => all.map((bar) => bar.getAttribute("aria-label")));
  assert.equal(bars[1], "PyTorch: 362.4 ms, 346.0 ms to 372.0 ms in 7 runs, 10.0 times the best");
  assert.equal(bars[2], "PyVelox and PyTorch: Not installed");
  assert.equal(bars[3], "DeepSpeed: not installed");
  assert.equal(bars[4], "TensorFlow (Keras): failed");
  assert.equal(bars[5], "Burn on libtorch-cuda: no GPU here");
  // What is missing is a few words in its row; the command stands below, once for all engines.
  const missing = page.locator(id("study-row-of-table"), { hasText: "DeepSpeed" });
  assert.equal(await missing.locator("td").innerText(), "not installed");
  assert.equal(await report.locator(".study-failed code").innerText(), "--limit 60");
  assert.equal(text.split("recspeed engines install").length, 2, text);
  assert.equal(await page.locator(`${id("study-remedies")} li`).count(), 1);
  assert.equal(await page.locator(id("study-built")).innerText(), "The lab was built from commit 6d7dd33c1f2a with changes.");
  assert.match(text, /The machine was busy: others took 23 % of its processors/);
  const cut = await page.locator(".bar-name").evaluateAll((all) => all.filter((name) => name.scrollWidth > name.clientWidth).map((name) => name.textContent));
  assert.deepEqual(cut, [], "no name is cut");
  assert.match(await page.locator(id("study-paper")).innerText(), /15 s/);
  assert.equal(await page.locator(`${id("study-differences")} code`).innerText(), "fit_s");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await report.locator(id("copy-command")).first().focus();
  await page.keyboard.press("Enter");
  await page.locator("[aria-live]", { hasText: "Copied" }).first().waitFor({ state: "attached" });
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "recspeed engines install pyvelox deepspeed");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a study that nobody measured here shows what Recspeed’s authors measured, and says so before any number", async () => {
  const page = await open("/studies/retrieval");
  const recorded = page.locator(id("study-recorded"));
  await recorded.waitFor();
  assert.equal(await recorded.locator("h2").innerText(), "Measured by Recspeed’s authors");
  assert.match(await page.locator(id("study-banner")).innerText(), /^Measured by Recspeed’s authors on .*, linux, .*; nothing was measured here yet\.$/);
  const button = page.locator(id("study-run"));
  assert.equal(await button.innerText(), "Measure here");
  assert.ok((await button.getAttribute("class")).includes("primary"), "it is the main thing to do");
  // What that machine lacked is not lacked here, and no table is of this machine.
  const text = await recorded.innerText();
  assert.ok(!/measured here:|no GPU here|engines install/i.test(text), text);
  assert.match(text, /PyTorch tensors?/);
  assert.equal(await page.locator(id("study-whose")).count(), 0, "there is nothing to choose");
  // The paper's numbers stand as it printed them, and its bytes say of what they are.
  const paper = page.locator(id("study-paper"));
  const row = (name) => paper.locator("tr", { hasText: name }).innerText();
  assert.match(await row("TensorFlow tensor"), /2123\.21 s/);
  assert.match(await row("PyTorch tensor"), /80 B\s*the Python object alone, without the numbers that it points to/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("what was measured here stands alone, and what the authors measured is shown on request, as of another machine", async () => {
  const page = await open("/studies/four-layer");
  await page.locator(id("study-report")).waitFor();
  assert.equal(await page.locator(id("study-recorded")).count(), 0);
  await page.locator(id("study-theirs")).click();
  await page.locator(id("study-recorded")).waitFor();
  assert.equal(await page.locator(id("study-report")).count(), 0, "two machines never stand in one table");
  assert.match(await page.locator(id("study-banner")).innerText(), /That is another machine than the one of the numbers measured here/);
  assert.equal(await page.locator(id("study-theirs")).getAttribute("aria-pressed"), "true");
  await looksRight(page, "theirs beside ours");
  await page.locator(id("study-ours")).click();
  await page.locator(id("study-report")).waitFor();
  assert.match(await page.locator(id("study-report")).innerText(), /another seed/);
  // Another study begins with its own again.
  await page.locator(id("study-theirs")).click();
  await page.goto(`${lab.base}/studies/four-layer`);
  await page.locator(id("study-report")).waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a damaged report says so in its card and on its page, beside the others", async () => {
  const page = await open("/studies", { viewport: { width: 320, height: 900 } });
  const card = page.locator(id("study-row"), { hasText: "Mixed architectures" });
  await card.locator(id("study-damage")).waitFor();
  assert.equal(await page.locator(id("study-row")).count(), 5);
  assert.match(await page.locator(id("study-row"), { hasText: "Four-layer" }).innerText(), /Last measured/);
  const text = await card.innerText();
  assert.match(text, /studies\/mixed\.json cannot be read \(EOF.*\)\. Run the study again, which writes it anew, or move it away\./);
  assert.ok(!text.includes("Never measured"), text);
  await looksRight(page, "studies with a damaged one");
  await card.getByRole("link").click();
  await page.locator(id("study-run")).waitFor();
  assert.match(await page.locator(id("study-damage")).innerText(), /mixed\.json cannot be read/);
  await page.locator(id("study-recorded")).waitFor();
  const banner = await page.locator(id("study-banner")).innerText();
  assert.ok(!banner.includes("nothing was measured"), banner);
  await looksRight(page, "a damaged study");
  assert.deepEqual(page.problems, []);
  await page.context().close();
  // A guest is not told where the owner's files lie.
  const guest = await openPage(browser, `${lab.base}/studies`);
  await guest.locator(id("study-damage"), { hasText: "[path] cannot be read" }).waitFor();
  assert.ok(!(await guest.locator(id("study-list")).innerText()).includes(lab.home));
  await guest.context().close();
});

test("the list says what was measured, what never was, and what a killed server left", async () => {
  await writeFile(join(lab.home, "studies/mixed.json"), JSON.stringify({ ...REPORT, study: "mixed", tables: [], partial: { done: 7, total: 27 }, sittings: ["Measured in 2 sittings."] }));
  const page = await open("/studies");
  const rows = page.locator(id("study-row"));
  await rows.first().waitFor();
  const texts = await rows.allInnerTexts();
  assert.equal(texts.length, 5);
  assert.match(texts.find((text) => text.includes("Four-layer")), /Last measured/);
  assert.match(texts.find((text) => text.includes("Mixed")), /Partly measured.*7 of 27 measurements/);
  assert.match(texts.find((text) => text.includes("Collaborative")), /Never measured here[^]*interrupted/);
  await page.getByRole("link", { name: "Four-layer network" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/studies\/four-layer$/);
  await page.locator(id("study-report")).waitFor();
  assert.equal(await page.locator(id("study-partial")).count(), 0, "a whole report does not speak of parts");
  await page.goto(`${lab.base}/studies/mixed`);
  await page.locator(id("study-partial"), { hasText: "Partial: the study was stopped after 7 of 27 measurements" }).waitFor();
  assert.match(await page.locator(id("study-report")).innerText(), /Measured in 2 sittings\./);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("bars of numbers that lie far apart are logarithmic and say so, and others are not", async () => {
  const far = structuredClone(REPORT);
  Object.assign(far.tables[0].rows[0].cells[0], { value: 0.004, spread: { least: 0.003, most: 0.005, runs: 7 } });
  Object.assign(far.tables[0].rows[1].cells[0], { value: 2, spread: { least: 1.9, most: 2.1, runs: 7 } });
  await writeFile(join(lab.home, "studies/mixed.json"), JSON.stringify({ ...far, study: "mixed" }));
  const page = await open("/studies/mixed", { viewport: { width: 390, height: 900 } });
  const drawn = () => page.locator(id("study-bars")).evaluate((figure) => ({
    said: figure.querySelector("figcaption").textContent,
    widths: [...figure.querySelectorAll(".bar-fill")].map((bar) => Number(bar.getAttribute("width"))),
    lines: [...figure.querySelectorAll(".bar-ticks")].map((path) => path.getAttribute("d").split("M").length - 1),
    numbers: [...figure.querySelectorAll(".bar-scale span")].map((number) => number.textContent),
  }));
  await page.locator(id("study-bars")).waitFor();
  const log = await drawn();
  assert.match(log.said, /Logarithmic: bars begin at 1\.0 ms, and each upright line is ten times the one before\./);
  assert.ok(log.widths[0] > 15 && log.widths[0] < 20 && log.widths[1] > 98, `${log.widths}`);
  assert.deepEqual([...new Set(log.lines)], [3], "at 10 ms, 100 ms and 1 s");
  assert.deepEqual(log.numbers, ["1 ms", "10 ms", "100 ms", "1 s"]);
  assert.equal(await page.locator(`${id("study-bars")} svg`).nth(1).getAttribute("aria-label"), "PyTorch: 2.00 s, 1.90 s to 2.10 s in 7 runs, 500 times the best");
  await looksRight(page, "a study with logarithmic bars");
  await page.goto(`${lab.base}/studies/four-layer`);
  await page.locator(id("study-bars")).waitFor();
  const linear = await drawn();
  assert.ok(!linear.said.includes("ogarithmic"), linear.said);
  assert.ok(linear.widths[0] > 9 && linear.widths[0] < 10, `${linear.widths}`);
  assert.deepEqual([...new Set(linear.lines)], [0]);
  assert.deepEqual(linear.numbers, []);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("numbers of logarithmic bars stand at their lines and never touch each other, however narrow the page and wide the scale", async () => {
  const far = structuredClone(REPORT);
  for (const [fastest, slowest] of [[0.004, 2], [3e-7, 150]]) {
    [fastest, slowest].forEach((value, row) => {
      far.tables[0].rows[row].cells[0] = { cell: "number", value };
    });
    await writeFile(join(lab.home, "studies/mixed.json"), JSON.stringify({ ...far, study: "mixed" }));
    for (const width of [1440, 600, 390, 320]) {
      const page = await open("/studies/mixed", { viewport: { width, height: 900 } });
      await page.locator(".bar-scale").waitFor();
      const { track, numbers } = await page.locator(id("study-bars")).evaluate((figure) => {
        const box = (element) => (({ left, right }) => ({ left, right, text: element.textContent }))(element.getBoundingClientRect());
        return { track: box(figure.querySelector(".bar-track")), numbers: [...figure.querySelectorAll(".bar-scale span")].map(box) };
      });
      const told = `${width} px: ${JSON.stringify({ track, numbers })}`;
      assert.ok(numbers.length > 1, told);
      assert.ok(numbers.every(({ right }, at) => at + 1 === numbers.length || right + 2 <= numbers[at + 1].left), told);
      assert.ok(Math.abs(numbers[0].left - track.left) < 1, told);
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(sideways <= 0, told);
      await page.context().close();
    }
  }
});

test("words in place of a bar's number stay within the card, however narrow the page", async () => {
  const stopped = structuredClone(REPORT);
  for (const row of stopped.tables[0].rows.slice(1)) {
    row.cells[0] = { cell: "missing", install: "recspeed study mixed --repeats 3", why: "not measured: the study was stopped" };
  }
  await writeFile(join(lab.home, "studies/mixed.json"), JSON.stringify({ ...stopped, study: "mixed" }));
  const page = await open("/studies/mixed");
  await page.locator(id("study-bars")).waitFor();
  for (const width of [1440, 1200, 1100, 1024, 900, 768, 600, 390, 320]) {
    await page.setViewportSize({ width, height: 900 });
    const { edge, words } = await page.locator(id("study-bars")).evaluate((figure) => {
      // What a text takes, which may be more than its box.
      const reach = (element) => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const { left, right } = range.getBoundingClientRect();
        return { left, right, text: element.textContent };
      };
      const { left, right } = figure.getBoundingClientRect();
      return { edge: { left, right }, words: [...figure.querySelectorAll(".bar-name, .bar-value")].map(reach) };
    });
    assert.equal(words.filter(({ text }) => text === "not measured: the study was stopped").length, 5, `${width} px`);
    const out = words.filter(({ left, right }) => left < edge.left - 1 || right > edge.right + 1);
    assert.deepEqual(out, [], `${width} px, from ${edge.left} to ${edge.right}`);
    // A name beside them keeps room for a word.
    const names = await page.locator(".bar-name").evaluateAll((all) => all.map((name) => name.getBoundingClientRect().width));
    assert.ok(Math.min(...names) >= 60, `${width} px: ${names}`);
  }
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("no two landmarks of a study have the same name", async () => {
  const here = structuredClone(REPORT);
  here.tables[0].title = "Measured here";
  await writeFile(join(lab.home, "studies/mixed.json"), JSON.stringify({ ...here, study: "mixed" }));
  const page = await open("/studies/mixed");
  // What was measured here; what Recspeed’s authors measured, of one table and of many.
  for (const [path, ready] of [["mixed", "study-report"], ["pipeline-vs-sharded", "study-recorded"], ["retrieval", "study-recorded"]]) {
    await page.goto(`${lab.base}/studies/${path}`);
    await page.locator(id(ready)).waitFor();
    const { violations, passes } = await new AxeBuilder({ page }).withRules(["landmark-unique"]).analyze();
    assert.deepEqual(violations.flatMap((found) => found.nodes.map((node) => node.html.slice(0, 120))), [], path);
    assert.equal(passes.length, 1, `${path}: the rule was not applied`);
  }
  assert.ok(await page.getByRole("region", { name: /^Table: Measured: 10,000 rows$/ }).isVisible());
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("an interrupted study says so, and one that there is not is told", async () => {
  const page = await open("/studies/methods");
  await page.locator(`${id("study-status")}[data-status="interrupted"]`).waitFor();
  assert.match(await page.locator(id("study-status")).innerText(), /interrupted.*Run it again/s);
  await page.locator(id("study-recorded")).waitFor();
  await page.goto(`${lab.base}/studies/nothing`);
  await page.locator(id("study-missing")).waitFor();
  await page.context().close();
});

test("a guest reads and cannot measure", async () => {
  const page = await openPage(browser, `${lab.base}/studies/four-layer`);
  await page.locator(id("study-report")).waitFor();
  await page.getByText("Measuring needs the owner’s link").waitFor();
  assert.equal(await page.locator(id("study-run")).count(), 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

/** Waits until the study in sight stands so; one that has finished is told by its report alone. */
const stands = (page, ...all) =>
  page.locator(all.map((one) => `${id("study-status")}[data-status="${one}"]`).join(", ")).waitFor({ state: "attached", timeout: 60_000 });

test("the button measures, cancels, and keeps the reader’s place", async () => {
  // A study that takes its time.
  const page = await open("/studies/pipeline-vs-sharded");
  const button = page.locator(id("study-run"));
  await button.focus();
  await page.keyboard.press("Enter");
  await stands(page, "running");
  assert.equal(await button.innerText(), "Cancel");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "study-run");
  await page.locator(id("study-progress"), { hasText: /^\d+ of \d+ measurements$/ }).waitFor();
  // A run that is asked for meanwhile says what it waits for.
  const other = await openPage(browser, lab.link);
  await other.locator(id("run-on-server")).click();
  await other.locator(id("run-progress"), { hasText: "the study pipeline-vs-sharded has the machine to itself" }).waitFor();
  await other.locator(id("cancel")).click();
  await other.context().close();
  await page.keyboard.press("Enter");
  await stands(page, "cancelled");
  await page.getByText("The last attempt was cancelled").waitFor();
  // What it had measured by then, if anything, is shown.
  assert.match(await button.innerText(), /^(Measure here|Run again on this machine)$/);

  await page.goto(`${lab.base}/studies/four-layer`);
  await page.locator(id("study-report")).waitFor();
  await button.click();
  await stands(page, "finished");
  const text = await page.locator(id("study-report")).innerText();
  assert.ok(!text.includes("another seed"), `the old report is shown: ${text}`);
  assert.match(text, /recspeed engines install pytorch/, "what is not here says how to get it");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a server that goes away leaves what is shown, and is asked again", async () => {
  const page = await open("/studies/pipeline-vs-sharded");
  await page.locator(id("study-paper")).waitFor();
  let gone = true;
  await page.route(/\/api\/studies\//, (route) => (gone && route.request().method() === "GET" ? route.abort() : route.continue()));
  await page.locator(id("study-run")).click();
  await page.getByText("The server does not answer; it is asked again.").waitFor();
  assert.equal(await page.locator(id("study-paper")).count(), 1);
  gone = false;
  await page.getByText("The server does not answer; it is asked again.").waitFor({ state: "hidden" });
  await page.locator(id("study-run"), { hasText: "Cancel" }).click();
  await stands(page, "cancelled");
  await page.context().close();
});
