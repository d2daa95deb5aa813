#include "nodes/zarr/check_zarr.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/folder_locks.hpp"
#include "nodes/zarr/check_chunks.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/metadata_problems.hpp"
#include "nodes/zarr/raster_attributes.hpp"
#include "nodes/zarr/raster_axes.hpp"
#include "nodes/zarr/shard_journal.hpp"
#include "nodes/zarr/store_tiles.hpp"

namespace weir {
namespace {

constexpr std::string_view v3_file = "zarr.json", v2_array_file = ".zarray", v2_group_file = ".zgroup",
                           v2_attributes_file = ".zattrs", v2_consolidated_file = ".zmetadata";
constexpr std::string_view documents[] = {v3_file, v2_array_file, v2_group_file, v2_attributes_file,
                                          v2_consolidated_file};

std::pair<std::string, std::string_view> folder_and_name(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  if (slash == std::string_view::npos) return {"", key};
  return {std::string(key.substr(0, slash)), key.substr(slash + 1)};
}

bool is_document(std::string_view name) {
  return std::ranges::find(documents, name) != std::end(documents);
}

/// A folder with documents.
struct Node {
  std::vector<std::string> files;
  std::optional<ZarrArrayMetadata> array;  ///< a sound one
  bool is_array = false, is_group = false;
  std::string attributes = "{}";  ///< of a sound group

  bool has(std::string_view file) const { return std::ranges::find(files, file) != files.end(); }
  bool is_node() const { return has(v3_file) || has(v2_array_file) || has(v2_group_file); }
};

class Checker {
 public:
  Checker(const std::shared_ptr<const Store>& store, std::string root, const ZarrCheckOptions& options,
          const std::stop_token& stop, FileCheck& check)
      : store_(store), root_(std::move(root)), options_(options), stop_(stop), check_(check) {}

  void run() {
    can_list_ = store_->abilities().list;
    if (!safely("", [&] { find_nodes(); })) return;
    if (const auto root = nodes_.find(root_); root == nodes_.end() || !root->second.is_node()) {
      error("no-node", "", "", "there is neither zarr.json nor .zarray nor .zgroup");
      return;
    }
    for (auto& [path, node] : nodes_) safely(path, [&, &path = path, &node = node] { read(path, node); });
    for (const auto& [path, node] : nodes_) check_place(path, node);
    for (const auto& [path, node] : nodes_) {
      safely(path, [&, &path = path, &node = node] { check_consolidated(path, node); });
      if (node.is_group) check_levels(path, node);
    }
    for (const auto& [path, node] : nodes_)
      if (node.array) safely(path, [&, &path = path, &node = node] { check_array(path, node); });
    if (unread_ > options_.listed)
      notes_.push_back(
          fmt::format("... and {} more arrays whose elements Weir does not read", unread_ - options_.listed));
    for (const std::string& note : notes_) check_.note(note);
  }

 private:
  /// A node's place as problems say it; the root has none.
  std::string where(const std::string& path) const {
    if (path == root_) return "";
    return root_.empty() ? path : path.substr(root_.size() + 1);
  }
  void add(FileProblem::Severity severity, std::string_view name, const std::string& path,
           const std::string& item, const std::string& text) {
    check_.add({severity, std::string(name), where(path), item, text, 0});
  }
  void error(std::string_view name, const std::string& path, const std::string& item,
             const std::string& text) {
    add(FileProblem::Severity::error, name, path.empty() ? root_ : path, item, text);
  }
  void warn(std::string_view name, const std::string& path, const std::string& item,
            const std::string& text) {
    add(FileProblem::Severity::warning, name, path, item, text);
  }
  /// What fails of the store's calls is a problem of the node.
  bool safely(const std::string& path, const std::function<void()>& work) {
    if (stop_.stop_requested()) throw Error::cancelled();
    try {
      work();
      return true;
    } catch (const Error& failure) {
      if (failure.kind() == ErrorKind::cancelled) throw;
      error("unreadable-store", path, "", failure.what());
      return false;
    }
  }
  std::optional<std::string> text(const std::string& path, std::string_view file) const {
    const auto bytes = get_small(*store_, joined_path(path, file), options_.limits.metadata_bytes, stop_);
    if (!bytes) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  }
  JsonValue json(const std::string& text) const {
    return parse_json(text, "the document", options_.limits.metadata_bytes, options_.limits.depth);
  }

  // Nodes ------------------------------------------------------------------------------------------------------------

