"""Choices out of a matrix in which every two values of two factors that go together meet at least once."""

import itertools
import random


def whole(factors, fits):
    """Every combination, as dictionaries."""
    names = list(factors)
    for values in itertools.product(*factors.values()):
        row = dict(zip(names, values))
        if fits(row):
            yield row


def pairs_of(row):
    return set(itertools.combinations(row.items(), 2))


def pairwise(bound, free, fits, together=(), tries=200):
    """`bound`: factors that fits() looks at, `free`: those that go with everything, `together`: factors of which all combinations
    are wanted, not only all pairs. Greedy: for the first pair that is left, the one of `tries` rows that covers the most of what
    is left. The same rows every time."""
    choose = random.Random(1)
    rows = list(whole(bound, fits))

    def completed(row):
        return {**row, **{name: choose.choice(values) for name, values in free.items()}}

    left = dict.fromkeys(sorted(set().union(*(pairs_of(row) for row in rows)), key=repr))
    for (a, of_a), (b, of_b) in itertools.combinations({**bound, **free}.items(), 2):
        if b in free:
            left.update(dict.fromkeys(((a, x), (b, y)) for x in of_a for y in of_b))
    chosen = []
    while left:
        fixed = dict(next(iter(left)))
        having = [row for row in rows if all(row.get(name, value) == value for name, value in fixed.items())]
        if not having:  # a value that fits() lets in with nothing
            left.pop(next(iter(left)))
            continue
        candidates = []
        for _ in range(tries):
            row = completed(choose.choice(having))
            row.update((name, value) for name, value in fixed.items() if name in free)
            candidates.append((row, pairs_of(row)))
        best, covered = max(candidates, key=lambda candidate: len(left.keys() & candidate[1]))
        for pair in covered:
            left.pop(pair, None)
        chosen.append(best)

    met = {tuple(row[name] for name in together) for row in chosen}
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in together), []).append(row)
    return chosen + [completed(choose.choice(group)) for key, group in groups.items() if key not in met]
