#include "nodes/zarr/zarr_output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <random>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/open_store.hpp"
#include "nodes/stores/url.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr const char* documents[] = {"zarr.json", ".zarray", ".zgroup"};

Error exists_already(const std::string& name) {
  return Error::usage("write", name, "it exists already");
}

/// Whether these are a chunk's numbers: "0", "0.12"; not "007".
bool are_numbers(std::string_view text) {
  while (true) {
    const std::string_view number = text.substr(0, text.find('.'));
    if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos) return false;
    if (number.size() > 1 && number.front() == '0') return false;
    if (number.size() == text.size()) return true;
    text.remove_prefix(number.size() + 1);
  }
}

/// Whether an object may be of an array or a group, by its key below the place: a document, or a chunk of any key encoding ("c",
/// "c.0.1", "0.1", "c/0/1", "0/1"). A number alone, which anything may be called, only `with_node`: chunks of one axis.
bool is_zarr_name(std::string_view key, bool with_node) {
  const std::size_t slash = key.rfind('/');
  std::string_view name = key.substr(slash + 1);
  for (const char* document : {"zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"})
    if (name == document) return true;
  if (name == "c") return true;
  const bool has_c = name.starts_with("c.");
  if (has_c) name.remove_prefix(2);
  if (!are_numbers(name)) return false;
  if (with_node || has_c || name.find('.') != std::string_view::npos) return true;
  if (slash == std::string_view::npos) return false;
  const std::string_view folder = key.substr(0, slash);
  const std::string_view above = folder.substr(folder.rfind('/') + 1);
  return above == "c" || are_numbers(above);
}

/// An array holds chunks and no nodes: nothing is written below one.
void refuse_inside_an_array(const Store& store, std::string path, const std::string& name) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
    const auto above = find_zarr(store, path);
    if (above && above->array() != nullptr)
      throw Error::usage("write", name,
                         fmt::format("{} is an array, and holds no others",
                                     path.empty() ? store.name() : fmt::format("{}/{}", store.name(), path)));
  }
}

/// Where links at the end of a path lead, whether something is there or not; what comes before it the kernel follows.
std::string followed(std::string path) {
  constexpr int links = 40;  // as many as the kernel follows (MAXSYMLINKS); renaming fails behind them
  std::error_code failed;
  for (int link = 0; link < links && fs::is_symlink(path, failed); ++link) {
    const fs::path to = fs::read_symlink(path, failed);
    if (failed) break;
    path = (fs::path(path).parent_path() / to).string();
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  }
  return path;
}

/// An open folder, locked for as long as it is open.
class LockedFolder {
 public:
  LockedFolder() = default;
  LockedFolder(const std::string& path, FileSystem& files) : files_(&files) {
    fd_ = files.open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd_ >= 0 && files.flock(fd_, LOCK_EX | LOCK_NB) != 0) close();
  }
  LockedFolder(LockedFolder&& other) noexcept : files_(other.files_), fd_(std::exchange(other.fd_, -1)) {}
  LockedFolder& operator=(LockedFolder&& other) noexcept {
    std::swap(files_, other.files_);
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~LockedFolder() { close(); }
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  void close() {
    if (fd_ >= 0) static_cast<void>(files_->close(fd_));
    fd_ = -1;
  }
  FileSystem* files_ = nullptr;
  int fd_ = -1;
};

class FolderOutput : public ZarrOutput {
 public:
  FolderOutput(const std::string& path, int format, bool overwrite, FileSystem& files)
      : files_(files), format_(format), overwrite_(overwrite), place_(zarr_place(path)) {
    while (place_.store.size() > 1 && place_.store.ends_with('/')) place_.store.pop_back();
    target_ = place_.path.empty() ? place_.store : place_.store + "/" + place_.path;
    if (!place_.path.empty()) check_key(place_.path);
    place_path_ = followed(target_);
    fs::path folder = fs::path(place_path_).parent_path();
    folder_ = folder.empty() ? "." : folder.string();
    file_name_ = fs::path(place_path_).filename().string();
    if (file_name_.empty() || file_name_ == "." || file_name_ == "..")
      throw Error::usage("write", target_, "it is no name of a folder");
  }
  ~FolderOutput() override {
    store_.reset();
    lock_ = LockedFolder();  // its descriptor is the one that removing takes, where there are no others
    if (!temporary_.empty()) remove(temporary_);
  }

  const std::string& name() const override { return target_; }
  std::string beside() const override { return place_.store; }
  bool removes(const StoredPlace&) const override { return false; }
  const Store& store() const override { return *store_; }
  const std::string& path() const override { return path_; }
  std::uint64_t writer_bytes() const override { return 1024; }  // of strings; files are written as they come
  std::uint64_t standing_bytes() const override {
    return 256 << 10;
  }  // of the store: the names of folders that it has made

