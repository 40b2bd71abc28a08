// A board in software: the Verilated design between the two wires of a serial line, and a pseudo-terminal at the other
// end of them. Started by autapse_sim.virtual, which makes the terminal. Its slave end stays open here, or the
// master would report an error whenever a client closes its own:
//
//     board MASTER_FD SLAVE_FD CYCLES_PER_BIT PATIENCE
//
// The design sees nothing but its clock, its reset and its receive pin, bit by bit. It cannot tell how long a cycle
// takes, so the clock may pause whenever no byte waits: that is exact, and costs no processor time.
//
// Commands on standard input, a line each, answered by a line on standard output: "break" holds the line low for two
// bytes' time, "reset" resets the design, "stats" tells the counters. The end of standard input ends the program.

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "Vboard.h"
#include "verilated.h"

namespace {

constexpr int kFrameBits = 10;         // start bit, eight data bits, stop bit
constexpr int kPacket = 62;            // bytes that a USB bridge collects before it hands them over
constexpr int kResetCycles = 64;       // longer than anything that a reset has to reach
constexpr int kUnanswered = 20000;     // more cycles of patience while a request has had no answer
constexpr int kSlowCycles = 1000;      // clocked between two pauses
constexpr int kLongestPause = 100;     // milliseconds
constexpr int kUnreadMilliseconds = 1000;

volatile std::sig_atomic_t stopped = 0;

void stop(int) { stopped = 1; }

// The design, one clock cycle at a time.
class Design {
  public:
    uint64_t cycles = 0;

    bool cycle(bool line) {
        top_.rx = line;
        top_.clk = 1;
        top_.eval();
        top_.clk = 0;
        top_.eval();
        ++cycles;
        return top_.tx;
    }

    void reset() {
        top_.rst = 1;
        for (int k = 0; k < kResetCycles; ++k) cycle(true);
        top_.rst = 0;
    }

  private:
    Vboard top_;
};

// Cycles of one bit after the other: whole numbers that add up to a divisor with a fraction.
class Bits {
  public:
    explicit Bits(double divisor) : divisor_(divisor) {}

    void begin() { owed_ = 0; }
    int half() const { return int(divisor_ / 2); }
    int next() {
        owed_ += divisor_;
        const int cycles = int(owed_);
        owed_ -= cycles;
        return cycles;
    }

  private:
    const double divisor_;
    double owed_ = 0;
};

// The host's transmitter: bytes into levels of the line.
class Sender {
  public:
    uint64_t bytes = 0;

    explicit Sender(double divisor) : cycles_(divisor) {}

    bool idle() const { return left_ == 0 && waiting_.empty(); }
    bool wants_more() const { return waiting_.empty(); }
    void push(const uint8_t* data, size_t size) { waiting_.insert(waiting_.end(), data, data + size); }
    void hold_low(int bits) { shift_ = 1u << bits, bits_ = bits + 1, left_ = cycles_.next(); }

    bool next() {
        if (left_ == 0) {
            if (waiting_.empty()) return true;
            shift_ = (1u << (kFrameBits - 1)) | (unsigned(waiting_.front()) << 1);
            waiting_.pop_front();
            bits_ = kFrameBits, left_ = cycles_.next();
            ++bytes;
        }
        const bool level = shift_ & 1;
        if (--left_ == 0 && --bits_ > 0) shift_ >>= 1, left_ = cycles_.next();
        return level;
    }

  private:
    Bits cycles_;
    std::deque<uint8_t> waiting_;
    unsigned shift_ = 0;
    int bits_ = 0, left_ = 0;
};

// The host's receiver: levels of the line into bytes, sampled in the middle of each bit.
class Receiver {
  public:
    uint64_t bytes = 0, framing_errors = 0;
    bool began = false;  // a start bit came in this cycle

    explicit Receiver(double divisor) : cycles_(divisor) {}

    bool idle() const { return bit_ < 0; }

    // Whether a byte is complete; it is `byte` then.
    bool next(bool level) {
        began = false;
        if (bit_ < 0) {
            if (last_ && !level) bit_ = 0, cycles_.begin(), left_ = cycles_.half(), began = true;
            last_ = level;
            return false;
        }
        last_ = level;
        if (left_-- > 0) return false;
        left_ = cycles_.next() - 1;
        if (bit_ == 0 && level) bit_ = -1;  // a glitch
        else if (bit_ < kFrameBits - 1) {
            if (bit_ > 0) byte = uint8_t(byte >> 1 | level << 7);
            ++bit_;
        } else {
            bit_ = -1;
            level ? ++bytes : ++framing_errors;
            return level;
        }
        return false;
    }

    uint8_t byte = 0;

  private:
    Bits cycles_;
    int bit_ = -1, left_ = 0;
    bool last_ = true;
};

class Board {
  public:
    Board(int master, int slave, double divisor, uint64_t patience)
        : master_(master), slave_(slave), byte_cycles_(int(kFrameBits * divisor)), flush_cycles_(int(2 * divisor)), patience_(patience),
          sender_(divisor), receiver_(divisor) {
        design_.reset();
    }

