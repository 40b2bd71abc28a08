// A Verilated design between the two wires of a serial line, in lockstep with a test.
//
// The test writes a request to standard input: cycles to run, cycles per bit, whether to reset first, bytes to send, each
// a 32-bit word, and the bytes. When the cycles have passed and the bytes have been sent, the answer on standard output
// is the number of bytes that the design has sent, and those. It ends early once the design has sent something and has
// then been silent for three bytes' time.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "Vline.h"

static Vline top;

static void cycle(int line) {
    top.rx = line;
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
}

int main() {
    uint32_t request[4];
    int phase = -1;  // cycle within the byte that the design sends
    uint32_t byte = 0;
    while (std::fread(request, 4, 4, stdin) == 4) {
        const uint32_t cycles = request[0], bit = request[1];
        std::vector<uint8_t> out(request[3]), in;
        if (std::fread(out.data(), 1, out.size(), stdin) != out.size()) return 1;
        if (request[2]) {
            top.rst = 1;
            for (int k = 0; k < 64; ++k) cycle(1);
            top.rst = 0;
        }
        uint64_t sent = 0, silent = 0;  // cycles
        const uint64_t sending = uint64_t(out.size()) * 10 * bit;
        for (uint64_t now = 0; now < sending + cycles; ++now) {
            int line = 1;
            if (sent < sending) {
                const uint32_t at = sent / bit % 10;
                line = at == 0 ? 0 : at == 9 ? 1 : out[sent / bit / 10] >> (at - 1) & 1;
                ++sent;
            }
            cycle(line);
            silent = phase < 0 ? silent + 1 : 0;
            if (phase < 0 && !top.tx) phase = 0;
            if (phase >= 0) {
                const uint32_t at = phase / bit;
                if (phase % bit == bit / 2 && at >= 1 && at <= 8) byte = byte >> 1 | uint32_t(top.tx) << 7;
                if (++phase == int(9 * bit + bit / 2)) {
                    in.push_back(byte);
                    phase = -1;
                }
            }
            if (sent == sending && !in.empty() && silent > 30 * bit) break;
        }
        const uint32_t count = in.size();
        std::fwrite(&count, 4, 1, stdout);
        std::fwrite(in.data(), 1, count, stdout);
        std::fflush(stdout);
    }
}
