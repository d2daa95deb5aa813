#include "nodes/headers/header_nodes.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <optional>

#include "nodes/headers/catalog_nodes.hpp"
#include "nodes/headers/parse_headers.hpp"
#include "nodes/stores/http_parameters.hpp"
#include "nodes/stores/web_time.hpp"

namespace weir {
namespace {

/// What is known of keys, headers and rows before the run: where they come from.
struct CatalogEdge : EdgeInfo {
  std::shared_ptr<CatalogListing> listing;
  std::shared_ptr<const Store> store;
  std::shared_ptr<const FetchCounts> fetched;
};

std::shared_ptr<CatalogEdge> edge_of(std::span<const std::shared_ptr<EdgeInfo>> inputs) {
  auto edge = std::dynamic_pointer_cast<CatalogEdge>(inputs.front());
  assert(edge != nullptr);  // port types were checked
  return edge;
}

/// "a,b/c": the parts between commas.
std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<std::string> patterns_of(const std::string& text) {
  std::vector<std::string> patterns = split_list(text);
  for (const std::string& pattern : patterns)
    if (const std::string_view wrong = what_is_wrong_with_glob(pattern); !wrong.empty())
      throw Error::usage("use", "the pattern '" + pattern + "'", wrong);
  return patterns;
}

CatalogConfig config_of(const Parameters& parameters) {
  const auto text = [&](const std::string& of) {
    return parameters.has(of) ? parameters.text(of) : std::string();
  };
  CatalogConfig config;
  config.store = text("store");
  config.prefixes = split_list(text("prefixes"));
  config.keys = text("keys");
  config.catalog = text("catalog");
  config.filter.include = patterns_of(text("names"));
  config.filter.exclude = patterns_of(text("not_names"));
  if (parameters.has("min_size")) config.filter.min_size = parameters.bytes("min_size");
  if (parameters.has("max_size")) config.filter.max_size = parameters.bytes("max_size");
  for (const auto& [name, time] : {std::pair("modified_after", &config.filter.modified_after),
                                   std::pair("modified_before", &config.filter.modified_before)}) {
    if (!parameters.has(name)) continue;
    *time = parse_iso_time(parameters.text(name));
    if (!*time) throw Error::usage("use", name, "it is no time, such as 2024-05-01 or 2024-05-01T12:00:00Z");
  }
  config.list_chunk_size = static_cast<std::uint64_t>(parameters.integer("round"));
  S3Options& s3 = config.opening.s3;
  s3.endpoint = text("endpoint");
  s3.region = text("region");
  s3.profile = text("profile");
  s3.anonymous = parameters.flag("anonymous");
  s3.requester_pays = parameters.flag("requester_pays");
  HttpOptions http = http_options(parameters);
  const HttpOptions ours = catalog_http();
  http.retry_pause = ours.retry_pause;
  http.longest_pause = ours.longest_pause;
  http.retry_time = ours.retry_time;
  http.awaits_server = ours.awaits_server;
  if (parameters.has("rate")) http.rate = parameters.number("rate");
  config.opening.http.http = s3.http = http;
  return config;
}

class ListInstance : public NodeInstance {
 public:
  ListInstance(std::string name, const Parameters& parameters, GraphSetup& setup) : name_(std::move(name)) {
    CatalogConfig config = config_of(parameters);
    edge_->store = open_catalog_store(config, *setup.files);
    edge_->listing = std::make_shared<CatalogListing>(std::move(config), edge_->store, *setup.files);
  }
  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>>) override { return edge_; }
  AnyOutput add_to(Graph& graph, std::span<const AnyOutput>) override {
    return graph.source<KeyBatch>(name_, ListHeaders{edge_->listing}, list_node(edge_->listing));
  }
  void finish(RunReport& report) override {
    const KeyLister& lister = edge_->listing->lister();
    report.counts["scanned"] += lister.scanned();
    report.counts["listed"] += lister.listed();
    report.counts["unchanged"] += edge_->listing->unchanged();
    if (Traffic* traffic = edge_->store->traffic()) {
      const TrafficCount count = traffic->take();
      report.requests += count.requests;
      report.fetched_bytes += count.bytes;
    }
  }
  std::string explain() const override { return explain_catalog(*edge_->listing); }

