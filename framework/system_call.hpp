#pragma once

#include <cerrno>
#include <utility>

#include "framework/file.hpp"

namespace weir {

/// Repeats an interrupted call. Only for calls that do nothing when they are interrupted: a second linkat
/// would find the name of the first. close is not among them either: Linux has closed the file when it says
/// EINTR.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

/// For places that are failing already: keeps errno.
inline void close_quietly(FileSystem& files, int& fd) noexcept {
  const int kept = errno;
  if (fd >= 0) static_cast<void>(files.close(std::exchange(fd, -1)));
  errno = kept;
}

/// Fills `out`; returns the bytes read, fewer only at the end of the file. Throws Error, "cannot read PATH".
std::size_t read_fully(FileSystem& files, int fd, const std::string& path, std::uint64_t offset,
                       std::span<std::byte> out);
/// What is wrong with a file that must be a regular one, or nullptr.
const char* not_regular(const struct ::stat& status);
/// With its slash: "./" for a bare name.
std::string folder_of(const std::string& path);

}  // namespace weir
