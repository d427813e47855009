"""The growth series of scripts/bench: the same loads on marketplaces of several sizes, in rounds that take each size in its
turn, so that a noisy neighbour meets them all. Their servers run at once; one at a time is under load."""
import contextlib
import os
import pathlib
import statistics
import tempfile
import time

from grow import KEPT
from load import Bench, middle
from used import resident

LOADS = ["L", "L1000", "Q", "V", "R", "W"]
#: Of what the slowest size reaches: far from where requests queue up.
SHARE = 1 / 4
STARTS = 5


def size(text):
    """LISTINGS[:ORDERS[:FULL]]: as many orders as listings unless told, all of them with everything that belongs to one."""
    numbers = [int(number) for number in text.split(":")]
    listings, orders, full = (numbers + numbers[-1:] * 2)[:3]
    if min(numbers) < 1 or len(numbers) > 3 or full > orders:
        raise ValueError(text)
    return listings, orders, full


def named(size):
    listings, orders, _ = size
    return f"{listings:,}" if orders == listings else f"{listings:,}:{orders:,}"


def series(options, programs, engine):
    """What each load gave at each size, and the servers themselves."""
    results = {}
    # It would run beside the load from a minute after the start, and how long it takes is known from `guildhall verify`.
    os.environ["GUILDHALL_VERIFY_HOURLY"] = "off"
    with contextlib.ExitStack() as stack:
        benches = {}
        for of_size in options.growth:
            directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guildhall-growth-", dir=KEPT)))
            server, used, some = stack.enter_context(engine.grown(of_size, directory, options.in_place))
            results[named(of_size)] = started(server)
            services = [dict(zip(("id", "freelancer_id", "category", "title"), row)) for row in some]
            benches[named(of_size)] = Bench(options, programs, directory, server, used, services)
        for load in LOADS:
            for name, result in in_turn(options, benches, load).items():
                results[name][load] = result
        for name, bench in benches.items():
            results[name]["memory"] = resident(bench.server.process.pid)
    return results


def started(server):
    """Milliseconds from the start to the first answer, and what it holds a second later."""
    took = []
    for _ in range(STARTS):
        server.stop()
        took.append(server.start() * 1000)
    time.sleep(1)
    return {"start": statistics.median(took), "idle": resident(server.process.pid)}


def in_turn(options, benches, load):
    """Each size as fast as it goes, then all at one rate that leaves each of them time."""
    peaks = {name: bench.at_its_peak(load, options.seconds) for name, bench in benches.items()}
    rate = SHARE * min(peak["rate"] for peak in peaks.values())
    rounds = [{name: bench.steady(load, rate) for name, bench in benches.items()} for _ in range(options.rounds)]
    return {
        name: middle([round[name] for round in rounds]) | {"rate": peaks[name]["rate"], "cpu": peaks[name]["cpu"], "steady": rate}
        for name in benches
    }


def report(engine, results):
    smallest, *_ = results.values()
    print(f"\n{engine}: at {SHARE} of what the slowest size reaches, open loop; ratios are to the smallest size")
    print(f"{'':6}{'listings':>22}{'peak/s':>9}{'µs CPU':>8}{'rate/s':>8}{'p50 ms':>9}{'p99':>9}{'p99.9':>9}{'ratio of p99':>14}")
    for load in LOADS:
        for name, result in results.items():
            came, ratio = result[load], result[load]["p99"] / smallest[load]["p99"]
            print(
                f"{load:6}{name:>22}{came['rate']:>9,.0f}{came['cpu']:>8,.0f}{came['steady']:>8,.0f}"
                f"{came['p50']:>9.2f}{came['p99']:>9.2f}{came['p999']:>9.2f}{ratio:>14.2f}"
            )
    print(f"{'':6}{'listings':>22}{'p99 of L1000 to L':>22}{'start, ms':>14}{'idle, MB':>14}{'after, MB':>14}")
    for name, result in results.items():
        far = result["L1000"]["p99"] / result["L"]["p99"]
        print(f"{'':6}{name:>22}{far:>22.2f}{result['start']:>14.1f}{result['idle']:>14.0f}{result['memory']:>14.0f}")
