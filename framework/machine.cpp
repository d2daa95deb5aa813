#include "framework/machine.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace weir {
namespace {

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool contains(const std::vector<std::string>& parts, std::string_view part) {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

/// The number that `text` is. Nothing for "max", and for the -1 with which v1 says "none".
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  const std::vector<std::string> lines = lines_of(path);
  return lines.empty() ? std::nullopt : number(lines.front());
}

/// The value in bytes of a line like "VmHWM:     1234 kB".
std::optional<std::uint64_t> kilobytes_line(const std::string& path, std::string_view name) {
  for (const std::string& line : lines_of(path)) {
    if (!line.starts_with(name)) continue;
    std::string_view rest = std::string_view(line).substr(name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    const auto value = number(rest.substr(0, rest.find(' ')));
    std::uint64_t bytes = 0;
    if (value && !__builtin_mul_overflow(*value, 1024U, &bytes)) return bytes;
  }
  return std::nullopt;
}

/// The folders of this process's cgroup and of all above it that can be seen, of one v1 controller, or of v2
/// where `controller` is empty. cgroups(7), proc_pid_mountinfo(5).
std::vector<std::string> cgroup_folders(const std::string& root, std::string_view controller) {
  std::string cgroup;
  for (const std::string& line :
       lines_of(root + "/proc/self/cgroup")) {  // "4:cpu,cpuacct:/a/b", v2: "0::/a/b"
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool found =
        controller.empty() ? line.starts_with("0::") : contains(split(controllers, ','), controller);
    if (found) cgroup = line.substr(second + 1);
  }
  if (!cgroup.starts_with('/')) return {};

  // "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw": the fourth field is the cgroup
  // that is mounted, the fifth where.
  for (const std::string& line : lines_of(root + "/proc/self/mountinfo")) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> mount = split(line.substr(0, dash), ' ');
    const std::vector<std::string> kind = split(line.substr(dash + 3), ' ');
    if (mount.size() < 5 || kind.size() < 3) continue;
    if (controller.empty() ? kind[0] != "cgroup2"
                           : kind[0] != "cgroup" || !contains(split(kind[2], ','), controller))
      continue;
    const std::string mounted = mount[3] == "/" ? "" : mount[3];
    // A container may see its own cgroup alone, mounted, and a path that is the host's: the mount is all
    // there is.
    std::string below;
    if (cgroup.size() > mounted.size() && cgroup.starts_with(mounted) && cgroup[mounted.size()] == '/')
      below = cgroup.substr(mounted.size());
    if (below == "/" || contains(split(below, '/'), "..")) below.clear();
    std::vector<std::string> folders;
    for (;; below.resize(below.rfind('/'))) {
      folders.push_back(root + mount[4] + below);
      if (below.empty()) return folders;
    }
  }
  return {};
}

unsigned cores_in_affinity_mask() {
  // The kernel refuses masks smaller than its own; 2^16 cores are more than Linux can be built for.
  for (std::size_t cores = 1024; cores <= std::size_t{1} << 16; cores *= 2) {
    cpu_set_t* set = CPU_ALLOC(cores);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(cores);
    const int result = ::sched_getaffinity(0, bytes, set);
    const int error_number = errno;
    const int count = result == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return static_cast<unsigned>(count);
    if (error_number != EINVAL) break;
  }
  return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace

double cpu_quota_cores(const std::string& root) {
  double least = std::numeric_limits<double>::infinity();
  const auto take = [&least](std::optional<std::uint64_t> quota, std::optional<std::uint64_t> period) {
    if (quota && period && *period > 0)
      least = std::min(least, static_cast<double>(*quota) / static_cast<double>(*period));
  };
  for (const std::string& folder : cgroup_folders(root, "")) {
    const std::vector<std::string> lines = lines_of(folder + "/cpu.max");  // "150000 100000" or "max 100000"
    if (lines.empty()) continue;
    const std::vector<std::string> parts = split(lines.front(), ' ');
    if (parts.size() == 2) take(number(parts[0]), number(parts[1]));
  }
  for (const std::string& folder : cgroup_folders(root, "cpu"))
    take(number_in(folder + "/cpu.cfs_quota_us"), number_in(folder + "/cpu.cfs_period_us"));
  return least;
}

unsigned usable_cores(const std::string& root) {
  const unsigned cores = cores_in_affinity_mask();
  const double quota = std::ceil(cpu_quota_cores(root));
  if (quota >= cores) return cores;
  return std::max(1U, static_cast<unsigned>(quota));
}

std::uint64_t memory_limit_bytes(const std::string& root) {
  std::uint64_t least = no_limit;
  if (const auto total = kilobytes_line(root + "/proc/meminfo", "MemTotal:")) {
    least = *total;
  } else {
    struct sysinfo machine = {};
    if (::sysinfo(&machine) == 0) least = std::uint64_t{machine.totalram} * machine.mem_unit;
  }
  for (const std::string& folder : cgroup_folders(root, ""))
    least = std::min(least, number_in(folder + "/memory.max").value_or(no_limit));
  for (const std::string& folder : cgroup_folders(root, "memory"))
    least = std::min(least, number_in(folder + "/memory.limit_in_bytes").value_or(no_limit));
  return least;
}

std::uint64_t default_memory_budget(const std::string& root) {
  constexpr std::uint64_t most = std::uint64_t{1} << 30;
  return std::min(memory_limit_bytes(root) / 4, most);
}

std::uint64_t peak_resident_bytes(const std::string& root) {
  struct rusage usage = {};
  [[maybe_unused]] const int result = ::getrusage(RUSAGE_SELF, &usage);
  assert(result == 0);
  const std::uint64_t about = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  // The kernel writes its page of text in 6 to 13 us, which is more than all else in a run of a few items; 0.3 us tell that it would say
  // the same. Not where `about` is more than what is said: it starts with the peak of the program that exec replaced.
  static std::mutex mutex;
  static std::uint64_t about_then = 0, peak_then = 0;
  const std::lock_guard lock(mutex);
  if (root == "/" && about_then > 0 && about == about_then) return peak_then;
  const auto peak = kilobytes_line(root + "/proc/self/status", "VmHWM:");
  if (!peak) return about;
  if (root == "/") {
    about_then = about <= *peak ? about : 0;
    peak_then = *peak;
  }
  return *peak;
}

double process_cpu_seconds() {
  struct timespec time = {};
  [[maybe_unused]] const int result = ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  assert(result == 0);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace weir
