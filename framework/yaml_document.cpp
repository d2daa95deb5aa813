#include "framework/yaml_document.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <string_view>

#ifdef WEIR_WITH_YAML
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "framework/utf8.hpp"
#endif

namespace weir {
#ifdef WEIR_WITH_YAML
namespace {

constexpr unsigned most_levels = 20;         // a graph file has six
constexpr std::size_t most_nodes = 100'000;  // far more than 1 MiB of graph needs

[[noreturn]] void refuse(const Place& place, std::string_view text) {
  Problems problems;
  problems.add(place, text);
  problems.throw_if_any(*place.source);
  std::abort();  // there is a problem
}

/// yaml-cpp guesses UTF-16 and UTF-32, and replaces what it cannot read: here
/// that is said instead.
void check_encoding(std::string_view text, Place place) {
  if (text.empty()) refuse(place, "it is empty");
  if (text.size() > largest_yaml)
    refuse(place, fmt::format("it has {} bytes, and at most {} are read", text.size(), largest_yaml));
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    refuse(place, "it is UTF-16, and must be UTF-8");
  place.line = place.column = 1;
  for (std::size_t at = 0; at < text.size();) {
    const auto code = static_cast<unsigned char>(text[at]);
    const std::size_t length = utf8_length(text, at);
    if (length == 0) refuse(place, fmt::format("byte 0x{:02x} is not UTF-8", code));
    if ((code < 0x20 && code != '\t' && code != '\n' && code != '\r') || code == 0x7f)
      refuse(place, fmt::format("it is not text: there is a byte 0x{:02x}", code));
    at += length;
    place.column += static_cast<unsigned>(length);
    if (code == '\n') {
      ++place.line;
      place.column = 1;
    }
  }
}

/// Makes the nodes from yaml-cpp's events. What it throws passes through
/// yaml-cpp, which is safe for that.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Place source) : source_(std::move(source)) {}
  YamlNode take() { return std::move(root_.value()); }
  bool has_document() const { return root_.has_value(); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_) refuse(place_of(mark), "a second document begins here, and there must be one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    add({YamlNode::Kind::empty, place_of(mark), {}, {}, {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(place_of(mark),
           "aliases (*name) are not known here: write the "
           "value out, or use a variable");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(mark, tag);
    add({YamlNode::Kind::text, place_of(mark), value, {}, {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag, YamlNode::Kind::list);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    begin(mark, tag, YamlNode::Kind::map);
  }
  void OnMapEnd() override { end(); }

  Place place_of(const YAML::Mark& mark) const {
    Place place = source_;
    if (mark.is_null()) return place;
    place.line = static_cast<unsigned>(mark.line) + 1;
    place.column = static_cast<unsigned>(mark.column) + 1;
    return place;
  }

 private:
  struct Open {
    YamlNode node;
    std::optional<YamlNode> key;  ///< of a map: read, its value not yet
  };

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(place_of(mark), fmt::format("tags ({}) are not known here", tag));
  }
  void begin(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
    check_tag(mark, tag);
    if (open_.size() >= most_levels)
      refuse(place_of(mark), fmt::format("it is nested more than {} levels deep", most_levels));
    open_.push_back({{kind, place_of(mark), {}, {}, {}}, {}});
  }
  void end() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }
  void add(YamlNode node) {
    if (++count_ > most_nodes) refuse(node.place, fmt::format("there are more than {} values", most_nodes));
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& open = open_.back();
    if (open.node.kind == YamlNode::Kind::list) {
      open.node.items.push_back(std::move(node));
    } else if (!open.key) {
      if (node.kind != YamlNode::Kind::text) refuse(node.place, "a key must be a word");
      open.key = std::move(node);
    } else {
      // yaml-cpp gives an empty value the place of what follows it
      if (node.kind == YamlNode::Kind::empty) node.place = open.key->place;
      open.node.entries.push_back({std::move(*open.key), std::move(node)});
      open.key.reset();
    }
  }

  Place source_;
  std::optional<YamlNode> root_;
  std::vector<Open> open_;
  std::size_t count_ = 0;
};

}  // namespace

YamlNode parse_yaml(const std::string& text, const std::string& name) {
  const Place source{std::make_shared<const std::string>(name), 0, 0};
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // a byte order mark says UTF-8, and no more
  check_encoding(rest, source);
  Builder builder(source);
  try {
    std::istringstream stream{std::string(rest)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    refuse(builder.place_of(error.mark), fmt::format("this is not YAML: {}", error.msg));
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    refuse(source, fmt::format("this is not YAML: {}", error.what()));
  }
  if (!builder.has_document()) refuse(source, "it is empty");
  return builder.take();
}

bool has_yaml() {
  return true;
}

#else

YamlNode parse_yaml(const std::string&, const std::string& name) {
  throw Error::usage("read", name,
                     "this build of Weir has no yaml-cpp, which graph files are read with "
                     "(Debian: "
                     "libyaml-cpp-dev, then configure with -DWEIR_WITH_YAML=ON)");
}

bool has_yaml() {
  return false;
}

#endif
}  // namespace weir
