// Times the four-layer network in a tab of headless Chromium; prints one JSON object, as the examples in Rust do.

import { openPage, startBrowser, startLab } from "./lab.mjs";

const SPEC = JSON.stringify({
  version: 1,
  seed: 42,
  dataset: { source: "builtin", id: "beauty-synthetic-10k" },
  split: { kind: "random", test_ratio: 0.0001 },
  recommender: { kind: "mlp" },
  training: { epochs: 3, batch_size: 64 },
});
const REPEATS = 5;

const lab = await startLab();
const browser = await startBrowser();
try {
  const page = await openPage(browser, lab.base);
  const seconds = await page.evaluate(
    async ({ spec, repeats }) => {
      const worker = new Worker("/runner/worker.js", { type: "module" });
      const fit = () =>
        new Promise((done, failed) => {
          worker.onerror = (error) => failed(new Error(error.message));
          worker.onmessage = ({ data }) => {
            const event = typeof data === "string" ? JSON.parse(data) : data;
            if (event.kind === "finished") done(event.summary.timing.fit_s);
            if (event.kind === "failed") failed(new Error(event.cause));
          };
          worker.postMessage({ spec, run: "bench" });
        });
      const times = [await fit()];
      for (let i = 0; i < repeats; i++) times.push(await fit());
      worker.terminate();
      return times;
    },
    { spec: SPEC, repeats: REPEATS },
  );
  const counted = seconds.slice(1).sort((a, b) => a - b);
  console.log(
    JSON.stringify({
      name: "Recspeed in the tab (Burn flex, wasm)",
      version: browser.version(),
      seconds: counted,
      median: counted[Math.floor(counted.length / 2)],
      note: `first run in a fresh tab ${seconds[0].toFixed(3)} s`,
    }),
  );
} finally {
  await browser.close();
  await lab.stop();
}
