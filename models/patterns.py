"""All that a tree can say of a loan, worked out once: decisions are few, so their contributions are tabulated.

A loan meets a tree only in the yes or no of its nodes. The tree is cut into groups of leaves whose paths share few
nodes; a group's pattern is the yes or no of its nodes, and for every pattern the exact path-dependent Shapley value of
each feature is written into a table. A loan's contributions are then look-ups, and sums over groups and trees.

For one leaf, the players are the features on its path; player j meets the leaf's conditions (o_j = 1) or not (0), and
where it is not followed the path is taken by a share z_j of the loans. The leaf's value v gives player i

    v (o_i - z_i) * product of z_j over those that do not meet * sum over k of k!(m-1-k)!/m! e_k,

without i in product and sum, e_k being the coefficient of x^k in the product of (z_j + x) over those that meet
(Lundberg and others, 2020, "From local explanations to global understanding with explainable AI for trees", method 1,
written as a table over patterns).
"""

from __future__ import annotations

from models.leaf_groups import Groups, Players
from models.trees import Floats, Ints


def tabulate(  # noqa: PLR0912 - one pass, written out: numba compiles it
    groups: Groups,
    players: Players,
    value: Floats,
    product: Floats,
    grown: Floats,
    weighed: Floats,
    given: Floats,
    row: Ints,
    table: Floats,
    mean: Floats,
    error: Floats,
) -> None:
    """Fill the tables of all groups, a row of contributions for each pattern.

    Parameters
    ----------
    groups, players : with what they ask of a loan
    value : of each leaf
    product, grown, weighed, given : room for what is known of each set of players, from the empty one to all: the
        product of their shares; the coefficients of the product of (z + x); the sum of these with Shapley's weights;
        and what each player is given where just this set meets the leaf
    row : where the rows of each group's table begin, and where the last one's end
    table : patterns of all groups x width, all 0; of each group's features and, in the column after the last of them,
        what the pattern's leaf adds to the score beyond the mean value of the group's leaves over the population
    mean : of each group: this mean value; all 0
    error : of each group: the largest distance, over all patterns, between the sum of the contributions in a row and
        the score in it; all 0
    """
    for group in range(len(groups.first)):
        top, end, score = row[group], row[group + 1], groups.slots[group]
        average = 0.0
        for leaf in range(groups.first[group], groups.first[group] + groups.leaves[group]):
            m, z = players.number[leaf], players.share[leaf]
            size = 1 << m
            for chosen in range(size):
                if chosen == 0:
                    product[chosen] = 1.0
                    for k in range(m + 1):
                        grown[chosen, k] = 0.0 if k else 1.0
                else:
                    last = 0
                    while not (chosen >> last) & 1:
                        last += 1
                    rest = chosen & (chosen - 1)
                    product[chosen] = product[rest] * z[last]
                    for k in range(m + 1):
                        grown[chosen, k] = grown[rest, k] * z[last] + (grown[rest, k - 1] if k else 0.0)
                weight, weighed[chosen] = 1.0 / m, 0.0
                for k in range(m):
                    weighed[chosen] += weight * grown[chosen, k]
                    weight = weight * (k + 1) / max(m - 1 - k, 1)
            everyone = size - 1
            average += value[leaf] * product[everyone]
            for meets in range(size):
                for i in range(m):
                    me = 1 << i
                    follows = 1.0 if meets & me else 0.0
                    others = weighed[meets & ~me] * product[everyone & ~meets & ~me]
                    given[meets, i] = value[leaf] * (follows - z[i]) * others
            for pattern in range(end - top):
                meets = 0
                for i in range(m):
                    yes, no = players.yes[leaf, i], players.no[leaf, i]
                    if pattern & (yes | no) == yes:
                        meets |= 1 << i
                for i in range(m):
                    table[top + pattern, players.slot[leaf, i]] += given[meets, i]
                if meets == everyone:
                    table[top + pattern, score] += value[leaf]
        mean[group] = average
        for at in range(top, end):
            table[at, score] -= average
            summed = 0.0
            for column in range(score):
                summed += table[at, column]
            error[group] = max(error[group], abs(summed - table[at, score]))
