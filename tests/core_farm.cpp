// Drives the cores of a farm and compares them with the integer model; see core_farm.py.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>
#include "Vfarm.h"

static Vfarm top;

// A port of any width, as Verilator keeps it: in 1, 2, 4 or 8 bytes, or in words of 4.
struct Port {
    void* at;
    int bits;
    uint64_t get() const {
        if (bits <= 8) return *static_cast<uint8_t*>(at);
        if (bits <= 16) return *static_cast<uint16_t*>(at);
        if (bits <= 32) return *static_cast<uint32_t*>(at);
        return *static_cast<uint64_t*>(at);
    }
    void set(uint64_t value) const {
        if (bits < 64) value &= (uint64_t(1) << bits) - 1;
        if (bits <= 8) *static_cast<uint8_t*>(at) = value;
        else if (bits <= 16) *static_cast<uint16_t*>(at) = value;
        else if (bits <= 32) *static_cast<uint32_t*>(at) = value;
        else *static_cast<uint64_t*>(at) = value;
    }
    bool bit(int k) const {
        return bits <= 64 ? get() >> k & 1 : static_cast<uint32_t*>(at)[k / 32] >> (k % 32) & 1;
    }
    int64_t code(int first, int width) const {  // signed
        uint64_t value = 0;
        for (int k = 0; k < width; ++k) value |= uint64_t(bit(first + k)) << k;
        return int64_t(value << (64 - width)) >> (64 - width);
    }
};

template <class T> Port port(T& value, int bits) { return {&value, bits}; }

struct Ports {
    Port i, i_valid, i_ready, o, o_valid, o_ready, clear, given, initial, initial_valid, initial_ready;
    Port dump, state, state_valid, state_ready, busy, retire, retire_value;
};

struct Random {  // Marsaglia's xorshift
    uint64_t x;
    uint32_t below(uint32_t n) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        return uint32_t(x >> 32) % n;
    }
};

enum Phase { JUNK, CLEAR, RUN, REST, DUMP, READ, DONE };

class Core {
  public:
    Core(const Ports& ports, const char* path, uint64_t seed) : p(ports), rng{seed * 0x9E3779B97F4A7C15u + 1} {
        FILE* file = std::fopen(path, "rb");
        if (!file || std::fread(sizes, sizeof sizes, 1, file) != 1) std::abort();
        block = 3 + S * N + T * M + T * N + T * O + S * N;
        data.resize(size_t(block) * rounds);
        if (std::fread(data.data(), 8, data.size(), file) != data.size()) std::abort();
        std::fclose(file);
        p.clear.set(0), p.given.set(0), p.initial_valid.set(0), p.i_valid.set(0);
        p.o_ready.set(0), p.dump.set(0), p.state_ready.set(0);
        begin(0);
    }

    bool done() const { return phase == DONE; }

    // What the core sees in this cycle.
    void drive() {
        p.clear.set(phase == CLEAR), p.given.set(phase == CLEAR && outside()), p.dump.set(phase == DUMP);
        if (accepted) p.i_valid.set(0), accepted = false;
        if (!p.i_valid.get() && wants_input() && int(rng.below(256)) >= stall()) p.i_valid.set(1), p.i.set(input());
        if (phase == CLEAR) p.i_valid.set(0);
        p.initial_valid.set(phase == RUN && outside() && loaded < S * N);
        if (loaded < S * N) p.initial.set(round[3 + loaded]);
        p.o_ready.set(int(rng.below(256)) >= deaf());
        p.state_ready.set(phase == READ && rng.below(4) != 0);
    }

    // What the core does in this cycle, before the edge of the clock.
    void observe() {
        bool counts = phase == RUN || phase == REST;
        if (p.i_valid.get() && p.i_ready.get()) accepted = true, sent += phase != JUNK;
        if (p.initial_valid.get() && p.initial_ready.get()) ++loaded;
        if (p.o_valid.get() && p.o_ready.get() && phase != JUNK && phase != CLEAR) output(p.o.code(0, p.o.bits));
        if (counts)
            for (int a = 0; a < drains; ++a)
                if (p.retire.bit(a)) retired(a, p.retire_value.code(a * bits, bits));
        if (phase == READ && p.state_valid.get() && p.state_ready.get()) read(p.state.code(0, bits));
        advance();
    }

    void report() const {
        std::printf("%lld %lld %lld %s\n", states, outputs, bad, first.empty() ? "-" : first.c_str());
    }

