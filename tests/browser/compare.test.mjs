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

/** What leads carries one of these. */
const MARKS = ".best-mark, .lead-mark";

/** What the server answers of three methods by two metrics, and of their tests against the first. */
function ofThree(difference, p) {
  const method = (name, ndcg, hit) => ({
    name, kind: "ease", seeds: [1], random: false, metrics: { "ndcg@10": { mean: ndcg }, "hit@10": { mean: hit } }, fit_s: { mean: 1, values: [1] },
    peak_bytes: 1, runs: [name], settings: [], same_rows: true, same_scale: true,
  });
  const answer = {
    methods: [method("a", 0.4, 0.4), method("b", 0.3, 0.5), method("c", 0.2, 0.2)],
    metrics: ["ndcg@10", "hit@10"], settings: [], warnings: [], left_out: [], curves: [],
  };
  const test = (metric, left, difference) => ({ metric, left, right: 0, users: 9, difference, interval: [difference, difference], hedges_g: 0.1, p_randomization_holm: p });
  const tests = ["hit@10", "ndcg@10"].flatMap((metric) => [test(metric, 1, metric === "hit@10" ? 0.1 : -difference), test(metric, 2, -difference)]);
  return { answer, tests: { tests, untested: [], procedure: { level: 0.95, draws: 9999 } } };
}

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
  assert.equal(await page.locator(`${id("compared-rmse")} :is(${MARKS}, .change)`).count(), 0);
  assert.match(await page.locator(id("compare-warnings")).innerText(), /Errors are on two scales/);
  assert.equal(await page.locator(id("compared-tests")).getByText("user-rmse").count(), 0);
  assert.equal(await page.locator(`${id("compared-auc")} :is(${MARKS})`).count(), 1, "an order has no scale");
  assert.equal(await page.locator(id("compared-of-global-mean")).count(), 0, "one number has two values there");

  await page.goto(`${lab.base}/c/${runs.join(",")}`);
  await page.locator(id("compared-tests")).filter({ hasText: "user-rmse" }).waitFor();
  const changes = await errors.evaluateAll((cells) => cells.map((cell) => cell.querySelectorAll(".change").length));
  assert.deepEqual(changes, [0, 0, 1]);
  assert.equal(await page.locator(`${id("compared-rmse")} :is(${MARKS})`).count(), 1);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the global mean has a column, in which it stands beside the metrics that it has, and a phone shows it below them", async () => {
  const page = await openPage(browser, lab.link);
  // Also where the first method gives scores alone.
  const scores = spec({ kind: "popularity" }, ["hit@10"]);
  const runs = await finished(page, [scores, spec({ kind: "item-mean" }, ["rmse", "mae", "hit@10"])]);
  await page.goto(`${lab.base}/c/${runs}`);
  const head = page.locator(id("compared-of-global-mean"));
  await head.waitFor();
  const column = await head.evaluate((cell) => cell.cellIndex);
  assert.equal(column, 3, "behind the names and both methods");
  assert.equal(await page.locator(id("compared-of-popularity")).count(), 0, "it is one of the methods");
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
  assert.equal(await below.innerText(), `Global mean: ${has[0]}`);
  assert.equal(await page.locator(`${id("compared-hit-10")} .of-mean`).count(), 0);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("baselines that the compared results carry have a column each, once", async () => {
  const page = await openPage(browser, lab.link);
  const [knn, mf] = [["item-knn", ["hit@10"]], ["biased-mf", ["rmse", "hit@10"]]].map(([kind, metrics]) => spec({ kind }, metrics));
  await page.goto(`${lab.base}/c/${await finished(page, [knn, mf])}`);
  await page.locator(id("compared-of-global-mean")).waitFor();
  const heads = page.locator(`${id("compared-table")} thead .of-everybody`);
  const kinds = await heads.evaluateAll((cells) => cells.map((cell) => cell.dataset.testid));
  assert.deepEqual(kinds, ["compared-of-global-mean", "compared-of-bias", "compared-of-popularity"]);
  const row = (name) => page.locator(`${id(`compared-${name}`)} .of-everybody`).allInnerTexts();
  const [errors, hits] = [await row("rmse"), await row("hit-10")];
  assert.ok(/^\d/.test(errors[0]) && /^\d/.test(errors[1]) && errors[2] === "–", errors.join("; "));
  assert.ok(hits[0] === "–" && hits[1] === "–" && /^\d/.test(hits[2]), hits.join("; "));
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

test("best is earned against every other method, and the highest number alone is called just that", async () => {
  const page = await openPage(browser, lab.link);
  const shown = async (p) => {
    const { answer, tests } = ofThree(0.1, p);
    await page.unrouteAll();
    await page.route("**/api/comparison?*", (route) => route.fulfill({ json: answer }));
    await page.route("**/api/comparison/tests?*", (route) => route.fulfill({ json: tests }));
    await page.goto(`${lab.base}/c/a,b,c`);
    await page.locator(`${id("compared-tests")} tbody tr`).first().waitFor();
    const marks = (metric) => page.locator(`${id(`compared-${metric}`)} :is(${MARKS})`).allInnerTexts();
    return [await marks("ndcg-10"), await marks("hit-10")];
  };
  // By hit@10 the second one leads: it was tested against the first, and nobody has tested it against the third.
  assert.deepEqual(await shown(0.001), [["best"], ["highest"]]);
  assert.deepEqual(await shown(0.4), [["highest"], ["highest"]]);
  assert.match(await page.locator(id("compared-marks")).innerText(), /better than every other method here by more than chance/);
  assert.equal(await page.getByRole("button", { name: "Make this the baseline" }).count(), 2);
  // The tests stand in the order of the table above them, and their last two columns do not touch.
  const tested = await page.locator(`${id("compared-tests")} tbody th`).allInnerTexts();
  assert.deepEqual(tested, ["ndcg@10", "ndcg@10", "hit@10", "hit@10"]);
  const gap = await page.locator(`${id("compared-tests")} tbody tr`).first().evaluate((row) => {
    const text = (cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getBoundingClientRect();
    };
    const [p, verdict] = [...row.cells].slice(-2).map(text);
    return verdict.left - p.right;
  });
  assert.ok(gap >= 20, `${gap} px between p and the verdict`);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("on a phone a mark makes no row of numbers higher than two lines", async () => {
  const page = await openPage(browser, lab.link, { viewport: { width: 390, height: 844 } });
  const { answer, tests } = ofThree(0.1, 0.001);
  await page.route("**/api/comparison?*", (route) => route.fulfill({ json: answer }));
  await page.route("**/api/comparison/tests?*", (route) => route.fulfill({ json: tests }));
  await page.goto(`${lab.base}/c/a,b,c`);
  await page.locator(`${id("compared-ndcg-10")} .best-mark`).waitFor();
  for (const metric of ["ndcg-10", "hit-10"]) {
    const { height } = await page.locator(id(`compared-${metric}`)).boundingBox();
    assert.ok(height <= 62, `a row of ${metric} is ${height} px high`);
  }
  await page.context().close();
});

test("beside one run the choice of others comes first, those without a common metric are greyed, and both together are warned of", async () => {
  const page = await openPage(browser, lab.link);
  const lists = spec({ kind: "popularity" }, ["ndcg@10"], { name: "Lists alone" });
  const stars = spec({ kind: "item-mean" }, ["rmse"], { name: "Stars alone" });
  const runs = (await finished(page, [lists, stars])).split(",");
  await page.goto(`${lab.base}/c/${runs[0]}`);
  const picker = page.locator(id("compare-picker"));
  await picker.getByRole("heading", { name: "Choose what to compare “Lists alone” with" }).waitFor();
  const table = page.locator(id("compared-table"));
  await table.waitFor();
  assert.ok((await picker.boundingBox()).y < (await table.boundingBox()).y, "the choice comes first");
  assert.equal(await page.getByText("baseline", { exact: true }).count(), 0, "nothing is held against it");
  const other = picker.locator("li").filter({ hasText: "Stars alone" }).first();
  assert.match(await other.innerText(), /no metric in common with the first/);
  assert.match(await other.getAttribute("class"), /picker-apart/);
  await other.locator("input").check();
  await page.waitForURL(`**/c/${runs.join(",")}`);
  const warned = page.locator(id("compare-warnings"));
  await warned.filter({ hasText: "“Lists alone” and “Stars alone” share no metric: one ranks items, the other predicts ratings." }).waitFor();
  await picker.getByRole("heading", { name: "Add or remove runs" }).waitFor();
  assert.ok((await picker.boundingBox()).y > (await table.boundingBox()).y);

  const guest = await openPage(browser, `${lab.base}/c`);
  await guest.locator(id("open-the-lab")).click();
  await guest.locator(id("run-in-tab")).waitFor();
  assert.deepEqual([...page.problems, ...guest.problems], []);
  for (const one of [page, guest]) await one.context().close();
});

test("a chart of one line has no key beside its value, and keys of several lines are pieces of them", async () => {
  const page = await openPage(browser, lab.link);
  const points = [{ step: 1, epoch: 1, value: 0.9 }, { step: 40, epoch: 2, value: 0.5 }];
  const one = ofCurve(points);
  const line = (split, name = "loss") => ({ method: 0, run: "a", name, split, points });
  let answer = one;
  await page.route("**/api/comparison?*", (route) => route.fulfill({ json: answer }));
  await page.goto(`${lab.base}/c/a`);
  const keys = page.locator(".u-legend .u-marker");
  await page.locator(".u-legend .u-value").filter({ hasText: "0.5" }).first().waitFor();
  assert.deepEqual(await keys.evaluateAll((keys) => keys.map((key) => key.checkVisibility())), [false, false]);
  answer = { ...one, curves: [line("train"), line("validation"), line("train", "epoch-loss")] };
  await page.goto(`${lab.base}/c/a`);
  await page.locator(".u-legend .u-series").nth(2).waitFor();
  const drawn = await keys.evaluateAll((keys) => keys.filter((key) => key.checkVisibility()).map((key) => [key.offsetWidth, key.offsetHeight, getComputedStyle(key).borderTopStyle]));
  assert.deepEqual(drawn, [[18, 3, "solid"], [18, 3, "dashed"]]);
  assert.equal(await page.getByRole("button", { name: "loss, mean of an epoch" }).count(), 1, "the name that the lab has for it");
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a guest is told what guests see, and puts runs side by side by their links", async () => {
  const page = await openPage(browser, lab.link);
  const runs = (await finished(page, ["item-mean", "global-mean"].map((kind) => spec({ kind }, ["rmse"])))).split(",");
  const guest = await openPage(browser, "about:blank");
  const refused = [];
  guest.on("response", (response) => response.status() === 401 && refused.push(response.url()));
  await guest.goto(`${lab.base}/c`);
  const picker = guest.locator(id("compare-picker"));
  await picker.filter({ hasText: "you see the runs whose links you hold" }).waitFor();
  assert.equal(await picker.locator(id("open-the-lab")).isVisible(), true);
  const link = guest.locator(id("compare-link"));
  await link.fill("a run of mine");
  await guest.locator(id("compare-add")).click();
  await guest.locator(id("compare-link-error")).filter({ hasText: "“a run of mine” is no link to a run" }).waitFor();
  assert.equal(new URL(guest.url()).pathname, "/c");
  await link.fill(`${lab.base}/r/${runs[0]}`);
  await guest.keyboard.press("Enter");
  await guest.waitForURL(`**/c/${runs[0]}`);
  await picker.getByRole("heading", { name: "Choose what to compare this run with" }).waitFor();
  assert.equal(await guest.locator(id("compare-link-error")).innerText(), "");
  // Whoever has one more link is still at the field.
  await guest.keyboard.insertText(runs[1]);
  await guest.keyboard.press("Enter");
  await guest.waitForURL(`**/c/${runs.join(",")}`);
  await guest.locator(id("compared-rmse")).waitFor();
  assert.deepEqual(refused, []);
  assert.deepEqual([...page.problems, ...guest.problems], []);
  for (const one of [page, guest]) await one.context().close();
});
