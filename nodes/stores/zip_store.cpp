#include "nodes/stores/zip_store.hpp"

#ifdef WEIR_WITH_ZIP

#include <fmt/format.h>
#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "nodes/stores/listed_keys.hpp"

namespace weir {
namespace {

constexpr std::uint64_t not_known = std::numeric_limits<std::uint64_t>::max();
// Of libzip, per entry: its record, name and place in a hash table.
constexpr std::uint64_t libzip_entry_bytes = 200;
// What is inflated and thrown away at a time, on the way to a range.
constexpr std::size_t skip_bytes = 64 << 10;

std::string text_of(zip_error_t* error) {
  return zip_error_strerror(error);
}

}  // namespace

struct ZipStore::Entry {
  std::string key;
  std::uint64_t index = 0;  ///< libzip's
  std::uint64_t size = 0, stored_size = 0;
  std::uint32_t crc = 0;
  std::uint16_t method = 0;
  bool is_encrypted = false;
  mutable std::uint64_t place = not_known;  ///< of its bytes in the file; under the mutex
};

/// libzip reads through this; nothing may be thrown through it.
struct ZipStore::Archive {
  explicit Archive(const ReadableFile& file) : file_(file) { zip_error_init(&error_); }
  ~Archive() {
    if (zip != nullptr) zip_discard(zip);
    zip_error_fini(&error_);
  }

  void open() {
    // libzip takes an empty file for an archive to be filled.
    if (file_.size() == 0) throw Error("open", file_.path(), "no zip file: it is empty");
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_function_create(&Archive::call, this, &error);
    if (source != nullptr) {
      zip = zip_open_from_source(source, ZIP_RDONLY, &error);
      if (zip == nullptr) zip_source_free(source);
    }
    const std::string text = zip == nullptr ? text_of(&error) : "";
    zip_error_fini(&error);
    if (zip == nullptr) throw Error("open", file_.path(), reason.empty() ? "no zip file: " + text : reason);
  }

  static zip_int64_t call(void* state, void* data, zip_uint64_t bytes, zip_source_cmd_t command) noexcept {
    auto& of = *static_cast<Archive*>(state);
    switch (command) {
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                              ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, -1);
      case ZIP_SOURCE_OPEN:
        of.offset_ = 0;
        return 0;
      case ZIP_SOURCE_CLOSE:
      case ZIP_SOURCE_FREE:
        return 0;
      case ZIP_SOURCE_READ:
        return of.read({static_cast<std::byte*>(data), bytes});
      case ZIP_SOURCE_SEEK: {
        const zip_int64_t to =
            zip_source_seek_compute_offset(of.offset_, of.file_.size(), data, bytes, &of.error_);
        if (to < 0) return -1;
        of.offset_ = static_cast<std::uint64_t>(to);
        return 0;
      }
      case ZIP_SOURCE_TELL:
        return static_cast<zip_int64_t>(of.offset_);
      case ZIP_SOURCE_STAT: {
        auto* status = static_cast<zip_stat_t*>(data);
        zip_stat_init(status);
        status->size = of.file_.size();
        status->valid = ZIP_STAT_SIZE;
        return sizeof *status;
      }
      case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&of.error_, data, bytes);
      default:
        zip_error_set(&of.error_, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
  }

  zip_int64_t read(std::span<std::byte> out) {
    last_read = offset_;
    try {
      const std::size_t got = file_.read_at(offset_, out);
      offset_ += got;
      return static_cast<zip_int64_t>(got);
    } catch (const Error& error) {
      reason = error.reason();
    } catch (...) {
      reason = "out of memory";
    }
    zip_error_set(&error_, ZIP_ER_READ, 0);
    return -1;
  }

  zip_t* zip = nullptr;
  std::uint64_t last_read = 0;  ///< where the last read began
  std::string reason;           ///< of the last read that failed

