// What is recommended: at the first sight of the page, and by the model of a run in the tab as by that of the same run on the server.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { ends, openPage, writeSpec } from "./lab.mjs";

withLab();

const SPEC = `version = 1
seed = 3
[dataset]
source = "builtin"
id = "beauty-synthetic-10k"
[recommender]
kind = "als-implicit"
[evaluation]
metrics = ["ndcg@10"]
max_users = 50
`;

/** The list in sight: what each item is called and its score. */
const listed = (page) =>
  page.locator(`${id("ask-list")} li`).evaluateAll((all) =>
    all.map((one) => ({ item: one.querySelector("strong").textContent.split(" · ").at(-1), score: Number(one.querySelector(".number").textContent) })),
  );

/** The same list but where two scores lie within rounding of each other: a tab and a server add in another order. */
function same(here, there) {
  assert.equal(here.length, there.length);
  for (const [place, { item, score }] of here.entries()) {
    const other = there[place];
    const apart = Math.abs(score - other.score);
    assert.ok(apart <= 1e-3 * Math.abs(other.score) + 1e-4, `${place}: ${score} in the tab, ${other.score} on the server`);
    const twins = there.filter((one) => Math.abs(one.score - score) <= 1e-4).map((one) => one.item);
    assert.ok(item === other.item || twins.includes(item), `${place}: ${item} in the tab, ${other.item} on the server`);
  }
}

/** Of the last question, not of an earlier one. */
async function answered(page, count) {
  await page.waitForFunction(
    (count) => !document.querySelector('[data-testid="ask"] [aria-busy="true"]') && document.querySelectorAll('[data-testid="ask-list"] li').length === count,
    count,
  );
  return listed(page);
}

