"""The framer: exactly the valid frames are accepted, and a delimiter ends any garbage.

The decoder may begin in any state whatever, which is more than any garbage on the line could do to it. From the first
delimiter on it must do what the definition of COBS says.
"""

from amaranth.hdl import Mux, Signal, Value

from autapse.protocol import CRC_INITIAL
from autapse_hw.checksum import CRC16, Checksum
from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.formal.streams import check_stable, offer
from autapse_hw.framing import CobsDecoder


def cobs_decoder(b: Bench) -> None:
    block = CobsDecoder()
    opened = b.open(block)
    b.drive(block.o.ready, "o_ready")
    token = block.o.payload
    rewind = b.drive(block.rewind, "rewind")
    b.suppose(implies(rewind, block.o.valid & token.end))
    offer(b, block.i, unless=rewind)
    b.suppose(implies(b.first, ~opened["take"]))  # between two bytes; the decoder prepares for one a cycle ahead
    byte, taken = block.i.payload, block.i.valid & block.i.ready

    # The definition: a frame is a row of blocks, each a length n and n - 1 bytes, and stands for these bytes and a zero
    # behind every block but the last and those of length 255. A zero ends the frame; it is valid if a block ends there.
    synchronised = Signal()
    inside = Signal()  # a frame
    missing = Signal(8)  # bytes of the block
    zero = Signal()  # the block stands for one, if another follows
    begins_block = ~inside | (missing == 0)
    clean = Signal()  # the token of the first delimiter has gone; it depends on the garbage
    expected = Signal()
    data = Signal(8)
    end = Signal()
    with b.m.If(block.o.valid & (block.o.ready | rewind)):
        b.m.d.sync += expected.eq(0)
    with b.m.If(synchronised & ~clean & ~(block.o.valid & ~block.o.ready & ~rewind)):
        b.m.d.sync += [clean.eq(1), expected.eq(0)]
    with b.m.If(taken):
        b.m.d.sync += inside.eq(byte != 0)
        with b.m.If(byte == 0):
            b.m.d.sync += [synchronised.eq(1), expected.eq(inside), data.eq(missing != 0), end.eq(1), missing.eq(0)]
        with b.m.Elif(begins_block):
            b.m.d.sync += [expected.eq(inside & zero), data.eq(0), end.eq(0)]
            b.m.d.sync += [missing.eq(byte - 1), zero.eq(byte != 255)]
        with b.m.Else():
            b.m.d.sync += [expected.eq(1), data.eq(byte), end.eq(0), missing.eq(missing - 1)]
    with b.m.If(clean):
        b.check(block.o.valid == expected)
        b.check(implies(expected, (token.end == end) & (token.data == data)))
    check_stable(b, block.o, unless=rewind)
    # No byte is taken that would have nowhere to go.
    b.check(implies(taken, ~block.o.valid))

    # For the induction: the decoder's own account.
    with b.m.If(synchronised):
        b.check(opened["begun"] == inside)
        b.check(implies(inside, opened["left"] == (missing + 1)[:8]))
        b.check(implies(inside, opened["owed"] == zero))
        b.check(implies(opened["take"], block.i.valid & (opened["zero"] == (byte == 0))))
        b.check(implies(opened["take"], (opened["full"] == (byte == 255)) & (opened["at_length"] == begins_block)))
        b.check(implies(~inside, (missing == 0) & ~opened["owed"]))
    b.check(implies(clean, synchronised))


def checksum(b: Bench) -> None:
    block = Checksum()
    opened = b.open(block)
    start, step, byte = b.drive(block.start, "start"), b.drive(block.step, "step"), b.drive(block.byte, "byte")
    b.m.d.comb += block.shift.eq(0)
    # The surroundings: a byte stays for another cycle, and none comes in the two cycles after one or after the start.
    busy, before = b.past(step), b.past(byte)
    late = b.past(busy & ~b.first)
    b.suppose(implies(~b.first & busy, ~step & (byte == before)))
    b.suppose(implies(~b.first & late, ~step))
    b.suppose(implies(start, ~step & (b.first | ~(busy | late))))

    # The definition, bit by bit.
    crc = Signal(16)
    begun = Signal()
    rest: Value = crc ^ byte
    for _ in range(8):
        rest = (rest >> 1) ^ Mux(rest[0], int(f"{CRC16.polynomial:016b}"[::-1], 2), 0)
    with b.m.If(step):
        b.m.d.sync += crc.eq(rest)
    with b.m.If(start):
        b.m.d.sync += [crc.eq(CRC_INITIAL), begun.eq(1)]
    since = Signal(range(5))  # cycles since the value may have changed
    b.m.d.sync += since.eq(Mux(start | step, 0, Mux(since == 4, 4, since + 1)))
    b.check(since <= 4)
    with b.m.If(begun):
        b.check(implies(since >= 2, opened["value"] == crc))
        b.check(implies(since >= 2, block.o == (crc ^ CRC16.xor_output)[:8]))
        b.check(implies(since >= 3, block.match == (crc == CRC16(8).residue())))


PROOFS = [
    Proof(
        "cobs-decoder",
        "CobsDecoder",
        "accepts exactly the valid frames and gives their bytes; from any state, from the next delimiter on",
        cobs_decoder,
        depth=3,
        any_start=True,
    ),
    Proof("checksum", "Checksum", "is the CRC of the bytes, and matches if they end with it", checksum, depth=6),
]
