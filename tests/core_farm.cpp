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
    uint64_t word(int first, int width) const {  // a part of it, of up to 64 bits
        uint64_t value = 0;
        if (bits <= 64) value = get() >> first;
        else
            for (int at_bit = first & ~31; at_bit < first + width; at_bit += 32) {
                uint64_t part = static_cast<uint32_t*>(at)[at_bit / 32];
                value |= at_bit < first ? part >> (first - at_bit) : part << (at_bit - first);
            }
        return value << (64 - width) >> (64 - width);
    }
    int64_t code(int first, int width) const {  // signed
        return int64_t(word(first, width) << (64 - width)) >> (64 - width);
    }
};

template <class T> Port port(T& value, int bits) { return {&value, bits}; }

struct Ports {
    Port i, i_valid, i_ready, o, o_valid, o_ready, clear, given, initial, initial_valid, initial_ready;
    Port dump, state, state_valid, state_ready, busy, retire, retire_value;
    Port retire_step, retire_unit, retire_sum, retire_saturated;
};

struct Random {  // Marsaglia's xorshift
    uint64_t x;
    uint32_t below(uint32_t n) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        return uint32_t(x >> 32) % n;
    }
};

enum Phase { JUNK, RESET, CLEAR, RUN, REST, DUMP, READ, DONE };

// What a stream offers that nobody takes, it offers unchanged in the next cycle.
struct Held {
    bool held = false;
    int64_t value = 0;
    bool broken(const Port& payload, const Port& valid, const Port& ready) {
        bool bad = held && (!valid.get() || payload.code(0, payload.bits) != value);
        held = valid.get() && !ready.get(), value = payload.code(0, payload.bits);
        return bad;
    }
};

class Core {
  public:
    Core(const Ports& ports, const char* path, uint64_t seed, int loading, int reading)
        : p(ports), rng{seed * 0x9E3779B97F4A7C15u + 1}, loading(loading), reading(reading) {
        FILE* file = std::fopen(path, "rb");
        if (!file || std::fread(sizes, sizeof sizes, 1, file) != 1) std::abort();
        block = FLAGS + S * N + T * M + T * N + T * O + S * N + T * N;
        data.resize(size_t(block) * rounds);
        if (std::fread(data.data(), 8, data.size(), file) != data.size()) std::abort();
        std::fclose(file);
        p.clear.set(0), p.given.set(0), p.initial_valid.set(0), p.i_valid.set(0);
        p.o_ready.set(0), p.dump.set(0), p.state_ready.set(0);
        begin(0);
    }

    bool done() const { return phase == DONE; }
    bool awaits_reset() const { return phase == RESET; }
    bool failed() const { return bad; }
    void was_reset() { phase = RUN, waited = 0, accepted = false, p.i_valid.set(0), o_held = state_held = {}; }

    // What the core sees in this cycle. Where a port does not count, it sees anything.
    void drive() {
        bool reading = phase == READ || phase == JUNK;
        p.clear.set(phase == CLEAR), p.given.set(phase == CLEAR ? outside() : rng.below(2));
        p.dump.set(phase == DUMP || (phase == JUNK && !p.busy.get() && rng.below(16) == 0));
        if (accepted) p.i_valid.set(0), accepted = false;
        if (!p.i_valid.get() && wants_input() && int(rng.below(256)) >= stall()) p.i_valid.set(1), offer(p.i, input());
        if (phase == CLEAR || given) p.initial_valid.set(0), given = false;
        if (phase == CLEAR) p.i_valid.set(0);
        if (phase == RUN && loaded < S * N && !p.initial_valid.get() && int(rng.below(256)) >= stall())
            p.initial_valid.set(1), offer(p.initial, round[FLAGS + loaded]);
        if (!outside()) p.initial_valid.set(1), p.initial.set(number);  // nobody asks for it
        p.o_ready.set(int(rng.below(256)) >= deaf());
        p.state_ready.set(reading && rng.below(4) != 0);
    }

