// The web worker around the runner. The page posts { spec, run, version?: string, upload?: ArrayBuffer, name?: string }; every
// message back is one event as JSON text. { check, upload } reads a file that is written as `check` says; the one message back is { refusal }, undefined
// where it can be read. { retrieval, columns: [4 × ArrayBuffer] } reads ratings back from plain columns, for the study of that
// name; the one message back is { retrieved } as JSON text. { asked, run, question?: string } asks the model of a run that has finished
// here, the last one: the one message back is { asked, reply }, the number as it came and JSON text. `runner.js` beside this file is made by wasm-bindgen.
import init, { ask, check, retrieve, run } from "./runner.js";

const ready = init();

// A failed load, or a trap in the middle of a run, is thrown where the page's `onerror` hears it: a rejected promise would
// stay in here. After a trap the instance is broken, and the page starts another worker.
const report = (error) => setTimeout(() => { throw error; });

let turn = ready;

self.onmessage = ({ data }) => {
  const { spec, run: id, version, upload, name, check: format, retrieval, columns, asked, question } = data;
  const file = upload ? new Uint8Array(upload) : undefined;
  const work = format
    ? () => self.postMessage({ refusal: check(format, file) })
    : retrieval
      ? () => self.postMessage(retrieve(retrieval, ...columns.map((column) => new Uint8Array(column))))
      : asked
        ? () => self.postMessage({ asked, reply: ask(id, question) })
        : () => run(id, spec, file, name, version);
  turn = turn.then(work).catch(report);
};
