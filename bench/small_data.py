"""How much the bundled model gains from how many pairs of one's own: the curve of docs/fine-tuning.md.

The recipe `finetune` trains on the first N pairs of a data set for each N and each arm, exactly as
`limner train finetune --data PAIRS --arm ARM` does, and the set's test split is searched both with the result and
with the bundle as it is. A gain is the difference of text-to-image recall@10 in points; its interval resamples the
pictures of the test split, in pairs, and the seeds. Runs that are done are not done again: give the same --runs.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from harness import store

from limner.encode.bundle import Bundle, find_bundle
from limner.recipes.finetune import BEGIN, recipe
from limner.train.corpora.pairs import Pairs, onto
from limner.train.experiment import Experiment
from limner.train.recipe import Claim
from limner.train.reproduce import judge
from limner.train.runs import Place, Run, measured

METRIC = "text-to-image recall@10"


def main() -> None:
    arguments = parse()
    place = Place(arguments.runs)
    arms = recipe("tiny").arms
    bundled = arms["baseline"]
    pairs = Pairs.own(arguments.data)
    before = measured(bundled.replace(data=pairs), 0, place)
    print(f"{BEGIN} as it is: {before.outcome[METRIC].mean:.4f}")
    rows: list[dict[str, object]] = []
    for arm in arguments.arms:
        name, _, seeds = arm.partition("=")
        for count in arguments.pairs:
            some = dataclasses.replace(pairs, pictures=count)
            experiment = onto(arms[name], some)
            runs = [measured(experiment, seed, place) for seed in range(int(seeds or 1))]
            rows.append(row(name, some.count(), experiment, runs, before))
            print(
                "{arm:<12} {pairs:>6} pairs  {steps:>4} steps  {recall:.4f}  {gain:+.4f} {interval}".format(**rows[-1])
            )
    arguments.arms, arguments.pairs = " ".join(arguments.arms), " ".join(map(str, arguments.pairs))
    del arguments.runs
    result = {"metric": METRIC, "bundled": before.outcome[METRIC].mean, "rows": rows}
    store(arguments, Bundle.load(find_bundle(BEGIN)).fingerprint, result)


def row(arm: str, count: int, experiment: Experiment, runs: list[Run], before: Run) -> dict[str, object]:
    told = judge(Claim("gain", METRIC), [run.outcome for run in runs], [before.outcome] * len(runs))
    return {
        "arm": arm,
        "pairs": count,
        "steps": experiment.optimiser.steps,
        "seconds": round(sum(run.seconds for run in runs) / len(runs), 1),
        "recall": round(told.arm, 4),
        "gain": round(told.difference, 4),
        "interval": [round(told.low, 4), round(told.high, 4)],
        "seeds": len(runs),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="PATH", help="captioned pictures")
    parser.add_argument(
        "--arms", nargs="+", default=["projectors=3", "method=1"], help="of the recipe finetune, each with its seeds"
    )
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 200, 1000, 4000], help="how many to train on")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="FOLDER", help="where runs are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result and the machine's description here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