 private:
  const ReadableFile& file_;
  std::uint64_t offset_ = 0;
  zip_error_t error_;
};

ZipStore::ZipStore(std::shared_ptr<const ReadableFile> file, std::optional<std::string> prefix)
    : file_(std::move(file)), archive_(std::make_unique<Archive>(*file_)) {
  archive_->open();
  const auto count =
      static_cast<std::uint64_t>(std::max<zip_int64_t>(0, zip_get_num_entries(archive_->zip, 0)));
  for (std::uint64_t i = 0; i < count; ++i) {
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat_index(archive_->zip, i, 0, &status) != 0)
      throw Error("open", name(), text_of(zip_get_error(archive_->zip)));
    constexpr zip_uint64_t needed =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD;
    if ((status.valid & needed) != needed || !is_key(status.name)) continue;  // a folder's ends in a slash
    const bool is_encrypted =
        (status.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && status.encryption_method != ZIP_EM_NONE;
    entries_.push_back(
        {status.name, i, status.size, status.comp_size, status.crc, status.comp_method, is_encrypted});
  }
  std::ranges::stable_sort(entries_, {}, &Entry::key);
  // The last of each name: those before it hold old bytes.
  const auto kept = std::unique(entries_.rbegin(), entries_.rend(),
                                [](const Entry& a, const Entry& b) { return a.key == b.key; });
  entries_.erase(entries_.begin(), kept.base());

  std::string start;
  if (prefix) {
    if (!prefix->empty()) check_key(*prefix);
    start = prefix->empty() ? "" : *prefix + "/";
  } else if (!entries_.empty()) {
    // What the first and the last name share, all share.
    const std::string &first = entries_.front().key, &last = entries_.back().key;
    const auto end = std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first;
    start.assign(first.begin(), end);
    start.resize(start.rfind('/') + 1);
    // One entry alone, in a folder: that is its root.
    if (entries_.size() == 1) start = first.substr(0, first.rfind('/') + 1);
  }
  std::erase_if(entries_, [&](const Entry& entry) { return !entry.key.starts_with(start); });
  for (Entry& entry : entries_) entry.key.erase(0, start.size());
  entries_.shrink_to_fit();
}

ZipStore::~ZipStore() = default;

std::uint64_t ZipStore::standing_bytes() const {
  std::uint64_t bytes = sizeof *this + file_->standing_bytes();
  for (const Entry& entry : entries_) bytes += sizeof entry + 2 * entry.key.capacity() + libzip_entry_bytes;
  return bytes;
}

unsigned ZipStore::requests_at_once() const {
  return file_->traffic() != nullptr ? file_->traffic()->at_once() : 0;
}

const ZipStore::Entry* ZipStore::find(std::string_view key) const {
  check_key(key);
  const auto found = std::ranges::lower_bound(entries_, key, {}, &Entry::key);
  return found == entries_.end() || found->key != key ? nullptr : &*found;
}

std::optional<std::uint64_t> ZipStore::size(std::string_view key, const std::stop_token&) const {
  const Entry* entry = find(key);
  return entry != nullptr ? std::optional(entry->size) : std::nullopt;
}

std::optional<std::uint64_t> ZipStore::get(std::string_view key, std::span<std::byte> out,
                                           const std::stop_token& stop, ObjectVersion*) const {
  const Entry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  const ObjectRange range{0, out.first(std::min<std::uint64_t>(entry->size, out.size()))};
  read(key, *entry, {&range, 1}, stop);
  return entry->size;
}

std::optional<std::uint64_t> ZipStore::get_end(std::string_view key, std::span<std::byte> out,
                                               const std::stop_token& stop, ObjectVersion*) const {
  const Entry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  const std::size_t some = std::min<std::uint64_t>(entry->size, out.size());
  const ObjectRange range{entry->size - some, out.last(some)};
  read(key, *entry, {&range, 1}, stop);
  return entry->size;
}

bool ZipStore::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                          const std::stop_token& stop, ObjectVersion*) const {
  const Entry* entry = find(key);
  if (entry == nullptr) return false;
  read(key, *entry, ranges, stop);
  return true;
}

void ZipStore::read(std::string_view key, const Entry& entry, std::span<const ObjectRange> ranges,
                    const std::stop_token& stop) const {
  for (const ObjectRange& range : ranges)
    if (range.offset > entry.size || range.out.size() > entry.size - range.offset)
      throw failure("read", key, fmt::format("it ends at byte {}", entry.size));
  if (entry.is_encrypted) throw failure("read", key, "it is encrypted");
  if (entry.method != ZIP_CM_STORE) return inflate(key, entry, ranges, stop);
  std::vector<FileRange> wanted;
  for (const ObjectRange& range : ranges)
    if (!range.out.empty()) wanted.push_back({place(key, entry) + range.offset, range.out});
  if (wanted.empty()) return;
  try {
    file_->read_ranges(wanted, stop);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    throw failure("read", key, error.reason());
  }
  for (const ObjectRange& range : ranges)
    if (range.out.size() == entry.size &&
        ::crc32_z(0, reinterpret_cast<const Bytef*>(range.out.data()), range.out.size()) != entry.crc)
      throw failure("read", key, "its checksum is wrong");
}

