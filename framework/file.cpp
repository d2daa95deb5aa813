#include "framework/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <new>
#include <utility>

#include "framework/system_call.hpp"

namespace weir {
namespace {

constexpr std::uint64_t largest_offset = std::numeric_limits<off_t>::max();

/// A path without its links, one part after the other, for kernels that do not do it themselves.
bool has_link(int folder, std::string_view path) {
  char pointed[1];
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = path.find('/', end + 1);
    if (::readlinkat(folder, std::string(path.substr(0, end)).c_str(), pointed, 1) >= 0) return true;
  }
  return false;
}

}  // namespace

int FileSystem::open(const char* path, int flags, mode_t mode) {
  return ::open(path, flags, mode);
}
int FileSystem::close(int fd) {
  return ::close(fd);
}
ssize_t FileSystem::pread(int fd, void* data, std::size_t bytes, off_t offset) {
  return ::pread(fd, data, bytes, offset);
}
ssize_t FileSystem::preadv(int fd, const struct ::iovec* parts, int count, off_t offset) {
  return ::preadv(fd, parts, count, offset);
}
ssize_t FileSystem::pwrite(int fd, const void* data, std::size_t bytes, off_t offset) {
  return ::pwrite(fd, data, bytes, offset);
}
int FileSystem::fsync(int fd) {
  return ::fsync(fd);
}
int FileSystem::sync_file_range(int fd, off_t offset, off_t bytes, unsigned flags) {
  return ::sync_file_range(fd, offset, bytes, flags);
}
int FileSystem::ftruncate(int fd, off_t bytes) {
  return ::ftruncate(fd, bytes);
}
int FileSystem::fallocate(int fd, int mode, off_t offset, off_t bytes) {
  return ::fallocate(fd, mode, offset, bytes);
}
int FileSystem::fstat(int fd, struct ::stat* status) {
  return ::fstat(fd, status);
}
int FileSystem::stat(const char* path, struct ::stat* status) {
  return ::stat(path, status);
}
int FileSystem::linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) {
  return ::linkat(from_fd, from, to_fd, to, flags);
}
int FileSystem::rename(const char* from, const char* to) {
  return ::rename(from, to);
}
int FileSystem::unlink(const char* path) {
  return ::unlink(path);
}
int FileSystem::fchmod(int fd, mode_t mode) {
  return ::fchmod(fd, mode);
}
int FileSystem::flock(int fd, int operation) {
  return ::flock(fd, operation);
}
int FileSystem::lock_range(int fd, short type, off_t offset, off_t bytes) {
  struct ::flock range = {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = offset;
  range.l_len = bytes;
  return ::fcntl(fd, F_OFD_SETLK, &range);
}
ssize_t FileSystem::readlink(const char* path, char* data, std::size_t bytes) {
  return ::readlink(path, data, bytes);
}
int FileSystem::access(const char* path, int mode) {
  return ::access(path, mode);
}

int FileSystem::mkdir(const char* path, mode_t mode) {
  return ::mkdir(path, mode);
}
ssize_t FileSystem::copy_file_range(int from, off_t from_offset, int to, off_t to_offset, std::size_t bytes) {
  return ::copy_file_range(from, &from_offset, to, &to_offset, bytes, 0);
}

int FileSystem::open_beneath(int folder, const char* path, int flags, mode_t mode) {
  open_how how = {};
  how.flags = static_cast<unsigned>(flags);
  how.mode = (flags & O_CREAT) != 0 ? mode : 0U;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, folder, path, &how, sizeof how);
  // EPERM: how container runtimes refuse calls that they do not know; an honest one comes again below.
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  if (has_link(folder, path)) {
    errno = EXDEV;
    return -1;
  }
  return ::openat(folder, path, flags | O_NOFOLLOW, mode);
}

int FileSystem::list_folder(const char* path,
                            const std::function<void(std::string_view, unsigned char)>& each) {
  DIR* folder = ::opendir(path);
  if (folder == nullptr) return -1;
  int failed = 0;
  try {
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(folder);
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") each(name, entry->d_type);
    }
    failed = errno;
  } catch (const std::bad_alloc&) {
    failed = ENOMEM;
  } catch (...) {
    ::closedir(folder);
    throw;
  }
  if (::closedir(folder) != 0 && failed == 0) failed = errno;
  errno = failed;
  return failed == 0 ? 0 : -1;
}

