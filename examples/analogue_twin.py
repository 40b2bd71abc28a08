"""The analogue twin of a three-unit network: the same network as two electrical circuits, and as a digital one.

    python examples/analogue_twin.py [-o build/twin]

Three units in a ring, each exciting the next and inhibiting the one before: a rotation that tanh keeps bounded. Its
connections differ in the two directions, so the circuit needs gyrators. The script prints the parts of both dual forms,
how far ngspice is from the equation, what E24 values and tolerances of 1 % cost, and how far the digital twin, at 8 and
12 bits, is from its own float steps. With -o it writes netlists and schematics. Needs
`pip install 'autapse[circuit]'` and `apt-get install ngspice`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import autapse
from autapse.circuit import Stimulus, compare, counts, errors, monte_carlo, netlist, round_values, synthesize
from autapse.circuit.schematic import draw
from autapse.dynamics import RateODE

DT, STEPS = 0.05, 400
NEXT, BEFORE = 1.4, -0.9
RING = RateODE(
    W=[[0.3, BEFORE, NEXT], [NEXT, 0.3, BEFORE], [BEFORE, NEXT, 0.3]],
    W_in=[[1.0], [0.0], [0.0]],
    tau=[1.0, 1.0, 1.0],
    W_out=np.eye(3),
    activation="tanh",
)


def main() -> None:
    """Parse the arguments, build both circuits and the digital network, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="folder for netlists and schematics")
    args = parser.parse_args()
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)

    stimulus = Stimulus.default(RING)
    for form in ("parallel", "series"):
        circuit = synthesize(RING, form)
        n = counts(circuit)
        print(
            f"{form}: {n['one_ports']} one-ports, {n['couplings']} coupling resistors "
            f"({n['couplings_active']} negative), {n['gyrators']} gyrators, {n['amplifiers']} amplifiers"
        )
        found = compare(circuit, stimulus)
        print(f"  ngspice differs from the equation by {found.error:.1e} of full scale; {found.bound:g} is allowed")
        off = errors(round_values(circuit, "E24"))
        spread = monte_carlo(circuit, stimulus, tolerances=(0.01,), samples=50)[0]
        print(f"  E24 values: W off by {off['W']:.2%}; 1 % parts: state off by {spread.trajectory_median:.2%} (median)")
        if args.out:
            (args.out / f"{form}.cir").write_text(netlist(circuit, stimulus))
            draw(circuit, args.out / f"{form}.svg", title=f"three units, {form} form")

    x = np.zeros((1, STEPS, 1))
    x[0, :40] = 0.8  # a kick, and then alone
    net = RING.discretize(DT)
    solution = RING.solve(x[0], dt=DT).h
    exact = net.run(x)
    print(f"digital, dt {DT}: float steps differ from the equation by {np.abs(exact.h[0] - solution).max():.3f}")
    for bits in (8, 12):
        q = autapse.quantize(net, weight_bits=bits, state_bits=bits, input_range=1.0, calibrate=x)
        print(f"  {bits} bits: differ from the float steps by {np.abs(q.run(x).h - exact.h).max():.4f} at most")


if __name__ == "__main__":
    main()
