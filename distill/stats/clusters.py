"""Scores by duplicate cluster: problems of one cluster are not independent, so they are resampled and sign-flipped together.

A score is a problem's mean over seeds and samples, in 0..1: seeds never count as more problems. No function returns a figure about nothing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[Any]  # (n_problems,) cluster of each problem

BLOCK = 500  # resamples at once: bounds the memory at BLOCK x n_clusters


def by_cluster(scores: Floats, clusters: Labels) -> tuple[Floats, Floats]:
    """Sum and size of each cluster, in the clusters' sorted order."""
    if len(scores) != len(clusters):
        raise ValueError(f"{len(scores)} scores and {len(clusters)} cluster labels")
    _, index = np.unique(clusters, return_inverse=True)
    return np.bincount(index, weights=scores).astype(np.float64), np.bincount(index).astype(np.float64)


def cluster_means(scores: Floats, clusters: Labels) -> Floats:
    """Mean score of each cluster, in the clusters' sorted order."""
    sums, sizes = by_cluster(scores, clusters)
    return sums / sizes


def need(n: int, least: int, what: str) -> None:
    """Raise ValueError where there are too few values for a figure."""
    if n < least:
        raise ValueError(f"no {what} of {n} values: at least {least} needed")