  void find_nodes() {
    if (can_list_) {
      store_->list(
          root_,
          [&](std::string_view key, std::uint64_t) {
            auto [folder, name] = folder_and_name(key);
            if (is_document(name)) nodes_[folder].files.emplace_back(name);
            return true;
          },
          stop_);
      return;
    }
    add_node(root_);
    for (const std::string& path : consolidated_paths(root_)) add_node(path);
    notes_.push_back("the store does not list its keys: objects that belong to nothing were not looked for" +
                     std::string(nodes_.size() > 1 ? "" : ", nor were nodes below a group"));
  }
  void add_node(const std::string& path) {
    for (const std::string_view file : documents)
      if (store_->size(joined_path(path, file), stop_)) nodes_[path].files.emplace_back(file);
  }
  std::vector<std::string> consolidated_paths(const std::string& group) const {
    std::vector<std::string> paths;
    const auto it = nodes_.find(group);
    if (it == nodes_.end()) return paths;
    for (const auto& [key, document] : consolidated(group, it->second))
      paths.push_back(joined_path(group, it->second.has(v3_file) ? key : folder_and_name(key).first));
    return paths;
  }

  /// What a group says of those below it: by path (v3), by document (v2).
  JsonValue::Object consolidated(const std::string& group, const Node& node) const {
    const bool is_v3 = node.has(v3_file);
    if (!is_v3 && !node.has(v2_consolidated_file)) return {};
    const JsonValue whole = json(text(group, is_v3 ? v3_file : v2_consolidated_file).value_or("{}"));
    const JsonValue* found = is_v3 ? whole.find("consolidated_metadata") : &whole;
    const JsonValue* metadata = found == nullptr ? nullptr : found->find("metadata");
    if (metadata == nullptr || metadata->object() == nullptr) return {};
    return *metadata->object();
  }

  void read(const std::string& path, Node& node) {
    if (node.has(v3_file)) return read_v3(path, node);
    const std::string zattrs =
        node.has(v2_attributes_file) ? text(path, v2_attributes_file).value_or("") : "";
    if (node.has(v2_array_file)) {
      node.is_array = true;
      take(path, node, v2_array_file,
           problems_of_array(text(path, v2_array_file).value_or(""), zattrs, 2, options_.limits));
    } else if (node.has(v2_group_file)) {
      read_group(path, node, v2_group_file, [&] {
        return parse_zarr_v2_group(text(path, v2_group_file).value_or(""), zattrs, "it", options_.limits);
      });
    }
  }
  void read_v3(const std::string& path, Node& node) {
    const std::string document = text(path, v3_file).value_or("");
    bool is_group = false;
    try {
      const JsonValue whole = json(document);
      const JsonValue* type = whole.find("node_type");
      is_group = type != nullptr && type->text() != nullptr && *type->text() == "group";
    } catch (const Error&) {  // said below
    }
    if (is_group)
      return read_group(path, node, v3_file,
                        [&] { return parse_zarr_v3_group(document, "it", options_.limits); });
    node.is_array = true;
    take(path, node, v3_file, problems_of_array(document, "", 3, options_.limits));
  }
  void read_group(const std::string& path, Node& node, std::string_view file,
                  const std::function<ZarrGroupMetadata()>& parse) {
    node.is_group = true;
    try {
      node.attributes = parse().attributes;
    } catch (const Error& failure) {
      error("metadata", path, std::string(file), failure.reason());
    }
  }
  void take(const std::string& path, Node& node, std::string_view file, ArrayProblems found) {
    for (const std::string& problem : found.problems) error("metadata", path, std::string(file), problem);
    if (found.unread && ++unread_ <= options_.listed)
      notes_.push_back(
          fmt::format("{}its elements are {}, which Weir does not read: chunks were not looked at",
                      where(path).empty() ? "" : where(path) + ": ", found.unread->substr(0, 80)));
    node.array = std::move(found.array);
    if (!node.array) return;
    check_dimensions(path, *node.array);
    check_attributes(path, *node.array);
  }

  void check_dimensions(const std::string& path, const ZarrArrayMetadata& array) {
    if (array.format != 2) return;  // v3's are metadata
    const JsonValue attributes = json(array.attributes);
    const JsonValue* names = attributes.find("_ARRAY_DIMENSIONS");
    if (names == nullptr) return;
    const JsonValue::Array* list = names->array();
    if (list == nullptr ||
        !std::ranges::all_of(*list, [](const auto& name) { return name.text() != nullptr; }))
      error("dimension-names", path, std::string(v2_attributes_file),
            "_ARRAY_DIMENSIONS: are no list of texts");
    else if (list->size() != array.rank())
      error(
          "dimension-names", path, std::string(v2_attributes_file),
          fmt::format("_ARRAY_DIMENSIONS: has {} names, and the array {} axes", list->size(), array.rank()));
  }

