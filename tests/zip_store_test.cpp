#include "nodes/stores/zip_store.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include "nodes/stores/open_store.hpp"
#include "tests/store_support.hpp"

using namespace weir;
using namespace weir::test;

#ifdef WEIR_WITH_ZIP

namespace {

/// A zip file, byte by byte.
class ZipFile {
 public:
  void add(const std::string& name, const Bytes& bytes, bool deflates) {
    const auto crc =
        static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
    std::string stored(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (deflates) {
      z_stream stream{};
      REQUIRE(::deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
      std::string out(::deflateBound(&stream, bytes.size()), '\0');
      stream.next_in = reinterpret_cast<Bytef*>(stored.data());
      stream.avail_in = static_cast<uInt>(stored.size());
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
      out.resize(stream.total_out);
      ::deflateEnd(&stream);
      stored = out;
    }
    std::string common;  // from "version needed" to "length of the extra field"
    put(common, 20, 2);
    put(common, 0x800, 2);  // names in UTF-8
    put(common, deflates ? 8 : 0, 2);
    put(common, 0x5a210000, 4);
    put(common, crc, 4);
    put(common, stored.size(), 4);
    put(common, bytes.size(), 4);
    put(common, name.size(), 2);
    std::string local = "PK\3\4" + common;
    put(local, 3, 2);  // an extra field that the directory has not: places are not to be reckoned
    directory_ += "PK\1\2";
    put(directory_, 20, 2);
    directory_ += common;
    put(directory_, 0, 2 + 2 + 2 + 2 + 4);
    put(directory_, bytes_.size(), 4);
    directory_ += name;
    bytes_ += local + name + "abc" + stored;
    ++count_;
  }
  std::string content() const {
    std::string all = bytes_ + directory_ + "PK\5\6";
    put(all, 0, 4);
    put(all, count_, 2);
    put(all, count_, 2);
    put(all, directory_.size(), 4);
    put(all, bytes_.size(), 4);
    put(all, 0, 2);
    return all;
  }

 private:
  static void put(std::string& to, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to += static_cast<char>(i < 8 ? (value >> (8 * i)) & 0xff : 0);
  }
  std::string bytes_, directory_;
  std::uint64_t count_ = 0;
};

}  // namespace

TEST_CASE(
    "zip files keep what the interface of stores promises of reading, stored or deflated, with a folder "
    "around or not") {
  const Folder folder;
  const std::string path = folder / "x.zip";
  for (const bool deflates : {false, true})
    for (const std::string start : {"", "data.zarr/", "deep/data.zarr/"}) {
      CAPTURE(deflates);
      CAPTURE(start);
      ZipFile zip;
      if (!start.empty()) zip.add(start, {}, false);               // the folder itself
      zip.add(start + "zarr.json", made_bytes(30, 99), deflates);  // replaced below
      for (const auto& [key, bytes] : some_objects()) zip.add(start + key, bytes, deflates);
      put(path, zip.content());
      const auto store = open_store(path);
      CHECK(store->name() == path);
      check_reading(*store);
      CHECK_THROWS_AS(store->put("x", {}), Error);
      StoreOptions options;
      options.zip_prefix = start + "a";
      CHECK(open_store(path, options)->size("b.c") == 7u);
      CHECK_FALSE(open_store(path, options)->size("zarr.json"));
    }
}

TEST_CASE("many threads read one zip file at once") {
  const Folder folder;
  ZipFile zip;
  for (const auto& [key, bytes] : some_objects()) zip.add(key, bytes, key.ends_with("0"));
  put(folder / "x.zip", zip.content());
  const auto store = open_store(folder / "x.zip");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k)
        for (const auto& [key, bytes] : some_objects()) {
          Bytes out(bytes.size());
          if (store->get(key, out) != bytes.size() || out != bytes) ++wrong;
        }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE(
    "a zip file that is cut or damaged is an error, or read right, and never wrong bytes of whole objects") {
  const Folder folder;
  const std::string path = folder / "x.zip";
  ZipFile zip;
  const Bytes bytes = made_bytes(300, 5);
  zip.add("stored", bytes, false);
  zip.add("deflated", Bytes(300, std::byte{7}), true);
  const std::string good = zip.content();
  for (std::size_t length = 0; length < good.size(); ++length) {
    put(path, good.substr(0, length));
    CHECK_THROWS_AS(open_store(path), Error);
  }
  int errors = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    put(path, bad);
    for (const std::string key : {"stored", "deflated"}) try {
        const auto store = open_store(path);
        const auto got = get_small(*store, key, 1000);
        if (got) CHECK((*got == (key == "stored" ? bytes : Bytes(300, std::byte{7}))));
      } catch (const Error&) {
        ++errors;
      }
  }
  CHECK(errors > 300);
  put(path, "no zip file");
  CHECK(std::string(error_of([&] { open_store(path); }).what()).find(path) != std::string::npos);
}

TEST_CASE("names in a zip file that are no keys are none: they lead nowhere") {
  const Folder folder;
  ZipFile zip;
  for (const std::string name : {"../up", "/root", "a//b", "a/./b", "good"})
    zip.add(name, made_bytes(3), false);
  put(folder / "x.zip", zip.content());
  CHECK(listed(*open_store(folder / "x.zip"), "") ==
        std::vector<std::pair<std::string, std::uint64_t>>{{"good", 3}});
}

#endif
