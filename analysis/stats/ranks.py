"""Rank what was compared pair by pair: ranks as intervals, and which have a common ranking."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_Name = TypeVar("_Name", bound=Hashable)


def rank_intervals(names: Sequence[_Name], clear: Sequence[tuple[_Name, _Name]]) -> dict[_Name, tuple[int, int]]:
    """Give the ranks that each of several may have; what is not significantly different shares ranks.

    A rank interval runs from one more than the number of others that are significantly better to the number of all
    less those that are significantly worse.

    Args:
        names: What was compared, each once.
        clear: The significant differences: the better one and the worse one.

    Returns:
        The best and the worst rank of each.
    """
    winners, losers = [better for better, _ in clear], [worse for _, worse in clear]
    return {name: (1 + losers.count(name), len(names) - winners.count(name)) for name in names}


def rank_text(best: int, worst: int) -> str:
    """Write one rank, or a range of ranks."""
    return str(best) if best == worst else f"{best}–{worst}"


def components(n: int, compared: Sequence[tuple[int, int]]) -> list[int]:
    """Number the groups that comparisons connect: only members of one group have a common ranking.

    Args:
        n: How many there are.
        compared: The pairs that were compared, by number.

    Returns:
        The number of the group of each.
    """
    rows, columns = zip(*compared, strict=True) if compared else ((), ())
    graph = coo_array((np.ones(len(compared)), (rows, columns)), shape=(n, n))
    return [int(number) for number in connected_components(graph, directed=False)[1]]
