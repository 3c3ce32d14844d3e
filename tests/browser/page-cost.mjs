// What the page costs: bytes of its programs after brotli, and the time to the first paint and to the first usable knob, each
// in a fresh browser profile. Prints one JSON object.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { ROOT, startBrowser, startLab } from "./lab.mjs";

const REPEATS = 7;

export async function packedBytes() {
  const dist = join(ROOT, "dist");
  const packed = async (file) =>
    brotliCompressSync(await readFile(join(dist, file)), { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
  const page = (await readdir(dist)).find((name) => name.endsWith("_bg.wasm"));
  return { page: await packed(page), runner: await packed("runner/runner_bg.wasm") };
}

async function paint(browser, lab) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(lab.base);
  await page.locator("[data-ready]").waitFor();
  const interactive = await page.evaluate(() => performance.now());
  const first = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null);
  await context.close();
  return { first: first / 1000, interactive: interactive / 1000 };
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const lab = await startLab();
  const browser = await startBrowser();
  try {
    // The server packs its files once after the first visit.
    await paint(browser, lab);
    await new Promise((done) => setTimeout(done, 8000));
    const seen = [];
    for (let i = 0; i < REPEATS; i++) seen.push(await paint(browser, lab));
    const all = (key) => seen.map((one) => one[key]).sort((a, b) => a - b);
    console.log(JSON.stringify({ bytes: await packedBytes(), first: all("first"), interactive: all("interactive"), browser: browser.version() }));
  } finally {
    await browser.close();
    await lab.stop();
  }
}
