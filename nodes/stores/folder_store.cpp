#include "nodes/stores/folder_store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <set>
#include <thread>
#include <utility>

#include "framework/system_call.hpp"

namespace weir {
namespace {

// Folders that are remembered as prepared: 4096 of them take 200 KB, and beyond that they are small ones.
constexpr std::size_t most_prepared = 4096;
// Of one folder, held at a time while listing: about 4 MB. A folder of a million names is read 16 times, 0.3 s each.
constexpr std::size_t names_at_once = 65'536;
// Between two tries for a lock: the first pause, doubled up to the last.
constexpr std::chrono::microseconds first_pause{100}, last_pause{5000};
// Linux's IOV_MAX.
constexpr std::size_t most_parts = 1024;

/// Where nothing can be, because there is no such folder.
bool means_absent(int error_number) {
  return error_number == ENOENT || error_number == ENOTDIR;
}

std::string_view parent_of(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

std::string_view last_part(std::string_view key) {
  return key.substr(key.rfind('/') + 1);
}

/// Of ours, and no object.
bool is_hidden(std::string_view name) {
  return name == FolderLocks::lock_name || (name.starts_with('.') && is_temporary_name(name));
}

ObjectVersion version_of(const struct ::stat& status) {
  constexpr std::uint64_t second = 1'000'000'000;
  return {{static_cast<std::uint64_t>(status.st_ino),
           static_cast<std::uint64_t>(status.st_mtim.tv_sec) * second +
               static_cast<std::uint64_t>(status.st_mtim.tv_nsec),
           static_cast<std::uint64_t>(status.st_size)}};
}

bool fits(std::uint64_t offset, std::uint64_t bytes) {
  constexpr std::uint64_t most = std::numeric_limits<off_t>::max();
  return offset <= most && bytes <= most - offset;
}

}  // namespace

/// An open file, or none.
class FolderStore::Open {
 public:
  Open(FileSystem& files, int fd) : files_(&files), fd_(fd) {}
  Open(Open&& other) noexcept
      : bytes(other.bytes), version(other.version), files_(other.files_), fd_(std::exchange(other.fd_, -1)) {}
  Open& operator=(Open&&) = delete;
  ~Open() { static_cast<void>(close()); }
  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  /// What close says is of interest where something was written.
  int close() { return fd_ < 0 ? 0 : files_->close(std::exchange(fd_, -1)); }

  std::uint64_t bytes = 0;  ///< of the object
  ObjectVersion version;    ///< when it was opened

