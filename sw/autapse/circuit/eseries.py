"""The preferred values of components, IEC 60063."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from autapse.fixed import FloatArray

_E12 = (1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)
_E24 = tuple(sorted((*_E12, 1.1, 1.3, 1.6, 2.0, 2.4, 3.0, 3.6, 4.3, 5.1, 6.2, 7.5, 9.1)))

#: The values of one decade. E96 follows its formula; the older series were rounded by hand.
SERIES_VALUES: Mapping[str, tuple[float, ...]] = {
    "E6": _E12[::2],
    "E12": _E12,
    "E24": _E24,
    "E96": tuple(float(round(10.0 ** (i / 96.0), 2)) for i in range(96)),
}


def nearest(values: ArrayLike, series: str) -> FloatArray:
    """The preferred values with the smallest ratio to `values`, which must be positive."""
    if series not in SERIES_VALUES:
        raise ValueError(f"a series of preferred values is one of {', '.join(SERIES_VALUES)}; not {series!r}")
    v = np.asarray(values, dtype=np.float64)
    if not np.all((v > 0.0) & np.isfinite(v)):
        raise ValueError("a component value must be positive and finite")
    decade = np.array(SERIES_VALUES[series])
    ladder = np.append(decade, 10.0 * decade[0])
    exponent = np.floor(np.log10(v))
    mantissa = v / 10.0**exponent
    edges = np.sqrt(ladder[:-1] * ladder[1:])  # halfway in ratio
    chosen = ladder[np.searchsorted(edges, mantissa)]
    # Through decimal text, so that 4.7e-7 is the float that a person would write.
    texts = [float(f"{m:.3g}e{int(e)}") for m, e in zip(np.ravel(chosen), np.ravel(exponent), strict=True)]
    return np.array(texts).reshape(v.shape)
