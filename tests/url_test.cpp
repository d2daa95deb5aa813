#include "nodes/stores/url.hpp"

#include <doctest/doctest.h>

namespace weir {
namespace {

TEST_CASE("what begins with http:// or https:// is a URL, and nothing else is") {
  for (const char* url : {"http://a/b.tif", "https://a/b.tif", "HTTP://A", "HttpS://a"}) CHECK(is_url(url));
  for (const char* path : {"", "a.tif", "/http://a", "http:/a", "https:", "ftp://a/b", "file:///a"})
    CHECK_FALSE(is_url(path));
}

TEST_CASE("a URL is shown without user, password and the values of its query") {
  CHECK(shown_path("http://a.org/b/c.tif") == "http://a.org/b/c.tif");
  CHECK(shown_path("https://me:secret@a.org:81/b.tif") == "https://a.org:81/b.tif");
  CHECK(shown_path("https://me:se@cret@a.org/b.tif") == "https://a.org/b.tif");
  CHECK(shown_path("https://a.org/b@c.tif") == "https://a.org/b@c.tif");
  CHECK(shown_path("https://a.org/b.tif?X-Amz-Signature=abc&v=1") ==
        "https://a.org/b.tif?X-Amz-Signature=...&v=...");
  CHECK(shown_path("https://a.org/b.tif?secret") == "https://a.org/b.tif?...");
  CHECK(shown_path("https://a.org/b.tif?") == "https://a.org/b.tif?...");
  CHECK(shown_path("https://a.org?s=1#secret") == "https://a.org?s=...");
  CHECK(shown_path("https://a.org/b.tif#secret") == "https://a.org/b.tif");
  CHECK(shown_path("https://me:secret@a.org") == "https://a.org");
  CHECK(shown_path("C:\\me:secret@x?y=z") == "C:\\me:secret@x?y=z");
}

TEST_CASE("Content-Range headers are read as RFC 9110 has them, and refused otherwise") {
  CHECK(parse_content_range("bytes 0-99/200") == ContentRange{0, 99, 200});
  CHECK(parse_content_range(" BYTES \t5-5/6 ") == ContentRange{5, 5, 6});
  CHECK(parse_content_range("bytes 7-9/*") == ContentRange{7, 9, std::nullopt});
  CHECK(parse_content_range("bytes */0") == ContentRange{std::nullopt, std::nullopt, 0});
  CHECK(parse_content_range("bytes 0-9223372036854775806/9223372036854775807") ==
        ContentRange{0, 9223372036854775806u, 9223372036854775807u});
  for (const char* broken : {"",
                             "bytes",
                             "bytes ",
                             "bytes 0-99",
                             "bytes 0-99/",
                             "bytes 0-99/99",
                             "bytes 9-3/20",
                             "bytes -5/20",
                             "bytes 5-/20",
                             "bytes 0-1/2/3",
                             "bytes 0 - 1/2",
                             "bytes=0-1/2",
                             "bytes0-1/2",
                             "items 0-1/2",
                             "bytes */*",
                             "bytes 0-1/x",
                             "bytes +0-1/2",
                             "bytes 0-1/18446744073709551616",
                             "bytes 0-1/9223372036854775808",
                             "bytes 0x0-0x1/2",
                             "bytes 0-1/2 "
                             "bytes 0-1/2",
                             "bytes 0--1/2",
                             "bytes 18446744073709551615-18446744073709551616/*"})
    CHECK_MESSAGE(!parse_content_range(broken), broken);
}

}  // namespace
}  // namespace weir