std::int64_t FileSystem::free_bytes(int fd) {
  struct statvfs status = {};
  if (uninterrupted([&] { return ::fstatvfs(fd, &status); }) != 0) return -1;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::int64_t bytes = 0;
  if (status.f_blocks == 0 || __builtin_mul_overflow(status.f_bavail, status.f_frsize, &bytes)) return most;
  return bytes;
}

bool FileSystem::is_in_memory(int fd) {
  struct statfs status = {};
  if (uninterrupted([&] { return ::fstatfs(fd, &status); }) != 0) return false;
  return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
}

FileSystem& FileSystem::real() {
  static FileSystem files;
  return files;
}

void ReadableFile::read_ranges(std::span<const FileRange> ranges, const std::stop_token&) const {
  for (const FileRange& range : ranges)
    if (const std::size_t got = read_at(range.offset, range.out); got != range.out.size())
      throw Error(
          "read", path(),
          fmt::format("it ends before byte {}, where it should have more", range.offset + range.out.size()));
}

std::uint64_t ReadableFile::requests_for(std::uint64_t, std::uint64_t) const {
  return 0;
}

std::size_t read_fully(FileSystem& files, int fd, const std::string& path, std::uint64_t offset,
                       std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size() && offset + done < largest_offset) {
    const auto position = static_cast<off_t>(offset + done);
    const std::size_t wanted =
        std::min<std::uint64_t>(out.size() - done, largest_offset - (offset + done));  // pread refuses more
    const ssize_t count = uninterrupted([&] { return files.pread(fd, out.data() + done, wanted, position); });
    if (count < 0) throw Error("read", path, system_reason(errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

const char* not_regular(const struct stat& status) {
  if (S_ISREG(status.st_mode)) return nullptr;
  return S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file";
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

InputFile::InputFile(std::string path, FileSystem& files) : files_(files), path_(std::move(path)) {
  // O_NONBLOCK changes nothing for a regular file, and a fifo without a writer is refused instead of waited
  // for.
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  fd_ = uninterrupted([&] { return files_.open(path_.c_str(), flags, 0); });
  if (fd_ < 0) throw Error("open", path_, system_reason(errno));
  struct stat status = {};
  const int result = files_.fstat(fd_, &status);
  const std::string reason_not_to = result != 0                      ? system_reason(errno)
                                    : not_regular(status) != nullptr ? not_regular(status)
                                                                     : "";
  if (!reason_not_to.empty()) {
    close_quietly(files_, fd_);
    throw Error("open", path_, reason_not_to);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

InputFile::~InputFile() {
  close_quietly(files_, fd_);
}

std::size_t InputFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  return read_fully(files_, fd_, path_, offset, out);
}

bool InputFile::is_same_file(const std::string& path) const {
  struct stat status = {};
  if (files_.stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    throw Error("look at", path, system_reason(errno));
  }
  return status.st_dev == device_ && status.st_ino == inode_;
}

void make_folders(const std::string& path, bool syncs, FileSystem& files) {
  const auto fail = [&](int error_number) {
    throw Error("make", "the folder " + path, system_reason(error_number));
  };
  // Upwards to one that is there, then down again.
  std::vector<std::string> missing;
  for (std::string at = path;;) {
    while (at.size() > 1 && at.ends_with('/')) at.pop_back();
    struct stat status = {};
    if (at.empty() || files.stat(at.c_str(), &status) == 0) break;
    if (errno != ENOENT) fail(errno);
    missing.push_back(at);
    if (at.find('/') == std::string::npos) break;
    at = folder_of(at);
  }
  for (; !missing.empty(); missing.pop_back()) {
    const std::string& made = missing.back();
    if (files.mkdir(made.c_str(), 0777) != 0 && errno != EEXIST) fail(errno);  // EEXIST: another one's
    if (!syncs) continue;
    int fd = uninterrupted(
        [&] { return files.open(folder_of(made).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); });
    if (fd < 0) fail(errno);
    const bool is_synced = uninterrupted([&] { return files.fsync(fd); }) == 0 || errno == EINVAL;
    close_quietly(files, fd);
    if (!is_synced) fail(errno);
  }
}

std::string canonical_path(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failed;
  fs::path canonical = fs::absolute(path, failed);
  if (!failed) canonical = fs::weakly_canonical(canonical, failed);
  if (failed) return path;
  if (!canonical.has_filename()) canonical = canonical.parent_path();
  return canonical.string();
}

}  // namespace weir
