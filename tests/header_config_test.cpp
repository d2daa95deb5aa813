#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "framework/yaml_document.hpp"
#include "nodes/headers/catalog_config.hpp"
#include "nodes/headers/catalog_listing.hpp"
#include "nodes/stores/aws_profile.hpp"
#include "nodes/stores/web_time.hpp"
#include "tests/file_support.hpp"

namespace {

using namespace weir;

bool can_read() {
  if (!has_yaml()) std::puts("skip reading configurations: no yaml-cpp in this build");
  return has_yaml();
}

/// What is wrong with a text, as the command tells it; empty where nothing is.
std::string problems_of(const std::string& text) {
  try {
    read_catalog_config(text, "c.yaml");
    return "";
  } catch (const ProblemError& error) {
    std::string all;
    for (const Problem& problem : error.problems()) all += to_text(problem) + "\n";
    return all;
  }
}

TEST_CASE("a configuration of tiff-dumper is read with the meaning that it has there") {
  if (!can_read()) return;
  const CatalogConfig config = read_catalog_config(R"(
store:
  name: s3://sentinel-cogs
  prefixes:
    - sentinel-s2-l2a-cogs/1
    - sentinel-s2-l2a-cogs/10/
  obstore_config:
    region: us-west-2
    endpoint: http://127.0.0.1:9000
    skip_signature: true
    AWS_ACCESS_KEY_ID: key
    aws_secret_access_key: secret
    token: session
    request_payer: true
    virtual_hosted_style_request: false
    client_options:
      timeout: 1m 30s
      connect_timeout: 500ms
      pool_idle_timeout: 10s
    retry_config:
      max_retries: 4
      retry_timeout: 20
      backoff: {init_backoff: 0.5, max_backoff: 2s, base: 2}
concurrency:
  n_consumers: 100
  list_chunk_size: 200
  max_buffer_size: 4000
  write_chunk_size: 300
)",
                                                   "c.yaml");
  CHECK(config.store == "s3://sentinel-cogs");
  CHECK(config.prefixes == std::vector<std::string>{"sentinel-s2-l2a-cogs/1", "sentinel-s2-l2a-cogs/10/"});
  const S3Options& s3 = config.opening.s3;
  CHECK(s3.region == "us-west-2");
  CHECK(s3.endpoint == "http://127.0.0.1:9000");
  CHECK(s3.anonymous);
  CHECK(s3.access_key == "key");
  CHECK(s3.secret_key == "secret");
  CHECK(s3.session_token == "session");
  CHECK(s3.requester_pays);
  CHECK(s3.path_style == true);
  CHECK(s3.http == config.opening.http.http);
  CHECK(s3.http.timeout == std::chrono::seconds(90));
  CHECK(s3.http.connect_timeout == std::chrono::milliseconds(500));
  CHECK(s3.http.retries == 4);
  CHECK(s3.http.retry_time == std::chrono::seconds(20));
  CHECK(s3.http.retry_pause == std::chrono::milliseconds(500));
  CHECK(s3.http.longest_pause == std::chrono::seconds(2));
  CHECK(config.n_consumers == 100);
  CHECK(config.list_chunk_size == 200);
  CHECK(config.max_buffer_size == 4000);
  CHECK(config.write_chunk_size == 300);
  REQUIRE(config.without_effect.size() == 1);
  CHECK(to_text(config.without_effect.front()) == "c.yaml:19:7: pool_idle_timeout has no effect here");
}

