// Helper of crash_test.cpp: write_geotiff with each allocation of the whole program failing in turn, the
// small ones of graph, plan and standard library included. In a program of its own, as it replaces operator
// new.
//
//   allocation_child FOLDER THREADS      THREADS: compute threads of oneTBB; 0: the serial engine
//
// Prints a line for every run that did not end cleanly. Exit code 0: there was none; a hang ends in SIGALRM.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <new>
#include <string>

#include "tests/small_raster.hpp"

namespace {

std::atomic<bool> is_counting{false};
std::atomic<std::size_t> allocations{0}, failing{0};

}  // namespace

// Not inlined: gcc 12 takes one without the other for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (is_counting.load() && ++allocations == failing.load()) throw std::bad_alloc();
  if (void* block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

// Address sanitizer: constructors of oneTBB 2021.8's nodes (_flow_graph_node_impl.h) keep their bodies and
// queues in raw pointers, and lose them where a later allocation of the same constructor fails. Nothing of
// ours hangs on them.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:tbb::detail::d1::function_input_base\nleak:multifunction_input<\nleak:function_input<\n";
}

namespace {

using namespace weir;
using namespace weir::test;

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Thousands of writes need not reach the disk.
class UnsyncedFiles : public FileSystem {
 public:
  int fsync(int) override { return 0; }
};

/// Empty where it succeeded.
std::string error_of_write(const std::string& target, const WriteWay& way, unsigned threads, std::size_t k) {
  UnsyncedFiles files;
  WriteGeotiffOptions options = way.options(files);
  if (threads > 0) options.graph.threads = threads;
  const auto source = small_source();
  std::string text;
  allocations = 0;
  failing = k;
  is_counting = true;
  try {
    write_geotiff(source, target, options);
    is_counting = false;
  } catch (const Error& error) {
    is_counting = false;
    text = error.what();
  } catch (const std::bad_alloc&) {  // while planning: there is no node to name
    is_counting = false;
    text = "out of memory";
  }
  return text;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const std::string target = std::string(arguments[1]) + "/out.tif";
  const unsigned threads = static_cast<unsigned>(std::strtoul(arguments[2], nullptr, 10));
  const WriteWay way{threads == 0 ? Engine::serial : Engine::onetbb};
  if (!error_of_write(target, way, threads, 0).empty()) return 2;
  const std::string good = content(target);

  int unclean = 0, failed = 0;
  for (std::size_t k = 1;; ++k) {
    ::alarm(10);
    std::remove(target.c_str());
    const std::string error = error_of_write(target, way, threads, k);
    const bool came = allocations >= k;
    const std::string now = content(target);  // empty: there is none
    const bool is_clean =
        error.empty() ? now == good
                      : error.find("out of memory") != std::string::npos && (now.empty() || now == good);
    if (!is_clean) {
      std::printf("allocation %zu: %s, the file has %zu bytes\n", k,
                  error.empty() ? "success" : error.c_str(), now.size());
      ++unclean;
    }
    failed += error.empty() ? 0 : 1;
    if (!came) break;
  }
  if (failed < 400) std::printf("only %d allocations failed\n", failed);
  return unclean == 0 && failed >= 400 ? 0 : 1;
}
