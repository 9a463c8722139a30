"""Slow, obvious merges in numpy's float64, one parameter at a time."""

import numpy as np


def flat(state):
    return np.concatenate([x.double().numpy().ravel() for x in state.values()])


def weighted(points, weights):
    return [
        sum(w * p[j] for w, p in zip(weights, points, strict=True)) / sum(weights)
        for j in range(len(points[0]))
    ]


def slerp(a, b, t):
    cosine = a @ b / np.sqrt((a @ a) * (b @ b))
    angle = np.arccos(np.clip(cosine, -1, 1))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def ties(base, points, keep, scale):
    """Yadav et al. 2023, algorithm 1, by sorting."""
    tasks = [p - base for p in points]
    trimmed = []
    for task in tasks:
        wanted = max(1, int(np.ceil(keep * len(task) - 1e-9)))
        limit = np.sort(np.abs(task))[::-1][wanted - 1]
        trimmed.append([x if abs(x) >= limit else 0.0 for x in task])
    result = []
    for j in range(len(base)):
        entries = [task[j] for task in trimmed]
        sign = np.sign(sum(entries))
        agreeing = [x for x in entries if x != 0 and np.sign(x) == sign]
        result.append(base[j] + scale * (np.mean(agreeing) if agreeing else 0.0))
    return np.array(result)


def fisher(points, fishers):
    result = []
    for j in range(len(points[0])):
        weights = [f[j] for f in fishers]
        values = [p[j] for p in points]
        total = sum(weights)
        plain = np.mean(values)
        result.append(
            sum(w * v for w, v in zip(weights, values, strict=True)) / total if total else plain
        )
    return np.array(result)
