"""Networks that ship with Autapse on the command line: ``zoo:NAME`` or ``gallery:NAME`` in the place of a file."""

from __future__ import annotations

import warnings
from pathlib import Path

from autapse.cli._common import float_network, read_any
from autapse.errors import AutapseError
from autapse.loading import READABLE
from autapse.network import Network
from autapse.quantized import QuantizedNetwork

PREFIX = "zoo:"
GALLERY = "gallery:"
HELP = f"{READABLE}; or zoo:NAME or gallery:NAME, of which 'autapse zoo' and 'autapse gallery' list the names"


def read_network(name: str, dt: float | None = None) -> tuple[Network | QuantizedNetwork, float]:
    """The network of a file, of the zoo or of the gallery, and its time step: `dt`, or else its own."""
    if name.startswith(PREFIX):
        return _exhibit(name.removeprefix(PREFIX), dt)
    if name.startswith(GALLERY):
        from autapse.gallery import path

        file = path(name.removeprefix(GALLERY))
    else:
        file = Path(name)
    found = read_any(file)
    net = float_network(found)
    one_gain = net.g[0] > 0.0 and bool((net.g == net.g[0]).all())
    return found, dt if dt is not None else float(net.g[0]) if one_gain else 1.0


def name_of(name: str) -> str:
    """What pictures call it."""
    return name if name.startswith((PREFIX, GALLERY)) else Path(name).stem


def _exhibit(name: str, dt: float | None) -> tuple[Network, float]:
    from autapse.dynamics import RateODE
    from autapse.zoo import CATALOGUE, exhibit

    if name not in CATALOGUE:
        raise AutapseError(f"zoo:{name} is not one of {', '.join(f'zoo:{known}' for known in CATALOGUE)}")
    found = exhibit(name)
    step = found.dt if dt is None else dt
    if not isinstance(found.system, RateODE):
        return found.system, step
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of an unstable step: who compares gives it for any network
        return found.system.discretize(step), step
