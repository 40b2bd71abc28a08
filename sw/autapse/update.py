"""The update of a network in float64, in both forms of the state.

    rate      h <- d h + g s(W h + W_in x + b)                 z = W_out h + b_out
    current   v <- d v + g (W s(v) + W_in x + b)               z = W_out s(v) + b_out

The state h of the rate form is a firing rate, low-passed behind the activation; v of the current form is a synaptic
current or a membrane potential, low-passed before it. A step of the current form with d = 0, g = 1 is that of the rate
form for h = s(v), and with the identity both forms are one. Otherwise they differ: v = W h + u turns one into the other
only if u is the input *after* the low-pass, which the rate form has no unit for.
"""

from __future__ import annotations

import numpy as np

from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS, Network
from autapse.tangent import slope


def rates(net: Network, state: FloatArray) -> FloatArray:
    """What W and W_out multiply at the states (..., units): the state itself, or its activation in the current form."""
    return ACTIVATIONS[net.activation](state) if net.form == "current" else state


def advance(net: Network, state: FloatArray, drive: FloatArray) -> FloatArray:
    """The states after one step from `state`, (..., units); `drive` is W_in x + b, of the same shape or broadcast."""
    new = np.array(np.broadcast_to(state, np.broadcast_shapes(state.shape, drive.shape)))
    for part in net.parts:  # each sees the new states of those before it
        y = rates(net, new) @ net.W[part].T + drive[..., part]
        if net.form == "rate":
            y = ACTIVATIONS[net.activation](y)
        new[..., part] = net.d[part] * new[..., part] + net.g[part] * y if net.leaky else y
    return new


def jacobian(net: Network, state: FloatArray, drive: FloatArray) -> FloatArray:
    """d(new state)/d(state) of :func:`advance`, (..., units, units).

    diag(d) + diag(g) S W, where S has the slopes at the sums; in the current form diag(d) + diag(g) W S, with those at
    the state. Of a stack: (1 - L)^-1 U, where L are the elements through which a layer sees the new states of earlier
    ones, and U the others.
    """
    new = advance(net, state, drive)
    old = np.broadcast_to(state, new.shape)
    early = np.zeros((net.units, net.units), bool)  # [to, from]: from an earlier layer
    for part in net.parts:
        early[part, : part.start] = True
    if net.form == "current":
        late, through = (net.g[:, None] * net.W * slope(net.activation, v)[..., None, :] for v in (old, new))
    else:
        sums = new @ (net.W * early).T + old @ (net.W * ~early).T + drive
        late = through = (net.g * slope(net.activation, sums))[..., None] * net.W
    rest: FloatArray = np.where(early, 0.0, late) + np.diag(net.d)
    if net.layers:
        rest = np.linalg.solve(np.eye(net.units) - np.where(early, through, 0.0), rest).astype(np.float64)
    return rest


def require_rate_form(net: Network, what: str) -> None:
    """Raise ValueError, which names `what` needs it, for a network that is not of the rate form, or of many layers."""
    if net.form != "rate":
        raise ValueError(f"{what} needs a network of the rate form; this one is of the {net.form} form")
    require_one_layer(net, what)


def require_one_layer(net: Network, what: str) -> None:
    """Raise ValueError, which names `what` needs it, for a stack of layers."""
    if net.layers:
        raise ValueError(f"{what} needs a network of one layer; this one is a stack of {len(net.layers)}")
