#include "nodes/stores/folder_locks.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>

#include "framework/system_call.hpp"

namespace weir {
namespace {

constexpr off_t all_places = std::numeric_limits<off_t>::max();

/// 62 bits of the name's FNV-1a hash, the same in every process. Two names with one hash would wait for each other, and who wants
/// both for ever: among a million at a time, one chance in ten millions.
off_t place_of(std::string_view name) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100'0000'01b3;
  return static_cast<off_t>(hash >> 2);
}

}  // namespace

/// The name goes before the bytes do: whoever has got a byte of a file that has lost its name looks for the new one.
class FolderLocks::LockFile {
 public:
  LockFile(FileSystem& files, std::string path, int fd) : files_(files), path_(std::move(path)), fd_(fd) {}
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile() {
    if (files_.lock_range(fd_, F_WRLCK, 0, all_places) == 0 &&
        look_for_name() == 0)  // nobody else has a byte
      static_cast<void>(files_.unlink(path_.c_str()));
    close_quietly(files_, fd_);
  }

  /// 0, or errno: ENOENT where it has none any more.
  int look_for_name() const {
    struct stat status = {};
    if (files_.fstat(fd_, &status) != 0) return errno;
    return status.st_nlink > 0 ? 0 : ENOENT;
  }
  int take(off_t place) {
    if (places_.contains(place)) return EAGAIN;
    if (files_.lock_range(fd_, F_WRLCK, place, 1) != 0) return errno == EACCES ? EAGAIN : errno;
    if (const int error_number = look_for_name(); error_number != 0) {
      static_cast<void>(files_.lock_range(fd_, F_UNLCK, place, 1));
      return error_number;
    }
    places_.insert(place);
    return 0;
  }
  /// False where it was the last.
  bool give_back(off_t place) {
    places_.erase(place);
    if (places_.empty()) return false;
    static_cast<void>(files_.lock_range(fd_, F_UNLCK, place, 1));
    return true;
  }

 private:
  FileSystem& files_;
  const std::string path_;
  int fd_;
  std::set<off_t> places_;  // of this open file; the kernel keeps only others out
};

class FolderLocks::Lock : public ObjectLock {
 public:
  Lock(FolderLocks& locks, std::string key, std::shared_ptr<LockFile> file, off_t place)
      : locks_(locks), key_(std::move(key)), file_(std::move(file)), place_(place) {}
  ~Lock() override {
    const std::lock_guard guard(locks_.mutex_);
    if (!file_->give_back(place_))
      if (const auto found = locks_.held_.find(key_); found != locks_.held_.end() && found->second == file_)
        locks_.held_.erase(found);
    file_.reset();
  }

 private:
  FolderLocks& locks_;
  const std::string key_;
  std::shared_ptr<LockFile> file_;
  const off_t place_;
};

int FolderLocks::try_lock(std::string_view parent, std::string_view name, std::unique_ptr<ObjectLock>& lock) {
  std::string key = fmt::format("{}{}{}", parent, parent.empty() ? "" : "/", lock_name);
  const off_t place = place_of(name);
  const std::lock_guard guard(mutex_);
  for (;;) {
    const auto found = held_.find(key);
    std::shared_ptr<LockFile> file = found == held_.end() ? nullptr : found->second;
    if (!file) {
      constexpr int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
      const int fd = uninterrupted([&] { return files_.open_beneath(folder_fd_, key.c_str(), flags, 0666); });
      if (fd < 0) return errno;
      file = std::make_shared<LockFile>(files_, fmt::format("{}/{}", folder_, key), fd);
    }
    const int error_number = file->take(place);
    if (error_number == ENOENT) {  // its last owner has just removed it, or somebody the whole folder
      held_.erase(key);
      continue;
    }
    if (error_number != 0) return error_number;
    held_.insert_or_assign(key, file);
    lock = std::make_unique<Lock>(*this, std::move(key), std::move(file), place);
    return 0;
  }
}

}  // namespace weir