  /// Of what can be a raster.
  void check_attributes(const std::string& path, const ZarrArrayMetadata& array) {
    RasterInfo info;
    try {
      const RasterAxes axes = raster_axes(array, "auto", "it");
      info.height = array.shape[axes.row];
      info.width = array.shape[axes.col];
      info.samples =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(axes.band ? array.shape[*axes.band] : 1, 65535));
      info.type = sample_type_of(array.type);
    } catch (const Error&) {
      return;
    }
    try {
      static_cast<void>(read_raster_attributes(info, array.attributes, "it"));
    } catch (const Error& failure) {
      warn("raster-attributes", path, "", failure.reason());
    }
  }

  void check_place(const std::string& path, const Node& node) {
    if (node.has(v3_file) && (node.has(v2_array_file) || node.has(v2_group_file)))
      warn("two-formats", path, "", "it is a node of v3, and one of v2");
    if (path == root_ || !node.is_node()) return;
    bool is_warned = false;
    for (std::string above = path; above != root_;) {
      above = folder_and_name(above).first;
      const auto it = nodes_.find(above);
      const bool is_node = it != nodes_.end() && it->second.is_node();
      if (is_node && it->second.is_array)
        return error("node-in-array", path, "",
                     fmt::format("{} is an array", above.empty() ? "the root" : above));
      if (is_node || is_warned || !can_list_) continue;
      is_warned = true;
      if (no_groups_.insert(above).second)
        warn("missing-group", above, "", "there are nodes below it, and it is no group");
    }
  }

  // Groups -----------------------------------------------------------------------------------------------------------

  void check_consolidated(const std::string& path, const Node& node) {
    if (!node.is_group) return;
    const bool is_v3 = node.has(v3_file);
    const std::string item(is_v3 ? v3_file : v2_consolidated_file);
    JsonValue::Object said;
    try {
      said = consolidated(path, node);
    } catch (const Error& failure) {
      return error("consolidated", path, item, failure.reason());
    }
    if (said.empty()) return;
    std::vector<std::string> named;
    for (const auto& [key, document] : said) {
      if (!is_key(key)) {
        error("consolidated", path, item, fmt::format("'{}' is no key", key.substr(0, 80)));
        continue;
      }
      named.push_back(joined_path(path, is_v3 ? key + "/" + std::string(v3_file) : key));
      const auto [folder, file] = folder_and_name(named.back());
      const auto own = text(folder, file);
      if (!own) {
        error("consolidated", path, item, fmt::format("it has {}, which is not there", key));
        continue;
      }
      try {
        if (const auto other = difference(to_text(document), *own, options_.limits))
          error("consolidated", path, item,
                fmt::format("{}: its own document says otherwise{}", key,
                            other->empty() ? "" : " of " + other->substr(0, 80)));
      } catch (const Error&) {  // a document that is broken was named
      }
    }
    std::ranges::sort(named);
    const std::string prefix = path.empty() ? "" : path + "/";
    for (auto below = nodes_.lower_bound(prefix); below != nodes_.end() && below->first.starts_with(prefix);
         ++below) {
      if (below->first == path) continue;
      for (const std::string& file : below->second.files)
        if (file != v2_consolidated_file && (file == v3_file) == is_v3 &&
            !std::ranges::binary_search(named, joined_path(below->first, file)))
          error("consolidated", path, item,
                fmt::format("it leaves {} out", joined_path(where(below->first), file)));
    }
  }

  void check_levels(const std::string& path, const Node& node) {
    std::vector<ZarrLevel> levels;
    try {
      levels = multiscales_of(node.attributes, "it");
    } catch (const Error& failure) {
      return error("metadata", path, "", failure.reason());
    }
    struct Size {
      double height, width;
    };
    std::optional<Size> first, before;
    std::optional<ZarrType> type;
    for (const ZarrLevel& level : levels) {
      const auto found = nodes_.find(joined_path(path, level.path));
      if (found == nodes_.end() || !found->second.is_array) {
        error("level-missing", path, level.path, "multiscales names it, and there is no such array");
        continue;
      }
      if (!found->second.array) continue;  // what is wrong with it was said
      const ZarrArrayMetadata& array = *found->second.array;
      Size size{};
      try {
        const RasterAxes axes = raster_axes(array, "auto", "it");
        const std::uint64_t height = array.shape[axes.row], width = array.shape[axes.col];
        size = {static_cast<double>(height), static_cast<double>(width)};
        if (level.height > 0 && (level.height != height || level.width != width))
          error("level-shape", path, level.path,
                fmt::format("multiscales says {} x {} pixels, and it has {} x {} (height x width)",
                            level.height, level.width, height, width));
      } catch (const Error& failure) {
        error("level-shape", path, level.path, failure.reason());
        continue;
      }
      if (before && (size.height > before->height || size.width > before->width))
        error("level-larger", path, level.path, "it is larger than the level before it");
      else if (first && !is_fraction(first->height, size.height, first->width, size.width))
        warn("level-ratio", path, level.path,
             "height and width are not the same fraction of the first level's");
      if (type && array.type != *type)
        warn("level-type", path, level.path,
             fmt::format("its elements are {}, and the first level's {}", name_of(array.type),
                         name_of(*type)));
      if (!first) first = size;
      if (!type) type = array.type;
      before = size;
    }
  }
  /// Whether one factor makes both sizes, rounded either way.
  static bool is_fraction(double height, double level_height, double width, double level_width) {
    const auto least = [](double full, double level) { return full / (level + 1); };
    const auto most = [](double full, double level) { return level <= 1 ? HUGE_VAL : full / (level - 1); };
    return std::max(least(height, level_height), least(width, level_width)) <=
           std::min(most(height, level_height), most(width, level_width));
  }

