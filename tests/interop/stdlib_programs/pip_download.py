"""Runs pip with these arguments, and prints how many connections it has made, and over what."""

import runpy
from collections import Counter

from evidence import record

made = record()
try:
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
except SystemExit as end:
    print("status", end.code)
print(*(f"over {each}" for each in Counter(made)))
