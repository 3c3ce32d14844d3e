// Every strategy in the tab: its ranks take turns in one thread, and end where one device does.

import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, id, lab, withLab } from "./bench.mjs";
import { overhearTheRunner, writeSpec } from "./lab.mjs";

/** How far losses may be from one device's, as docs/parallel.md promises of these networks. */
const LOSS = 5e-4;

const FRAME = `version = 1
[dataset]
source = "builtin"
id = "beauty-synthetic-10k"
sample = 900
`;
const TEXTS = {
  mlp: `${FRAME}[split]
kind = "random"
validation_ratio = 0.1
[recommender]
kind = "mlp"
hidden = [16, 12, 8]
[training]
epochs = 3
batch_size = 50
learning_rate = 0.01
early_stopping = 2
gradient_clip = 0.5
[evaluation]
metrics = ["rmse", "mae"]
`,
  densenet: `${FRAME}[recommender]
kind = "densenet"
layers = 9
growth = 5
dropout = 0.2
[training]
epochs = 2
batch_size = 64
[evaluation]
metrics = ["accuracy", "auc"]
`,
  dlrm: `${FRAME}[split]
kind = "random"
validation_ratio = 0.1
[recommender]
kind = "dlrm"
embedding = 6
bottom = [5]
hidden = [12, 8]
negatives = 3
dropout = 0.2
[training]
epochs = 2
batch_size = 50
learning_rate = 0.01
loss = "bpr"
weight_decay = 0.001
optimizer = "adamw"
gradient_clip = 0.5
[evaluation]
metrics = ["ndcg@10"]
`,
};

const pipeline = (schedule, stages, more = "") =>
  `kind = "pipeline"\nstages = ${stages}\nmicro_batches = 6\nschedule = "${schedule}"\n${more}`;
const HYBRID = 'kind = "hybrid"\nranks = 4\nstages = 2\nstage = 3\nmicro_batches = 4\nschedule = "zb-h1"\n';
/** Each with what its ranks tell of a step, so that none is another one under its name. */
const STRATEGIES = [
  { strategy: pipeline("gpipe", 3, 'recompute = "except-last"'), ranks: 3, chunks: 1, forwardFirst: true },
  { strategy: pipeline("1f1b", 2), ranks: 2, chunks: 1, forwardFirst: false },
  { strategy: pipeline("interleaved", 2), ranks: 2, chunks: 2 },
  { strategy: pipeline("zb-h1", 4, 'recompute = "always"'), ranks: 4, chunks: 1, forwardFirst: false, halves: true },
  { strategy: 'kind = "zero"\nranks = 2\nstage = 1\n', ranks: 2, chunks: 1 },
  { strategy: 'kind = "zero"\nranks = 3\nstage = 2\n', ranks: 3, chunks: 1 },
  { strategy: 'kind = "zero"\nranks = 4\nstage = 3\nmicro_batches = 3\n', ranks: 4, chunks: 1 },
  { strategy: HYBRID, ranks: 4, chunks: 1, halves: true },
  { strategy: 'kind = "zero"\nranks = 3\nstage = 2\noffload = true\n', ranks: 3, chunks: 1 },
];
/** Layers that ranks share, which those that look up in tables cannot be. */
const SHARED = { strategy: 'kind = "hybrid"\nranks = 4\nstages = 2\ntensor = 2\nmicro_batches = 3\n', ranks: 4, chunks: 1 };
const TABLES = ["row-wise", "table-wise", "column-wise"];
const withTables = (asked, tables) => ({ ...asked, strategy: `${asked.strategy.trimEnd()}\ntables = "${tables}"\n` });
/** Each with how far its metrics may be from one device's, by docs/parallel.md: ranked items may change places. */
const NETWORKS = {
  mlp: { strategies: [...STRATEGIES, SHARED], metric: 2e-4 },
  densenet: { strategies: [...STRATEGIES, SHARED], metric: 2e-4 },
  // Each strategy with one way to divide the tables, stages with replicas with all.
  dlrm: {
    strategies: STRATEGIES.flatMap((asked, at) =>
      (asked.strategy === HYBRID ? TABLES : [TABLES[at % TABLES.length]]).map((tables) => withTables(asked, tables)),
    ),
    metric: 5e-3,
  },
};

