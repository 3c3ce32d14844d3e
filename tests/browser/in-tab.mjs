#!/usr/bin/env node
// Does one thing in a fresh tab of headless Chromium, for `recspeed study NAME --tab`: what is asked comes as JSON on standard
// input, what came of it leaves as JSON on standard output.
//
// { "spec": "…", "before": 1 } runs the spec once beforehand in the same tab, and prints the summary of the next run.
// { "retrieval": { "container", "repeats", "batch_rows", "single_rows" }, "columns": ["FILE", …] } reads the columns back.

import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
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

let lab, browser;
try {
  const { spec, before = 0, retrieval, columns = [] } = JSON.parse(await text(process.stdin));
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
  const messages = spec
    ? Array.from({ length: before + 1 }, () => ({ spec, run: "tab" }))
    : [{ retrieval: JSON.stringify(retrieval) }];
  const told = await page.evaluate(ask, { messages, files });
  (told.engine ?? told).versions.chromium = browser.version();
  console.log(JSON.stringify(told));
} catch (error) {
  console.error(error.message.split("\n")[0]);
  process.exitCode = 1;
} finally {
  await browser?.close();
  await lab?.stop();
}
