#include "nodes/stores/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "framework/bytes.hpp"
#include "nodes/stores/range_reader.hpp"

namespace weir {
namespace {

struct Ability {
  bool StoreAbilities::*has;
  std::string_view missing;
};

constexpr std::array all_abilities{
    Ability{&StoreAbilities::write, "nothing can be written to it"},
    Ability{&StoreAbilities::patch, "what was appended to an object cannot be changed"},
    Ability{&StoreAbilities::put_range, "its objects cannot be changed in place"},
    Ability{&StoreAbilities::list, "its keys cannot be listed"},
    Ability{&StoreAbilities::copy, "parts of an object cannot be taken over into its successor"},
    Ability{&StoreAbilities::lock, "its objects cannot be kept from other processes"},
    Ability{&StoreAbilities::compare, "its objects cannot be replaced on a condition"},
};

/// Of a key; empty where nothing is.
std::string_view what_is_wrong(std::string_view key) {
  if (key.empty()) return "it is empty";
  if (key.find('\0') != std::string_view::npos) return "it has a zero byte";
  for (std::size_t begin = 0, end = 0; end != std::string_view::npos; begin = end + 1) {
    end = key.find('/', begin);
    const std::string_view part = key.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (part.empty()) return "a part of it is empty";
    if (part == "." || part == "..") return "a part of it is '.' or '..'";
  }
  return "";
}

}  // namespace

Error Store::failure(std::string_view action, std::string_view key, std::string_view reason) const {
  return Error(action, key.empty() ? name() : fmt::format("{} in {}", key, name()), reason);
}

Error Store::unable(std::string_view action, std::string_view key, bool StoreAbilities::*ability) const {
  const auto found = std::ranges::find(all_abilities, ability, &Ability::has);
  return Error::usage(action, fmt::format("{} in {}", key, name()), found->missing);
}

Error Store::outdated(std::string_view key) const {
  return Error("replace", fmt::format("{} in {}", key, name()), "it was replaced meanwhile",
               ErrorKind::outdated);
}

void Store::put(std::string_view key, std::span<const std::byte>) const {
  throw unable("write", key, &StoreAbilities::write);
}
std::unique_ptr<ObjectWriter> Store::writer(std::string_view key) const {
  throw unable("write", key, &StoreAbilities::write);
}
std::unique_ptr<ObjectWriter> Store::replacer(std::string_view key, const ObjectVersion&) const {
  throw unable("replace", key, &StoreAbilities::compare);
}
void Store::replace(std::string_view key, const ObjectVersion& old, std::span<const std::byte> bytes) const {
  const std::unique_ptr<ObjectWriter> writer = replacer(key, old);
  writer->append(bytes);
  writer->commit();
}
void Store::put_range(std::string_view key, std::uint64_t, std::span<const std::byte>) const {
  throw unable("change", key, &StoreAbilities::put_range);
}
ObjectVersion Store::sync(std::string_view key) const {
  throw unable("sync", key, &StoreAbilities::put_range);
}
void Store::erase(std::string_view key) const {
  throw unable("erase", key, &StoreAbilities::write);
}
std::unique_ptr<ObjectLock> Store::lock(std::string_view key, const std::stop_token&) const {
  throw unable("lock", key, &StoreAbilities::lock);
}
void Store::list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>&,
                         const std::stop_token&) const {
  throw unable("list", request.prefix, &StoreAbilities::list);
}

void Store::list(std::string_view prefix, const std::function<bool(std::string_view, std::uint64_t)>& each,
                 const std::stop_token& stop) const {
  const auto each_key = [&](const StoredObject& object) {
    return !is_key(object.key) || each(object.key, object.size);
  };
  list_objects({.prefix = prefix}, each_key, stop);
}

std::unique_ptr<RangeReader> Store::range_reader(unsigned) const {
  return std::make_unique<WaitingRanges>(*this);
}

bool is_key(std::string_view text) {
  return what_is_wrong(text).empty();
}

void check_key(std::string_view key) {
  if (const std::string_view reason = what_is_wrong(key); !reason.empty())
    throw Error::usage("use", fmt::format("the key '{}'", key), reason);
}

void require(const Store& store, const StoreAbilities& wanted) {
  const StoreAbilities has = store.abilities();
  std::string reasons;
  for (const Ability& ability : all_abilities)
    if (wanted.*ability.has && !(has.*ability.has))
      reasons.append(reasons.empty() ? "" : "; ").append(ability.missing);
  if (!reasons.empty()) throw Error::usage("use", store.name(), reasons);
}

std::optional<std::vector<std::byte>> get_small(const Store& store, std::string_view key, std::uint64_t limit,
                                                const std::stop_token& stop) {
  constexpr std::uint64_t first_bytes = 16 << 10;  // most metadata fits: one request
  std::vector<std::byte> bytes(std::min(limit, first_bytes));
  for (;;) {
    const std::optional<std::uint64_t> size = store.get(key, bytes, stop);
    if (!size) return std::nullopt;
    if (*size > limit)
      throw Error(
          "read", fmt::format("{} in {}", key, store.name()),
          fmt::format("it has {}, and at most {} are taken", format_bytes(*size), format_bytes(limit)));
    const bool is_whole = *size <= bytes.size();
    bytes.resize(*size);
    if (is_whole) return bytes;
  }
}

}  // namespace weir