 private:
  FileSystem* files_;
  int fd_;
};

FolderStore::FolderStore(std::string folder, const FolderStoreOptions& options, FileSystem& files)
    : files_(files),
      folder_([&] {
        while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
        return std::move(folder);
      }()),
      options_(options) {
  if (folder_.empty()) throw Error::usage("open", "a folder", "its name is empty");
  if (options_.create) make_folders(folder_, options_.durable, files_);
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  fd_ = uninterrupted([&] { return files_.open(folder_.c_str(), flags, 0); });
  if (fd_ < 0) throw Error("open", "the folder " + folder_, system_reason(errno));
  is_in_memory_ = files_.is_in_memory(fd_);
}

FolderStore::~FolderStore() {
  static_cast<void>(files_.close(fd_));
}

StoreAbilities FolderStore::abilities() const {
  return {.write = true, .patch = true, .put_range = true, .list = true, .copy = true, .lock = true};
}

std::uint64_t FolderStore::standing_bytes() const {
  return sizeof *this + most_prepared * 48;  // a node and its bucket
}

std::string FolderStore::path(std::string_view key) const {
  return key.empty() ? folder_ : fmt::format("{}/{}", folder_, key);
}

Error FolderStore::system_failure(std::string_view action, std::string_view key, int error_number) const {
  if (error_number == EXDEV) return failure(action, key, "a symbolic link leads out of the folder");
  return failure(action, key, system_reason(error_number));
}

/// The file, or -1 with errno.
int FolderStore::try_open(std::string_view key, int flags, mode_t mode) const {
  check_key(key);
  const std::string beneath(key);
  return uninterrupted([&] { return files_.open_beneath(fd_, beneath.c_str(), flags | O_CLOEXEC, mode); });
}

/// Nothing where it is absent.
FolderStore::Open FolderStore::open(std::string_view action, std::string_view key, int flags) const {
  const int fd = try_open(key, flags);
  if (fd < 0 && !means_absent(errno)) throw system_failure(action, key, errno);
  return {files_, fd};
}

/// For an object that is absent: a folder that was replaced or removed since it was opened has lost its objects, or is losing them.
void FolderStore::require_folder(std::string_view action, std::string_view key) const {
  struct stat open = {}, named = {};
  if (files_.fstat(fd_, &open) != 0) return;
  const bool is_named = files_.stat(folder_.c_str(), &named) == 0;
  if (is_named && (named.st_dev != open.st_dev || named.st_ino != open.st_ino))
    throw failure(action, key, "the folder was replaced by another one while it was open");
  if (open.st_nlink == 0) throw failure(action, key, "the folder was removed while it was open");
}

/// Nothing where there is none; a folder is none.
FolderStore::Open FolderStore::open_object(std::string_view action, std::string_view key, int flags) const {
  // O_NONBLOCK is for what is no object: a fifo is refused instead of waited for.
  Open file(files_, try_open(key, flags | O_NONBLOCK | O_NOCTTY));
  if (!file && !means_absent(errno) && errno != EISDIR) throw system_failure(action, key, errno);
  if (!file) {
    require_folder(action, key);
    return file;
  }
  struct stat status = {};
  if (files_.fstat(file.fd(), &status) != 0) throw system_failure(action, key, errno);
  if (S_ISDIR(status.st_mode)) return {files_, -1};
  if (!S_ISREG(status.st_mode)) throw failure(action, key, "it is not a regular file");
  file.bytes = static_cast<std::uint64_t>(status.st_size);
  file.version = version_of(status);
  return file;
}

std::optional<std::uint64_t> FolderStore::size(std::string_view key, const std::stop_token&) const {
  const Open file = open_object("look at", key, O_RDONLY);
  return file ? std::optional(file.bytes) : std::nullopt;
}

void FolderStore::read(std::string_view key, const Open& file, std::uint64_t offset,
                       std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = uninterrupted(
        [&] { return files_.pread(file.fd(), out.data(), out.size(), static_cast<off_t>(offset)); });
    if (count < 0) throw system_failure("read", key, errno);
    if (count == 0) throw failure("read", key, "it has become shorter while it was read");
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

std::optional<std::uint64_t> FolderStore::get(std::string_view key, std::span<std::byte> out,
                                              const std::stop_token&, ObjectVersion* version) const {
  const Open file = open_object("read", key, O_RDONLY);
  if (!file) return std::nullopt;
  read(key, file, 0, out.first(std::min<std::uint64_t>(out.size(), file.bytes)));
  if (version != nullptr) *version = file.version;
  return file.bytes;
}

std::optional<std::uint64_t> FolderStore::get_end(std::string_view key, std::span<std::byte> out,
                                                  const std::stop_token&, ObjectVersion* version) const {
  const Open file = open_object("read", key, O_RDONLY);
  if (!file) return std::nullopt;
  const std::size_t some = std::min<std::uint64_t>(out.size(), file.bytes);
  read(key, file, file.bytes - some, out.last(some));
  if (version != nullptr) *version = file.version;
  return file.bytes;
}

/// Ranges that follow each other in the object are one call.
bool FolderStore::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                             const std::stop_token&, ObjectVersion* version) const {
  const Open file = open_object("read", key, O_RDONLY);
  if (!file) return false;
  for (const ObjectRange& range : ranges)
    if (range.offset > file.bytes || range.out.size() > file.bytes - range.offset)
      throw failure("read", key, fmt::format("it ends at byte {}", file.bytes));
  while (!ranges.empty()) {
    std::array<struct ::iovec, most_parts> parts;
    std::size_t count = 0;
    std::uint64_t end = ranges.front().offset;
    for (; count < std::min(parts.size(), ranges.size()) && ranges[count].offset == end; ++count) {
      parts[count] = {ranges[count].out.data(), ranges[count].out.size()};
      end += ranges[count].out.size();
    }
    std::uint64_t done = 0;
    if (count > 1) {
      const ssize_t got = uninterrupted([&] {
        return files_.preadv(file.fd(), parts.data(), static_cast<int>(count),
                             static_cast<off_t>(ranges.front().offset));
      });
      if (got < 0) throw system_failure("read", key, errno);
      done = static_cast<std::uint64_t>(got);
    }
    for (const ObjectRange& range : ranges.first(count)) {  // what the one call left
      const std::size_t some = std::min<std::uint64_t>(done, range.out.size());
      read(key, file, range.offset + some, range.out.subspan(some));
      done -= some;
    }
    ranges = ranges.subspan(count);
  }
  if (version != nullptr) *version = file.version;
  return true;
}

/// That it is there, made durable; and that no dead writer's temporary is in it.
void FolderStore::prepare_folder(const std::string& folder, std::string_view key) const {
  bool is_there = false;
  {
    const std::shared_lock guard(folders_mutex_);
    struct stat status = {};
    is_there = files_.stat(folder.c_str(), &status) == 0;
    if (!is_there && errno != ENOENT) throw system_failure("write", key, errno);
  }
  if (!is_there) {
    const std::unique_lock guard(folders_mutex_);
    make_folders(folder, options_.durable, files_);
  }
  {
    const std::lock_guard guard(prepared_mutex_);
    if (prepared_.size() >= most_prepared) prepared_.clear();
    if (!prepared_.insert(std::hash<std::string>()(folder)).second) return;
  }
  if (is_there) remove_stale_temporaries(folder + "/", "", files_);
}

bool FolderStore::is_prepared(const std::string& folder) const {
  const std::lock_guard guard(prepared_mutex_);
  return prepared_.contains(std::hash<std::string>()(folder));
}

/// `exists`: whether there is an object, inside the folder, under the key.
std::unique_ptr<AtomicFile> FolderStore::new_file(std::string_view key, bool exists) const {
  const std::string target = path(key), folder = path(parent_of(key));
  AtomicFileOptions options;
  options.overwrite = true;
  options.syncs = options_.durable;
  options.removes_stale = false;
  options.follows_links = exists;  // one that leads to nothing, or out of the folder, does not
  if (is_prepared(folder)) {
    try {
      return std::make_unique<AtomicFile>(target, options, files_);
    } catch (const Error&) {
      struct stat status = {};
      if (files_.stat(folder.c_str(), &status) == 0) throw;  // else it has been removed
    }
  }
  prepare_folder(folder, key);
  return std::make_unique<AtomicFile>(target, options, files_);
}

namespace {

/// With the key and the store's name in it.
template <class Work>
auto naming(const std::string& store, std::string_view action, std::string_view key, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    const std::string object = fmt::format("{} in {}", key, store);
    if (error.object() == object) throw;
    const std::string reason = error.action() == action ? error.reason()
                                                        : fmt::format("cannot {} {}: {}", error.action(),
                                                                      error.object(), error.reason());
    throw Error(action, object, reason, error.kind());
  }
}

}  // namespace

void FolderStore::put(std::string_view key, std::span<const std::byte> bytes) const {
  const bool exists = static_cast<bool>(open("write", key, O_PATH));
  naming(folder_, "write", key, [&] {
    const std::unique_ptr<AtomicFile> file = new_file(key, exists);
    file->write_at(0, bytes);
    file->commit();
  });
}

class FolderStore::Writer : public ObjectWriter {
 public:
  Writer(const FolderStore& store, std::string_view key)
      : store_(store), key_(key), old_(store.open_object("write", key, O_RDONLY)) {
    naming([&] {
      file_ = store_.new_file(key_, static_cast<bool>(old_) || store_.open("write", key_, O_PATH));
    });
  }

