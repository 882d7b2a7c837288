"""What the official SDK makes of files and variables. Reads cases as JSON on stdin, prints the answers as JSON."""

import json
import os
import sys

from databricks.sdk.core import Config

base = dict(os.environ)
answers = []
for case in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(base)
    os.environ.update(case["variables"])
    arguments = {"retry_timeout_seconds": 5}
    if case["profile"]:
        arguments["profile"] = case["profile"]
    try:
        config = Config(**arguments)
        answers.append({"authType": config.auth_type, "host": config.host})
    except Exception as error:
        answers.append({"error": str(error)})
print(json.dumps(answers))
