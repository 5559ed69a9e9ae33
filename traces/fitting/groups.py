"""Groups: how the lengths of the samples of one prompt differ, and those of different prompts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from traces.fitting.samples import Numbers


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the natural logarithm of lengths, and the mean of longest over mean of a group.

    within: pooled over the groups of two or more. between: of the groups' effects, what their means vary beyond that.
    """

    groups: int
    within: float
    between: float
    longest: float


def spread(tokens: Numbers, group: Numbers, first: int | None = None) -> Spread:
    """Return the spread of samples in groups; of each group's `first` samples, if given.

    >>> pairs = spread(np.exp([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]))
    >>> round(pairs.within**2, 6), round(pairs.between**2, 6)  # variances 2 and 2; means 2 and 6: 8 less 2 / 2
    (2.0, 7.0)
    """
    samples = pd.DataFrame({"log": np.log(tokens), "tokens": tokens, "group": group})
    if first is not None:
        samples = samples[samples.groupby("group").cumcount() < first]
    by_group = samples.groupby("group")
    size = by_group.log.count()
    kept = size >= 2
    size, variance, mean = size[kept], by_group.log.var(ddof=1)[kept], by_group.log.mean()[kept]
    within = float((variance * (size - 1)).sum() / (size - 1).sum())
    between = float(mean.var(ddof=1) - (within / size).mean())
    longest = float((by_group.tokens.max() / by_group.tokens.mean())[kept].mean())
    return Spread(len(size), within**0.5, between**0.5, longest)
