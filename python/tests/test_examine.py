"""The callers against the real program: `BARTIZAN` names it. Engines that are not installed are skipped."""

import importlib.util
import json
import os
import pickle
import sys
import unittest

import pyarrow as pa

from bartizan_data import BartizanError, Examine

PROGRAM = os.environ["BARTIZAN"]
MAIL = "ann.lee@posteo.org"
TEXTS = ["plain words", f"write to {MAIL} now", None, "more plain words"] * 25


def installed(name):
    return importlib.util.find_spec(name) is not None


def rules(row):
    return [found["rule"] for found in json.loads(row["findings"])]


class Callers(unittest.TestCase):
    def setUp(self):
        self.examine = Examine(text_column="text", program=PROGRAM)

    def check(self, rows):
        """Every row is there in order, with what was found in it."""
        self.assertEqual([row["text"] for row in rows], TEXTS)
        for row in rows:
            found = rules(row["bartizan"])
            self.assertEqual("pii/email" in found, MAIL in (row["text"] or ""), row)

    def test_a_table_has_one_column_more_however_it_is_split(self):
        table = pa.table({"text": TEXTS, "n": list(range(len(TEXTS)))})
        whole = self.examine(table)
        self.check(whole.to_pylist())
        self.assertEqual(whole.schema.field("bartizan").type, Examine.field().type)
        for size in (1, 7, 64):
            parts = [self.examine(table.slice(at, size)) for at in range(0, len(TEXTS), size)]
            self.assertEqual(pa.concat_tables(parts).to_pylist(), whole.to_pylist())

    def test_an_empty_table_and_an_empty_stream_are_none(self):
        empty = self.examine(pa.table({"text": pa.array([], pa.string())}))
        self.assertEqual((empty.num_rows, empty.schema.names), (0, ["text", "bartizan"]))
        self.assertEqual(list(self.examine.batches(iter([]))), [])

    def test_what_the_program_says_is_raised(self):
        with self.assertRaisesRegex(BartizanError, "no row has a column `nothing`"):
            Examine(text_column="nothing", program=PROGRAM)(pa.table({"text": TEXTS}))
        with self.assertRaises(FileNotFoundError):
            Examine(program="/nowhere/bartizan")(pa.table({"text": TEXTS}))

    def test_an_error_of_who_gives_the_batches_is_raised_as_it_is(self):
        def batches(error):
            yield pa.record_batch({"text": TEXTS})
            raise error

        for error in (KeyError("lost"), OSError("timed out"), BrokenPipeError("lost"), pa.ArrowInvalid("lost")):
            with self.assertRaises(type(error)) as raised:
                list(self.examine.batches(batches(error)))
            self.assertIs(raised.exception, error)

    def test_batches_that_do_not_fit_together_are_an_error(self):
        batches = [pa.record_batch({"text": TEXTS}), pa.record_batch({"other": TEXTS})]
        with self.assertRaises(pa.ArrowInvalid):
            list(self.examine.batches(iter(batches)))

    def test_a_caller_can_be_sent_to_a_worker(self):
        again = pickle.loads(pickle.dumps(self.examine))
        self.assertEqual(again.command, self.examine.command)

    @unittest.skipUnless(installed("datasets"), "datasets is not installed")
    def test_datasets(self):
        from datasets import Dataset

        made = Dataset.from_dict({"text": TEXTS}).with_format("arrow").map(self.examine, batched=True, batch_size=7)
        self.check(made.with_format(None).to_list())

    @unittest.skipUnless(installed("ray"), "ray is not installed")
    def test_ray(self):
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            rows = ray.data.from_items([{"n": n, "text": text} for n, text in enumerate(TEXTS)])
            made = rows.repartition(2).map_batches(self.examine, batch_format="pyarrow", batch_size=7)
            self.check(sorted(made.take_all(), key=lambda row: row["n"]))
        finally:
            ray.shutdown()

    @unittest.skipUnless(installed("pyspark"), "pyspark is not installed")
    def test_spark(self):
        from pyspark.sql import SparkSession

        # Workers take another interpreter than this one otherwise.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
        try:
            frame = spark.createDataFrame(list(enumerate(TEXTS)), "n int, text string").repartition(2)
            made = frame.mapInArrow(self.examine.batches, Examine.spark_schema(frame.schema))
            self.check([row.asDict(recursive=True) for row in made.orderBy("n").collect()])
        finally:
            spark.stop()


if __name__ == "__main__":
    unittest.main()
