// Arrow is loaded by who writes or reads a catalog, and by nobody else.
#include <doctest/doctest.h>

#include <filesystem>

#include "framework/build_info.hpp"
#include "nodes/headers/catalog_writer.hpp"
#include "tests/header_support.hpp"
#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

namespace fs = std::filesystem;

/// A folder with one picture, and a configuration that reads it.
struct Picture {
  Picture() {
    fs::create_directory(folder / "data");
    test::HeaderMaker maker;
    maker.add(maker.picture());
    std::ofstream(folder / "data/a.tif", std::ios::binary)
        .write(reinterpret_cast<const char*>(maker.bytes().data()),
               static_cast<std::streamsize>(maker.bytes().size()));
    std::ofstream(config()) << "store: {name: \"" << folder / "data"
                            << "\"}\n";
  }
  std::string config() const { return folder / "config.yaml"; }
  std::vector<std::string> headers() const {
    return {"headers", config(), folder / "out", "--overwrite", "--quiet"};
  }
  const TemporaryFolder folder;
};

Ended weir_with(const std::vector<std::string>& environment, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = environment;
  for (const std::string& word : weir_words(arguments)) words.push_back(word);
  const std::optional<Ended> ended = tool("env", words);
  REQUIRE(ended);
  return *ended;
}

/// What the loader says of the libraries that a command loads.
std::string loaded_by(const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  const Ended ended = weir_with({"LD_DEBUG=files", "LD_DEBUG_OUTPUT=" + folder / "said"}, arguments);
  CHECK_MESSAGE(ended.code == 0, ended.err);
  std::string said;
  for (const auto& file : fs::directory_iterator(folder / "")) said += text_of(file.path());
  CHECK(contains(said, "libtiff.so"));
  return said;
}

TEST_CASE("only a catalog that is written loads Arrow") {
  const Picture picture;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--version"},
        {"info", data("L7_ETMs.tif")},
        {"nodes"},
        {"convert", data("L7_ETMs.tif"), picture.folder / "copy.tif"}}) {
    CAPTURE(words.front());
    const std::string loaded = loaded_by(words);
    CHECK_FALSE(contains(loaded, "libweir_parquet"));
    CHECK_FALSE(contains(loaded, "libarrow"));
  }
  if (!has_parquet()) return;
  CHECK(contains(std::string(build_info::libraries), ", Arrow "));
  const std::string loaded = loaded_by(picture.headers());
  CHECK(contains(loaded, "libweir_parquet.so"));
  CHECK(contains(loaded, "libarrow.so"));
}

TEST_CASE(
    "a catalog's module that is missing, broken or another build's is one error, and costs others nothing") {
  if (!has_parquet()) return;
  if (!build_info::sanitizers.empty())
    return;  // their run path comes before LD_LIBRARY_PATH: see WeirOptions.cmake
  const Picture picture;
  const std::string module = picture.folder / "libweir_parquet.so";
  const std::string place = "LD_LIBRARY_PATH=" + picture.folder / "";
  const auto refused = [&] {
    const Ended ended = weir_with({place}, picture.headers());
    CHECK(ended.code == 2);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(contains(ended.err,
                   "cannot write the catalog " + picture.folder / "out: Parquet cannot be loaded: "));
    CHECK(weir_with({place}, {"info", data("L7_ETMs.tif")}).code == 0);
    return ended.err;
  };
  std::ofstream(module) << "no library";
  CHECK(contains(refused(), "libweir_parquet.so: file too short"));
  fs::copy_file(std::string(WEIR_TEST_PLUGINS) + "/plain.so", module, fs::copy_options::overwrite_existing);
  CHECK(contains(refused(), "undefined symbol: weir_parquet_module"));
  fs::copy_file(std::string(WEIR_TEST_PLUGINS) + "/other_parquet.so", module,
                fs::copy_options::overwrite_existing);
  CHECK(contains(refused(),
                 "libweir_parquet.so is of Weir 0.0.1, this is Weir " + std::string(build_info::version)));
  fs::remove(module);
  CHECK(weir_with({place}, picture.headers()).code == 0);
}

}  // namespace
}  // namespace weir::command_test
