"""Equality by hand: `python -m tests.property.run --n 5000 [--first SEED] [--jobs N]`.

Prints totals; on a difference, the seed and the command that repeats it, and exits 1.
"""

import argparse
import sys
import time
from collections import Counter

from joblib import Parallel, delayed

from tests.property.draw import check

FIELDS = ("iterations", "steps", "cuts", "preemptions", "rejected", "cancelled")


def run(first: int, last: int) -> tuple[Counter[str], list[str]]:
    totals: Counter[str] = Counter()
    failures = []
    for seed in range(first, last):
        try:
            outcome = check(seed)
        except Exception as error:  # whatever goes wrong, the seed is what repeats it
            repeat = f"python -m tests.property.run --n 1 --first {seed}"
            failures.append(f"{type(error).__name__}: {error}\n  repeat: {repeat}")
            continue
        totals.update({name: getattr(outcome, name) for name in FIELDS})
        totals["runs that preempted"] += outcome.preemptions > 0
    return totals, failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=5000, help="how many random workloads")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    began = time.perf_counter()
    piece = max(1, min(100, arguments.n // arguments.jobs))
    starts = range(arguments.first, arguments.first + arguments.n, piece)
    last = arguments.first + arguments.n
    results = Parallel(n_jobs=arguments.jobs)(delayed(run)(start, min(start + piece, last)) for start in starts)
    totals: Counter[str] = Counter()
    failures: list[str] = []
    for part, failed in results:
        totals.update(part)
        failures.extend(failed)
    for failure in failures:
        print(failure)
    equal = arguments.n - len(failures)
    print(f"{equal} of {arguments.n} random workloads equal: token times, preemptions, routing, KV counts, decisions")
    print(", ".join(f"{name} {count:,}" for name, count in totals.items()), f"in {time.perf_counter() - began:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
