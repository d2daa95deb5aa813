#pragma once

#include <cstdint>
#include <string>

namespace weir {

// What the machine gives this process. oneTBB does not see cgroup limits, so they are read here. `root` is
// the folder in which proc and the cgroup mounts are found; other ones than "/" are for tests. What cannot be
// read sets no limit. Thread-safe.

/// Cores that this process may use: the affinity mask, and the smallest CPU quota of its cgroup and of those
/// above it (v2 cpu.max, v1 cpu.cfs_quota_us), rounded up. At least 1.
unsigned usable_cores(const std::string& root = "/");

/// The quota alone, in cores: 1.5 for 150 ms in each 100 ms. Infinite where there is none.
double cpu_quota_cores(const std::string& root = "/");

/// The memory of the machine, or the smallest limit of this process's cgroup and of those above it (v2
/// memory.max, v1 memory.limit_in_bytes), whichever is less.
std::uint64_t memory_limit_bytes(const std::string& root = "/");

/// What a run takes where the user names no budget: a quarter of memory_limit_bytes, at most 1 GiB, so that
/// four runs fit beside each other and the page cache has room.
std::uint64_t default_memory_budget(const std::string& root = "/");

/// The most memory that was resident at any time since the process started (VmHWM).
std::uint64_t peak_resident_bytes(const std::string& root = "/");

/// CPU time of all threads since the process started.
double process_cpu_seconds();

}  // namespace weir
