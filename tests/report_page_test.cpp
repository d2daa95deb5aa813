#include "framework/report_page.hpp"

#include "tests/engine_support.hpp"
#include "tests/run_command.hpp"
#include "tests/seen_graphs.hpp"

// What a browser makes of the page is looked at by tests/foreign/report_in_browser.py.

namespace {

using namespace weir;
using namespace weir::testing;

const std::string hostile = "</script><b>\"&'`\\ \xff \xe2\x80\xa8 <!-- ]]>";

struct Page {
  RunReport report;
  std::string html;
};

Page page_of(const std::string& sink_name, const std::string& title) {
  RunRecording recording;
  GraphOptions options{.memory = 64 << 20, .tokens = 6, .threads = 2, .engine = Engine::onetbb};
  options.recording = &recording;
  Page page;
  page.report = seen_graph(options, 20, {}, sink_name)->run();
  page.html = to_html(page.report, recording, title);
  return page;
}

/// The run as JSON, which the page's script draws.
std::string data_of(const std::string& html) {
  const std::string begin = "<script type=\"application/json\" id=\"run\">";
  const std::size_t from = html.find(begin) + begin.size();
  return html.substr(from, html.find("</script>", from) - from);
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("the page needs nothing from elsewhere") {
  const std::string html = page_of("file", "a run").html;
  CHECK(html.starts_with("<!DOCTYPE html>"));
  for (const char* outside : {"src=", "<link", "@import", "fetch(", "XMLHttpRequest", "import("})
    CHECK_MESSAGE(!contains(html, outside), outside);
  // The one address is the name of SVG's vocabulary.
  CHECK(count_of(html, "http") == count_of(html, "http://www.w3.org/2000/svg"));
}

TEST_CASE("the page's data is JSON, whatever nodes, items and titles are called") {
  for (const std::string& name : {std::string("file"), hostile}) {
    const std::string html = page_of(name, name).html;
    const std::string data = data_of(html);
    CHECK(command_test::JsonCheck::is_whole(data));
    CHECK(count_of(html, "</script>") == 2);
    CHECK(count_of(html, "<script") == 2);
    CHECK(!contains(html, "<b>\""));
    CHECK(!contains(data, "<"));
    CHECK(contains(data, "\"verdict\": {\"limit\": "));
  }
  CHECK(contains(page_of("file", hostile).html, "<title>&lt;/script&gt;&lt;b&gt;&quot;&amp;"));
}

TEST_CASE("JSON strings are UTF-8") {
  CHECK(json_string("a\"b\\c\n\t\x01") == "\"a\\\"b\\\\c\\n\\t\\u0001\"");
  CHECK(json_string("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d") ==
        "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d\"");
  // Not UTF-8: a tail alone, a head alone, overlong, a surrogate, beyond the last character.
  for (const char* broken :
       {"\x80", "\xc3", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
    CHECK_MESSAGE(contains(json_string(broken), "\\ufffd"), json_string(broken));
}

TEST_CASE("the report as JSON is whole, with inputs, reasons for waiting and the verdict") {
  const std::string json = to_json(page_of(hostile, "x").report);
  CHECK(command_test::JsonCheck::is_whole(json));
  for (const char* field :
       {"\"verdict\": \"", "\"inputs\": [\"decode\"]",
        "\"waiting_order_seconds\": ", "\"waiting_body_seconds\": ", "\"waiting_thread_seconds\": ",
        "\"waiting_for_bytes_seconds\": ", "\"idle\": {\"input\": ", "\"lane\": \"io\"", "\"error\": \"\""})
    CHECK_MESSAGE(contains(json, field), field);
}

TEST_CASE("a page stays small however long the run was") {
  RunRecording recording(4 << 20);
  GraphOptions options{.memory = 64 << 20, .tokens = 6, .threads = 2, .engine = Engine::onetbb};
  options.recording = &recording;
  const RunReport report = seen_graph(options, 20'000, {0, 0, 0, 0, false})->run();
  CHECK(to_html(report, recording, "long").size() < 2'000'000);
}