  void append(std::span<const std::byte> bytes) override {
    naming([&] { file_->write_at(size_, bytes); });
    size_ += bytes.size();
  }
  void copy(std::uint64_t offset, std::uint64_t bytes) override {
    if (!old_) throw store_.failure("copy from", key_, "there is no such object");
    bool is_whole = offset <= old_.bytes && bytes <= old_.bytes - offset;
    if (is_whole) naming([&] { is_whole = file_->copy_from(old_.fd(), offset, size_, bytes); });
    if (!is_whole) throw store_.failure("copy from", key_, fmt::format("it ends at byte {}", old_.bytes));
    size_ += bytes;
  }
  std::uint64_t size() const override { return size_; }
  void patch(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (offset > size_ || bytes.size() > size_ - offset)
      throw store_.failure("change", key_, fmt::format("only {} bytes were appended", size_));
    naming([&] { file_->write_at(offset, bytes); });
  }
  ObjectVersion commit() override {
    struct stat status = {};  // the file's, whatever takes its name after it
    if (store_.files_.fstat(file_->fd(), &status) != 0) throw store_.system_failure("write", key_, errno);
    naming([&] { file_->commit(); });
    return version_of(status);
  }

 private:
  template <class Work>
  void naming(Work work) const {
    weir::naming(store_.folder_, "write", key_, work);
  }