 private:
  const std::string name_;
  const std::shared_ptr<CatalogEdge> edge_ = std::make_shared<CatalogEdge>();
};

class FetchInstance : public NodeInstance {
 public:
  FetchInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)), setup_(setup) {
    wanted_.n_consumers = static_cast<std::uint64_t>(parameters.integer("in_flight"));
    wanted_.prefetch = parameters.bytes("prefetch");
  }
  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    edge_ = edge_of(inputs);
    const auto batches = static_cast<unsigned>(wanted_.n_consumers / keys_of_unit + 1);
    if (edge_->store->requests_at_once() > 0)
      setup_.requests_at_once = std::max(setup_.requests_at_once, 2 * batches);
    return edge_;
  }
  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    const FetchHeaders fetch(*edge_->store, fetch_options(wanted_, *edge_->store, setup_.limits), counts_);
    return graph.transform<FetchedBatch>(name_, inputs.front().as<KeyBatch>(), fetch, fetch_node(fetch));
  }
  void finish(RunReport& report) override { report.counts["fetched"] += counts_->fetched; }

 private:
  const std::string name_;
  GraphSetup& setup_;
  CatalogConfig wanted_;
  std::shared_ptr<CatalogEdge> edge_;
  const std::shared_ptr<FetchCounts> counts_ = std::make_shared<FetchCounts>();
};

class ParseInstance : public NodeInstance {
 public:
  ParseInstance(std::string name, const Parameters&, GraphSetup& setup)
      : name_(std::move(name)), setup_(setup) {}
  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    return edge_of(inputs);
  }
  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    return graph.transform<RowBatch>(name_, inputs.front().as<FetchedBatch>(), ParseHeaders{},
                                     parse_node(setup_.limits));
  }

 private:
  const std::string name_;
  GraphSetup& setup_;
};

class WriteInstance : public NodeInstance {
 public:
  WriteInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)), setup_(setup) {
    folder_.path = parameters.text("path");
    folder_.overwrite = setup.overwrite || parameters.flag("overwrite");
    folder_.files = setup.files;
    CatalogConfig config;
    config.schema = parameters.text("schema") == "weir" ? CatalogSchema::weir : CatalogSchema::tiff_dumper;
    config.write_chunk_size = static_cast<std::uint64_t>(parameters.integer("rows"));
    folder_.options = catalog_options(config);
    if (parameters.has("update")) update_ = parameters.text("update");
  }
  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    edge_ = edge_of(inputs);
    if (!update_.empty()) edge_->listing->update(std::make_shared<const OldCatalog>(update_, *setup_.files));
    return nullptr;
  }
  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    WriteCatalogRows rows(folder_, edge_->listing);
    counts_ = rows.counts();
    const NodeOptions options = catalog_node(rows);
    graph.ordered_sink(name_, inputs.front().as<RowBatch>(), std::move(rows), options);
    return {};
  }
  void finish(RunReport& report) override {
    report.counts["rows"] += counts_->rows;
    report.counts["errors"] += counts_->errors;
  }

 private:
  const std::string name_;
  GraphSetup& setup_;
  CatalogFolder folder_;
  std::string update_;
  std::shared_ptr<CatalogEdge> edge_;
  std::shared_ptr<const WriteCatalogRows::Counts> counts_;
};

template <class Instance>
NodeType made_by(NodeType type) {
  type.make = [](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<Instance>(name, parameters, setup);
  };
  return type;
}

}  // namespace