let page;
withLab({
  ready: async () => {
    const context = await browser.newContext();
    await overhearTheRunner(context);
    page = await context.newPage();
    await page.goto(lab.link);
    await page.locator(id("run-in-tab")).waitFor();
  },
});

/** Runs it in the tab, and gives what was told; the page shows the metrics of just that. */
async function run(network, strategy) {
  await page.evaluate(() => {
    window.overheard.length = 0;
  });
  await writeSpec(page, `${network}[strategy]\n${strategy}`);
  await page.locator(id("run-in-tab")).click();
  const over = () => window.overheard.find(({ kind }) => kind === "finished" || kind === "failed");
  await page.waitForFunction(over, null, { timeout: 60_000 });
  const events = await page.evaluate(() => window.overheard);
  const last = events.at(-1);
  assert.equal(last.kind, "finished", `${strategy}: ${last.cause}`);
  const told = events.filter(({ kind, message }) => kind === "warning" && message.startsWith("the account of "));
  assert.deepEqual(told, [], strategy);
  const { metrics } = last.summary;
  const shown = ([name, value]) =>
    Number(document.querySelector(`[data-testid="metric-${name.replace("@", "-")}"]`)?.dataset.value) === value;
  for (const metric of Object.entries(metrics)) await page.waitForFunction(shown, metric);
  const measured = events.filter(({ kind, split }) => kind === "metric" && (split === "train" || split === "validation"));
  const curve = measured.map(({ name, split, step, value }) => ({ what: `${name} of ${split}, step ${step}`, value }));
  const passes = events.filter(({ kind, name }) => kind === "span" && /^([FRBIW]\d+|step)$/.test(name));
  return { metrics, curve, passes, training: last.summary.training };
}

/** That the ranks did what this strategy is: `passes` and updates, each rank's in the order of time. */
function didWhatWasAsked(passes, { strategy, ranks, chunks, forwardFirst, halves = false }) {
  const different = (of) => [...new Set(passes.map(of))].sort();
  assert.deepEqual(different(({ rank }) => rank), Array.from({ length: ranks }, (_, rank) => rank), strategy);
  assert.equal(different(({ lane }) => lane).length, chunks, strategy);
  assert.equal(passes.some(({ name }) => name.startsWith("W")), halves, `${strategy}: the halves of backward passes`);
  if (forwardFirst === undefined) return;
  const names = passes.filter(({ rank }) => rank === 0).map(({ name }) => name);
  const step = names.slice(0, names.indexOf("step"));
  const after = step.slice(step.findIndex((name) => !name.startsWith("F")));
  assert.equal(!after.some((name) => name.startsWith("F")), forwardFirst, `${strategy}: ${step.join(" ")}`);
}

for (const [name, { strategies, metric: far }] of Object.entries(NETWORKS)) {
  test(`every strategy ends in the tab with the metrics and the losses of one device: ${name}`, async () => {
    const network = TEXTS[name];
    const alone = await run(network, 'kind = "single"\n');
    for (const asked of strategies) {
      const { strategy } = asked;
      const divided = await run(network, strategy);
      didWhatWasAsked(divided.passes, asked);
      assert.deepEqual(Object.keys(divided.metrics), Object.keys(alone.metrics));
      for (const [metric, value] of Object.entries(alone.metrics)) {
        assert.ok(Math.abs(divided.metrics[metric] - value) < far, `${strategy}, ${metric}: ${divided.metrics[metric]} for ${value}`);
      }
      assert.deepEqual(divided.curve.map(({ what }) => what), alone.curve.map(({ what }) => what), strategy);
      for (const [at, { what, value }] of alone.curve.entries()) {
        assert.ok(Math.abs(divided.curve[at].value - value) < LOSS, `${strategy}, ${what}: ${divided.curve[at].value} for ${value}`);
      }
      assert.equal(divided.training.steps, alone.training.steps, strategy);
      assert.ok(Math.abs(divided.training.final_loss - alone.training.final_loss) < LOSS, strategy);
    }
  });
}
