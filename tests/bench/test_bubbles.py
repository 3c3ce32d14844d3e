"""What holds for the bubbles that `pipelines.py` shows: `make bench-test`, with the program of the last build."""

from __future__ import annotations

import math
import os
import random
import re
import statistics
import unittest
from pathlib import Path
from typing import Any

import bubbles
import pipelines
from bubbles import FORETELL, LAST, TOLD, Judged, Lengths, Shape, Span, Step

RELEASE = Path(os.environ.get("RECSPEED_BIN") or Path(__file__).resolve().parents[2] / "target" / "release")
RECSPEED = RELEASE / "recspeed"
SHAPES = [
    Shape(schedule, ranks, pipelines.CHUNKS.get(schedule, 1), micro_batches)
    for schedule in pipelines.SCHEDULES
    for ranks in (2, 3)
    for micro_batches in (1, 3, 6)
]


# Of what is drawn for a stage, and how its spans are named.
MESSAGES = {
    "send_activation_us": "send ",
    "send_gradient_us": "send slope ",
    "receive_activation_us": "receive ",
    "receive_gradient_us": "receive slope ",
}


def drawn(shape: Shape, luck: random.Random) -> Lengths:
    """Other whole microseconds for each stage; the ends of the pipeline send and receive one way only."""
    last = shape.ranks * shape.chunks - 1
    return [
        {
            "forward_us": luck.randint(50, 150),
            "backward_input_us": luck.randint(50, 150),
            "backward_weight_us": luck.randint(50, 150),
            "send_activation_us": luck.randint(1, 20) if stage < last else 0,
            "send_gradient_us": luck.randint(1, 20) if stage > 0 else 0,
            "receive_activation_us": luck.randint(1, 20) if stage > 0 else 0,
            "receive_gradient_us": luck.randint(1, 20) if stage < last else 0,
        }
        for stage in range(last + 1)
    ]