test("the first visit shows what is recommended to somebody, and why, without asking a server for anything", async () => {
  const page = await openPage(browser, "about:blank");
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.route(/\/api\//, (route) => route.abort());
  await page.goto(lab.base);
  const ask = page.locator(`${id("stage")} ${id("ask")}`);
  await ask.waitFor();
  assert.equal((await answered(page, 5)).length, 5);
  const users = await page.locator(id("ask-user")).allInnerTexts();
  assert.ok(users.length >= 3 && users.length <= 5, `${users}`);
  assert.equal(await page.locator(id("ask-user")).first().getAttribute("aria-pressed"), "true");
  assert.match(await page.locator(id("ask-has")).innerText(), new RegExp(`^${users[0]} has `));
  assert.match(await page.locator(`${id("ask-list")} small`).first().innerText(), /they have /);
  const first = await listed(page);
  await page.locator(id("ask-user")).nth(1).click();
  await page.locator(id("ask-has")).filter({ hasText: users[1] }).waitFor();
  assert.notDeepEqual(await listed(page), first);
  // It stands between the numbers and the curve, and what was recorded answers for nobody else.
  const order = await page.evaluate(() =>
    [...document.querySelectorAll('.tiles, [data-testid="ask"], [data-testid="curve"]')].map((one) => one.dataset.testid ?? "tiles"),
  );
  assert.deepEqual(order, ["tiles", "ask", "curve"]);
  assert.equal(await page.locator(id("ask-whom")).count(), 0);
  assert.equal(await page.locator(id("ask-random")).isVisible(), false);
  // Beside its own number each tile of what was hit says what popularity gets.
  assert.equal(await page.locator(".tiles [data-baseline='popularity']").count(), 3);
  assert.deepEqual(asked.filter((path) => /^\/api\/runs/.test(path)), []);
  await page.context().close();
});

test("the model of a run in the tab answers a user and a basket as that of the same run on the server does", async () => {
  const page = await openPage(browser, lab.link);
  await page.locator(id("result-table")).waitFor();
  await writeSpec(page, SPEC);
  await page.locator(id("run-in-tab")).click();
  await page.locator(id("stage")).filter({ hasText: "in this tab, not stored" }).waitFor();
  await ends(page, "finished");
  const sent = [];
  page.on("request", (request) => sent.push(new URL(request.url()).pathname));
  await page.locator(`${id("stage")} ${id("ask-user")}`).nth(1).waitFor();
  await answered(page, 5);
  await page.locator(id("ask-random")).click();
  await answered(page, 5);
  const users = await page.locator(id("ask-user")).allInnerTexts();
  await page.locator(id("ask-more")).click();
  await page.locator(id("ask-k")).fill("10");
  await page.locator(id("ask-user")).nth(1).click();
  await page.locator(id("ask-has")).filter({ hasText: users[1] }).waitFor();
  const of_user = await answered(page, 10);
  await page.getByRole("button", { name: "A basket" }).click();
  assert.equal(await page.locator(id("ask-list")).count(), 0, "the user's list does not stay below a basket");
  await page.locator(id("ask-item")).first().click();
  await page.locator(id("ask-item")).nth(1).click();
  const basket = await page.locator(id("ask-whom")).inputValue();
  assert.match(basket, /^\w+, \w+$/);
  await page.locator(id("ask-go")).click();
  const of_basket = await answered(page, 10);
  assert.match(await page.locator(`${id("ask-list")} small`).first().innerText(), /the basket has/);
  await page.locator(id("ask-whom")).fill("nothing");
  await page.locator(id("ask-go")).click();
  assert.match(await page.locator(id("ask-error")).innerText(), /The model knows no item `nothing`/);
  assert.deepEqual(sent.filter((path) => path.endsWith("/recommendations")), [], "nothing was sent");

  await page.locator(id("run-on-server")).click();
  await page.locator(id("open-run")).waitFor();
  await ends(page, "finished");
  await page.locator(id("open-run")).click();
  await page.waitForURL(/\/r\//);
  await page.locator(`${id("ask-user")}`).nth(1).waitFor();
  assert.deepEqual(await page.locator(id("ask-user")).allInnerTexts(), users);
  await page.locator(id("ask-user")).nth(1).click();
  same(of_user, await answered(page, 10));
  await page.getByRole("button", { name: "A basket" }).click();
  await page.locator(id("ask-whom")).fill(basket);
  await page.locator(id("ask-go")).click();
  same(of_basket, await answered(page, 10));
  assert.deepEqual(page.problems.filter((problem) => !problem.includes("422")), []);
  await page.context().close();
});

test("whom to ask for, how many and the button lie apart at every width, and nothing covers the number", async () => {
  const page = await openPage(browser, lab.link);
  const run = await page.evaluate(async () => {
    const dataset = { source: "builtin", id: "beauty-synthetic-10k", min_user: 2 };
    const spec = { version: 1, dataset, recommender: { kind: "item-knn" }, evaluation: { metrics: ["ndcg@5"], max_users: 50 } };
    const headers = { "content-type": "application/json" };
    return (await (await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) })).json()).id;
  });
  await page.goto(`${lab.base}/r/${run}`);
  await page.locator(id("ask-user")).first().waitFor({ timeout: 60_000 });
  for (const width of [1440, 1024, 860, 390, 320]) {
    await page.setViewportSize({ width, height: 900 });
    const { boxes, hit } = await page.evaluate(() => {
      const named = (name) => document.querySelector(`[data-testid="${name}"]`);
      named("ask-k").scrollIntoView({ block: "center" });
      const boxes = ["ask-whom", "ask-k", "ask-go"].map((name) => {
        const { left, right, top, bottom } = named(name).getBoundingClientRect();
        return { name, left, right, top, bottom };
      });
      const { right, top, bottom } = boxes[1];
      // The number stands at the right end of its field.
      return { boxes, hit: document.elementFromPoint(right - 16, (top + bottom) / 2)?.dataset.testid };
    });
    const told = `${width} px: ${JSON.stringify(boxes)}`;
    for (const [at, one] of boxes.entries()) {
      assert.ok(one.left >= 0 && one.right <= width, told);
      for (const other of boxes.slice(at + 1)) {
        const beside = one.right <= other.left || other.right <= one.left;
        assert.ok(beside || one.bottom <= other.top || other.bottom <= one.top, `${one.name} and ${other.name}, ${told}`);
      }
    }
    assert.equal(hit, "ask-k", told);
    assert.ok(boxes[0].right - boxes[0].left >= 150, `an id has no room, ${told}`);
  }
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("a run whose model is not kept says why nobody can ask it", async () => {
  const page = await openPage(browser, lab.base);
  const { showcase } = await page.evaluate(async () => (await fetch("/api/lab")).json());
  await page.goto(`${lab.base}/r/${showcase}`);
  assert.match(await page.locator(id("ask-none")).innerText(), /can no longer be asked.*Run the experiment again/s);
  assert.equal(await page.locator(id("ask")).count(), 0);
  await page.context().close();
});

test("a guest asks the model of a run on somebody's file for baskets alone, and is told why", async () => {
  const page = await openPage(browser, lab.link);
  const run = await page.evaluate(async () => {
    const has = (user, film) => (user + 2 * film) % 3 !== 0;
    const all = Array.from({ length: 40 * 12 }, (_, at) => [Math.floor(at / 12), at % 12]);
    const rows = all.filter(([user, film]) => has(user, film)).map(([user, film]) => `person-${user},film-${film},5,${1000 + 20 * film + user}\n`);
    const put = await fetch("/api/datasets?name=mine&format=amazon-csv", { method: "POST", body: rows.join("") });
    const dataset = { source: "upload", id: (await put.json()).sha256, format: "amazon-csv" };
    const spec = { version: 1, dataset, recommender: { kind: "item-knn" }, evaluation: { metrics: ["ndcg@5"] } };
    const headers = { "content-type": "application/json" };
    return (await (await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) })).json()).id;
  });
  await page.goto(`${lab.base}/r/${run}`);
  await page.locator(id("ask-user")).first().waitFor({ timeout: 60_000 });
  assert.match(await page.locator(id("ask-user")).first().innerText(), /^person-/);
  assert.equal(await page.locator(id("ask-no-user")).count(), 0);

  const guest = await openPage(browser, `${lab.base}/r/${run}`);
  await guest.locator(id("ask-no-user")).filter({ hasText: "guests ask for a basket" }).waitFor();
  assert.equal(await guest.locator(id("ask-user")).count(), 0);
  assert.equal(await guest.getByRole("button", { name: "A user" }).isVisible(), false);
  await guest.locator(id("ask-item")).first().click();
  await guest.locator(id("ask-go")).click();
  await guest.locator(`${id("ask-list")} small`).first().waitFor();
  assert.match(await guest.locator(id("ask-list")).innerText(), /the basket has film-/);
  assert.ok(!(await guest.locator(id("ask")).innerText()).includes("person-"));
  assert.deepEqual([...page.problems, ...guest.problems], []);
  for (const one of [page, guest]) await one.context().close();
});

