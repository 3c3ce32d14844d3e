// Times the four-layer network in a tab of headless Chromium; prints one JSON object, as the examples in Rust do.
//
// `time-in-tab.mjs first` times the first run of a fresh tab, `time-in-tab.mjs fifth` the one after four others: a browser's
// engine compiles well only what it has found to be busy. `recspeed study four-layer` has the same two rows.

import { inFreshTab, runsOf } from "./tab.mjs";

const SPEC = JSON.stringify({
  version: 1,
  seed: 42,
  dataset: { source: "builtin", id: "beauty-synthetic-10k" },
  split: { kind: "random", test_ratio: 0.0001 },
  recommender: { kind: "mlp" },
  training: { epochs: 3, batch_size: 64 },
});
/** Runs in the same tab before the one that is timed. */
const BEFORE = { first: 0, fifth: 4 };
/** Fresh tabs, each of a fresh browser. */
const REPEATS = 5;

const which = process.argv[2];
const before = BEFORE[which];
if (before === undefined) throw new Error(`time-in-tab.mjs times one of ${Object.keys(BEFORE).join(", ")}, not ${which}`);
const seconds = [];
let version;
for (let i = 0; i < REPEATS; i++) {
  const tab = await inFreshTab(runsOf(SPEC, before));
  version = tab.version;
  seconds.push(tab.told.timing.fit_s);
}
seconds.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    name: `Recspeed in the tab (Burn flex, wasm), its ${which} run`,
    version,
    seconds,
    median: seconds[Math.floor(REPEATS / 2)],
    note: `each repeat is the ${which} run in a fresh tab of a fresh browser; ${before === 0 ? "none is" : `the ${before} before it are`} left uncounted`,
  }),
);