TEST_CASE("what a configuration does not say is as tiff-dumper has it, with ten tries in three minutes") {
  if (!can_read()) return;
  const CatalogConfig config = read_catalog_config("store: {name: /data, prefixes: null}", "c.yaml");
  CHECK(config.prefixes.empty());
  CHECK(config.n_consumers == 1000);
  CHECK(config.list_chunk_size == 10'000);
  CHECK(config.max_buffer_size == 1'000'000);
  CHECK(config.write_chunk_size == 100'000);
  CHECK(config.opening.s3.http.retries == 9);
  CHECK(config.opening.s3.http.retry_time == std::chrono::seconds(180));
  CHECK(config.opening.s3.http.retry_pause == std::chrono::milliseconds(100));
  CHECK(config.opening.s3.http.longest_pause == std::chrono::seconds(15));
}

TEST_CASE("truths and numbers of a configuration may be written in every way that YAML 1.1 has for them") {
  if (!can_read()) return;
  const auto is_anonymous = [](const std::string& word) {
    const std::string text =
        fmt::format("store: {{name: s3://a, obstore_config: {{skip_signature: {}}}}}", word);
    return read_catalog_config(text, "c.yaml").opening.s3.anonymous;
  };
  for (const std::string word : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
    CHECK_MESSAGE(is_anonymous(word), word);
  for (const std::string word : {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})
    CHECK_MESSAGE(!is_anonymous(word), word);
  for (const std::string word : {"tRUE", "y", "1", "oN"})
    CHECK_MESSAGE(
        !problems_of(fmt::format("store: {{name: a, obstore_config: {{request_payer: {}}}}}", word)).empty(),
        word);
  const CatalogConfig config = read_catalog_config(
      "store: {name: /data}\nconcurrency: {list_chunk_size: 1_000, write_chunk_size: +20_000_}\nmin_size: "
      "1_0_24\n",
      "c.yaml");
  CHECK(config.list_chunk_size == 1000);
  CHECK(config.write_chunk_size == 20'000);
  CHECK(config.filter.min_size == 1024);
  CHECK_FALSE(problems_of("store: {name: a}\nconcurrency: {n_consumers: _5}").empty());
  CHECK_FALSE(problems_of("store: {name: a}\nconcurrency: {n_consumers: 5_x}").empty());
}

TEST_CASE("a configuration has keys of our own: filters, lists of keys, limits") {
  if (!can_read()) return;
  const CatalogConfig config = read_catalog_config(R"(
store: {name: "https://example.com/a"}
include: ["*.tif", "raw/**/*.img"]
exclude: ["*_qa.tif"]
min_size: 1K
max_size: 2G
modified_after: 2024-05-01
modified_before: "2024-06-01T12:00:00+02:00"
keys: keys.txt
prefetch: 8K
rate: 250.5
memory: 96M
threads: 3
schema: tiff-dumper
)",
                                                   "c.yaml");
  CHECK(config.filter.include == std::vector<std::string>{"*.tif", "raw/**/*.img"});
  CHECK(config.filter.exclude == std::vector<std::string>{"*_qa.tif"});
  CHECK(config.filter.min_size == 1024);
  CHECK(config.filter.max_size == std::uint64_t{2} << 30);
  CHECK(config.filter.modified_after == 1'714'521'600'000);
  CHECK(config.filter.modified_before == 1'717'236'000'000);
  CHECK(config.keys == "keys.txt");
  CHECK(config.prefetch == 8192);
  CHECK(config.opening.http.http.rate == 250.5);
  CHECK(config.memory == 96 << 20);
  CHECK(config.threads == 3);
  CHECK(config.schema == CatalogSchema::tiff_dumper);
}

TEST_CASE("each mistake in a configuration is told with its line and column, and the nearest name") {
  if (!can_read()) return;
  CHECK(problems_of("store: {name: a, prefix: [b]}") ==
        "c.yaml:1:18: store has no key prefix; did you mean prefixes?\n");
  CHECK(problems_of("store:\n  name: a\n  obstore_config:\n    regoin: x\n") ==
        "c.yaml:4:5: obstore_config has no key regoin; did you mean region?\n");
  CHECK(problems_of("store: {name: a}\nconcurrency:\n  n_consumer: 5\n").starts_with("c.yaml:3:3: "));
  CHECK(problems_of("store: {name: a}\nconcurrency: {n_consumers: many}")
            .starts_with("c.yaml:2:28: n_consumers: "));
  CHECK(problems_of("store: {name: a}\nconcurrency: {n_consumers: [1]}") ==
        "c.yaml:2:28: n_consumers must be a single value\n");
  CHECK(problems_of("store: {name: a, prefixes: b}") == "c.yaml:1:28: prefixes must be a list\n");
  CHECK(problems_of("store: {name: a, prefixes: [\"b//c\"]}").starts_with("c.yaml:1:29: prefixes: 'b//c': "));
  CHECK(problems_of("store: {name: a}\nschema: arrow").starts_with("c.yaml:2:9: schema: "));
  CHECK(problems_of("store: {name: a}\nmodified_after: soon")
            .starts_with("c.yaml:2:17: modified_after: 'soon'"));
  CHECK(problems_of("store: {name: a}\ninclude: [\"a[b\"]").starts_with("c.yaml:2:11: include: 'a[b': "));
  CHECK(problems_of("store: {name: a, name: b}").starts_with("c.yaml:1:18: name is there twice"));
  CHECK(problems_of("store: []").find("c.yaml:1:8: store must be a map") != std::string::npos);
  CHECK(problems_of("concurrency: {}").find("there is no store") != std::string::npos);
  CHECK(problems_of("store: {name: a}\nkeys: a\ncatalog: b").starts_with("c.yaml:3:10: the keys come from"));
  CHECK(problems_of("store:\n  name: a\n  obstore_config: {retry_config: {backoff: {base: 3}}}")
            .starts_with("c.yaml:3:51: base: "));
  CHECK(problems_of("store:\n  name: a\n  obstore_config: {client_options: {proxy_url: x}}") ==
        "c.yaml:3:37: proxy_url is not supported\n");
}

TEST_CASE("consumers, chunks and buffer of a configuration must not be one larger than the next") {
  if (!can_read()) return;
  const auto with = [](int consumers, int list, int write, int buffer) {
    return problems_of(
        fmt::format("store: {{name: a}}\nconcurrency:\n  n_consumers: {}\n  list_chunk_size: {}\n"
                    "  write_chunk_size: {}\n  max_buffer_size: {}\n",
                    consumers, list, write, buffer));
  };
  CHECK(with(1, 1, 1, 1).empty());
  CHECK(with(2, 1, 1, 1) == "c.yaml:4:20: list_chunk_size (1) must be at least n_consumers (2)\n");
  CHECK(with(1, 3, 2, 4) == "c.yaml:5:21: write_chunk_size (2) must be at least list_chunk_size (3)\n");
  CHECK(with(1, 1, 2, 1) == "c.yaml:6:20: max_buffer_size (1) must be at least write_chunk_size (2)\n");
}

TEST_CASE("sizes that no file can have are refused, and both are named: in a configuration and elsewhere") {
  CatalogConfig fits;
  fits.store = WEIR_TEST_DATA;
  fits.filter.min_size = fits.filter.max_size = 5;
  CHECK_NOTHROW(CatalogListing(fits, open_catalog_store(fits)));
  CatalogConfig empty = fits;
  empty.filter.min_size = 6;
  const Error error = test::error_of([&] { CatalogListing(empty, open_catalog_store(empty)); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(error.reason() == "max_size (5) must be at least min_size (6)");
  if (!can_read()) return;
  CHECK(problems_of("store: {name: a}\nmax_size: 5\nmin_size: 5\n").empty());
  CHECK(problems_of("store: {name: a}\nmax_size: 1K\nmin_size: 1025\n") ==
        "c.yaml:2:11: max_size (1024) must be at least min_size (1025)\n");
}

TEST_CASE("what is wrong with a configuration says nothing of the secrets in it") {
  if (!can_read()) return;
  const std::string problems = problems_of(R"(
store:
  name: s3://box
  obstore_config:
    secret_access_key: hush-hush
    access_key_id: [hush-hush]
    session_token: {a: hush-hush}
    nonsense: hush-hush
)");
  CHECK(problems.find("nonsense") != std::string::npos);
  CHECK(problems.find("hush") == std::string::npos);
}

TEST_CASE(
    "patterns: a star stays in its part of a key, two do not, and one without a slash is for the last part") {
  CHECK(fits_glob("*.tif", "a/b.tif"));
  CHECK(fits_glob("a/*.tif", "a/b.tif"));
  CHECK_FALSE(fits_glob("a/*.tif", "a/b/c.tif"));
  CHECK(fits_glob("a/**.tif", "a/b/c.tif"));
  CHECK(fits_glob("**/c/*", "a/b/c/d"));
  CHECK_FALSE(fits_glob("**/c/*", "a/b/c/d/e"));
  CHECK(fits_glob("**/*_B0[1-4].tif", "x/y/z_B03.tif"));
  CHECK_FALSE(fits_glob("**/*_B0[!1-4].tif", "x/y/z_B03.tif"));
  CHECK(fits_glob("a?c", "abc"));
  CHECK_FALSE(fits_glob("x/a?c", "x/a/c"));
  CHECK(fits_glob("*", "a"));
  CHECK(fits_glob("[]]", "]"));
  CHECK_FALSE(fits_glob("*.tif", "b.TIF"));
  CHECK_FALSE(fits_glob("", "a"));
  // Many stars take the product of both lengths, not its power.
  CHECK_FALSE(fits_glob("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
  CHECK_FALSE(fits_glob("**/a*a*a*a**a*a*a**a*b", std::string(500, 'a') + "/" + std::string(500, 'a')));
}

TEST_CASE("without patterns the endings of TIFF files are wanted, in upper and lower case") {
  const KeyFilter filter;
  for (const std::string key : {"a.tif", "A.TIF", "a/b.Tiff", "c.btf", "d.gtif"}) CHECK(filter.takes({key}));
  for (const std::string key : {"a.tif.aux.xml", "tif", "a.jp2", "a.tif/b", ".tif"})
    CHECK_FALSE(filter.takes({key}));
}

TEST_CASE("sizes are inclusive, times are not, and what a list does not say passes both") {
  KeyFilter filter;
  filter.min_size = 10;
  filter.max_size = 20;
  filter.modified_after = 1000;
  filter.modified_before = 2000;
  CHECK(filter.takes({"a.tif", 10, "", 1001}));
  CHECK(filter.takes({"a.tif", 20, "", 1999}));
  CHECK_FALSE(filter.takes({"a.tif", 9, "", 1500}));
  CHECK_FALSE(filter.takes({"a.tif", 21, "", 1500}));
  CHECK_FALSE(filter.takes({"a.tif", 15, "", 1000}));
  CHECK_FALSE(filter.takes({"a.tif", 15, "", 2000}));
  CHECK(filter.takes({"a.tif", unknown_size}));
}

TEST_CASE("times of HTTP and of listings are milliseconds since 1970") {
  CHECK(parse_http_time("Mon, 12 Oct 2009 17:50:00 GMT") == 1'255'369'800'000);
  CHECK_FALSE(parse_http_time("yesterday"));
  CHECK(parse_iso_time("2009-10-12T17:50:30.250Z") == 1'255'369'830'250);
  CHECK(parse_iso_time("2009-10-12T17:50:30") == 1'255'369'830'000);
  CHECK(parse_iso_time("2009-10-12T19:50:30+02:00") == 1'255'369'830'000);
  CHECK(parse_iso_time("2009-10-12") == 1'255'305'600'000);
  CHECK_FALSE(parse_iso_time("2009-10-12T17:50:30X"));
  CHECK_FALSE(parse_iso_time(""));
}

TEST_CASE("keys of a profile come from the files of Amazon's tools, by its name") {
  const test::Folder folder;
  test::put(folder / "credentials",
            "# ours\n[default]\naws_access_key_id = one\naws_secret_access_key=two\n\n[work]\n"
            "aws_access_key_id = three\naws_secret_access_key = four\naws_session_token = five\n");
  test::put(folder / "config",
            "[default]\nregion = eu-west-1\ns3 =\n  region = wrong\n[profile work]\nregion = us-east-2\n"
            "[profile only]\nendpoint_url = http://x\n");
  ::setenv("AWS_SHARED_CREDENTIALS_FILE", (folder / "credentials").c_str(), 1);
  ::setenv("AWS_CONFIG_FILE", (folder / "config").c_str(), 1);
  const AwsProfile plain = read_aws_profile(""), work = read_aws_profile("work"),
                   only = read_aws_profile("only");
  CHECK(plain.access_key == "one");
  CHECK(plain.secret_key == "two");
  CHECK(plain.session_token.empty());
  CHECK(plain.region == "eu-west-1");
  CHECK(work.access_key == "three");
  CHECK(work.session_token == "five");
  CHECK(work.region == "us-east-2");
  CHECK(only.access_key.empty());
  CHECK(only.endpoint == "http://x");
  const Error error = test::error_of([] { read_aws_profile("none"); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find("four") == std::string::npos);
  ::unsetenv("AWS_SHARED_CREDENTIALS_FILE");
  ::unsetenv("AWS_CONFIG_FILE");
}

}  // namespace