  // Arrays -----------------------------------------------------------------------------------------------------------

  void check_array(const std::string& path, const Node& node) {
    ZarrOpenOptions opening;
    opening.limits = options_.limits;
    opening.index_cache_bytes = 0;
    std::shared_ptr<const ZarrArray> array;
    try {
      array = std::make_shared<const ZarrArray>(store_, path, *node.array, opening);
    } catch (const Error& failure) {  // a codec that is not built in
      return error("metadata", path, "", failure.reason());
    }
    ChunkCheck chunks(array, where(path), check_);
    const std::string journals = journal_folder("") + "/";
    if (can_list_) {
      const std::size_t skipped = path.empty() ? 0 : path.size() + 1;
      store_->list(
          path,
          [&](std::string_view key, std::uint64_t bytes) {
            const std::string_view name = key.substr(skipped);
            if (name.starts_with(journals))
              error("journal", path, std::string(name), "an update in place has not ended");
            else if (!is_document(folder_and_name(name).second))
              chunks.see(name, bytes);
            return !stop_.stop_requested();
          },
          stop_);
      if (stop_.stop_requested()) throw Error::cancelled();
      if (node.array->fill.empty() && chunks.seen() < chunks.objects())
        warn("undefined-chunks", path, "",
             fmt::format("{} of {} chunks are not there, and the fill value is null: readers may take "
                         "anything for them",
                         chunks.objects() - chunks.seen(), chunks.objects()));
    }
    const bool is_remote = store_->requests_at_once() > 0;
    if (options_.decode)
      chunks.look_into(true, !can_list_, stop_);
    else if (can_list_ && !is_remote)
      chunks.look_into(false, false, stop_);
    else if (array->layout()->index() && std::ranges::find(notes_, unread_indexes) == notes_.end())
      notes_.emplace_back(unread_indexes);
  }

  static constexpr const char* unread_indexes =
      "indexes of shards were not read, each would cost a request: --decode does";

  const std::shared_ptr<const Store>& store_;
  const std::string root_;
  const ZarrCheckOptions& options_;
  const std::stop_token& stop_;
  FileCheck& check_;
  bool can_list_ = false;
  std::map<std::string, Node> nodes_;  // by path in the store
  std::set<std::string> no_groups_;    // that were said to be none
  std::vector<std::string> notes_;
  std::uint64_t unread_ = 0;  // arrays of elements that are not read
};

}  // namespace

FileCheck check_zarr(const std::shared_ptr<const Store>& store, const std::string& path,
                     const ZarrCheckOptions& options, const std::stop_token& stop) {
  FileCheck check("Zarr", options.listed);
  Checker(store, path, options, stop, check).run();
  return check;
}

void check_leftovers(const std::string& folder, FileCheck& check, FileSystem& files) {
  namespace fs = std::filesystem;
  const auto look = [&](const std::string& below, const std::string& where, std::string_view of) {
    static_cast<void>(files.list_folder(below.c_str(), [&](std::string_view name, unsigned char) {
      const bool is_leftover =
          name.starts_with(of) && (is_temporary_name(name) || name == FolderLocks::lock_name);
      if (is_leftover)
        check.add({FileProblem::Severity::warning, "leftover", "", where + std::string(name),
                   "a writer runs, or has died and left it behind", 0});
    }));
  };
  std::string whole = folder;
  while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
  const fs::path path(whole), above = path.has_parent_path() ? path.parent_path() : fs::path(".");
  look(above.string(), "../", fmt::format(".{}.weir-", path.filename().string()));
  look(whole, "", ".");
  std::error_code failure;
  for (fs::recursive_directory_iterator it(whole, failure), end; !failure && it != end; it.increment(failure))
    if (it->is_directory(failure))
      look(it->path().string(), fs::relative(it->path(), whole).string() + "/", ".");
}

}  // namespace weir