test("a panel that cannot learn what a model knows says why, and asks again by a button, on the server as in the tab", async () => {
  const page = await openPage(browser, lab.link);
  const run = await page.evaluate(async () => {
    const dataset = { source: "builtin", id: "beauty-synthetic-10k", min_user: 2 };
    const spec = { version: 1, dataset, recommender: { kind: "item-knn" }, evaluation: { metrics: ["ndcg@5"], max_users: 50 } };
    const headers = { "content-type": "application/json" };
    return (await (await fetch("/api/runs", { method: "POST", headers, body: JSON.stringify({ spec }) })).json()).id;
  });
  let broken = true;
  await page.route(/\/api\/runs\/[^/]+\/model$/, (route) => (broken ? route.abort() : route.continue()));
  await page.goto(`${lab.base}/r/${run}`);
  const told = page.locator(`${id("ask")} ${id("ask-unknown")}`);
  await told.filter({ hasText: "The server does not answer" }).waitFor();
  assert.equal(await page.locator(id("ask-user")).count(), 0);
  assert.equal(await page.locator(id("ask-whom")).isVisible(), true, "whoever knows a user can ask all the same");
  const again = page.locator(`${id("ask")} ${id("try-again")}`);
  await again.click();
  await told.waitFor();
  broken = false;
  await again.click();
  await page.locator(id("ask-user")).first().waitFor();
  assert.equal(await told.count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "ask");
  await page.context().close();

  const tab = await openPage(browser, "about:blank");
  await tab.addInitScript(() => {
    const post = Worker.prototype.postMessage;
    let refused = false;
    Worker.prototype.postMessage = function (message, ...more) {
      if (message?.asked && !refused) {
        refused = true;
        throw new Error("refused once");
      }
      return post.call(this, message, ...more);
    };
  });
  await tab.goto(lab.base);
  await tab.locator(id("result-table")).waitFor();
  await writeSpec(tab, SPEC);
  await tab.locator(id("run-in-tab")).click();
  await ends(tab, "finished");
  const stage = tab.locator(`${id("stage")} ${id("ask")}`);
  await stage.locator(id("ask-unknown")).filter({ hasText: "The runner in this tab has gone" }).waitFor();
  await stage.locator(id("try-again")).click();
  assert.equal((await answered(tab, 5)).length, 5);
  assert.equal(await stage.locator(id("ask-unknown")).count(), 0);
  await tab.context().close();
});
