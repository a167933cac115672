"""One call of the program for each table or stream of batches, over the Arrow IPC stream format."""

import subprocess
import threading

import pyarrow as pa
from pyarrow import ipc

COLUMN = "bartizan"


class BartizanError(RuntimeError):
    """The program refused the batches; the text is what it said."""


class Examine:
    """Adds the column ``bartizan`` to tables.

    It is a function of a table (Ray ``map_batches``, ``datasets.map``) and, as :meth:`batches`, of an iterator of record
    batches (Spark ``mapInArrow``). It holds nothing but names, so it can be sent to workers.

    text_column, output_column, label_column: what columns mean where their names do not say it.
    config: a bartizan.toml that every worker can read.
    program: the program, by name or path.
    """

    def __init__(self, text_column=None, output_column=None, label_column=None, config=None, program="bartizan"):
        self.command = [program, "scan", "data", "--stdin", "arrow", "--stdout", "arrow"]
        for option, value in (
            ("--text-column", text_column),
            ("--output-column", output_column),
            ("--label-column", label_column),
            ("--config", config),
        ):
            if value is not None:
                self.command += [option, str(value)]

    def __call__(self, table):
        """A table with one column more."""
        parts = list(self._run(table.schema, iter(table.to_batches())))
        schema = table.schema.append(self.field())
        return pa.Table.from_batches(parts, parts[0].schema if parts else schema)

    def batches(self, batches):
        """Record batches with one column more, as they come."""
        batches = iter(batches)
        first = next(batches, None)
        if first is None:
            return

        def all_of():
            yield first
            yield from batches

        yield from self._run(first.schema, all_of())

    @staticmethod
    def field():
        """The column that is added."""
        text = pa.string()
        parts = [("verdict", text, False), ("injection", pa.float32(), True), ("findings", text, False)]
        parts.append(("coverage", text, False))
        return pa.field(COLUMN, pa.struct([pa.field(n, t, nullable=null) for n, t, null in parts]), nullable=False)

    @staticmethod
    def spark_schema(schema):
        """A Spark schema with the column that is added."""
        from pyspark.sql.types import FloatType, StringType, StructField, StructType

        parts = [
            StructField("verdict", StringType(), False),
            StructField("injection", FloatType(), True),
            StructField("findings", StringType(), False),
            StructField("coverage", StringType(), False),
        ]
        return StructType(list(schema.fields) + [StructField(COLUMN, StructType(parts), False)])

    def _run(self, schema, batches):
        child = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        said, failed = [], []

        def given():
            # What goes wrong where the batches come from is the caller's, whatever kind of error it is.
            try:
                yield from batches
            except Exception as error:
                failed.append(error)
                raise

        def feed():
            # The program answers while it reads, so what goes in and what comes out must not wait for one another.
            try:
                with child.stdin, ipc.new_stream(child.stdin, schema) as sink:
                    for batch in given():
                        sink.write_batch(batch)
            except BrokenPipeError:
                # It went away; why is on its standard error.
                pass
            except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
                if not failed:
                    failed.append(error)

        def listen():
            with child.stderr:
                said.append(child.stderr.read())

        feeder = threading.Thread(target=feed, daemon=True)
        listener = threading.Thread(target=listen, daemon=True)
        feeder.start()
        listener.start()
        broken = None
        try:
            try:
                with ipc.open_stream(child.stdout) as source:
                    yield from source
            except pa.ArrowInvalid as error:
                broken = error
            child.stdout.close()
            code = child.wait()
            feeder.join()
            listener.join()
            if failed:
                raise failed[0]
            if code not in (0, 1, 3) or broken is not None:
                text = b"".join(said).decode("utf-8", "replace").strip()
                raise BartizanError(text or f"the program ended with exit code {code}") from broken
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
