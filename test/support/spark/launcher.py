"""A Spark Thrift server with Delta and an in-memory catalog, for tests. It ends when its owner does.

Its working folder is its own and goes with it. argv: port, warehouse folder, jars joined by ":", pid of the owner (0: nobody).
"""

import os
import shutil
import signal
import sys
import threading
import time

from pyspark import SparkContext
from pyspark.sql import SparkSession

port, warehouse, jars, owner = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        return True


def end(*_):
    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.proc.kill()
        gateway.proc.wait(10)
    shutil.rmtree(os.getcwd(), ignore_errors=True)
    # Whatever else is in the process group: nothing of it may stay.
    os.killpg(os.getpgrp(), signal.SIGKILL)


def watch():
    while alive(owner):
        time.sleep(0.5)
    end()


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
if owner:
    threading.Thread(target=watch, daemon=True).start()

settings = {
    # Not spark.jars: with that the HTTP threads do not see Delta.
    "spark.driver.extraClassPath": jars,
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.hadoop.hive.server2.transport.mode": "http",
    "spark.hadoop.hive.server2.thrift.http.port": port,
    "spark.hadoop.hive.server2.thrift.http.path": "cliservice",
    # How long an answer to "how does it stand?" waits for a change; a cancellation is asked about right before it is sent on.
    "spark.hadoop.hive.server2.long.polling.timeout": "200ms",
    # Without it every parameter marker fails: Delta's parser drops the parameters of Spark 4.1.
    "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    # For a few rows, compiling the Java of a statement costs more than running it: what was compiled is kept.
    "spark.sql.codegen.cache.maxEntries": "2000",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.warehouse.dir": warehouse,
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # With one tier alone the JVM keeps 48 MB for code: once full, it compiles nothing any more, and calls fail in the middle of Spark.
    # The collector for two cores; and no collection of the whole heap whenever some more classes were loaded.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC "
    "-XX:MetaspaceSize=512m -Duser.timezone=UTC",
}
builder = SparkSession.builder.master("local[2]").appName("factory-tests")
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
spark._jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2.startWithContext(
    spark._jsparkSession.sqlContext()
)
print("ready", flush=True)
while True:
    signal.pause()