/// libzip says nowhere where the bytes of an entry lie, but it asks us for the first of them.
std::uint64_t ZipStore::place(std::string_view key, const Entry& entry) const {
  const std::lock_guard guard(mutex_);
  if (entry.place != not_known) return entry.place;
  zip_file_t* file = zip_fopen_index(archive_->zip, entry.index, ZIP_FL_COMPRESSED);
  char first = 0;
  const zip_int64_t got = file == nullptr ? -1 : zip_fread(file, &first, 1);
  const std::uint64_t found = archive_->last_read;
  const std::string reason = file == nullptr ? text_of(zip_get_error(archive_->zip))
                             : got != 1      ? zip_file_strerror(file)
                                             : "";
  if (file != nullptr) zip_fclose(file);
  if (!reason.empty()) throw failure("read", key, reason);
  if (entry.stored_size != entry.size || found > file_->size() || entry.size > file_->size() - found)
    throw failure("read", key, "the archive ends before it, or is damaged");
  return entry.place = found;
}

void ZipStore::inflate(std::string_view key, const Entry& entry, std::span<const ObjectRange> ranges,
                       const std::stop_token& stop) const {
  std::vector<ObjectRange> ordered(ranges.begin(), ranges.end());
  std::erase_if(ordered, [](const ObjectRange& range) { return range.out.empty(); });
  std::ranges::stable_sort(ordered, {}, &ObjectRange::offset);
  const std::lock_guard guard(mutex_);
  const auto close = [](zip_file_t* file) { zip_fclose(file); };
  std::unique_ptr<zip_file_t, decltype(close)> file(nullptr, close);
  std::uint64_t at = 0;
  std::vector<std::byte> skipped;
  const auto take = [&](std::span<std::byte> out) {
    while (!out.empty()) {
      if (stop.stop_requested()) throw Error::cancelled();
      const zip_int64_t got = zip_fread(file.get(), out.data(), out.size());
      if (got < 0)
        throw failure("read", key,
                      archive_->reason.empty() ? zip_file_strerror(file.get()) : archive_->reason);
      if (got == 0)
        throw failure("read", key, fmt::format("only {} of {} bytes come out of it", at, entry.size));
      at += static_cast<std::uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  };
  archive_->reason.clear();
  for (const ObjectRange& range : ordered) {
    if (!file || range.offset < at) {  // overlapping ones begin anew
      file.reset(zip_fopen_index(archive_->zip, entry.index, 0));
      at = 0;
      if (!file) throw failure("read", key, text_of(zip_get_error(archive_->zip)));
    }
    while (at < range.offset) {
      skipped.resize(skip_bytes);
      take(std::span(skipped).first(std::min<std::uint64_t>(range.offset - at, skip_bytes)));
    }
    take(range.out);
  }
  // The checksum is compared at the end.
  char more = 0;
  if (file && at == entry.size && zip_fread(file.get(), &more, 1) != 0)
    throw failure("read", key, "its checksum is wrong, or it is longer than it says");
}

void ZipStore::list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                            const std::stop_token& stop) const {
  ListedKeys keys(request);
  auto entry = std::ranges::lower_bound(entries_, keys.start(), {}, &Entry::key);
  for (; entry != entries_.end() && entry->key.starts_with(keys.below()); ++entry) {
    if (stop.stop_requested()) throw Error::cancelled();
    if (keys.is_wanted(entry->key) && !each(keys.object(entry->key, entry->size))) return;
  }
}

}  // namespace weir

#else

namespace weir {

struct ZipStore::Archive {};
struct ZipStore::Entry {};

ZipStore::ZipStore(std::shared_ptr<const ReadableFile> file, std::optional<std::string>)
    : file_(std::move(file)) {
  throw Error::usage("open", file_->path(), "this weir was built without libzip");
}
ZipStore::~ZipStore() = default;
std::optional<std::uint64_t> ZipStore::size(std::string_view, const std::stop_token&) const {
  return {};
}
std::optional<std::uint64_t> ZipStore::get(std::string_view, std::span<std::byte>, const std::stop_token&,
                                           ObjectVersion*) const {
  return {};
}
std::optional<std::uint64_t> ZipStore::get_end(std::string_view, std::span<std::byte>, const std::stop_token&,
                                               ObjectVersion*) const {
  return {};
}
bool ZipStore::get_ranges(std::string_view, std::span<const ObjectRange>, const std::stop_token&,
                          ObjectVersion*) const {
  return false;
}
void ZipStore::list_objects(const ListRequest&, const std::function<bool(const StoredObject&)>&,
                            const std::stop_token&) const {}
unsigned ZipStore::requests_at_once() const {
  return 0;
}
std::uint64_t ZipStore::standing_bytes() const {
  return 0;
}

}  // namespace weir

#endif
