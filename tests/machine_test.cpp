#include "framework/machine.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t mebi = 1U << 20;

/// A made-up machine of 16 GiB with this process in cgroup /outer/inner.
struct Machine {
  Machine() {
    std::string name = (fs::temp_directory_path() / "weir-machine-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    put("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:        1 kB\n");
  }
  ~Machine() { fs::remove_all(root); }

  void put(const std::string& path, const std::string& text) const {
    const fs::path whole = fs::path(root) / path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  void use_v2() const {
    put("proc/self/cgroup", "0::/outer/inner\n");
    put("proc/self/mountinfo",
        "23 1 0:20 / /sys rw - sysfs sysfs rw\n31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 "
        "cgroup2 rw\n");
  }
  void use_v1() const {
    put("proc/self/cgroup", "8:memory:/outer\n5:cpu,cpuacct:/outer/inner\n3:cpuset:/\n0::/\n");
    put("proc/self/mountinfo",
        "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        "34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  }
  std::string root;
};

}  // namespace

TEST_CASE("the smallest CPU quota on the way up counts, and cores are rounded up") {
  const Machine machine;
  machine.use_v2();
  CHECK(std::isinf(weir::cpu_quota_cores(machine.root)));
  machine.put("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  CHECK(std::isinf(weir::cpu_quota_cores(machine.root)));
  machine.put("sys/fs/cgroup/outer/cpu.max", "250000 100000\n");
  CHECK(weir::cpu_quota_cores(machine.root) == 2.5);
  machine.put("sys/fs/cgroup/outer/inner/cpu.max", "400000 100000\n");
  CHECK(weir::cpu_quota_cores(machine.root) == 2.5);
  machine.put("sys/fs/cgroup/cpu.max", "20000 50000\n");
  CHECK(weir::cpu_quota_cores(machine.root) == 0.4);
  CHECK(weir::usable_cores(machine.root) == 1);
}

TEST_CASE("a quota of one and a bit is two cores") {
  cpu_set_t set;
  REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
  const auto allowed = static_cast<unsigned>(CPU_COUNT(&set));
  const Machine machine;
  machine.use_v2();
  machine.put("sys/fs/cgroup/outer/cpu.max", "101000 100000\n");
  CHECK(weir::usable_cores(machine.root) == std::min(2U, allowed));
  machine.put("sys/fs/cgroup/outer/cpu.max", "100000 100000\n");
  CHECK(weir::usable_cores(machine.root) == 1);
  machine.put("sys/fs/cgroup/outer/cpu.max", "18446744073709551615 1\n");
  CHECK(weir::usable_cores(machine.root) == allowed);
}

TEST_CASE("the affinity mask counts") {
  unsigned cores = 0;
  std::thread([&] {  // a thread's own mask, so that the other tests keep theirs
    cpu_set_t set, one;
    REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
    CPU_ZERO(&one);
    for (std::size_t core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core)
      if (CPU_ISSET(core, &set)) CPU_SET(core, &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    cores = weir::usable_cores(Machine().root);
  })
      .join();
  CHECK(cores == 1);
}

TEST_CASE("cgroup v1 quotas and memory limits are seen, each in its own hierarchy") {
  const Machine machine;
  machine.use_v1();
  machine.put("sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_quota_us", "-1\n");
  machine.put("sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_period_us", "100000\n");
  CHECK(std::isinf(weir::cpu_quota_cores(machine.root)));
  machine.put("sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_quota_us", "150000\n");
  machine.put("sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_period_us", "100000\n");
  CHECK(weir::cpu_quota_cores(machine.root) == 1.5);

  machine.put("sys/fs/cgroup/memory/outer/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(weir::memory_limit_bytes(machine.root) == 16384 * mebi);
  machine.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  CHECK(weir::memory_limit_bytes(machine.root) == 1024 * mebi);
}

TEST_CASE("the memory limit is the machine's or the smallest cgroup limit on the way up") {
  const Machine machine;
  machine.use_v2();
  CHECK(weir::memory_limit_bytes(machine.root) == 16384 * mebi);
  machine.put("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  CHECK(weir::memory_limit_bytes(machine.root) == 16384 * mebi);
  machine.put("sys/fs/cgroup/outer/memory.max", "2147483648\n");
  CHECK(weir::memory_limit_bytes(machine.root) == 2048 * mebi);
  CHECK(weir::default_memory_budget(machine.root) == 512 * mebi);
  machine.put("sys/fs/cgroup/outer/inner/memory.max", "1048576\n");
  CHECK(weir::memory_limit_bytes(machine.root) == mebi);
  CHECK(weir::default_memory_budget(machine.root) == mebi / 4);
}

TEST_CASE("the default budget is at most 1 GiB") {
  const Machine machine;
  CHECK(weir::default_memory_budget(machine.root) == 1024 * mebi);
}

TEST_CASE("a container sees the limits of what is mounted in it") {
  for (const char* mounted : {"/", "/docker/abc", "/docker/abc/outer"}) {
    CAPTURE(mounted);
    const Machine machine;
    // The path is the host's, or leads out of the cgroup namespace.
    for (const char* path : {"/docker/abc", "/docker/abc/outer", "/docker/abcdef", "/../other"}) {
      CAPTURE(path);
      machine.put("proc/self/cgroup", "0::" + std::string(path) + "\n");
      machine.put("proc/self/mountinfo",
                  "31 23 0:28 " + std::string(mounted) + " /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
      machine.put("sys/fs/cgroup/memory.max", "1073741824\n");
      machine.put("sys/fs/cgroup/cpu.max", "50000 100000\n");
      machine.put("sys/fs/other/memory.max", "4096\n");
      CHECK(weir::memory_limit_bytes(machine.root) == 1024 * mebi);
      CHECK(weir::cpu_quota_cores(machine.root) == 0.5);
    }
  }
  const Machine machine;
  machine.put("proc/self/cgroup", "0::/docker/abc/outer\n");
  machine.put("proc/self/mountinfo", "31 23 0:28 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  machine.put("sys/fs/cgroup/outer/memory.max", "4194304\n");
  CHECK(weir::memory_limit_bytes(machine.root) == 4 * mebi);
}

TEST_CASE("what is broken or missing sets no limit") {
  const Machine machine;
  for (const char* cgroup : {"", "0", "0:", "0::", "0::x", "::", "0::/outer/inner"}) {
    for (const char* mounts : {"", "-", " - ", "31 23 0:28 / /x - cgroup2", "a - cgroup2 cgroup2 rw"}) {
      machine.put("proc/self/cgroup", cgroup);
      machine.put("proc/self/mountinfo", mounts);
      CHECK(weir::memory_limit_bytes(machine.root) == 16384 * mebi);
      CHECK(std::isinf(weir::cpu_quota_cores(machine.root)));
    }
  }
  machine.use_v2();
  for (const char* text :
       {"", "\n", "-5 100000", "100000", "100000 0", "x y", "1 2 3", "99999999999999999999 1"}) {
    machine.put("sys/fs/cgroup/outer/cpu.max", text);
    machine.put("sys/fs/cgroup/outer/memory.max", text);
    CAPTURE(text);
    CHECK(std::isinf(weir::cpu_quota_cores(machine.root)));
    if (std::string_view(text) != "100000") CHECK(weir::memory_limit_bytes(machine.root) == 16384 * mebi);
  }
  const std::string nowhere = machine.root + "/nowhere";
  CHECK(weir::usable_cores(nowhere) >= 1);
  CHECK(weir::memory_limit_bytes(nowhere) == weir::memory_limit_bytes(nowhere + "/"));
  CHECK(weir::memory_limit_bytes(nowhere) > mebi);
  CHECK(weir::memory_limit_bytes(nowhere) < std::uint64_t{1} << 50);
}

TEST_CASE("the peak of resident memory grows with memory that is touched") {
  const Machine machine;
  machine.put("proc/self/status", "Name:\tx\nVmPeak:\t   99999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 5 kB\n");
  CHECK(weir::peak_resident_bytes(machine.root) == 2 * mebi);
  CHECK(weir::peak_resident_bytes(machine.root + "/nowhere") > 0);
  const std::uint64_t before = weir::peak_resident_bytes();
  // More than the process ever had: what other tests gave back may be far above what is resident now.
  const std::vector<char> touched(before + 32 * mebi, 'x');
  CHECK(touched[12345] == 'x');
  CHECK(weir::peak_resident_bytes() >= before + 32 * mebi);
}

TEST_CASE("CPU time grows with work and not with sleep") {
  const double start = weir::process_cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const double slept = weir::process_cpu_seconds();
  while (weir::process_cpu_seconds() < slept + 0.05) {
  }
  CHECK(slept - start < 0.045);
  CHECK(weir::process_cpu_seconds() - start >= 0.05);
}

TEST_CASE("this machine has cores and memory") {
  CHECK(weir::usable_cores() >= 1);
  CHECK(weir::usable_cores() <= std::max(1U, std::thread::hardware_concurrency()));
  CHECK(weir::memory_limit_bytes() > 64 * mebi);
  CHECK(weir::default_memory_budget() <= 1024 * mebi);
  CHECK(weir::default_memory_budget() > 0);
}
