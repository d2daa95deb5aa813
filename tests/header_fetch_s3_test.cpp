#include <doctest/doctest.h>

#include <string>

#include "nodes/stores/s3_store.hpp"
#include "tests/fake_s3.hpp"
#include "tests/file_support.hpp"
#include "tests/header_fetch_support.hpp"

#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

namespace {

using namespace weir;
using namespace weir::test;

TEST_CASE("buckets are read in ranges that are signed, and who asks pays where it is wanted") {
  FakeS3 s3;
  S3Options options = s3.options();
  options.requester_pays = true;
  options.http = quick();
  const S3Store store("s3://box/deep", options);
  store.put("a b.tif", picture(100'000));
  s3.server.forget();
  const FetchHeaders fetch(store, {.in_flight = 300}, std::make_shared<FetchCounts>());
  const RowBatch made = rows_of_batch(fetch, batch_of({"a b.tif", "none.tif"}));
  REQUIRE(made.rows.size() == 1);
  REQUIRE(made.errors.size() == 1);
  CHECK(made.errors[0].code == "not_found");
  for (const SeenRequest& request : s3.server.seen()) {
    CHECK(request.range);
    CHECK(request.headers.at("x-amz-request-payer") == "requester");
    CHECK(request.headers.at("authorization").find("x-amz-request-payer") != std::string::npos);
  }
}

TEST_CASE("a Google bucket is read anonymously at Google's place unless keys are given") {
  FakeS3 s3;
  const S3Store store("gs://box", {.endpoint = s3.server.url("")});
  std::byte some{};
  CHECK(std::string(error_of([&] {
                      store.get("a.tif", {&some, 1});
                    }).what())
            .find("AccessDenied") != std::string::npos);
  CHECK_FALSE(s3.server.seen().front().headers.contains("authorization"));
  CHECK(S3Store("gs://box").name() == "gs://box");
}

}  // namespace

#endif
