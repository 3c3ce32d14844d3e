"""What holds for the bubbles that `pipelines.py` shows: `make bench-test`, with the program of the last build."""

from __future__ import annotations

import os
import random
import unittest
from pathlib import Path
from typing import Any

import bubbles
import pipelines
from bubbles import Shape, Span, Step

RELEASE = Path(os.environ.get("RECSPEED_BIN") or Path(__file__).resolve().parents[2] / "target" / "release")
RECSPEED = RELEASE / "recspeed"
SHAPES = [
    Shape(schedule, ranks, pipelines.CHUNKS.get(schedule, 1), micro_batches)
    for schedule in pipelines.SCHEDULES
    for ranks in (2, 3)
    for micro_batches in (1, 3, 6)
]


def drawn(shape: Shape, luck: random.Random) -> list[dict[str, float]]:
    """Other whole microseconds for each stage; the ends of the pipeline send one way only."""
    stages = shape.ranks * shape.chunks
    return [
        {
            "forward_us": luck.randint(50, 150),
            "backward_input_us": luck.randint(50, 150),
            "backward_weight_us": luck.randint(50, 150),
            "send_activation_us": luck.randint(1, 20) if stage + 1 < stages else 0,
            "send_gradient_us": luck.randint(1, 20) if stage > 0 else 0,
        }
        for stage in range(stages)
    ]


