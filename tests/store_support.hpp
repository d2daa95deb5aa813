#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "nodes/stores/store.hpp"
#include "tests/file_support.hpp"
#include "tests/http_server.hpp"

namespace weir::test {

using Bytes = std::vector<std::byte>;

/// What every store under test holds: keys whose order differs by letters and by parts, an object without bytes, one of
/// more than a page, characters that URLs encode.
inline const std::map<std::string, Bytes>& some_objects() {
  static const std::map<std::string, Bytes> objects{{"zarr.json", made_bytes(20, 1)},
                                                    {"a/b/c/0/0", made_bytes(100'000, 2)},
                                                    {"a/b/c/0/1", {}},
                                                    {"a/b.c", made_bytes(7, 3)},
                                                    {"a/b-c", made_bytes(3, 4)},
                                                    {"a/bc", made_bytes(2, 5)},
                                                    {"ab/c", made_bytes(1, 6)},
                                                    {"a/.zarray", made_bytes(40, 7)},
                                                    {"a/sp ace+%41&=", made_bytes(9, 8)},
                                                    {"a/\xc3\xa4", made_bytes(11, 9)}};
  return objects;
}

inline Bytes whole(const Store& store, const std::string& key) {
  const std::optional<std::uint64_t> size = store.size(key);
  REQUIRE(size);
  Bytes bytes(*size);
  REQUIRE(store.get(key, bytes) == size);
  return bytes;
}

inline std::vector<std::pair<std::string, std::uint64_t>> listed(const Store& store, std::string_view prefix,
                                                                 std::size_t most = SIZE_MAX) {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  if (most > 0)
    store.list(prefix, [&](std::string_view key, std::uint64_t size) {
      found.emplace_back(key, size);
      return found.size() < most;
    });
  return found;
}

/// Names the store and the key.
inline void check_names_both(const Store& store, const std::string& key, const std::function<void()>& work) {
  const Error error = error_of(work);
  CAPTURE(error.what());
  CHECK(std::string(error.what()).find(store.name()) != std::string::npos);
  CHECK(std::string(error.what()).find(key) != std::string::npos);
}

/// Levels and beginnings of a listing, of a store that holds some_objects().
inline void check_listing(const Store& store, const std::string& prefix) {
  const std::string below = prefix.empty() ? "" : prefix + "/";
  std::vector<std::string> afters{"", "A", "a", "a/", "a/b", "a/b/", "a/b/b", "a/b/c/0/0x", "a/b/c/1", "zz"};
  for (const auto& [key, bytes] : some_objects()) afters.push_back(key);
  for (const std::string& after : afters)
    for (const bool one_level : {false, true}) {
      CAPTURE(after);
      CAPTURE(one_level);
      std::vector<std::string> wanted, found;
      for (const auto& [key, bytes] : some_objects()) {
        if (!key.starts_with(below) || key == prefix) continue;
        const std::size_t slash = one_level ? key.find('/', below.size()) : std::string::npos;
        const std::string shown = slash == std::string::npos ? key : key.substr(0, slash + 1);
        if (shown > after && (wanted.empty() || wanted.back() != shown)) wanted.push_back(shown);
      }
      const ListRequest request{.prefix = prefix, .start_after = after, .one_level = one_level};
      store.list_objects(request, [&](const StoredObject& object) {
        if (object.key == "w/") return true;  // of check_writing; empty now
        found.emplace_back(object.key);
        const auto known = some_objects().find(found.back());
        CHECK((known == some_objects().end()) == found.back().ends_with('/'));
        if (known != some_objects().end()) CHECK(object.size == known->second.size());
        return true;
      });
      CHECK(found == wanted);
    }
}

/// The version that every call which reads the object gives.
inline ObjectVersion version_of(const Store& store, const std::string& key) {
  Bytes some(3);
  const ObjectRange range{0, std::span(some).first(1)};
  std::array<ObjectVersion, 4> versions;
  CHECK(store.get(key, some, {}, &versions[0]));
  CHECK(store.get_end(key, some, {}, &versions[1]));
  CHECK(store.get_ranges(key, {&range, 1}, {}, &versions[2]));
  CHECK(store.get_ranges(key, {}, {}, &versions[3]));
  CHECK(std::ranges::count(versions, versions[0]) == 4);
  return versions[0];
}

/// Of a store that holds some_objects().
inline void check_reading(const Store& store) {
  CAPTURE(store.name());
  for (const auto& object : some_objects()) {
    const std::string& key = object.first;  // clang 14 captures no structured bindings
    const Bytes& bytes = object.second;
    CAPTURE(key);
    CHECK(store.size(key) == bytes.size());
    for (const std::size_t room :
         {std::size_t{0}, std::size_t{1}, bytes.size() / 2, bytes.size(), bytes.size() + 5}) {
      CAPTURE(room);
      const std::size_t some = std::min(room, bytes.size());
      Bytes out(room, std::byte{0xee});
      CHECK(store.get(key, out) == bytes.size());
      CHECK(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(some), bytes.begin()));
      std::fill(out.begin(), out.end(), std::byte{0xee});
      CHECK(store.get_end(key, out) == bytes.size());
      CHECK(std::equal(out.end() - static_cast<std::ptrdiff_t>(some), out.end(),
                       bytes.end() - static_cast<std::ptrdiff_t>(some)));
      CHECK(std::all_of(out.begin(), out.end() - static_cast<std::ptrdiff_t>(some),
                        [](std::byte byte) { return byte == std::byte{0xee}; }));
    }
    CHECK(*get_small(store, key, bytes.size()) == bytes);
    if (!bytes.empty()) check_names_both(store, key, [&] { get_small(store, key, bytes.size() - 1); });

    // Many ranges: neighbours, overlapping, backwards, empty, the last byte.
    std::vector<Bytes> outs;
    std::vector<std::uint64_t> offsets;
    const std::uint64_t step = bytes.size() / 5;
    for (std::uint64_t i = 0; i < 5; ++i) {
      offsets.push_back(i * step);
      outs.emplace_back(step);
    }
    for (const std::uint64_t at : {std::uint64_t{bytes.size()}, std::uint64_t{0}}) {
      offsets.push_back(at);
      outs.emplace_back(0);
    }
    if (!bytes.empty()) {
      offsets.push_back(bytes.size() - 1);
      outs.emplace_back(1);
    }
    std::vector<ObjectRange> ranges;
    for (std::size_t i = 0; i < outs.size(); ++i) ranges.push_back({offsets[i], outs[i]});
    CHECK(store.get_ranges(key, ranges));
    for (std::size_t i = 0; i < outs.size(); ++i)
      CHECK(std::equal(outs[i].begin(), outs[i].end(),
                       bytes.begin() + static_cast<std::ptrdiff_t>(offsets[i])));
    CHECK(store.get_ranges(key, {}));
    if (!bytes.empty()) static_cast<void>(version_of(store, key));

    Bytes two(2);
    for (const std::uint64_t at :
         {std::uint64_t{bytes.size()}, std::uint64_t{bytes.size() + 10}, ~std::uint64_t{0} - 1})
      check_names_both(store, key, [&] {
        const ObjectRange range{at, two};
        store.get_ranges(key, {&range, 1});
      });
  }
  Bytes some(10);
  const ObjectRange range{0, some};
  for (const std::string key : {"nothing", "a/b", "a", "a/b/c/0/0/x", "zarr.json/x", "A/b.c"}) {
    CAPTURE(key);
    CHECK_FALSE(store.size(key));
    CHECK_FALSE(store.get(key, some));
    CHECK_FALSE(store.get_end(key, some));
    CHECK_FALSE(store.get_ranges(key, {&range, 1}));
    CHECK_FALSE(get_small(store, key, 10));
  }
  for (const std::string key : {"", "/", "a/", "/a", "a//b", "..", "a/../b", "./a", "a/."}) {
    CAPTURE(key);
    CHECK(error_of([&] { static_cast<void>(store.size(key)); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { store.get(key, some); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { store.get_end(key, some); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { store.get_ranges(key, {&range, 1}); }).kind() == ErrorKind::usage);
  }
  if (!store.abilities().list) {
    CHECK_THROWS_AS(listed(store, ""), Error);
    return;
  }
  for (const std::string prefix :
       {"", "a", "a/b", "a/b/c", "ab", "nothing", "zarr.json", "a/b.c", "a/b/c/0/0"}) {
    CAPTURE(prefix);
    std::vector<std::pair<std::string, std::uint64_t>> wanted;
    for (const auto& [key, bytes] : some_objects())
      if (prefix.empty() || key.starts_with(prefix + "/")) wanted.emplace_back(key, bytes.size());
    CHECK(listed(store, prefix) == wanted);
    wanted.resize(std::min<std::size_t>(wanted.size(), 2));
    CHECK(listed(store, prefix, 2) == wanted);
    check_listing(store, prefix);
  }
}

/// Of an empty store; it holds some_objects() afterwards.
inline void check_writing(const Store& store) {
  CAPTURE(store.name());
  const StoreAbilities abilities = store.abilities();
  REQUIRE(abilities.write);
  CHECK(listed(store, "").empty());
  for (const auto& object : some_objects()) {
    const std::string& key = object.first;  // clang 14 captures no structured bindings
    const Bytes& bytes = object.second;
    CAPTURE(key);
    Bytes mine = bytes;
    store.put(key, mine);
    CHECK(mine == bytes);
    std::fill(mine.begin(), mine.end(), std::byte{1});  // not kept
    CHECK((whole(store, key) == bytes));
  }
  const Bytes old = made_bytes(50'000, 20), one = made_bytes(30'000, 21), two = made_bytes(10, 22);

  // A writer: nothing is seen until commit, nothing is left without it.
  for (const bool exists : {false, true}) {
    CAPTURE(exists);
    const std::string key = "w/x";
    const auto is_as_before = [&] { return exists ? whole(store, key) == old : !store.size(key); };
    if (exists) store.put(key, old);
    {
      const auto writer = store.writer(key);
      writer->append(one);
      CHECK(writer->size() == one.size());
      CHECK(is_as_before());
    }
    CHECK(is_as_before());
    const auto writer = store.writer(key);
    Bytes wanted;
    const auto add = [&](std::span<const std::byte> more) {
      wanted.insert(wanted.end(), more.begin(), more.end());
    };
    writer->append(one);
    add(one);
    writer->append({});
    writer->append(two);
    add(two);
    if (exists) {
      writer->copy(1000, 40'000);
      add(std::span(old).subspan(1000, 40'000));
      writer->copy(old.size(), 0);
      writer->copy(old.size() - 1, 1);
      add(std::span(old).last(1));
    }
    check_names_both(store, key, [&] { writer->copy(exists ? old.size() : 0, 1); });
    if (abilities.patch) {
      writer->patch(5, two);
      std::copy(two.begin(), two.end(), wanted.begin() + 5);
      writer->patch(wanted.size() - two.size(), two);
      std::copy(two.begin(), two.end(), wanted.end() - static_cast<std::ptrdiff_t>(two.size()));
      check_names_both(store, key, [&] { writer->patch(wanted.size() - 1, two); });
    } else {
      CHECK_THROWS_AS(writer->patch(0, two), Error);
    }
    CHECK(writer->size() == wanted.size());
    CHECK(is_as_before());
    writer->commit();
    CHECK((whole(store, key) == wanted));
    store.erase(key);
    CHECK_FALSE(store.size(key));
    store.erase(key);
  }
  {
    const auto writer = store.writer("w/empty");
    writer->commit();
    CHECK(store.size("w/empty") == 0u);
    store.erase("w/empty");
  }
  {  // copies what was there when the writer was made
    store.put("w/x", one);
    const auto writer = store.writer("w/x");
    store.put("w/x", two);
    CHECK(whole(store, "w/x") == two);
    try {
      writer->copy(0, one.size());
      writer->commit();
      CHECK((whole(store, "w/x") == one));
    } catch (const Error&) {  // a bucket has no old versions
      CHECK_FALSE(abilities.lock);
    }
    store.erase("w/x");
  }
  store.erase("nothing/at/all");

  {  // Each way of replacing an object makes another version of it, and what wrote it says which.
    store.put("w/x", one);
    std::vector<ObjectVersion> versions{version_of(store, "w/x")};
    CHECK(versions.front().is_known());
    CHECK(version_of(store, "w/x") == versions.front());
    store.put("w/x", old);
    versions.push_back(version_of(store, "w/x"));
    const auto writer = store.writer("w/x");
    writer->append(two);
    const ObjectVersion committed = writer->commit();
    versions.push_back(version_of(store, "w/x"));
    CHECK(committed == versions.back());
    if (abilities.put_range) {
      store.put_range("w/x", two.size(), one);
      const ObjectVersion synced = store.sync("w/x");
      versions.push_back(version_of(store, "w/x"));
      CHECK(synced == versions.back());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the same file, of the same size
      store.put_range("w/x", 0, two);
      versions.push_back(version_of(store, "w/x"));
    }
    for (std::size_t i = 0; i < versions.size(); ++i)
      for (std::size_t k = 0; k < i; ++k) CHECK(versions[i] != versions[k]);
    store.erase("w/x");
  }

  if (abilities.put_range) {
    check_names_both(store, "w/r", [&] { store.put_range("w/r", 0, two); });
    check_names_both(store, "w/r", [&] { store.sync("w/r"); });
    store.put("w/r", one);
    Bytes wanted = one;
    store.put_range("w/r", 100, two);
    std::copy(two.begin(), two.end(), wanted.begin() + 100);
    store.put_range("w/r", 100, {});
    store.put_range("w/r", one.size() + 3, two);
    wanted.resize(one.size() + 3);
    wanted.insert(wanted.end(), two.begin(), two.end());
    store.sync("w/r");
    CHECK((whole(store, "w/r") == wanted));
    store.erase("w/r");
  } else {
    CHECK_THROWS_AS(store.put_range("zarr.json", 0, two), Error);
    CHECK_THROWS_AS(store.sync("zarr.json"), Error);
  }

  if (abilities.lock) {
    int inside = 0, most = 0, sum = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int k = 0; k < 25; ++k) {
          const auto lock = store.lock("w/deep/locked");
          most = std::max(most, ++inside);
          ++sum;
          --inside;
        }
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(most == 1);
    CHECK(sum == 100);
    const auto lock = store.lock("w/deep/locked");
    const auto other = store.lock("w/deep/other");  // another object's
    std::stop_source stop;
    std::thread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      stop.request_stop();
    });
    CHECK(error_of([&] { static_cast<void>(store.lock("w/deep/locked", stop.get_token())); }).kind() ==
          ErrorKind::cancelled);
    later.join();
    CHECK(listed(store, "w").empty());
  } else {
    CHECK_THROWS_AS(static_cast<void>(store.lock("zarr.json")), Error);
  }

  if (abilities.compare) {
    const auto replaced = [&](const ObjectVersion& version, const Bytes& bytes) {
      const auto writer = store.replacer("w/x", version);
      writer->append(bytes);
      return writer->commit();
    };
    const auto is_outdated = [&](const ObjectVersion& version) {
      return error_of([&] { replaced(version, two); }).kind() == ErrorKind::outdated;
    };
    const ObjectVersion none;
    store.put("w/x", one);
    const ObjectVersion first = version_of(store, "w/x");
    CHECK(is_outdated(none));
    const ObjectVersion second = replaced(first, old);
    CHECK(second == version_of(store, "w/x"));
    CHECK(is_outdated(first));
    CHECK((whole(store, "w/x") == old));
    {  // another one comes between
      const auto writer = store.replacer("w/x", second);
      writer->copy(10, 5);
      store.put("w/x", one);
      CHECK(error_of([&] { writer->commit(); }).kind() == ErrorKind::outdated);
    }
    {
      const auto writer = store.replacer("w/x", version_of(store, "w/x"));
      store.put("w/x", old);
      CHECK(error_of([&] {
              writer->copy(10, 5);
              writer->commit();
            }).kind() == ErrorKind::outdated);
    }
    CHECK((whole(store, "w/x") == old));
    const ObjectVersion last = version_of(store, "w/x");
    store.erase("w/x");
    CHECK(is_outdated(last));
    CHECK_FALSE(store.size("w/x"));
    {
      const auto writer = store.replacer("w/x", none);
      writer->append(one);
      store.put("w/x", two);
      CHECK(error_of([&] { writer->commit(); }).kind() == ErrorKind::outdated);
    }
    store.erase("w/x");
    const ObjectVersion made = replaced(none, one);
    CHECK(made == version_of(store, "w/x"));
    CHECK((whole(store, "w/x") == one));
    store.replace("w/x", made, two);
    CHECK(error_of([&] { store.replace("w/x", made, one); }).kind() == ErrorKind::outdated);
    CHECK(error_of([&] { store.replace("w/x", none, one); }).kind() == ErrorKind::outdated);
    CHECK((whole(store, "w/x") == two));
    store.erase("w/x");
    store.replace("w/x", none, one);
    CHECK((whole(store, "w/x") == one));
    store.erase("w/x");
    CHECK(listed(store, "w").empty());
  } else {
    CHECK_THROWS_AS(static_cast<void>(store.replacer("zarr.json", {})), Error);
    CHECK_THROWS_AS(store.replace("zarr.json", {}, two), Error);
  }

  // Readers see one object or the other while it is replaced.
  store.put("w/x", one);
  std::atomic<bool> ends = false;
  std::thread writing([&] {
    for (int i = 0; i < 30; ++i) store.put("w/x", i % 2 == 0 ? std::span(two) : std::span(one));
    ends = true;
  });
  int wrong = 0;
  do {
    Bytes out(one.size());
    const std::optional<std::uint64_t> size = store.get("w/x", out);
    out.resize(size.value_or(0));
    if (out != one && out != two) ++wrong;
  } while (!ends);
  writing.join();
  CHECK(wrong == 0);
  store.erase("w/x");

  for (const std::string key : {"", "..", "a/../b", "/etc"}) {
    CAPTURE(key);
    CHECK(error_of([&] { store.put(key, two); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { static_cast<void>(store.writer(key)); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { static_cast<void>(store.replacer(key, {})); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { store.erase(key); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { store.put_range(key, 0, two); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { static_cast<void>(store.lock(key)); }).kind() == ErrorKind::usage);
  }
}

}  // namespace weir::test