  const FolderStore& store_;
  const std::string key_;
  const Open old_;  ///< open as long as this: its bytes stay, whatever takes its name
  std::unique_ptr<AtomicFile> file_;
  std::uint64_t size_ = 0;
};

std::unique_ptr<ObjectWriter> FolderStore::writer(std::string_view key) const {
  return std::make_unique<Writer>(*this, key);
}

void FolderStore::put_range(std::string_view key, std::uint64_t offset,
                            std::span<const std::byte> bytes) const {
  Open file = open_object("change", key, O_WRONLY);
  if (!file) throw failure("change", key, "there is no such object");
  if (!fits(offset, bytes.size())) throw system_failure("change", key, EFBIG);
  while (!bytes.empty()) {
    const ssize_t count = uninterrupted(
        [&] { return files_.pwrite(file.fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (count < 0) throw system_failure("change", key, errno);
    if (count == 0) throw failure("change", key, "the file system takes no more bytes");
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  if (file.close() != 0 && errno != EINTR) throw system_failure("change", key, errno);
}

ObjectVersion FolderStore::sync(std::string_view key) const {
  const Open file = open_object("sync", key, O_RDONLY);
  if (!file) throw failure("sync", key, "there is no such object");
  if (options_.durable && uninterrupted([&] { return files_.fsync(file.fd()); }) != 0)
    throw system_failure("sync", key, errno);
  return file.version;
}

void FolderStore::erase(std::string_view key) const {
  if (!open_object("erase", key, O_RDONLY)) return;
  const std::string target = path(key), folder = path(parent_of(key));
  if (files_.unlink(target.c_str()) != 0 && !means_absent(errno)) throw system_failure("erase", key, errno);
  if (!options_.durable) return;
  const Open parent(files_, uninterrupted([&] {
                      return files_.open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
                    }));
  if (!parent || (uninterrupted([&] { return files_.fsync(parent.fd()); }) != 0 && errno != EINVAL))
    throw system_failure("erase", key, errno);
}

std::unique_ptr<ObjectLock> FolderStore::lock(std::string_view key, const std::stop_token& stop) const {
  check_key(key);
  bool is_prepared = false;
  for (std::chrono::microseconds pause = first_pause;;) {
    std::unique_ptr<ObjectLock> lock;
    const int error_number = locks_.try_lock(parent_of(key), last_part(key), lock);
    if (error_number == 0) return lock;
    if (means_absent(error_number) && !std::exchange(is_prepared, true)) {
      naming(folder_, "lock", key, [&] { prepare_folder(path(parent_of(key)), key); });
      continue;
    }
    if (error_number != EAGAIN) throw system_failure("lock", key, error_number);
    if (stop.stop_requested()) throw Error::cancelled();
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, last_pause);
  }
}

/// For file systems whose folders do not tell.
unsigned char FolderStore::type_of(const std::string& key) const {
  const Open file = open("list", key, O_PATH | O_NOFOLLOW);
  struct stat status = {};
  if (!file || files_.fstat(file.fd(), &status) != 0) return DT_UNKNOWN;
  return S_ISDIR(status.st_mode) ? DT_DIR : S_ISLNK(status.st_mode) ? DT_LNK : DT_REG;
}

/// Of a name that a folder listed; nothing where it is no object. Folders have been told apart where `type` says so.
std::optional<StoredObject> FolderStore::look_at_listed(const std::string& key, unsigned char type) const {
  struct stat status = {};
  if (type == DT_LNK) {
    const Open file(files_, try_open(key, O_PATH));
    if (!file && (means_absent(errno) || errno == EXDEV)) return std::nullopt;
    if (!file) throw system_failure("list", key, errno);
    if (files_.fstat(file.fd(), &status) != 0) throw system_failure("list", key, errno);
  } else if (files_.stat(path(key).c_str(), &status) != 0) {
    if (means_absent(errno)) return std::nullopt;  // gone meanwhile
    throw system_failure("list", key, errno);
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return StoredObject{.key = key,
                      .size = static_cast<std::uint64_t>(status.st_size),
                      .last_modified = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000};
}

/// False where `each` wants no more. `start` is a folder's key with a slash behind it, or empty.
bool FolderStore::list_below(const std::string& start, const ListRequest& request,
                             const std::function<bool(const StoredObject&)>& each,
                             const std::stop_token& stop) const {
  struct Name {
    std::string text;  ///< of a folder with a slash behind it, which is how keys are ordered
    unsigned char type;
    bool operator<(const Name& other) const { return text < other.text; }
  };
  const std::string folder = path(start) + (start.empty() ? "/" : "");
  // Of this folder's names, those up to `first` are not wanted; of the folder with that name some keys may be.
  const std::string_view whole = request.start_after;
  if (!whole.starts_with(start) && start < whole) return true;
  const std::string_view first = whole.starts_with(start) ? whole.substr(start.size()) : std::string_view();
  for (std::string after;;) {
    if (stop.stop_requested()) throw Error::cancelled();
    std::set<Name> names;  // the first ones behind `after`
    bool is_all = true;
    const auto add = [&](std::string_view name, unsigned char type) {
      if (is_hidden(name)) return;
      std::string text(name);
      if (type == DT_UNKNOWN) type = type_of(start + text);
      if (type == DT_DIR) text += '/';
      if (text <= after || (text <= first && !(type == DT_DIR && first.starts_with(text)))) return;
      if (names.size() == names_at_once) {
        is_all = false;
        if (text > names.rbegin()->text) return;
        names.erase(std::prev(names.end()));
      }
      names.insert({std::move(text), type});
    };
    if (files_.list_folder(folder.c_str(), add) != 0) {
      if (means_absent(errno)) return true;
      throw system_failure("list", start, errno);
    }
    for (const Name& name : names) {
      const std::string key = start + name.text;
      if (name.type == DT_DIR && request.one_level) {
        if (name.text > first && !each({.key = key})) return false;
      } else if (name.type == DT_DIR) {
        if (!list_below(key, request, each, stop)) return false;
      } else if (const std::optional<StoredObject> object = look_at_listed(key, name.type)) {
        if (!each(*object)) return false;
      }
    }
    if (is_all) return true;
    after = names.rbegin()->text;
  }
}

void FolderStore::list_objects(const ListRequest& request,
                               const std::function<bool(const StoredObject&)>& each,
                               const std::stop_token& stop) const {
  if (request.prefix.empty()) {
    list_below("", request, each, stop);
  } else if (open("list", request.prefix, O_PATH)) {
    list_below(std::string(request.prefix) + "/", request, each, stop);
  }
}

}  // namespace weir
