// Starts a lab of its own for a test, and browsers that look at it.

import { spawn, execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const BIN = process.env.RECSPEED_BIN_DIR ?? join(ROOT, "target/release");

/** A running lab: `link` is the owner's, `base` is without the token; `env` adds to what the server's environment holds. */
export async function startLab(options = {}) {
  const home = options.home ?? (await mkdtemp(join(tmpdir(), "recspeed-lab-")));
  const server = spawn(join(BIN, "recspeed"), ["serve", "--bind", options.bind ?? "127.0.0.1:0", "--home", home], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  let said = "";
  const link = await new Promise((found, failed) => {
    const listen = (chunk) => {
      said += chunk;
      const match = said.match(/http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/);
      if (match) found(match[0]);
    };
    server.stdout.on("data", listen);
    server.stderr.on("data", listen);
    server.on("exit", (code) => failed(new Error(`the lab ended with status ${code}: ${said}`)));
    setTimeout(() => failed(new Error(`the lab printed no link within 30 s: ${said}`)), 30_000).unref();
  });
  const base = new URL(link).origin;
  return {
    home,
    link,
    base,
    log: () => said,
    kill: (signal = "SIGTERM") =>
      new Promise((done) => {
        if (server.exitCode !== null || server.signalCode !== null) return done();
        server.once("exit", done);
        server.kill(signal);
      }),
    async stop() {
      await this.kill();
      await rm(home, { recursive: true, force: true });
    },
  };
}

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));

/** A browser with an empty profile. */
export function startBrowser() {
  if (!CHROMIUM) throw new Error("Chromium is missing; `make test-setup` installs it when run as root");
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page that fails the test when it logs an error, throws, or asks for anything beyond the lab. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`threw: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("status of 40")) problems.push(`logged: ${message.text()}`);
  });
  page.on("request", (request) => {
    const host = new URL(request.url()).hostname;
    if (host && host !== "127.0.0.1") problems.push(`asked ${host}`);
  });
  await page.goto(url);
  page.problems = problems;
  return page;
}

/** The final summary of `recspeed run FILE --json`. */
export async function runInTerminal(file, ...more) {
  const { stdout } = await promisify(execFile)(join(BIN, "recspeed"), ["run", file, "--json", ...more], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
}

/** Puts a spec into the TOML box. */
export async function writeSpec(page, toml) {
  const box = page.locator('[data-testid="spec-toml"]');
  if (!(await box.isVisible())) await page.locator('[data-testid="spec-toml-view"]').click();
  await box.fill(toml);
}

/** Keeps what the in-tab runner says, as the page hears it, in `window.overheard` of every page to come. */
export async function overhearTheRunner(context) {
  await context.addInitScript(() => {
    window.overheard = [];
    const Real = window.Worker;
    window.Worker = class extends Real {
      constructor(...args) {
        super(...args);
        this.addEventListener("message", ({ data }) => {
          if (typeof data === "string" && data.startsWith("{")) window.overheard.push(JSON.parse(data));
        });
      }
    };
  });
}

/** Waits until the run in sight says that it has ended as expected. */
export async function ends(page, status, timeout = 60_000) {
  await page.waitForFunction(
    (status) => document.querySelector('[data-testid="run-status"]')?.dataset.status === status,
    status,
    { timeout },
  );
}
