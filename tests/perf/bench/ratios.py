# SPDX-License-Identifier: Apache-2.0
"""What many ratios say together."""

import math
import statistics


class Ratio:
    """Of two engines' times over rounds, each round's to the same round's."""

    def __init__(self, what, ours, theirs):
        self.what = what
        self.rounds = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        self.median = statistics.median(self.rounds)

    @classmethod
    def of_medians(cls, what, ours, theirs):
        """Where rounds are single events, and share nothing: the fastest to the fastest, and so on."""
        ratio = cls(what, sorted(ours), sorted(theirs))
        ratio.median = statistics.median(ours) / statistics.median(theirs)
        return ratio

    def text(self):
        return f"{self.median:.3f} ({self.rounds[0]:.3f}–{self.rounds[-1]:.3f})"


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def summary(ratios):
    """One line; a ratio above 1 in every round is above it beyond noise."""
    if not ratios:
        return "nothing was measured"
    largest = max(ratios, key=lambda ratio: ratio.median)
    above = sum(ratio.median > 1 for ratio in ratios)
    surely = sum(ratio.rounds[0] > 1 for ratio in ratios)
    return (f"geometric mean {geometric_mean([ratio.median for ratio in ratios]):.3f}, "
            f"largest {largest.median:.3f} ({largest.what}), {above} of {len(ratios)} above 1.00, "
            f"{surely} of them in every round")


def turns(names, count):
    """In which order the names come, turn by turn: each first as often as the others, and behind a
    different one in the turns that go backwards."""
    names = list(names)
    for turn in range(count):
        first = turn // 2 % len(names)
        order = names[first:] + names[:first]
        yield order if turn % 2 == 0 else order[::-1]