  void open() override {
    struct ::stat status = {};
    if (files_.stat(target_.c_str(), &status) == 0) {
      if (!overwrite_) throw exists_already(target_);
      if (!is_replaceable())
        throw Error::usage("write", target_, "what is there is neither an array nor a group of Zarr");
    }
    if (!place_.path.empty() && files_.stat(place_.store.c_str(), &status) == 0)
      refuse_inside_an_array(FolderStore(place_.store, {}, files_), place_.path, target_);
    make_folders(folder_, true, files_);
    remove_stale();
    temporary_ = fmt::format("{}/{}", folder_, temporary_name());
    if (files_.mkdir(temporary_.c_str(), 0777) != 0) {
      const int reason = errno;
      throw Error("write", std::exchange(temporary_, ""), system_reason(reason));
    }
    lock_ = LockedFolder(temporary_, files_);
    if (!lock_.is_open()) throw failure(errno);
    // One sync at the end, of thousands of objects, instead of two for each.
    store_ = std::make_unique<FolderStore>(temporary_, FolderStoreOptions{.create = false, .durable = false},
                                           files_);
  }

  void commit() override {
    store_.reset();
    if (::syncfs(lock_.fd()) != 0) throw failure(errno);
    make_groups();
    give_name();
    const int parent = files_.open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    const bool is_synced = parent >= 0 && files_.fsync(parent) == 0;
    const int reason = errno;
    if (parent >= 0) static_cast<void>(files_.close(parent));
    if (!is_synced) throw failure(reason);
  }

 private:
  Error failure(int reason) const { return {"write", target_, system_reason(reason)}; }

  bool is_replaceable() const {
    std::error_code ignored;
    if (fs::is_directory(target_, ignored) && fs::is_empty(target_, ignored)) return true;
    for (const char* document : documents) {
      struct ::stat status = {};
      if (files_.stat(fmt::format("{}/{}", target_, document).c_str(), &status) == 0) return true;
    }
    return false;
  }

  std::string temporary_name() const {
    std::random_device device;
    const std::uint64_t number = std::uint64_t{device()} << 32 | device();
    return fmt::format(".{}.weir-{:016x}.tmp", file_name_, number);
  }

  /// Of this node's writers that have died: they held a lock.
  void remove_stale() const {
    std::vector<std::string> stale;
    static_cast<void>(files_.list_folder(folder_.c_str(), [&](std::string_view name, unsigned char) {
      if (is_temporary_name(name) && name.starts_with(fmt::format(".{}.weir-", file_name_)))
        stale.push_back(fmt::format("{}/{}", folder_, name));
    }));
    for (const std::string& path : stale)
      if (const LockedFolder lock(path, files_); lock.is_open()) remove(path);
  }

  /// What stays is the next one's to remove. With one descriptor at a time, and none for what is empty: libstdc++ 12's remove_all holds
  /// one for each folder on its way, and this is also what cleans up where they have run out.
  void remove(const std::string& path) const {
    if (::rmdir(path.c_str()) == 0) return;
    std::vector<std::string> folders;
    static_cast<void>(files_.list_folder(path.c_str(), [&](std::string_view name, unsigned char) {
      std::string inside = fmt::format("{}/{}", path, name);
      if (files_.unlink(inside.c_str()) != 0 && errno == EISDIR) folders.push_back(std::move(inside));
    }));
    for (const std::string& folder : folders) remove(folder);
    static_cast<void>(::rmdir(path.c_str()));
  }

  /// The groups between the store and the node, which v3 wants to be there.
  void make_groups() const {
    if (place_.path.empty()) return;
    const FolderStore whole(place_.store, {}, files_);
    std::string path = place_.path;
    for (std::size_t slash = path.rfind('/');; slash = path.rfind('/')) {
      path.resize(slash == std::string::npos ? 0 : slash);
      if (!find_zarr(whole, path)) create_zarr(whole, path, ZarrGroupMetadata{format_, "{}"});
      if (path.empty()) return;
    }
  }

  void give_name() {
    struct ::stat status = {};
    const bool replaces = files_.stat(target_.c_str(), &status) == 0;
    if (replaces && !overwrite_) throw exists_already(target_);  // made meanwhile
    if (!replaces) {
      if (files_.rename(temporary_.c_str(), place_path_.c_str()) != 0) throw failure(errno);
      temporary_.clear();
      return;
    }
    // The old one gets the temporary's name, and is removed with it.
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, place_path_.c_str(), RENAME_EXCHANGE) == 0)
      return;
    if (errno != EINVAL && errno != ENOSYS) throw failure(errno);
    // File systems without exchange: for a moment there is neither.
    const std::string old = fmt::format("{}/{}", folder_, temporary_name());
    if (files_.rename(place_path_.c_str(), old.c_str()) != 0) throw failure(errno);
    if (files_.rename(temporary_.c_str(), place_path_.c_str()) != 0) {
      const int reason = errno;
      static_cast<void>(files_.rename(old.c_str(), place_path_.c_str()));
      throw failure(reason);
    }
    temporary_ = old;
  }

  FileSystem& files_;
  int format_;
  bool overwrite_;
  ZarrPlace place_;
  std::string target_;                           // as given, for messages
  std::string place_path_, folder_, file_name_;  // a link at its end followed: folder_ / file_name_
  std::string temporary_, path_;                 // path_ in it: the node is the folder itself
  LockedFolder lock_;
  std::unique_ptr<FolderStore> store_;
};