def as_simulated(shape: Shape, lengths: list[dict[str, float]]) -> tuple[float, Step]:
    """The bubble of a plan with these lengths, and a step that went as it says."""
    plan = bubbles.simulated(RECSPEED, shape, lengths)
    step = [
        Span(span["rank"], span["chunk"], f"{span['name']}{span['micro_batch']}", span["start"], span["end"])
        for span in plan["spans"]
    ]
    # A plan draws no sends. Of those of a step only the lengths count.
    for stage, of in enumerate(lengths):
        for name, key in (("send ", "send_activation_us"), ("send slope ", "send_gradient_us")):
            sends = range(shape.micro_batches if of[key] else 0)
            step += [Span(stage % shape.ranks, stage // shape.ranks, f"{name}{at}", 0, of[key]) for at in sends]
    return plan["bubble"], step


def later(step: Step, us: float) -> Step:
    return [span._replace(start=span.start + us, end=span.end + us) for span in step]


def events(steps: list[Step]) -> list[dict[str, Any]]:
    """As the worker tells them: rank by rank, an update at the end of each step, and what is no pass among them."""

    def event(rank: int, lane: str, name: str, start: float, end: float) -> dict[str, Any]:
        return {
            "kind": "span",
            "rank": rank,
            "lane": lane,
            "name": name,
            "start_us": start,
            "duration_us": end - start,
        }

    told = [{"kind": "log"}, event(0, "run", "fit", 0, 9)]
    for rank in sorted({span.rank for step in steps for span in step}):
        for step in steps:
            told += [event(rank, str(s.chunk), s.name, s.start, s.end) for s in step if s.rank == rank]
            told += [event(rank, "0", "receive 0", 0, 1), event(rank, "0", "reduce", 0, 1)]
            told.append(event(rank, "0", "step", 0, 1))
    return told


def one_pass(us: float) -> Step:
    return [Span(0, 0, "F0", 0, us), Span(0, 0, "B0", us, 3 * us)]


class Forecasts(unittest.TestCase):
    def test_a_forecast_from_the_very_same_lengths_is_the_replay_and_of_ranks_that_keep_to_it_the_measured_bubble(
        self,
    ) -> None:
        self.assertTrue(RECSPEED.exists(), f"{RECSPEED}: build it with `make build`, or set RECSPEED_BIN")
        luck = random.Random(4)
        for shape in SHAPES:
            with self.subTest(shape):
                planned, step = as_simulated(shape, drawn(shape, luck))
                run = [step, later(step, 1e6), later(step, 2e6)]
                found = bubbles.of_run(bubbles.steps(events(run)), pipelines.simulation(RECSPEED, shape))
                self.assertEqual(len(found.measured), 2)
                self.assertEqual(found.replayed, [found.foretold] * 2)
                for share in [*found.replayed, *found.measured]:
                    self.assertAlmostEqual(share, planned, 9)

    def test_the_lengths_of_later_steps_are_no_part_of_the_forecast(self) -> None:
        for of_later in (1, 7):
            run = [one_pass(2), one_pass(of_later), one_pass(of_later)]
            found = bubbles.of_run(run, lambda step: step[0].end)
            self.assertEqual((found.foretold, found.replayed), (2, [of_later] * 2))

    def test_the_first_step_that_is_told_foretells_the_others_and_no_step_itself(self) -> None:
        first, second, third = one_pass(1), one_pass(2), one_pass(3)
        self.assertEqual(bubbles.picked([first, second, third]), (first, [second, third]))
        self.assertEqual(bubbles.picked([first, second]), (first, [second]))
        self.assertEqual(bubbles.picked([first]), (None, [first]))
        with self.assertRaisesRegex(RuntimeError, "no step to its end"):
            bubbles.picked([])

    def test_of_too_few_steps_nothing_is_foretold_and_the_table_says_so(self) -> None:
        found = bubbles.of_run([one_pass(1)], lambda _: 0.25)
        self.assertEqual((found.foretold, found.replayed, found.measured), (None, [0.25], [0.0]))
        row = pipelines.row(2.0, [1.0], 0.5, [found])
        line = pipelines.line(Shape("gpipe", 2, 1, 1), row, 2.0)
        self.assertIn("| 50.0 % | none: one step told | 25.0 % | 0.0 % |", line)
        words = bubbles.counted([(0.2, None, 0.2), (0.2, 0.3, 0.2)])
        self.assertIn("the planned one in 2 of 2 rows and the foretold one in 0 of 1.", words)
        self.assertTrue(words.endswith("whose runs told one step only: 1."), words)


class Steps(unittest.TestCase):
    def test_a_step_has_the_passes_and_sends_of_all_ranks_until_their_updates(self) -> None:
        shape = Shape("interleaved", 2, 2, 2)
        _, step = as_simulated(shape, drawn(shape, random.Random(1)))
        told = bubbles.steps(events([step, later(step, 1e6)]))
        self.assertEqual([sorted(one) for one in told], [sorted(step), sorted(later(step, 1e6))])
        self.assertEqual(bubbles.steps([{"kind": "log"}]), [])

    def test_a_step_that_one_rank_did_not_end_is_left_out(self) -> None:
        run = events([[*one_pass(1), Span(1, 0, "F0", 1, 2)]] * 2)
        self.assertEqual(len(bubbles.steps(run)), 2)
        self.assertEqual(len(bubbles.steps(run[:-1])), 1)


class Counting(unittest.TestCase):
    def test_near_is_a_tenth_of_what_was_measured_or_a_point_of_a_short_bubble(self) -> None:
        for forecast, measured, expected in [
            (0.22, 0.20, True),
            (0.221, 0.20, False),
            (0.18, 0.20, True),
            (0.179, 0.20, False),
            (0.02, 0.03, True),
            (0.041, 0.03, False),
            (0.0, 0.01, True),
            (0.039, 0.049, True),
            (0.055, 0.05, True),
            (0.056, 0.05, False),
            # As they are shown: 22.0 % of 20.0 %, and 5.0 %, which is no bubble below 5 %.
            (0.22049, 0.2, True),
            (0.0406, 0.0496, False),
        ]:
            with self.subTest(forecast=forecast, measured=measured):
                self.assertEqual(bubbles.near(forecast, measured), expected)


class Table(unittest.TestCase):
    def test_every_schedule_stands_in_it_on_every_number_of_ranks_that_sixteen_cores_have(self) -> None:
        for micro_batches in pipelines.SWEEP:
            shapes = pipelines.shapes(micro_batches, pipelines.RANKS)
            stands = {(shape.schedule, shape.ranks) for shape in shapes}
            ranks = [ranks for ranks in pipelines.RANKS if ranks in (2, *range(micro_batches + 1))]
            self.assertEqual(stands, {(schedule, of) for schedule in pipelines.SCHEDULES for of in ranks})
            for shape in shapes:
                self.assertEqual(shape.chunks, 2 if shape.schedule == "interleaved" else 1)

    def test_interleaved_stages_on_eight_ranks_can_be_planned(self) -> None:
        for micro_batches in (8, 32):
            shape = Shape("interleaved", 8, 2, micro_batches)
            self.assertIn(shape, pipelines.shapes(micro_batches, pipelines.RANKS))
            self.assertGreater(pipelines.planned(RECSPEED, pipelines.STAGES.format(**shape._asdict())), 0)

    def test_a_line_has_as_many_cells_as_the_head(self) -> None:
        line = pipelines.line(Shape("gpipe", 2, 1, 4), pipelines.Row(4.0, 2.0, 0.241, 0.2405, 0.24, 0.251), 3.0)
        self.assertEqual(line, "| 2 | gpipe | 4 | 4.00 s | 2.00 s | 1.50 | 2.00 | 24.1 % | 24.0 % | 24.0 % | 25.1 % |")
        self.assertEqual(line.count("|"), len(pipelines.HEAD) + 1)

    def test_every_pipeline_is_held_against_one_rank_with_whole_batches_too(self) -> None:
        bubbles_of_any = (0.1, 0.1, 0.1, 0.1)
        rows = {
            Shape("zb-h1", 2, 1, 32): pipelines.Row(12.0, 5.0, *bubbles_of_any),
            Shape("gpipe", 2, 1, 1): pipelines.Row(4.0, 4.0, *bubbles_of_any),
        }
        self.assertEqual(pipelines.of_whole_batches(rows), 4.0)
        whole = pipelines.HEAD.index("against one rank with whole batches")
        cut = pipelines.HEAD.index("against one rank, the same micro-batches")
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in pipelines.lines_of(rows)]
        self.assertEqual([line[1] for line in cells], ["gpipe", "zb-h1"])
        # Slower than one rank alone, though 2.4 times as fast as one that cuts its batches in 32.
        self.assertEqual([(line[whole], line[cut]) for line in cells], [("1.00", "1.00"), ("0.80", "2.40")])
        self.assertEqual(pipelines.lines_of({}), [])

    def test_the_legend_names_the_steps_that_are_measured(self) -> None:
        for last, words in [(5, "of steps 3 to 5"), (3, "of step 3"), (2, "of step 2")]:
            self.assertIn(f"*Measured*: {words}. ", pipelines.legend(last))


if __name__ == "__main__":
    unittest.main()