    // What the core does in this cycle, before the edge of the clock.
    void observe() {
        bool counts = phase == RUN || phase == REST, cleared = phase == CLEAR;
        if (counts && sent / M * O > taken && !p.busy.get()) fail("busy", 0, 1);
        if (phase == READ && dumped < S * N && !p.busy.get()) fail("busy while states are read", 0, 1);
        bool broken = o_held.broken(p.o, p.o_valid, p.o_ready) | state_held.broken(p.state, p.state_valid, p.state_ready);
        if (broken && !after_clear) fail("a stream that waits", 0, 1);
        after_clear = cleared;
        if (p.i_valid.get() && p.i_ready.get()) accepted = true, ++(phase == DUMP || phase == READ ? early : sent);
        if (p.initial_valid.get() && p.initial_ready.get() && !cleared) {
            if (phase == RUN && loaded < S * N) ++loaded, given = true;
            else if (phase != JUNK) fail("an initial state too many", 0, 0);
        }
        if (p.o_valid.get() && p.o_ready.get() && phase != JUNK && !cleared) output(p.o.code(0, p.o.bits));
        if (phase != JUNK && !cleared)
            for (int a = 0; a < drains; ++a)
                if (p.retire.word(a, 1)) retired(a, p.retire_value.code(a * bits, bits));
        bool state = p.state_valid.get();
        if (phase == READ && state && !offered && dumped) as_ever("cycles until the next state", reading, now - last_read);
        if (state && p.state_ready.get()) last_read = now;
        offered = state;
        if (phase != JUNK && !cleared && p.state_valid.get() && p.state_ready.get()) read(p.state.code(0, bits));
        ++now;
        advance();
    }

    void report() const {
        const char* said = first.empty() ? "-" : first.c_str();
        std::printf("%lld %lld %lld %lld %lld %s\n", states, outputs, bad, (long long)loading, (long long)reading, said);
    }

  private:
    static constexpr int FLAGS = 4;
    Ports p;
    Random rng;
    int64_t sizes[9];
    int64_t &N = sizes[0], &M = sizes[1], &O = sizes[2], &drains = sizes[3], &S = sizes[4], &T = sizes[5];
    int64_t &rounds = sizes[6], &bits = sizes[7], &period = sizes[8], block;
    std::vector<int64_t> data;
    const int64_t *round, *x, *h, *z, *last, *sums;
    int64_t number, loaded, sent, early = 0, taken, dumped, waited, junk, now = 0, previous, before;
    std::vector<int64_t> written;  // by drain
    Phase phase;
    bool accepted = false, given = false;  // the input that was offered, the initial state
    bool after_clear = false;  // this cycle follows a clear
    bool offered = false;      // a state was, in the cycle before
    int64_t last_read = 0;
    int64_t loading, reading;  // cycles from a clear to the first state, and from state to state; 0: not yet known
    Held o_held, state_held;
    long long states = 0, outputs = 0, bad = 0;
    std::string first;

    bool outside() const { return round[0]; }
    int stall() const { return round[1]; }
    int deaf() const { return round[2]; }
    bool joined(int64_t k) const { return k < rounds && data[k * block + 3]; }  // it goes on with the states of k - 1
    bool wants_input() const {
        if (phase == DUMP || phase == READ) return joined(number + 1) && early < T * M;
        return phase == JUNK || (phase == RUN && sent < T * M);
    }
    int64_t input() {
        if (phase == DUMP || phase == READ) return (x + block)[early];
        return phase == JUNK ? x[rng.below(T * M)] : x[sent];
    }
    void offer(const Port& port, int64_t code) {  // the most negative code counts as its neighbour
        port.set(code == 1 - (int64_t(1) << (port.bits - 1)) ? code - rng.below(2) : code);
    }

    void begin(int64_t k) {
        number = k;
        if (k == rounds) { phase = DONE; return; }
        round = data.data() + k * block;
        x = round + FLAGS + S * N, h = x + T * M, z = h + T * N, last = z + T * O, sums = last + S * N;
        loaded = outside() ? 0 : S * N;
        before = joined(k) ? before + T : 0;  // steps since the last clear
        sent = joined(k) ? early : 0;
        early = taken = dumped = waited = previous = 0;
        written.assign(drains, 0);
        junk = rng.below(4 * (N + M + O) + 30);
        phase = joined(k) ? RUN : JUNK;
        if (outside()) p.initial_valid.set(0);
    }