class StoreOutput : public ZarrOutput {
 public:
  StoreOutput(std::shared_ptr<const Store> store, std::string path, bool overwrite)
      : store_(std::move(store)), path_(std::move(path)), overwrite_(overwrite) {
    name_ = path_.empty() ? store_->name() : fmt::format("{}/{}", store_->name(), path_);
    if (!path_.empty()) check_key(path_);
    require(*store_, {.write = true, .list = true});
  }

  const std::string& name() const override { return name_; }
  const Store& store() const override { return *store_; }
  const std::string& path() const override { return path_; }
  std::uint64_t writer_bytes() const override { return store_->writer_bytes(); }
  std::uint64_t standing_bytes() const override { return store_->standing_bytes(); }

  void open() override {
    refuse_inside_an_array(*store_, path_, name_);
    refuse_what_is_there();
    for (const char* document : documents) store_->erase(key(document));
    // A few at a time: a store may hold its lock while it lists.
    constexpr std::size_t at_once = 1024;
    std::vector<std::string> keys;
    do {
      keys.clear();
      store_->list(path_, [&](std::string_view key, std::uint64_t) {
        keys.emplace_back(key);
        return keys.size() < at_once;
      });
      for (const std::string& key : keys) store_->erase(key);
    } while (keys.size() == at_once);
  }
  /// By its name another store may be the same, but for those in memory.
  bool removes(const StoredPlace& read) const override {
    const auto inside = [](const std::string& store, const std::string& path) {
      return path.empty() ? store + "/" : fmt::format("{}/{}/", store, path);
    };
    if (read.store == nullptr) return false;
    if (read.store == store_.get()) return inside("", read.path).starts_with(inside("", path_));
    if (read.store->is_in_memory()) return false;
    return inside(read.store->name(), read.path).starts_with(inside(store_->name(), path_));
  }
  void commit() override {}

 private:
  void refuse_what_is_there() const {
    bool is_node = false;
    for (const char* document : documents) is_node = is_node || store_->size(key(document)).has_value();
    if (is_node && !overwrite_) throw exists_already(name_);
    const std::size_t above = path_.empty() ? 0 : path_.size() + 1;
    std::optional<std::string> kept;
    bool is_foreign = false;
    std::string of_array;  // the folder of the last array of v2: its documents come before its chunks
    store_->list(path_, [&](std::string_view key, std::uint64_t) {
      const std::string_view folder = key.substr(0, key.rfind('/') + 1);
      if (key.ends_with("/.zarray")) of_array = folder;
      is_foreign = !is_zarr_name(key.substr(above), is_node || (!of_array.empty() && folder == of_array));
      if (is_foreign || !overwrite_) kept = key;
      return !kept;
    });
    if (!kept) return;
    if (is_foreign)
      throw Error::usage(
          "write", name_,
          fmt::format("{} is there, which is nothing of a Zarr array: it is not removed", *kept));
    throw Error::usage("write", name_,
                       fmt::format("there are chunks already, of an array that was not finished: {}", *kept));
  }

  std::string key(const char* name) const { return path_.empty() ? name : fmt::format("{}/{}", path_, name); }

  std::shared_ptr<const Store> store_;
  std::string path_, name_;
  bool overwrite_;
};

}  // namespace

std::unique_ptr<ZarrOutput> folder_output(const std::string& path, int format, bool overwrite,
                                          FileSystem& files) {
  return std::make_unique<FolderOutput>(path, format, overwrite, files);
}

std::unique_ptr<ZarrOutput> store_output(std::shared_ptr<const Store> store, std::string path,
                                         bool overwrite) {
  return std::make_unique<StoreOutput>(std::move(store), std::move(path), overwrite);
}

void refuse_to_remove(const ZarrOutput& output, const StoredPlace& read) {
  if (output.removes(read))
    throw Error::usage("write", output.name(), "it is read, too, and would be removed first");
}

std::unique_ptr<ZarrOutput> zarr_output(const std::string& path, int format, bool overwrite,
                                        FileSystem& files) {
  const ZarrPlace place = zarr_place(path);
  const std::size_t scheme = path.find("://");
  const bool has_scheme = scheme != std::string::npos && path.find('/') > scheme;
  const bool is_object = path.starts_with("s3://") || path.starts_with("gs://");
  if (has_scheme && !is_object && !is_url(path))
    throw Error::usage(
        "write", path,
        fmt::format("stores of {} are not known: a folder or s3://", path.substr(0, scheme + 3)));
  if (place.store.ends_with(".zip"))
    throw Error::usage("write", shown_path(path), "zip files are read, and not written: a folder or s3://");
  if (!is_object && !is_url(path) && !path.starts_with("memory:"))
    return folder_output(path, format, overwrite, files);
  return store_output(open_store(place.store, {}, files), place.path, overwrite);
}

}  // namespace weir
