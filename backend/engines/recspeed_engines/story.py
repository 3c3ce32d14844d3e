"""What an engine says while it works: one event a line, as the lab's own worker does.

The last word is `checkpoint` (the file with the trained weights) or `failed`. Exit status: 0 done, 1 a mistake of the
engine, 2 invalid spec, 3 out of memory, 4 unreadable data, 5 diverged, 130 cancelled.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TextIO

EXIT = {"invalid-spec": 2, "out-of-memory": 3, "data": 4, "diverged": 5, "cancelled": 130}
# Points of a loss curve, as many as the lab's own training tells.
POINTS = 200
# A run that was told to stop leaves within five seconds, whatever its framework is doing.
GRACE_S = 4.5
# A training that is slow says so this often: whoever listens takes a long silence for a hang.
BEAT_S = 60.0
# What an engine imports that is none without it, where that is not called as the engine is.
FRAMEWORK = {"pytorch": "torch"}
# Names the process that started this one.
PARENT = "RECSPEED_PARENT"


class Cancelled(BaseException):
    """SIGTERM or SIGINT came. No `Exception`: a framework must not swallow it."""


class Diverged(Exception):
    """The loss is no finite number."""


class Story:
    """Numbers the events and writes them."""

    def __init__(self, run: str, out: TextIO) -> None:
        self._run = run
        self._out = out
        self._seq = 0
        self._begun = time.monotonic()
        self._last_word = self._begun
        self._done = 0
        # A timer's thread may speak too.
        self._lock = threading.Lock()
        self._over = False

    def now_us(self) -> int:
        return int((time.monotonic() - self._begun) * 1e6)

    def tell(self, kind: str, **fields: Any) -> None:
        with self._lock:
            if self._over:
                return
            self._over = kind == "failed"
            self._last_word = time.monotonic()
            event = {"run": self._run, "seq": self._seq, "at_us": self.now_us(), "kind": kind, **fields}
            self._seq += 1
            # Python would write NaN, which is no JSON.
            print(json.dumps(event, allow_nan=False), file=self._out, flush=True)

    def silent_s(self) -> float:
        """Seconds since the last event."""
        return time.monotonic() - self._last_word

    def progress(self, done: int, total: int) -> None:
        """Batches learnt from; one who tells of fewer than were told already came late, and is not heard."""
        if done >= self._done:
            self._done = done
            self.tell("progress", done=done, total=total, unit="batches")

    @contextmanager
    def beating(self, done: Callable[[], int], total: int, every_s: float = BEAT_S) -> Iterator[None]:
        """Tells of the work inside, which itself tells little: as long as it goes forward, and only then."""
        over = threading.Event()

        def beat() -> None:
            seen = self._done
            while not over.wait(every_s):
                now = done()
                if now > seen and self.silent_s() >= every_s:
                    self.progress(now, total)
                seen = now

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join()

    def fail(self, code: str, cause: str, detail: str = "") -> int:
        """The last event; what the process ends with."""
        print(f"recspeed_engines: {cause}", file=sys.stderr, flush=True)
        self.tell("failed", code=code, cause=cause, detail=detail)
        return EXIT.get(code, 1)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Tells how long the work inside has taken, once it is done."""
        start = self.now_us()
        yield
        taken = self.now_us() - start
        self.tell("span", rank=0, lane="engine", name=name, start_us=start, duration_us=taken)

    def memory(self, parameters: int, moments: int, peak: int | None = None) -> None:
        """Bytes of the parameters, and what the system says of the process; `moments` are kept for each parameter.

        `peak` is the most that a rank's process has held, where there are several.
        """
        weights = 4 * parameters
        self.tell(
            "memory",
            rank=0,
            parameters=weights,
            gradients=weights,
            optimizer=moments * weights,
            buffers=0,
            allocator_total=resident_bytes(),
            peak=peak_bytes() if peak is None else peak,
        )


class Silence(Story):
    """For a training that nobody shall hear of."""

    def __init__(self) -> None:
        super().__init__("silence", sys.stderr)

    def tell(self, kind: str, **fields: Any) -> None:
        """Nothing."""


