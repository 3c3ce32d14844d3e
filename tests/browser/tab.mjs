// Does things in a fresh tab of a fresh headless Chromium: what `recspeed study NAME --tab` and the benchmarks measure there is
// measured in the same way.

import { readFile } from "node:fs/promises";
import { openPage, startBrowser, startLab } from "./lab.mjs";

/** In the page: posts messages to one web worker, each after the answer to the one before; the last answer. */
async function ask({ messages, files }) {
  const fetched = await Promise.all(files.map(async (file) => (await fetch(file)).arrayBuffer()));
  const worker = new Worker("/runner/worker.js", { type: "module" });
  const answer = (message) =>
    new Promise((done, failed) => {
      worker.onerror = (error) => failed(new Error(error.message));
      worker.onmessage = ({ data }) => {
        const told = JSON.parse(data);
        if (told.kind === "finished") done(told.summary);
        else if (told.kind === "failed") failed(new Error(told.cause));
        else if (told.retrieved) done(told.retrieved);
      };
      worker.postMessage(fetched.length ? { ...message, columns: fetched } : message);
    });
  let last;
  for (const message of messages) last = await answer(message);
  worker.terminate();
  return last;
}

/** The messages that run a spec (JSON) in one tab: so often `before`, and once more. The answer is of the last run. */
export const runsOf = (spec, before) => Array.from({ length: before + 1 }, () => ({ spec, run: "tab" }));

/**
 * The answer to the last message, each of which one web worker of a fresh tab is told after the answer to the one before,
 * with these files' bytes as columns; and the browser's version.
 */
export async function inFreshTab(messages, columns = []) {
  let lab, browser;
  try {
    const bytes = await Promise.all(columns.map((file) => readFile(file)));
    lab = await startLab();
    browser = await startBrowser();
    const page = await openPage(browser, lab.base);
    // The page asks the lab for them, which has never heard of them.
    const files = columns.map((_, place) => `/column/${place}`);
    await page.route("**/column/*", (route) => {
      const place = Number(route.request().url().split("/").pop());
      return route.fulfill({ contentType: "application/octet-stream", body: bytes[place] });
    });
    return { told: await page.evaluate(ask, { messages, files }), version: browser.version() };
  } finally {
    await browser?.close();
    await lab?.stop();
  }
}
