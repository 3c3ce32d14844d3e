// The web worker around the runner. The page posts { spec, run, upload?: ArrayBuffer, name?: string }; every message back is
// one event as JSON text. `runner.js` beside this file is made by wasm-bindgen.
import init, { run } from "./runner.js";

const ready = init();

// A failed load, or a trap in the middle of a run, is thrown where the page's `onerror` hears it: a rejected promise would
// stay in here. After a trap the instance is broken, and the page starts another worker.
const report = (error) => setTimeout(() => { throw error; });

let turn = ready;

self.onmessage = ({ data }) => {
  const { spec, run: id, upload, name } = data;
  turn = turn.then(() => run(id, spec, upload ? new Uint8Array(upload) : undefined, name)).catch(report);
};
