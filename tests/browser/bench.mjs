// What nearly every test file here begins with: a lab of its own, one browser, and how an element is named.

import { after, before } from "node:test";
import { startBrowser, startLab } from "./lab.mjs";

/** Both are there as soon as the first test begins: import them, and call `withLab` once. */
export let lab, browser;

/**
 * Starts a lab and a browser before the file's tests, and ends both after them. `prepare` gives the options of the lab;
 * `ready` is called when both are there: another `before` of the same file would not wait for them.
 */
export function withLab({ prepare = async () => ({}), ready = async () => {} } = {}) {
  before(async () => {
    lab = await startLab(await prepare());
    browser = await startBrowser();
    await ready();
  });
  after(async () => {
    await browser?.close();
    await lab?.stop();
  });
}

/** The selector of what the page calls by this name in its tests. */
export const id = (name) => `[data-testid="${name}"]`;