  private:
    Ports p;
    Random rng;
    int64_t sizes[8];
    int64_t &N = sizes[0], &M = sizes[1], &O = sizes[2], &drains = sizes[3], &S = sizes[4], &T = sizes[5];
    int64_t &rounds = sizes[6], &bits = sizes[7], block;
    std::vector<int64_t> data;
    const int64_t *round, *x, *h, *z, *last;
    int64_t number, loaded, sent, taken, dumped, waited, junk;
    std::vector<int64_t> written;  // by drain
    Phase phase;
    bool accepted = false;  // the input that was offered
    long long states = 0, outputs = 0, bad = 0;
    std::string first;

    bool outside() const { return round[0]; }
    int stall() const { return round[1]; }
    int deaf() const { return round[2]; }
    bool wants_input() const { return phase == JUNK || (phase == RUN && sent < T * M); }
    int64_t input() { return phase == JUNK ? x[rng.below(T * M)] : x[sent]; }

    void begin(int64_t k) {
        number = k;
        if (k == rounds) { phase = DONE; return; }
        round = data.data() + k * block;
        x = round + 3 + S * N, h = x + T * M, z = h + T * N, last = z + T * O;
        loaded = outside() ? 0 : S * N;
        sent = taken = dumped = waited = 0;
        written.assign(drains, 0);
        junk = rng.below(4 * (N + M + O) + 30);
        phase = JUNK;
    }

    void advance() {
        ++waited;
        // An input that has been accepted, but has not begun its step, is not yet seen as busy; its outputs tell.
        bool finished = sent == T * M && taken >= T * O && !p.busy.get();
        if (phase == JUNK && waited > junk) phase = CLEAR;
        else if (phase == CLEAR) phase = RUN, waited = 0;
        else if (phase == RUN && finished) phase = REST, waited = 0;
        else if (phase == REST && waited > 4) complete(), phase = DUMP;
        else if (phase == DUMP) phase = READ, waited = 0;
        else if (phase == READ && dumped == S * N) begin(number + 1);
        else if (phase != JUNK && waited > 40 * (T + 20) * (N + M + O + 40)) stuck();
    }

    void complete() {  // nothing may be missing, or too much
        int64_t all = 0;
        for (int64_t count : written) all += count;
        if (all != T * N) fail("states written", all, T * N);
        if (taken != T * O) fail("outputs", taken, T * O);
    }

    void stuck() {
        fail("the core does not finish", 0, 0);
        phase = DONE;
    }

    void retired(int a, int64_t code) {  // drain a writes the units j with (O + j) % drains == a
        int64_t unit = ((a - O) % drains + drains) % drains, count = unit < N ? (N - unit + drains - 1) / drains : 0;
        int64_t k = written[a]++;
        ++states;
        if (!count || k >= count * T) return fail("state too many", code, 0);
        int64_t at = k / count * N + unit + k % count * drains;
        if (code != h[at]) fail("state", code, h[at]);
    }

    void output(int64_t code) {
        int64_t k = taken++;
        ++outputs;
        if (k >= T * O) fail("output too many", code, 0);
        else if (code != z[k]) fail("output", code, z[k]);
    }

    void read(int64_t code) {
        ++states;
        if (code != last[dumped]) fail("state read", code, last[dumped]);
        ++dumped;
    }

    void fail(const char* what, int64_t got, int64_t wanted) {
        if (!bad++)
            first = "round " + std::to_string(number) + ", " + what + ": " + std::to_string(got) + ", the model has " +
                    std::to_string(wanted);
    }
};

int main(int, char** arguments) {
    const std::vector<Ports> ports = {
/*PORTS*/
    };
    std::deque<Core> cores;
    for (size_t k = 0; k < ports.size(); ++k) cores.emplace_back(ports[k], arguments[2 + k], std::atoi(arguments[1]) + k);
    auto tick = [] { top.clk = 1, top.eval(), top.clk = 0, top.eval(); };
    top.rst = 1;
    for (int k = 0; k < 4; ++k) tick();
    top.rst = 0;
    for (bool running = true; running; tick()) {
        running = false;
        for (Core& core : cores) if (!core.done()) core.drive();
        top.eval();
        for (Core& core : cores) if (!core.done()) core.observe(), running = true;
    }
    for (const Core& core : cores) core.report();
}