NodeType list_headers_node_type() {
  NodeType type;
  type.name = "list_headers";
  type.help = "lists the TIFF files of a bucket or folder, several ranges of keys side by side";
  type.output = Port{"keys", "keys", "names, sizes, tags and times of files, 32 at a time"};
  type.parameters = {
      {.name = "store",
       .help = "a folder, s3://, gs:// or http(s)://, the last with keys",
       .is_required = true},
      {.name = "prefixes", .help = "only keys below one of these: a,b/c"},
      {.name = "keys", .help = "a file of keys, one in a line, instead of listing"},
      {.name = "catalog", .help = "an earlier catalog, whose paths are the keys, instead of listing"},
      {.name = "names", .help = "patterns of names, one of which must fit; default: TIFF's endings"},
      {.name = "not_names", .help = "patterns of names, none of which may fit"},
      {.name = "min_size", .type = ParameterType::bytes, .help = "only files of at least this size"},
      {.name = "max_size", .type = ParameterType::bytes, .help = "only files of at most this size"},
      {.name = "modified_after", .help = "only files that were written later: 2024-05-01"},
      {.name = "modified_before", .help = "only files that were written earlier"},
      {.name = "round",
       .type = ParameterType::integer,
       .help = "keys of one round over all ranges",
       .default_value = "10000",
       .least = 1,
       .most = 1e9},
      {.name = "endpoint", .help = "of s3://: the server; default: the environment's, else Amazon's"},
      {.name = "region", .help = "of s3://"},
      {.name = "profile", .help = "of s3://: whose keys in ~/.aws; default: the environment's keys"},
      {.name = "anonymous",
       .type = ParameterType::flag,
       .help = "of s3://: requests are not signed",
       .default_value = "false"},
      {.name = "requester_pays",
       .type = ParameterType::flag,
       .help = "of s3://: says that who asks will pay",
       .default_value = "false"},
      {.name = "rate",
       .type = ParameterType::number,
       .help = "most requests a second",
       .least = 0.001,
       .most = 1e6},
  };
  std::ranges::move(http_parameters(), std::back_inserter(type.parameters));
  type.bytes = "of each range that is listed, 0.5 MiB of keys and 3 to 5 MiB of a bucket's answers";
  return made_by<ListInstance>(std::move(type));
}

NodeType fetch_headers_node_type() {
  NodeType type;
  type.name = "fetch_headers";
  type.help = "fetches the headers of TIFF files: a beginning, then exactly what is missing";
  type.inputs = {{"input", "keys", "names of files"}};
  type.output = Port{"headers", "headers", "what the headers of 32 files say"};
  type.parameters = {
      {.name = "in_flight",
       .type = ParameterType::integer,
       .help = "requests at once; of a folder, threads",
       .default_value = "1000",
       .least = 1,
       .most = 65536},
      {.name = "prefetch",
       .type = ParameterType::bytes,
       .help = "what is asked for first, until it is known where headers end",
       .default_value = "16K",
       .least = 512,
       .most = 1 << 20},
  };
  type.bytes = "1.4 MiB of file beginnings and up to 4 MiB of headers for 32 files; 64 KiB a request at once";
  return made_by<FetchInstance>(std::move(type));
}

NodeType parse_headers_node_type() {
  NodeType type;
  type.name = "parse_headers";
  type.help = "makes rows of headers: tags, GeoKeys, bounds and footprints";
  type.inputs = {{"input", "headers", "headers of files"}};
  type.output = Port{"rows", "rows", "rows and errors of a catalog"};
  type.bytes = "64 KiB a row at most";
  return made_by<ParseInstance>(std::move(type));
}

NodeType write_catalog_node_type() {
  NodeType type;
  type.name = "write_catalog";
  type.help = "writes rows of headers as Parquet, in parts; goes on where an earlier run of the same stopped";
  type.inputs = {{"input", "rows", "rows and errors"}};
  type.needs_order = true;
  type.parameters = {
      {.name = "path", .help = "the folder", .is_required = true},
      {.name = "schema",
       .type = ParameterType::choice,
       .help = "weir has all columns, tiff-dumper exactly its 33",
       .default_value = "weir",
       .choices = {"weir", "tiff-dumper"}},
      {.name = "rows",
       .type = ParameterType::integer,
       .help = "of a part",
       .default_value = "100000",
       .least = 1,
       .most = 1e9},
      {.name = "update", .help = "an earlier catalog: what is the same since then is not fetched again"},
      {.name = "overwrite",
       .type = ParameterType::flag,
       .help = "starts anew where there is a catalog",
       .default_value = "false"},
  };
  type.bytes = "a row group of Parquet, and 20 bytes for each row of an earlier catalog";
  return made_by<WriteInstance>(std::move(type));
}

}  // namespace weir
