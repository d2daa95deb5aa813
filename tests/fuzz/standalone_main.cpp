// Feeds a fuzz target where libFuzzer is not at hand: every seed as it is, cut at many lengths, and then
// random mutations of seeds for a bounded time. No coverage guides it; the sanitizers that it is built with
// judge, and without them what the system and the asserts notice. The sequence depends on the seeds alone, so a
// finding comes back.
//
//   TARGET [--seconds N] FILE_OR_FOLDER...
//
// The input that a target dies on, or spends more than 20 s on, is left in crash-TARGET in the current
// folder.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <new>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#else
// The sanitizer has such a limit of its own: a larger allocation is one that was taken from a count in the file.
void* operator new(std::size_t bytes) {
  constexpr std::size_t largest_allocation = std::size_t{1} << 30;
  if (bytes > largest_allocation) {
    std::fprintf(stderr, "an allocation of %zu bytes\n", bytes);
    std::abort();
  }
  if (void* memory = std::malloc(std::max<std::size_t>(bytes, 1))) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t largest_seed = 256 * 1024;  // larger ones cost time and reach no other code
constexpr unsigned longest_seconds = 20;

std::string crash_path;
const Bytes* current = nullptr;

// Async-signal-safe: called on the way down.
void keep_current() {
  if (current == nullptr) return;
  const int fd = ::open(crash_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const ssize_t written = ::write(fd, current->data(), current->size());
  static constexpr char note[] = "the input is kept in crash-*\n";
  if (written >= 0 && ::write(2, note, sizeof note - 1) < 0) current = nullptr;
  ::close(fd);
}

extern "C" void die(int signal) {
  keep_current();
  static constexpr char hang[] = "this input takes too long\n";
  static constexpr char crash[] = "this input ends in a crash\n";
  if (signal == SIGALRM && ::write(2, hang, sizeof hang - 1) < 0) _exit(3);
  if (signal != SIGALRM && ::write(2, crash, sizeof crash - 1) < 0) _exit(3);
  _exit(3);
}

// On a stack of its own: the other may be what overflowed.
void die_on(std::initializer_list<int> signals) {
  static std::byte handler_stack[64 * 1024];
  stack_t stack{};
  stack.ss_sp = handler_stack;
  stack.ss_size = sizeof handler_stack;
  struct sigaction action {};
  action.sa_handler = die;
  action.sa_flags = SA_ONSTACK;
  if (::sigaltstack(&stack, nullptr) != 0) std::abort();
  for (const int signal : signals)
    if (::sigaction(signal, &action, nullptr) != 0) std::abort();
}

void feed(const Bytes& input) {
  current = &input;
  ::alarm(longest_seconds);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  ::alarm(0);
  current = nullptr;
}

// A few small changes, of the kinds that file formats are sensitive to: bits, extreme counts and offsets,
// pieces moved, doubled or lost, and the ends of two files put together.
Bytes mutated(const std::vector<Bytes>& seeds, std::mt19937_64& random) {
  const auto below = [&](std::size_t limit) {
    return limit == 0 ? 0 : static_cast<std::size_t>(random() % limit);
  };
  static constexpr std::uint64_t extremes[] = {0,
                                               1,
                                               2,
                                               0x7f,
                                               0x80,
                                               0xff,
                                               0x7fff,
                                               0x8000,
                                               0xffff,
                                               0x7fffffff,
                                               0x80000000,
                                               0xffffffff,
                                               0x7fffffffffffffff,
                                               ~0ULL};
  Bytes bytes = seeds[below(seeds.size())];
  for (std::size_t changes = 1 + below(6); changes > 0 && !bytes.empty(); --changes) {
    // Headers and directories, where most decisions are taken, lie at the ends of a file.
    std::size_t place = below(bytes.size());
    if (below(2) == 0) place = below(std::min<std::size_t>(bytes.size(), 512));
    if (below(4) == 0) place = bytes.size() - 1 - below(std::min<std::size_t>(bytes.size(), 1024));
    const std::size_t length = std::min(bytes.size() - place, std::size_t{1} << below(9));
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(place);
    const auto end = at + static_cast<std::ptrdiff_t>(length);
    switch (below(7)) {
      case 0:
        *at ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 1:
        *at = static_cast<std::uint8_t>(random());
        break;
      case 2: {  // little or big endian, 1 to 8 bytes
        const std::uint64_t value = extremes[below(std::size(extremes))];
        const std::size_t width = std::min(bytes.size() - place, std::size_t{1} << below(4));
        const bool big = below(2) == 0;
        for (std::size_t i = 0; i < width; ++i)
          bytes[place + i] = static_cast<std::uint8_t>(value >> (8 * (big ? width - 1 - i : i)));
        break;
      }
      case 3:
        bytes.erase(at, end);
        break;
      case 4: {
        const Bytes piece(at, end);
        const auto to = bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size()));
        bytes.insert(to, piece.begin(), piece.end());
        break;
      }
      case 5:
        bytes.resize(place);
        break;
      default: {
        const Bytes& other = seeds[below(seeds.size())];
        bytes.resize(place);
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(std::min(place, other.size())),
                     other.end());
        break;
      }
    }
  }
  return bytes;
}

std::vector<Bytes> read_seeds(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.emplace_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Bytes> seeds{Bytes()};
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    Bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in) {
      std::fprintf(stderr, "cannot read %s\n", file.c_str());
      std::exit(2);
    }
    if (bytes.size() <= largest_seed) seeds.push_back(std::move(bytes));
  }
  return seeds;
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 5;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--seconds" && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
    } else {
      paths.push_back(argument);
    }
  }
  crash_path = "crash-" + std::filesystem::path(argv[0]).filename().string();
#if defined(__SANITIZE_ADDRESS__)
  die_on({SIGALRM, SIGABRT});
  __sanitizer_set_death_callback(keep_current);
#else
  die_on({SIGALRM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL});
#endif

  const std::vector<Bytes> seeds = read_seeds(paths);
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::uint64_t inputs = 0;
  for (const Bytes& seed : seeds) {
    feed(seed);
    ++inputs;
  }
  // Cut off at every length near the start, and at some of the others; a quarter of the time at most.
  for (const Bytes& seed : seeds) {
    for (std::size_t length = 0; length < seed.size() && elapsed() < seconds / 4; ++length) {
      if (length > 600) length += seed.size() / 64;
      if (length >= seed.size()) break;
      feed(Bytes(seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(length)));
      ++inputs;
    }
  }
  std::mt19937_64 random(20240229);
  while (elapsed() < seconds) {
    feed(mutated(seeds, random));
    ++inputs;
  }
  std::printf("%llu inputs from %zu seeds in %.1f s\n", static_cast<unsigned long long>(inputs), seeds.size(),
              elapsed());
  return 0;
}
