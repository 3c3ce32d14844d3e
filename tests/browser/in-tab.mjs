#!/usr/bin/env node
// Does one thing in a fresh tab of headless Chromium, for `recspeed study NAME --tab`: what is asked comes as JSON on standard
// input, what came of it leaves as JSON on standard output.
//
// { "spec": "…", "before": 4 } runs the spec four times beforehand in the same tab, and prints the summary of the fifth run.
// { "retrieval": { "container", "repeats", "batch_rows", "single_rows" }, "columns": ["FILE", …] } reads the columns back.

import { text } from "node:stream/consumers";
import { inFreshTab, runsOf } from "./tab.mjs";

try {
  const { spec, before = 0, retrieval, columns } = JSON.parse(await text(process.stdin));
  const messages = spec ? runsOf(spec, before) : [{ retrieval: JSON.stringify(retrieval) }];
  const { told, version } = await inFreshTab(messages, columns);
  (told.engine ?? told).versions.chromium = version;
  console.log(JSON.stringify(told));
} catch (error) {
  console.error(error.message.split("\n")[0]);
  process.exitCode = 1;
}
