"""The rounds of ci/soak: each round runs the tests of random signals for some time, then the tests of attacks."""

from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter

ROUND = 300
"""The maximum time for the tests of random signals in one round, in seconds."""
SIGNALS = "tests/core/test_random_signals.py"
ATTACKS = [
    "tests/tls/connection/test_floods.py",
    "tests/aio/test_floods.py",
    "tests/core/test_raising_signals.py",
    "tests/core/test_garbage_cycles.py",
    "tests/core/test_owners.py",
    "tests/core/test_copies.py",
    "tests/bio/test_combinations.py",
    "tests/core/test_fuzz.py",
    "tests/x509/test_hostile_chains.py",
    "tests/tls/connection/test_bit_flips.py",
    "tests/core/test_races.py",
]
_PASSED = re.compile(r"(\d+) (passed|failed|error)")


def run(arguments: list[str], environment: dict[str, str], found: Counter[str]) -> bool:
    """Runs pytest, adds the counts that it prints to ``found``, and returns whether all tests passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    for line in done.stdout.splitlines():
        begins = line.find("{")
        if begins >= 0 and line.endswith("}"):
            found.update(ast.literal_eval(line[begins:]))
    found.update({kind: int(count) for count, kind in _PASSED.findall(done.stdout.splitlines()[-1])})
    if done.returncode != 0:
        print(done.stdout[-8000:], done.stderr[-2000:], flush=True)
    return done.returncode == 0


def main(seconds: float) -> int:
    """Runs rounds until the time is over; returns 0 if all of them passed."""
    begin, rounds, good = time.monotonic(), 0, True
    found: Counter[str] = Counter()
    while (left := begin + seconds - time.monotonic()) > 0:
        rounds += 1
        each = max(2.0, min(ROUND, left / 3) / 7)  # there are seven tests of random signals
        good &= run(["-s", SIGNALS], {"PYOSSL_SOAK_SECONDS": f"{each:.1f}"}, found)
        good &= run(["-n", "2", *ATTACKS], {}, found)
        took = time.monotonic() - begin
        print(f"after {took:.0f} s, {rounds} rounds: {dict(found)}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{'good' if good else 'BAD'}: {rounds} rounds in {time.monotonic() - begin:.0f} s, at most {peak} MiB each")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