class Curve:
    """The loss curve: each point is the mean over a window of batches, about 200 a run, as the lab's own."""

    def __init__(self, story: Story, epochs: int, batches: int) -> None:
        self._story = story
        self._batches = batches
        self.total = epochs * batches
        self.stride = max(1, -(-self.total // POINTS))
        self.step = 0
        self._window = [0.0, 0]
        self._epoch = [0.0, 0]
        self.last_epoch_loss = 0.0

    def batch(self, loss: float, rows: int) -> None:
        """The loss of the batch that has been learnt from."""
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {loss} at step {self.step + 1}")
        self.step += 1
        for mean in (self._window, self._epoch):
            mean[0] += loss * rows
            mean[1] += rows
        if self.step % self.stride == 0 or self.step == self.total:
            self._metric("loss", self._window[0] / self._window[1])
            self._window = [0.0, 0]
            self._story.progress(self.step, self.total)
        elif self._story.silent_s() >= BEAT_S:
            self._story.progress(self.step, self.total)

    def epoch(self) -> None:
        """The end of an epoch whose batches were told one by one."""
        self.last_epoch_loss = self._epoch[0] / max(1.0, self._epoch[1])
        self._epoch = [0.0, 0]
        self._metric("epoch-loss", self.last_epoch_loss)

    def whole_epoch(self, loss: float) -> None:
        """An epoch of which the framework tells nothing but its mean loss."""
        if not math.isfinite(loss):
            raise Diverged(f"the mean loss of the epoch up to step {self.step + self._batches} became {loss}")
        self.step += self._batches
        self.last_epoch_loss = loss
        for name in ("loss", "epoch-loss"):
            self._metric(name, loss)
        self._story.progress(self.step, self.total)

    def _metric(self, name: str, value: float) -> None:
        epoch = self.step / self._batches
        self._story.tell("metric", name=name, split="train", step=self.step, epoch=epoch, value=value)


def resident_bytes() -> int:
    """Bytes that this process holds now; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def listen(story: Story) -> None:
    """From here on SIGTERM or SIGINT raises `Cancelled`; where nobody notices in time, the process ends itself."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        # Once: Ctrl-C in a terminal reaches this process itself and then again by its worker, and a second one would be
        # raised in the midst of telling of the first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        timer = threading.Timer(GRACE_S, leave, [story])
        timer.daemon = True
        timer.start()
        raise Cancelled

    follow()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def follow() -> None:
    """From here on the process ends once whoever started it is gone: nobody would hear of its end."""
    parent = os.getppid()
    if is_orphan(parent, os.environ.get(PARENT, "")):
        os._exit(EXIT["cancelled"])
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def is_orphan(parent: int, named: str) -> bool:
    """Whether the starter, if it has named itself, was gone before anybody looked: then `parent` took its place.

    A program between the two, as a script that starts Python, is a parent too.
    """
    if not named.isdecimal() or int(named) == parent:
        return False
    try:
        os.kill(int(named), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(EXIT["cancelled"])


def unusable(engine: str, error: Exception) -> tuple[str, str]:
    """Why an engine cannot be imported, with what mends that; and the error itself, for engineers."""
    remedy = f"recspeed engines install {engine}"
    # The lab starts only what it has a record of: what one of those lacks is gone since.
    is_missing = isinstance(error, ModuleNotFoundError) and error.name == FRAMEWORK.get(engine, engine)
    if is_missing and PARENT not in os.environ:
        return f"The engine {engine} is not installed here; run `{remedy}`.", str(error)
    why = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return (
        f"The engine {engine} cannot be imported: {why}; run `{remedy}`, which mends an environment of the lab's own, "
        f"or mend yours: {sys.prefix}.",
        f"{type(error).__name__}: {error}",
    )


def leave(story: Story) -> None:
    os._exit(cancelled(story))


def cancelled(story: Story) -> int:
    return story.fail("cancelled", "The run was cancelled before it finished; run it again to get a result.")