    void advance() {
        ++waited;
        // An input that has been accepted, but has not begun its step, is not yet seen as busy; its outputs tell.
        bool finished = sent == T * M && taken >= T * O && !p.busy.get();
        if (phase == JUNK && waited > junk) phase = number ? CLEAR : RESET, sent = loaded = 0;
        else if (phase == CLEAR) phase = RUN, waited = 0;
        else if (phase == RUN && finished) phase = REST, waited = 0;
        else if (phase == REST && waited > 4) complete(), phase = DUMP;
        else if (phase == DUMP) phase = READ, waited = 0;
        else if (phase == READ && dumped == S * N) begin(number + 1);
        else if (phase != JUNK && phase != RESET && waited > 40 * (T + 20) * (N + M + O + 40)) stuck();
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
        bool from_h0 = number && !joined(number) && !outside() && !stall();
        if (from_h0 && !a && !written[a]) as_ever("cycles until the first state", loading, waited + 1);
        int64_t k = written[a]++;
        ++states;
        if (!count || k >= count * T) return fail("state too many", code, 0);
        int64_t step = k / count, at = step * N + unit + k % count * drains;
        if (code != h[at]) fail("state", code, h[at]);
        monitored(a, before + step, at % N, sums[at]);
        if (at % N) return;
        // While inputs wait and outputs are taken, a step takes the cycles that the schedule says.
        if (step && !stall() && !deaf() && now - previous != period) fail("cycles of a step", now - previous, period);
        previous = now;
    }

    void monitored(int a, int64_t step, int64_t unit, int64_t origin) {  // origin: the sum, and below it whether it saturated
        int steps = p.retire_step.bits / drains, units = p.retire_unit.bits / drains, width = p.retire_sum.bits / drains;
        auto expect = [this](const char* what, int64_t got, int64_t wanted) { if (got != wanted) fail(what, got, wanted); };
        expect("step of a state", p.retire_step.word(a * steps, steps), step);
        expect("unit of a state", p.retire_unit.word(a * units, units), unit);
        expect("pre-activation", p.retire_sum.code(a * width, width), origin >> 1);
        expect("saturated", p.retire_saturated.word(a, 1), origin & 1);
    }

    // What is not promised, but is the same each time.
    void as_ever(const char* what, int64_t& known, int64_t cycles) {
        if (!known) known = cycles;
        if (cycles != known) fail(what, cycles, known);
    }

    void output(int64_t code) {
        int64_t k = taken++;
        ++outputs;
        if (k >= T * O) fail("output too many", code, 0);
        else if (code != z[k]) fail("output", code, z[k]);
    }

    void read(int64_t code) {
        ++states;
        if (phase != READ || dumped == S * N) return fail("state read too many", code, 0);
        if (code != last[dumped]) fail("state read", code, last[dumped]);
        ++dumped;
    }

    void fail(const char* what, int64_t got, int64_t wanted) {
        if (!bad++)
            first = "round " + std::to_string(number) + ", " + what + ": " + std::to_string(got) + ", the model has " +
                    std::to_string(wanted);
    }
};

// The port that chooses a mutation, of a farm that has one.
template <class T> auto choose(T& farm, int which, int) -> decltype(void(farm.mutation)) { farm.mutation = which; }
template <class T> void choose(T&, int, long) {}

// Arguments: the seed, the mutation, 1 to stop at the first mismatch, the cycles that all cores are known to take until
// the first state and from one that is read to the next, or 0 and 0; the cores' files.
int main(int, char** arguments) {
    const std::vector<Ports> ports = {
/*PORTS*/
    };
    std::deque<Core> cores;
    const int seed = std::atoi(arguments[1]), loading = std::atoi(arguments[4]), reading = std::atoi(arguments[5]);
    for (size_t k = 0; k < ports.size(); ++k) cores.emplace_back(ports[k], arguments[6 + k], seed + k, loading, reading);
    auto tick = [] { top.clk = 1, top.eval(), top.clk = 0, top.eval(); };
    bool stops = std::atoi(arguments[3]);
    choose(top, std::atoi(arguments[2]), 0);
    top.rst = 1;
    for (int k = 0; k < 4; ++k) tick();
    top.rst = 0;
    for (bool running = true; running; tick()) {
        bool reset = true;  // all cores wait for it
        running = false;
        for (Core& core : cores) reset = reset && core.awaits_reset();
        top.rst = reset;
        for (Core& core : cores) if (reset) core.was_reset();
        else if (!core.done() && !core.awaits_reset()) core.drive();
        top.eval();
        for (Core& core : cores) {
            if (!reset && !core.done() && !core.awaits_reset()) core.observe();
            running = running || !(core.done() || (stops && core.failed()));
        }
    }
    for (const Core& core : cores) core.report();
}
