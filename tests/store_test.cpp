#include "nodes/stores/store.hpp"

#include <doctest/doctest.h>

#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "tests/store_support.hpp"

using namespace weir;
using namespace weir::test;

TEST_CASE("every writable store keeps what the interface promises, written and then read") {
  const Folder folder;
  {
    const MemoryStore store;
    check_writing(store);
    check_reading(store);
  }
  for (const bool durable : {true, false}) {
    CAPTURE(durable);
    const FolderStore store(folder / (durable ? "new/durable/" : "quick"),
                            {.create = true, .durable = durable});
    check_writing(store);
    check_reading(store);
    const FolderStore again(folder / (durable ? "new/durable" : "quick"));
    check_reading(again);
  }
}

TEST_CASE("a writer to memory copies what was there when it was made, also where that was changed in place") {
  const MemoryStore store;
  const Bytes old = made_bytes(100, 1), changed = made_bytes(10, 2);
  store.put("x", old);
  const auto writer = store.writer("x");
  store.put_range("x", 5, changed);
  writer->copy(0, old.size());
  writer->commit();
  CHECK(whole(store, "x") == old);
}

TEST_CASE("a store in memory takes what its objects take, and nothing once they are gone") {
  const MemoryStore store;
  const std::uint64_t before = store.standing_bytes();
  const Bytes bytes = made_bytes(10'000), more = made_bytes(3000);
  store.put("a", bytes);
  store.put("a", bytes);  // in its place
  store.put("b", more);
  CHECK(store.standing_bytes() >= before + 13'000);
  CHECK(store.standing_bytes() < before + 14'000);
  store.put_range("b", 9000, more);
  CHECK(store.standing_bytes() >= before + 22'000);
  for (const char* key : {"a", "b", "c"}) store.erase(key);
  CHECK(store.standing_bytes() == before);
}

TEST_CASE("an ability that is missing is named, with the store") {
  class Nothing : public Store {
   public:
    const std::string& name() const override { return name_; }
    StoreAbilities abilities() const override { return {}; }
    std::optional<std::uint64_t> size(std::string_view, const std::stop_token&) const override { return {}; }
    std::optional<std::uint64_t> get(std::string_view, std::span<std::byte>, const std::stop_token&,
                                     ObjectVersion*) const override {
      return {};
    }
    std::optional<std::uint64_t> get_end(std::string_view, std::span<std::byte>, const std::stop_token&,
                                         ObjectVersion*) const override {
      return {};
    }
    bool get_ranges(std::string_view, std::span<const ObjectRange>, const std::stop_token&,
                    ObjectVersion*) const override {
      return false;
    }

   private:
    std::string name_ = "nothing";
  };
  const Nothing store;
  CHECK_NOTHROW(require(store, {}));
  CHECK(std::string(error_of([&] { require(store, {.write = true, .lock = true}); }).what()) ==
        "cannot use nothing: nothing can be written to it; its objects cannot be kept from other processes");
  CHECK_NOTHROW(require(MemoryStore(), {true, true, true, true, true, true}));
  check_names_both(store, "a/b", [&] { store.put("a/b", {}); });
  CHECK(std::string(error_of([&] { store.sync("a/b"); }).what()) ==
        "cannot sync a/b in nothing: its objects cannot be changed in place");
  CHECK_THROWS_AS(static_cast<void>(store.writer("a")), Error);
  CHECK_THROWS_AS(store.put_range("a", 0, {}), Error);
  CHECK_THROWS_AS(store.erase("a"), Error);
  CHECK_THROWS_AS(static_cast<void>(store.lock("a")), Error);
  CHECK_THROWS_AS(store.list("", [](std::string_view, std::uint64_t) { return true; }), Error);
}
