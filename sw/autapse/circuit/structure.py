"""What the weights imply for the circuit: reciprocity, and Dale's law."""

from __future__ import annotations

from typing import Any

import numpy as np

from autapse.fixed import FloatArray


def symmetrizing_scale(W: FloatArray) -> FloatArray | None:
    """The diagonal d > 0 for which d[i] W[i, j] is symmetric, or None where there is none.

    It exists when connections are mutual, of equal sign, and the products of W around every loop are the same both
    ways. Each connected part is scaled to a geometric mean of 1.
    """
    n = len(W)
    tiny = 1e-12 * float(np.max(np.abs(W)))
    linked = np.abs(W) > tiny
    if np.any(linked != linked.T) or np.any(W * W.T < 0.0):
        return None
    d = np.zeros(n)
    for start in range(n):
        if d[start]:
            continue
        part, d[start] = [start], 1.0
        for i in part:  # grows while it is read
            for j in np.flatnonzero(linked[i]):
                if not d[j]:
                    d[j] = d[i] * W[i, j] / W[j, i]
                    part.append(int(j))
        d[part] /= np.exp(np.mean(np.log(d[part])))
    scaled = d[:, None] * W
    return d if np.allclose(scaled, scaled.T, rtol=1e-9, atol=tiny) else None


def dale(alpha: FloatArray) -> dict[str, Any]:
    """The sign pattern of the columns of `alpha` ([to, from]): what each unit does to the ports that it drives.

    Returns the unit numbers (from 1) that are excitatory, inhibitory, mixed or silent; whether Dale's law holds; and
    one sentence on what follows for reciprocity.
    """
    kinds: dict[str, list[int]] = {"excitatory": [], "inhibitory": [], "mixed": [], "silent": []}
    for j, column in enumerate(alpha.T):
        up, down = bool(np.any(column > 0.0)), bool(np.any(column < 0.0))
        kinds["mixed" if up and down else "excitatory" if up else "inhibitory" if down else "silent"].append(j + 1)
    obeyed = not kinds["mixed"]
    both = bool(kinds["excitatory"] and kinds["inhibitory"])
    if not obeyed:
        text = f"{len(kinds['mixed'])} of {len(alpha)} columns have both signs: Dale's law does not hold"
    elif both:
        sign = np.zeros(len(alpha))
        sign[[k - 1 for k in kinds["excitatory"]]] = 1.0
        sign[[k - 1 for k in kinds["inhibitory"]]] = -1.0
        crossing = int(np.count_nonzero(np.triu((alpha != 0.0) | (alpha.T != 0.0), 1) & (np.outer(sign, sign) < 0)))
        text = (
            "Dale's law holds, with excitatory and inhibitory units: "
            + (f"the {crossing} coupled pairs of opposite kind" if crossing else "none is coupled to the other kind")
            + (" cannot be reciprocal, each needs a gyrator" if crossing else ", a reciprocal n-port is possible")
        )
    else:
        text = "Dale's law holds, all units are of one kind: a reciprocal n-port is possible"
    return {**kinds, "obeyed": obeyed, "meaning": text}
