#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "framework/build_info.hpp"
#include "nodes/headers/list_keys.hpp"
#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/latency_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "tests/file_support.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using Keys = std::vector<std::string>;

/// Of empty objects.
std::shared_ptr<const MemoryStore> store_of(const Keys& keys) {
  auto store = std::make_shared<MemoryStore>();
  for (const std::string& key : keys) store->put(key, {});
  return store;
}

/// The same, as if each listing's page took a request.
std::shared_ptr<const Store> far(std::shared_ptr<const Store> store,
                                 std::chrono::microseconds latency = 0us) {
  return std::make_shared<const LatencyStore>(std::move(store), LatencyOptions{.latency = latency});
}

Keys take_all(KeyLister& lister, std::vector<std::string>* cursors = nullptr) {
  Keys keys;
  while (!lister.has_ended()) {
    const KeyBatch batch = lister.next();
    CHECK(batch.keys.size() <= keys_of_unit);
    for (const KeyBatch::Key& key : batch.keys) keys.push_back(key.object.path);
    if (cursors != nullptr) cursors->push_back(lister.header() + " " + batch.cursor);
  }
  return keys;
}

Keys sorted(Keys keys) {
  std::ranges::sort(keys);
  return keys;
}

Keys listed_by_ranges(const Store& store, const std::vector<KeyRange>& ranges) {
  Keys keys;
  for (const KeyRange& range : ranges)
    store.list_objects({.prefix = range.prefix, .start_after = range.after}, [&](const StoredObject& object) {
      if (!range.until.empty() && object.key > range.until) return false;
      keys.emplace_back(object.key);
      return true;
    });
  return keys;
}

TEST_CASE("prefixes that lie in others are listed once, and 'a' has nothing of 'ab'") {
  CHECK(distinct_prefixes({}) == Keys{""});
  CHECK(distinct_prefixes({"a/b", "a/", "ab", "a/b/c", "c", "c/"}) == Keys{"a", "ab", "c"});
  CHECK(distinct_prefixes({"a", ""}) == Keys{""});
}

TEST_CASE("a bucket is cut into at least eight ranges that have each key once: at folders, else at letters") {
  struct Bucket {
    std::string name;
    Keys keys;
    bool can_be_cut = true;
  };
  std::vector<Bucket> buckets(7);
  buckets[0].name = "folders";
  for (int i = 0; i < 3000; ++i) buckets[0].keys.push_back(fmt::format("{}/{:04}.tif", i % 20, i));
  buckets[1].name = "folders in few folders";
  for (int i = 0; i < 3000; ++i) buckets[1].keys.push_back(fmt::format("data/v1/{}/{}.tif", i % 9, i));
  buckets[2].name = "flat, with a common beginning";
  for (int i = 0; i < 5000; ++i) buckets[2].keys.push_back(fmt::format("LC08_L1TP_{:05}.tif", i * 17));
  buckets[3].name = "flat in a folder, all but a few with the same letters";
  for (int i = 0; i < 5000; ++i) buckets[3].keys.push_back(fmt::format("a/b/tile_{:04}.tif", i));
  for (int i = 0; i < 3; ++i) buckets[3].keys.push_back(fmt::format("a/b/{}.tif", i));
  buckets[4].name = "letters of several bytes";
  for (int i = 0; i < 4000; ++i)
    buckets[4].keys.push_back(fmt::format("x/\xc3{}{:04}.tif", static_cast<char>(0xa0 + i % 20), i));
  buckets[5].name = "few keys";
  buckets[5].keys = {"a.tif", "b.tif"};
  buckets[5].can_be_cut = false;
  buckets[6].name = "flat, with keys where ranges end";
  for (int i = 0; i < 3000; ++i) {
    const char letter = static_cast<char>('a' + i % 12);
    buckets[6].keys.push_back(i < 12 ? std::string(1, letter) : fmt::format("{}{:04}.tif", letter, i));
  }
  for (const Bucket& bucket : buckets) {
    CAPTURE(bucket.name);
    const auto counting = std::make_shared<const CountingStore>(store_of(bucket.keys));
    const auto store = far(counting);
    const std::vector<KeyRange> ranges = find_key_ranges(*store, {""}, 8, 64);
    CHECK(counting->take().list <= 200);
    CHECK(ranges.size() >= (bucket.can_be_cut ? 8 : 1));
    CHECK(ranges.size() <= 64);
    CHECK(listed_by_ranges(*store, ranges) == sorted(bucket.keys));
    ListKeysOptions options;
    options.filter.include = {"*"};
    KeyLister lister(*store, options);
    CHECK(sorted(take_all(lister)) == sorted(bucket.keys));
    // None has nearly all.
    if (bucket.can_be_cut)
      for (const KeyRange& range : ranges)
        CHECK(listed_by_ranges(*store, {range}).size() <= bucket.keys.size() / 2);
  }
  // A store that costs no requests is listed in one go.
  CHECK(find_key_ranges(*store_of(buckets[0].keys), {""}, 8, 64) == std::vector<KeyRange>{{"", "", ""}});
}

TEST_CASE("random buckets: their ranges have each key once") {
  std::mt19937 random(11);
  const auto below = [&](int most) { return std::uniform_int_distribution<int>(0, most - 1)(random); };
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    std::set<std::string> keys;
    const int letters = 1 + below(6), depth = 1 + below(4), count = 1 + below(3000);
    for (int i = 0; i < count; ++i) {
      std::string key;
      for (int part = 0; part <= below(depth); ++part) {
        if (part > 0) key += '/';
        for (int letter = 0; letter <= below(8); ++letter) key += static_cast<char>('a' + below(letters));
      }
      keys.insert(key);
    }
    const Keys all(keys.begin(), keys.end());
    const auto store = far(store_of(all));
    CHECK(listed_by_ranges(*store, find_key_ranges(*store, {""}, 8, 16)) == all);
  }
}