def as_simulated(shape: Shape, lengths: Lengths) -> tuple[float, Step]:
    """The bubble of a plan with these lengths, and a step that went as it says."""
    plan = bubbles.simulated(RECSPEED, shape, lengths)
    step = [
        Span(span["rank"], span["chunk"], f"{span['name']}{span['micro_batch']}", span["start"], span["end"])
        for span in plan["spans"]
    ]
    # A plan draws no messages. Of those of a step only the lengths count: all are sent at once, and asked for later.
    for stage, of in enumerate(lengths):
        for key, name in MESSAGES.items():
            start = 1000 if name.startswith("receive") else 0
            for at in range(shape.micro_batches if of[key] else 0):
                place = (stage % shape.ranks, stage // shape.ranks)
                step.append(Span(*place, f"{name}{at}", start, start + of[key]))
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
            told += [event(rank, "0", "load0", 0, 1), event(rank, "0", "reduce", 0, 1)]
            told.append(event(rank, "0", "step", 0, 1))
    return told


def one_pass(us: float) -> Step:
    return [Span(0, 0, "F0", 0, us), Span(0, 0, "B0", us, 3 * us)]


def forward_us(lengths: Lengths) -> float:
    return lengths[0]["forward_us"]


ALONE = Shape("gpipe", 1, 1, 1)


class Forecasts(unittest.TestCase):
    def test_a_forecast_from_the_very_same_lengths_is_the_replay_and_of_ranks_that_keep_to_it_the_measured_bubble(
        self,
    ) -> None:
        self.assertTrue(RECSPEED.exists(), f"{RECSPEED}: build it with `make build`, or set RECSPEED_BIN")
        luck = random.Random(4)
        for shape in SHAPES:
            with self.subTest(shape):
                planned, step = as_simulated(shape, drawn(shape, luck))
                run = [later(step, 1e6 * at) for at in range(FORETELL + 2)]
                found = bubbles.of_run(bubbles.steps(events(run)), shape, pipelines.simulation(RECSPEED, shape))
                self.assertEqual(len(found.measured), 2)
                self.assertEqual(found.replayed, [found.foretold] * 2)
                for share in [*found.replayed, *found.measured]:
                    self.assertAlmostEqual(share, planned, 9)

    def test_the_lengths_of_later_steps_are_no_part_of_the_forecast(self) -> None:
        for of_later in (1, 7):
            run = [one_pass(2)] * FORETELL + [one_pass(of_later)] * 2
            found = bubbles.of_run(run, ALONE, forward_us)
            self.assertEqual((found.foretold, found.replayed), (2, [of_later] * 2))

    def test_one_step_that_something_held_up_moves_no_forecast(self) -> None:
        for held_up in range(FORETELL):
            run = [one_pass(900 if at == held_up else 2 + at % 2) for at in range(FORETELL)] + [one_pass(3)]
            lengths = bubbles.of_run(run, ALONE, forward_us).lengths
            self.assertIn(forward_us(lengths), (2, 3), "of a step that was not held up")

    def test_the_first_steps_that_are_told_foretell_the_others_and_none_itself(self) -> None:
        told = [one_pass(at + 1) for at in range(TOLD)]
        self.assertEqual(bubbles.picked(told), (told[:5], told[5:]))
        self.assertEqual(len(bubbles.picked(told).measured), 14, "steps 7 to 20")
        for few in (0, FORETELL):
            with self.assertRaisesRegex(RuntimeError, f"told {few} steps to their end, and 5 foretell"):
                bubbles.picked(told[:few])

    def test_a_plan_is_calibrated_by_other_numbers_of_micro_batches_alone(self) -> None:
        def took(micro_batches: int) -> float:
            return 30 + 4000 / micro_batches

        def known(of: float) -> dict[int, Lengths]:
            return {at: [{"forward_us": of if at == 4 else took(at)}] for at in pipelines.SWEEP}

        for own in (1, 1e6):
            self.assertAlmostEqual(forward_us(bubbles.calibrated(4, known(own))), took(4), 6)
        # Beyond the ends of the sweep, too, and never below nothing.
        for at in (1, 32):
            self.assertAlmostEqual(forward_us(bubbles.calibrated(at, known(took(4)))), took(at), 6)
        steep = {8: [{"forward_us": 90.0}], 16: [{"forward_us": 1.0}]}
        self.assertEqual(forward_us(bubbles.calibrated(32, steep)), 0)
        with self.assertRaisesRegex(RuntimeError, "two other numbers"):
            bubbles.calibrated(8, steep)

    def test_a_table_calibrates_a_pipeline_by_the_same_schedule_ranks_and_stages(self) -> None:
        shapes = [shape for at in pipelines.SWEEP for shape in pipelines.shapes(at, [2, 4])]

        def took(shape: Shape) -> float:
            of_its_kind = 1000 * shape.ranks + 100 * pipelines.SCHEDULES.index(shape.schedule)
            return of_its_kind + 64 / shape.micro_batches

        def row(shape: Shape) -> pipelines.Row:
            return pipelines.Row(1, 1, 0, 0, 0, 0, (0, 0), [{"forward_us": took(shape)}])

        rows = {shape: row(shape) for shape in shapes}
        found = pipelines.calibrated(rows, lambda _, lengths: forward_us(lengths))
        for shape in shapes:
            self.assertAlmostEqual(found[shape], took(shape), 6)


class Steps(unittest.TestCase):
    def test_a_step_has_the_passes_and_sends_of_all_ranks_until_their_updates(self) -> None:
        shape = Shape("interleaved", 2, 2, 2)
        _, step = as_simulated(shape, drawn(shape, random.Random(1)))
        told = bubbles.steps(events([step, later(step, 1e6)]))
        self.assertEqual([sorted(one) for one in told], [sorted(step), sorted(later(step, 1e6))])
        self.assertEqual(bubbles.steps([{"kind": "log"}]), [])

    def test_a_receive_takes_as_long_as_its_message_was_there_and_asked_for(self) -> None:
        shape = Shape("1f1b", 2, 1, 3)
        step = [
            # Rank 1 waits for the first and asks late for the second; the third was there before its send had ended.
            Span(0, 0, "send 0", 10, 14),
            Span(0, 0, "send 1", 20, 24),
            Span(0, 0, "send 2", 60, 69),
            Span(1, 0, "receive 0", 5, 17),
            Span(1, 0, "receive 1", 40, 42),
            Span(1, 0, "receive 2", 50, 66),
            Span(1, 0, "send slope 0", 30, 31),
            Span(0, 0, "receive slope 0", 25, 35),
        ]
        took = bubbles.taken(step, shape)
        self.assertEqual(took[1, "receive"], [3, 2, 0])
        self.assertEqual(took[0, "receive slope"], [4])
        self.assertEqual((took[0, "send"], took[1, "send slope"]), ([4, 4, 9], [1]))
        # The third stage of two ranks is the second one of the first rank.
        chunks = [Span(0, 1, "receive 0", 0, 9), Span(1, 0, "send 0", 2, 6), Span(1, 1, "send 0", 0, 8)]
        self.assertEqual(bubbles.taken(chunks, Shape("interleaved", 2, 2, 1))[2, "receive"], [3])

    def test_a_step_that_one_rank_did_not_end_is_left_out(self) -> None:
        run = events([[*one_pass(1), Span(1, 0, "F0", 1, 2)]] * 2)
        self.assertEqual(len(bubbles.steps(run)), 2)
        self.assertEqual(len(bubbles.steps(run[:-1])), 1)


class Counting(unittest.TestCase):
    def test_near_is_a_tenth_of_what_was_simulated_however_short_the_bubble_is(self) -> None:
        for simulated, measured, expected in [
            (0.20, 0.22, True),
            (0.20, 0.2201, False),
            (0.20, 0.18, True),
            (0.20, 0.1799, False),
            # Of the measured one it would be a tenth.
            (0.18, 0.20, False),
            (0.01, 0.011, True),
            (0.01, 0.0112, False),
            (0.0, 0.0, True),
            (0.0, 0.0001, False),
            # As they are shown: 20.00 % and 22.00 %.
            (0.2, 0.22004, True),
        ]:
            with self.subTest(simulated=simulated, measured=measured):
                self.assertEqual(bubbles.near(simulated, measured), expected)
                self.assertEqual(bubbles.apart(simulated, measured) <= 0.1, expected)
        self.assertEqual(bubbles.apart(0.0, 0.01), math.inf)

    def test_each_simulated_bubble_is_counted_and_every_miss_of_the_forecast_is_named_with_its_reason(self) -> None:
        words = bubbles.counted(
            [
                Judged("a", planned=0.1, calibrated=0.19, foretold=0.2, replayed=0.2, measured=0.2),
                Judged("b", planned=0.2, calibrated=0.2, foretold=0.15, replayed=0.2, measured=0.2),
                Judged("c", planned=0.1, calibrated=0.1, foretold=0.26, replayed=0.1, measured=0.2),
                Judged("d", planned=0.1, calibrated=0.2, foretold=0.2, replayed=0.1, measured=0.2),
            ]
        )
        head, drifted, uneven = words.split("\n\n")
        self.assertIn("the planned one in 1, of the calibrated one in 3, of the foretold one in 2 and of", head)
        self.assertIn("the replayed one in 2 of 4 rows", head)
        self.assertTrue(drifted.endswith("(the replay is near): b (+5.00 points)."), drifted)
        self.assertTrue(uneven.endswith("(the replay misses, too): c (-6.00 points)."), uneven)

    def test_half_of_all_steps_lie_in_the_spread(self) -> None:
        shares = [float(at) for at in range(42)]
        random.Random(3).shuffle(shares)
        low, high = bubbles.middle(shares)
        self.assertLess(low, statistics.median(shares))
        inside = sum(low <= share <= high for share in shares)
        self.assertTrue(20 <= inside <= 22, inside)
        self.assertEqual(bubbles.middle([0.5]), (0.5, 0.5))


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

    def test_every_pipeline_is_held_against_one_rank_with_whole_batches_too(self) -> None:
        any_row = pipelines.Row(0.0, 0.0, 0.1, 0.1, 0.1, 0.1, (0.1, 0.1), [])
        rows = {
            Shape("zb-h1", 2, 1, 32): any_row._replace(alone=12.0, fit=5.0),
            Shape("gpipe", 2, 1, 1): any_row._replace(alone=4.0, fit=4.0),
        }
        self.assertEqual(pipelines.of_whole_batches(rows), 4.0)
        whole = pipelines.HEAD.index("against one rank with whole batches")
        cut = pipelines.HEAD.index("against one rank, the same micro-batches")
        lines = pipelines.lines_of(rows, dict.fromkeys(rows, 0.1))
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        self.assertEqual([line[1] for line in cells], ["gpipe", "zb-h1"])
        # Slower than one rank alone, though 2.4 times as fast as one that cuts its batches in 32.
        self.assertEqual([(line[whole], line[cut]) for line in cells], [("1.00", "1.00"), ("0.80", "2.40")])
        self.assertEqual(pipelines.lines_of({}, {}), [])

    def test_a_line_has_as_many_cells_as_the_head(self) -> None:
        row = pipelines.Row(4.0, 2.0, 0.241, 0.2405, 0.24, 0.251, (0.2449, 0.26), [])
        line = pipelines.line(Shape("gpipe", 2, 1, 4), row, 3.0, 0.239)
        self.assertEqual(
            line,
            "| 2 | gpipe | 4 | 4.00 s | 2.00 s | 1.50 | 2.00 | 24.10 % | 23.90 % | 24.05 % "
            "| 25.10 % (24.49 % to 26.00 %) | +1.05 points | 4.4 % | 24.00 % |",
        )
        self.assertEqual(line.count("|"), len(pipelines.HEAD) + 1)

    def test_a_row_has_the_medians_of_all_rounds_and_of_all_steps(self) -> None:
        def found(foretold: float, measured: list[float]) -> bubbles.Bubbles:
            return bubbles.Bubbles(foretold, [foretold + 1], measured, [{"forward_us": foretold}])

        row = pipelines.row(9.0, [3.0, 1.0, 2.0], 0.5, [found(7, [1, 2]), found(1, [3]), found(3, [4, 50])])
        self.assertEqual((row.fit, row.planned, row.foretold, row.replayed, row.measured), (2, 0.5, 3, 4, 3))
        self.assertEqual((row.spread, row.lengths), ((2, 4), [{"forward_us": 3}]))

    def test_the_legend_names_the_steps_that_foretell_and_that_are_measured(self) -> None:
        for words in ("medians of steps 2 to 6 of the run", "median of steps 7 to 20 of all rounds"):
            self.assertIn(words, pipelines.legend())

    def test_every_step_that_is_told_has_a_whole_batch(self) -> None:
        learnt = pipelines.SIZES["rows"] * 4 // 5
        self.assertGreaterEqual(learnt // pipelines.SIZES["batch"], LAST)

    def test_one_pattern_measures_pipelines_and_replicas_of_every_kind_in_one_go(self) -> None:
        pattern = re.compile("^Pipelines|^Replicas")
        titles = [title for title, _ in pipelines.sections(RELEASE, 1)]
        self.assertEqual([title for title in titles if pattern.search(title)], titles)
        self.assertEqual(list(pipelines.REPLICAS), ["data parallel", "ZeRO 1", "ZeRO 2", "ZeRO 3"])


if __name__ == "__main__":
    unittest.main()