    void run() {
        uint64_t quiet = 0;    // cycles since anything moved on either wire
        int since_look = 0;    // cycles since the terminal was looked at
        int pause = 1;
        while (!stopped) {
            const bool sending = !sender_.idle();
            const bool got = receiver_.next(design_.cycle(sender_.next()));
            if (got) out_.push_back(char(receiver_.byte));
            measure(sending);
            quiet = sending || !receiver_.idle() ? 0 : quiet + 1;
            // As a USB bridge does: hand over full packets, and what there is when the line rests.
            if (!out_.empty() && (out_.size() >= kPacket || quiet >= flush_cycles_)) flush();
            if (++since_look >= byte_cycles_) {
                since_look = 0;
                if (sender_.wants_more() && read_terminal()) quiet = 0, pause = 1;
                if (++looks_ % 64 == 0) commands(0);
            }
            if (quiet > patience_ + (asked_ ? kUnanswered : 0) && quiet % kSlowCycles == 0) {
                commands(pause);
                pause = pause * 2 < kLongestPause ? pause * 2 : kLongestPause;
            }
        }
    }

  private:
    const int master_, slave_, byte_cycles_;
    const uint64_t flush_cycles_, patience_;
    Design design_;
    Sender sender_;
    Receiver receiver_;
    std::string out_, line_;
    uint64_t looks_ = 0, dropped_ = 0;
    uint64_t request_end_ = 0, turnarounds_ = 0, turnaround_cycles_ = 0;
    bool asked_ = false, unread_ = false;

    // From the end of the last byte sent to the start bit of the first one that comes back.
    void measure(bool sending) {
        if (sending) request_end_ = design_.cycles, asked_ = true;
        else if (receiver_.began && asked_) {
            ++turnarounds_;
            turnaround_cycles_ += design_.cycles - request_end_;
            asked_ = false;
        }
    }

    bool read_terminal() {
        uint8_t data[4096];
        const ssize_t size = read(master_, data, sizeof data);
        if (size > 0) sender_.push(data, size_t(size));
        return size > 0;
    }

    // A host that does not read holds the clock for a second; after that its bytes are lost, as on a real board.
    void flush() {
        size_t at = 0;
        while (at < out_.size() && !stopped) {
            const ssize_t size = write(master_, out_.data() + at, out_.size() - at);
            if (size > 0) {
                at += size_t(size);
                unread_ = false;
                continue;
            }
            pollfd wait = {master_, POLLOUT, 0};
            if (unread_ || (errno != EAGAIN && errno != EINTR) || poll(&wait, 1, kUnreadMilliseconds) == 0) {
                unread_ = true;
                dropped_ += out_.size() - at;
                break;
            }
        }
        out_.clear();
    }

    // Wait for bytes or commands for at most so many milliseconds, and execute the commands.
    void commands(int milliseconds) {
        pollfd wait[2] = {{STDIN_FILENO, POLLIN, 0}, {master_, POLLIN, 0}};
        // A client that asked for exclusive use and has gone would lock out the next, since the terminal stays open.
        if (milliseconds == kLongestPause) ioctl(slave_, TIOCNXCL);
        if (poll(wait, milliseconds ? 2 : 1, milliseconds) <= 0 || !wait[0].revents) return;
        char data[256];
        const ssize_t size = read(STDIN_FILENO, data, sizeof data);
        if (size <= 0) stopped = 1;
        for (ssize_t k = 0; k < size; ++k) {
            if (data[k] != '\n') line_ += data[k];
            else execute(), line_.clear();
        }
    }

    void execute() {
        if (line_ == "break") sender_.hold_low(2 * kFrameBits);
        else if (line_ == "reset") design_.reset();
        std::printf("{\"cycles\": %llu, \"processor_seconds\": %.3f, \"received\": %llu, \"sent\": %llu, \"dropped\": %llu, \"framing_errors\": %llu, "
                    "\"turnarounds\": %llu, \"turnaround_cycles\": %llu}\n",
                    (unsigned long long)design_.cycles, double(std::clock()) / CLOCKS_PER_SEC,
                    (unsigned long long)sender_.bytes,
                    (unsigned long long)receiver_.bytes, (unsigned long long)dropped_,
                    (unsigned long long)receiver_.framing_errors, (unsigned long long)turnarounds_,
                    (unsigned long long)turnaround_cycles_);
        std::fflush(stdout);
    }
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return std::fprintf(stderr, "usage: board MASTER_FD SLAVE_FD CYCLES_PER_BIT PATIENCE\n"), 2;
    std::signal(SIGINT, stop);
    std::signal(SIGTERM, stop);
    std::signal(SIGPIPE, SIG_IGN);
    const int master = std::atoi(argv[1]);
    fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
    Board(master, std::atoi(argv[2]), std::atof(argv[3]), std::strtoull(argv[4], nullptr, 10)).run();
    return 0;
}
