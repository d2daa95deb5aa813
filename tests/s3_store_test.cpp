#include "nodes/stores/s3_store.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "framework/build_info.hpp"
#include "nodes/stores/range_reader.hpp"
#include "tests/fake_s3.hpp"
#include "tests/store_support.hpp"

using namespace weir;
using namespace weir::test;

#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

TEST_CASE("requests are signed as Amazon's documentation signs its examples") {
  // docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  const S3Keys keys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
  const std::chrono::sys_seconds now{std::chrono::seconds(1'369'353'600)};  // 2013-05-24
  const std::string host = "examplebucket.s3.amazonaws.com";
  const std::string welcome = "Welcome to Amazon S3.";
  const auto signature = [&](const S3Request& request) {
    const std::string line = sign_s3(request, keys, "us-east-1", now).back();
    return line.substr(line.rfind('=') + 1);
  };
  CHECK(signature({"GET", host, "/test.txt", {}, {{"range", "bytes=0-9"}}}) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  CHECK(signature({"PUT",
                   host,
                   "/test%24file.text",
                   {},
                   {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                   s3_body_hash(std::as_bytes(std::span(welcome)))}) ==
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  CHECK(signature({"GET", host, "/", {{"lifecycle", ""}}, {}}) ==
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  // In the wrong order, which curl 7.88 would sign as it is.
  CHECK(signature({"GET", host, "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}}) ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  CHECK(s3_body_hash({}) == empty_body_hash);
  const std::vector<std::string> lines = sign_s3({"GET", host, "/"}, {"A", "B", "token"}, "here", now);
  CHECK(std::ranges::count(lines, "x-amz-security-token: token") == 1);
  CHECK(lines.back().find("x-amz-security-token") != std::string::npos);
  CHECK(s3_query_text({{"b", "x y/+"}, {"a b", "~"}}) == "a%20b=~&b=x%20y%2F%2B");
}

TEST_CASE("each try of a request to a bucket is signed when it is sent, however long it waited") {
  FakeS3 s3;
  s3.server.set_handler([](const SeenRequest& request) -> std::optional<MadeAnswer> {
    if (request.path == "/box/queued") return std::nullopt;  // 404
    return MadeAnswer{503, "", {"Retry-After: 1"}};
  });
  S3Options options = s3.options();
  options.http.rate = 0.9;  // more than a second apart, which is what a signature's time counts in
  const S3Store store("s3://box", options);
  std::byte one[2];
  const auto reader = store.range_reader(2);
  for (std::byte& byte : one) reader->start("queued", 0, {&byte, 1}, [](RangeAnswer&&) {});
  options.http.rate = 0;
  options.http.retries = 1;
  const S3Store busy("s3://box", options);
  {  // side by side, as each waits a second
    const std::jthread reads([&] { CHECK_THROWS_AS(static_cast<void>(busy.size("read")), Error); });
    const std::jthread writes([&] { CHECK_THROWS_AS(busy.put("written", Bytes(10)), Error); });
    CHECK_THROWS_AS(listed(busy, "listed"), Error);
  }
  while (s3.server.count() < 2 * 4) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::map<std::string, std::set<std::string>> times, signatures;
  for (const SeenRequest& request : s3.server.seen()) {
    times[request.path].insert(request.headers.at("x-amz-date"));
    signatures[request.path].insert(request.headers.at("authorization"));
  }
  CHECK(times.size() == 4);
  for (const auto& of : times) {
    CAPTURE(of.first);
    CHECK(of.second.size() == 2);
    CHECK(signatures[of.first].size() == 2);
  }
}

TEST_CASE("a bucket keeps what the interface of stores promises, written and then read") {
  for (const std::string url : {"s3://box", "s3://box/some/pre fix/"}) {
    FakeS3 s3;
    const S3Store store(url, s3.options());
    check_writing(store);
    check_reading(store);
    CHECK(s3.uploads_open() == 0);
  }
}

TEST_CASE("a large object goes to a bucket in parts, and one that is not committed leaves none") {
  FakeS3 s3;
  S3Options options = s3.options();
  options.part_bytes = 5 << 20;
  const S3Store store("s3://box/a", options);
  const Bytes bytes = made_bytes((11 << 20) + 5, 3), old = made_bytes(6 << 20, 4);
  store.put("x", old);
  s3.server.forget();
  {
    const auto writer = store.writer("x");
    writer->append(std::span(bytes).first(1000));
    writer->append(std::span(bytes).subspan(1000));
    writer->copy(1 << 20, 5 << 20);
    writer->commit();
  }
  Bytes wanted = bytes;
  wanted.insert(wanted.end(), old.begin() + (1 << 20), old.end());
  // Begun, 3 whole parts, the rest, ended; and for the copy what there is, and two parts of it.
  CHECK(s3.server.count() == 1 + 3 + 1 + 1 + 1 + 2);
  CHECK((whole(store, "x") == wanted));
  {
    const auto writer = store.writer("x");
    writer->append(bytes);
    CHECK(s3.uploads_open() == 1);
  }
  CHECK(s3.uploads_open() == 0);
  CHECK((whole(store, "x") == wanted));

  // What is copied from changes meanwhile.
  const auto writer = store.writer("x");
  writer->copy(0, 10);
  store.put("x", old);
  check_names_both(store, "x", [&] { writer->copy(0, 10); });

  s3.fails_completion = true;
  {
    const auto failing = store.writer("y");
    failing->append(bytes);
    const Error error = error_of([&] { failing->commit(); });
    CHECK(std::string(error.what()).find("InternalError: sorry") != std::string::npos);
  }
  CHECK(s3.uploads_open() == 0);
  CHECK_FALSE(store.size("y"));
}

TEST_CASE("a large object that was replaced meanwhile is not overwritten, and its parts are given up") {
  FakeS3 s3;
  S3Options options = s3.options();
  options.part_bytes = 5 << 20;
  const S3Store store("s3://box/a", options);
  const Bytes old = made_bytes(6 << 20, 4), other = made_bytes(7 << 20, 5);
  store.put("x", old);
  const ObjectVersion version = version_of(store, "x");
  s3.server.forget();
  {
    const auto writer = store.replacer("x", version);
    writer->append(other);
    writer->copy(0, old.size());
    writer->commit();
  }
  // Whether the server heeds conditions; begun, a part; copied, a part, copied; whether it heeds those of parts (begun, a part, ended,
  // given up); a part, ended.
  CHECK(s3.server.count() == 4 + 2 + 3 + 4 + 2);
  Bytes wanted = other;
  wanted.insert(wanted.end(), old.begin(), old.end());
  CHECK((whole(store, "x") == wanted));
  {
    const auto writer = store.replacer("x", version_of(store, "x"));
    writer->append(other);
    store.put("x", old);
    CHECK(error_of([&] { writer->commit(); }).kind() == ErrorKind::outdated);
  }
  CHECK(s3.uploads_open() == 0);
  CHECK((whole(store, "x") == old));
}

TEST_CASE("a server that does not heed the conditions of a write is refused as soon as one would matter") {
  for (bool FakeS3::*ignores : {&FakeS3::ignores_conditions, &FakeS3::ignores_absence}) {
    FakeS3 s3;
    s3.*ignores = true;
    const S3Store store("s3://box/a", s3.options());
    store.put("x", made_bytes(10, 4));
    const ObjectVersion version = version_of(store, "x");
    for (int i = 0; i < 2; ++i) {
      const Error error = error_of([&] { static_cast<void>(store.replacer("x", version)); });
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(std::string(error.what()).find("whose condition (If-") != std::string::npos);
      CHECK_THROWS_AS(store.replace("x", version, made_bytes(3, 1)), Error);
    }
    CHECK((whole(store, "x") == made_bytes(10, 4)));
    CHECK(listed(store, "").size() == 1);  // and leaves nothing behind
  }
  FakeS3 s3;
  s3.ignores_conditions_of_parts = true;
  S3Options options = s3.options();
  options.part_bytes = 5 << 20;
  const S3Store store("s3://box/a", options);
  store.put("x", made_bytes(10, 4));
  store.replace("x", version_of(store, "x"), made_bytes(11, 4));
  const auto writer = store.replacer("x", version_of(store, "x"));
  writer->append(made_bytes(6 << 20, 1));
  CHECK(std::string(error_of([&] { writer->commit(); }).what()).find("of an object in parts") !=
        std::string::npos);
  CHECK((whole(store, "x") == made_bytes(11, 4)));
  CHECK(listed(store, "").size() == 1);
}

TEST_CASE("a bucket that takes long to put an object together, and says so, is waited for") {
  FakeS3 s3;
  S3Options options = s3.options();
  const unsigned times = build_info::sanitizers.empty() ? 1 : 5;
  options.http.timeout = times * std::chrono::milliseconds(120);  // a try of so small a request: 14 of them
  options.http.retries = 0;
  options.part_bytes = 5 << 20;
  const S3Store store("s3://box/a", options);
  const Bytes bytes = made_bytes(6 << 20, 3);
  s3.spaces_of_completion = times * 50;  // 40 ms each
  const auto writer = store.writer("x");
  writer->append(bytes);
  writer->commit();
  CHECK((whole(S3Store("s3://box/a", s3.options()), "x") == bytes));  // 6 MiB take as long as they take
}

TEST_CASE("a missing bucket and a missing permission are no absence") {
  FakeS3 s3;
  Bytes some(10);
  const S3Store other("s3://other", s3.options());
  CHECK(std::string(error_of([&] { other.get("a", some); }).what()).find("NoSuchBucket") !=
        std::string::npos);
  CHECK_THROWS_AS(other.put("a", some), Error);
  CHECK_THROWS_AS(other.erase("a"), Error);
  CHECK_THROWS_AS(listed(other, ""), Error);
  S3Options options = s3.options();
  options.anonymous = true;
  const S3Store anonymous("s3://box", options);
  CHECK(std::string(error_of([&] { anonymous.get("a", some); }).what()).find("AccessDenied") !=
        std::string::npos);
  options.denied_is_absent = true;
  CHECK_FALSE(S3Store("s3://box", options).get("a", some));
}

TEST_CASE("bad URLs, endpoints and missing keys of buckets are refused before anything is sent") {
  FakeS3 s3;
  for (const std::string url : {"s3:/box", "s3://", "s3:///a", "s3://box//a", "s3://box/a/../b", "s3://b?x"})
    CHECK(error_of([&] { const S3Store store(url, s3.options()); }).kind() == ErrorKind::usage);
  S3Options options = s3.options();
  options.endpoint = "ftp://x";
  CHECK_THROWS_AS(S3Store("s3://box", options), Error);
  options = s3.options();
  options.part_bytes = 1 << 20;
  CHECK_THROWS_AS(S3Store("s3://box", options), Error);
  if (std::getenv("AWS_ACCESS_KEY_ID") == nullptr) {
    options = s3.options();
    options.access_key.clear();
    CHECK_THROWS_AS(S3Store("s3://box", options), Error);
  }
  CHECK(s3.server.count() == 0);
}

/// Amazon's variables of this process, and what they were again at the end.
struct AmazonVariables {
  explicit AmazonVariables(std::initializer_list<std::pair<const char*, std::string>> wanted) {
    for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
                             "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_PROFILE",
                             "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_NO_SIGN_REQUEST"}) {
      const char* old = std::getenv(name);
      before.emplace_back(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
      ::unsetenv(name);
    }
    for (const auto& [name, value] : wanted) ::setenv(name, value.c_str(), 1);
  }
  ~AmazonVariables() {
    for (const auto& [name, value] : before) value ? ::setenv(name, value->c_str(), 1) : ::unsetenv(name);
  }
  AmazonVariables(const AmazonVariables&) = delete;
  AmazonVariables& operator=(const AmazonVariables&) = delete;
  std::vector<std::pair<const char*, std::optional<std::string>>> before;
};

TEST_CASE(
    "keys, token, region and endpoint come from a profile where nothing else names them, and together") {
  FakeS3 s3;
  const Folder folder;
  put(folder / "credentials",
      "[work]\naws_access_key_id=three\naws_secret_access_key=four\naws_session_token=five\n");
  put(folder / "config", "[profile work]\nregion=us-east-2\nendpoint_url=" + s3.server.url("") + "\n");
  const auto headers = [&](const S3Options& options) {
    s3.server.forget();
    std::byte some{};
    S3Store("s3://box", options).get("none", {&some, 1});
    return s3.server.seen().front().headers;
  };
  const AmazonVariables variables{{"AWS_SHARED_CREDENTIALS_FILE", folder / "credentials"},
                                  {"AWS_CONFIG_FILE", folder / "config"},
                                  {"AWS_SESSION_TOKEN", "of other keys"}};
  auto sent = headers({.profile = "work"});
  CHECK(sent.at("authorization").find("Credential=three/") != std::string::npos);
  CHECK(sent.at("authorization").find("/us-east-2/s3/") != std::string::npos);
  CHECK(sent.at("x-amz-security-token") == "five");
  sent = headers({.access_key = "one", .secret_key = "two", .profile = "work"});
  CHECK(sent.at("authorization").find("Credential=one/") != std::string::npos);
  CHECK_FALSE(sent.contains("x-amz-security-token"));
  ::setenv("AWS_ACCESS_KEY_ID", "six", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "seven", 1);
  sent = headers({.profile = "work"});
  CHECK(sent.at("authorization").find("Credential=six/") != std::string::npos);
  CHECK(sent.at("x-amz-security-token") == "of other keys");
}

TEST_CASE("a listing that goes wrong is an error, not a short listing") {
  FakeS3 s3;
  const S3Store store("s3://box", s3.options());
  for (const std::string body :
       {"", "<a", "<Other/>", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>elsewhere</Key><Size>1</Size></Contents></ListBucketResult>"}) {
    CAPTURE(body);
    s3.server.set_handler([&](const SeenRequest&) { return MadeAnswer{200, body}; });
    CHECK_THROWS_AS(listed(store, "x"), Error);
  }
  s3.server.set_handler([&](const SeenRequest&) { return MadeAnswer{200, std::string((8 << 20) + 1, ' ')}; });
  CHECK(std::string(error_of([&] { listed(store, "x"); }).what()).find("more than") != std::string::npos);
}

TEST_CASE("a bucket of a server that checks signatures keeps what the interface of stores promises") {
  // tests/foreign/s3_agree.py starts one, with the bucket "box", and sets this and the keys.
  if (std::getenv("AWS_ENDPOINT_URL_S3") == nullptr || std::getenv("WEIR_TEST_S3") == nullptr) return;
  const S3Store store("s3://box/some pre+fix");
  check_writing(store);
  check_reading(store);

  S3Options options;
  options.part_bytes = 5 << 20;
  const S3Store small_parts("s3://box", options);
  const Bytes bytes = made_bytes(11 << 20, 3);
  {
    const auto writer = small_parts.writer("large");
    writer->append(bytes);
    writer->commit();
  }
  {
    const auto writer = small_parts.writer("large");
    writer->copy(1 << 20, 10 << 20);
    writer->append(std::span(bytes).first(1 << 20));
    writer->commit();
  }
  Bytes wanted(bytes.begin() + (1 << 20), bytes.end());
  wanted.insert(wanted.end(), bytes.begin(), bytes.begin() + (1 << 20));
  CHECK((whole(small_parts, "large") == wanted));

  for (int i = 0; i < 1100; ++i) store.put(fmt::format("many/{:04}", i), {});  // a page has 1000
  const auto found = listed(store, "many");
  CHECK(found.size() == 1100);
  CHECK(std::ranges::is_sorted(found));
  CHECK_THROWS_AS(listed(S3Store("s3://no-such-box"), ""), Error);

  options.secret_key = "wrong";
  options.access_key = std::getenv("AWS_ACCESS_KEY_ID");
  const Error error = error_of([&] { static_cast<void>(S3Store("s3://box", options).size("large")); });
  CHECK(std::string(error.what()).find("SignatureDoesNotMatch") != std::string::npos);
}

#endif