TEST_CASE("the listing gives a page of each range in turn, always in the same order, and all keys once") {
  Keys keys;
  for (int i = 0; i < 4000; ++i) keys.push_back(fmt::format("{}/{:05}.tif", i * i % 11, i));
  for (int i = 0; i < 3000; ++i) keys.push_back(fmt::format("{}/{:05}.txt", i % 11, i));
  ListKeysOptions options;
  options.round_keys = 800;  // a hundred of each lister
  const auto store = far(store_of(keys));
  KeyLister lister(*store, options);
  const Keys found = take_all(lister);
  CHECK(lister.scanned() == 7000);
  CHECK(lister.listed() == 4000);
  CHECK(lister.ranges() == 11);
  Keys wanted;
  for (const std::string& key : keys)
    if (key.ends_with(".tif")) wanted.push_back(key);
  CHECK(sorted(found) == sorted(wanted));
  CHECK(found != sorted(wanted));
  for (int round = 0; round < 3; ++round) {
    const auto slow = far(store_of(keys), 300us);
    KeyLister again(*slow, options);
    CHECK(take_all(again) == found);
  }
}

TEST_CASE("from every cursor the listing goes on with the same keys, even if pages and ranges end there") {
  Keys keys;
  for (int i = 0; i < 1500; ++i)
    keys.push_back(fmt::format("{}/{:05}.{}", i % 13, i, i % 3 == 0 ? "txt" : "tif"));
  for (const std::uint64_t round : {8u, 80u, 256u, 10'000u}) {
    CAPTURE(round);
    ListKeysOptions options;
    options.round_keys = round;
    const auto store = far(store_of(keys));
    std::vector<std::string> cursors;
    KeyLister whole(*store, options);
    const Keys all = take_all(whole, &cursors);
    REQUIRE(all.size() == 1000);
    for (std::size_t i = 0; i < cursors.size(); ++i) {
      CAPTURE(cursors[i]);
      KeyLister rest(*store, options);
      rest.begin_at(cursors[i]);
      const Keys found = take_all(rest);
      const std::size_t done = std::min<std::size_t>((i + 1) * keys_of_unit, all.size());
      CHECK(found == Keys(all.begin() + static_cast<std::ptrdiff_t>(done), all.end()));
    }
  }
}

TEST_CASE("a cursor that is none, or of other pages, is refused") {
  const auto store = far(store_of({"a.tif"}));
  for (const std::string cursor : {"x", "1250 1", "1 0 0 0", "17 1 . . . 0 0 0 ."}) {
    KeyLister lister(*store, {});
    lister.begin_at(cursor);
    CHECK(test::error_of([&] { lister.next(); }).kind() == ErrorKind::usage);
  }
}

TEST_CASE("eight prefixes are listed at least four times faster than one after the other") {
  Keys keys, prefixes;
  for (int prefix = 0; prefix < 8; ++prefix) {
    prefixes.push_back(fmt::format("p{}", prefix));
    for (int i = 0; i < 5000; ++i) keys.push_back(fmt::format("p{}/{:05}.tif", prefix, i));
  }
  const auto store = far(store_of(keys), build_info::sanitizers.empty() ? 20ms : 200ms);  // waiting, not work
  const auto seconds = [&](unsigned listers) {
    ListKeysOptions options;
    options.prefixes = prefixes;
    options.listers = listers;
    KeyLister lister(*store, options);
    const auto begun = std::chrono::steady_clock::now();
    CHECK(take_all(lister).size() == 40'000);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  const double alone = seconds(1);
  double together = seconds(8);
  for (int again = 0; again < 3 && alone < 4 * together;
       ++again)  // a busy machine kept eight threads waiting
    together = std::min(together, seconds(8));
  MESSAGE("one lister ", alone, " s, eight ", together, " s");
  CHECK(alone > 4 * together);
}

TEST_CASE("a lister is ahead of what is taken by its room, and no more") {
  Keys keys;
  for (int i = 0; i < 20'000; ++i)
    keys.push_back(fmt::format("{}/{}{:06}.tif", i % 8, std::string(100, 'x'), i));
  const auto store = far(store_of(keys));
  KeyLister lister(*store, {});
  lister.next();
  std::uint64_t before = 0;
  do {
    before = lister.scanned();
    std::this_thread::sleep_for(100ms);
  } while (lister.scanned() > before);
  CHECK(before < 20'000);
  CHECK(before >= 8 * 500);
}

TEST_CASE("a listing that fails ends with its error, and one that is stopped at once") {
  class Broken : public MemoryStore {
   public:
    void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                      const std::stop_token& stop) const override {
      MemoryStore::list_objects(request, each, stop);
      throw Error("list", "the bucket", "it broke");
    }
  };
  Broken broken;
  broken.put("a.tif", {});
  KeyLister lister(broken, {});
  CHECK(std::string(test::error_of([&] { take_all(lister); }).what()) == "cannot list the bucket: it broke");

  const auto slow = far(store_of({"a/b.tif"}), 10s);
  KeyLister waiting(*slow, {});
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  const auto begun = std::chrono::steady_clock::now();
  CHECK(test::error_of([&] { waiting.next(stop.get_token()); }).kind() == ErrorKind::cancelled);
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

}  // namespace
