#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/problem.hpp"
#include "nodes/headers/catalog_writer.hpp"
#include "nodes/headers/key_filter.hpp"
#include "nodes/stores/open_store.hpp"

namespace weir {

/// What a catalog is made of: the values of a configuration file, for C++ as they are.
struct CatalogConfig {
  std::string store;                  ///< a folder, file://, http(s)://, s3://, gs://
  std::vector<std::string> prefixes;  ///< of keys, whole parts; none: all
  StoreOptions opening;               ///< region, keys, retries ...; HTTP's are those of S3, too
  KeyFilter filter;
  std::string keys;     ///< a file of keys, one in a line, instead of listing
  std::string catalog;  ///< a folder with an earlier catalog, whose paths are the keys, instead of listing

  std::uint64_t n_consumers = 1000;        ///< fetches in flight; 2048 at most are
  std::uint64_t list_chunk_size = 10'000;  ///< keys of one round over all ranges that are listed side by side
  std::uint64_t max_buffer_size = 1'000'000;  ///< keys between listing and writing, at most
  std::uint64_t write_chunk_size = 100'000;   ///< rows of a part

  std::uint64_t prefetch = 16 << 10;  ///< bytes that are asked for first, until it is known where headers end
  std::uint64_t memory = 0;           ///< bytes; 0: the default
  unsigned threads = 0;               ///< 0: the default
  CatalogSchema schema = CatalogSchema::weir;

  /// Keys of the file that are tiff-dumper's, and say nothing here: what is left to tell the user.
  std::vector<Problem> without_effect = {};
};

/// Ten tries in three minutes, 0.1 s to 15 s between them, also of a server that was never found.
HttpOptions catalog_http();

/// Reads tiff-dumper's configuration file and what is ours:
///
///   store:
///     name: s3://bucket              # or a folder, file://, http(s)://, gs://
///     prefixes: [a, b/c]             # or null
///     obstore_config:                # of obstore 0.6; durations as "1m 30s" or seconds
///       region, endpoint, skip_signature, access_key_id, secret_access_key, session_token, request_payer,
///       virtual_hosted_style_request, profile
///       client_options: {timeout, connect_timeout}
///       retry_config: {max_retries, retry_timeout, backoff: {init_backoff, max_backoff, base}}
///   concurrency: {n_consumers, list_chunk_size, max_buffer_size, write_chunk_size}
///   include: ["*.tif"]               # see KeyFilter; also exclude, min_size, max_size, modified_after, modified_before
///   keys: keys.txt                   # or catalog: FOLDER
///   prefetch: 16K
///   rate: 500                        # requests a second
///   memory: 256M
///   threads: 4
///   schema: weir                     # or tiff-dumper
///
/// Truths and whole numbers as YAML 1.1 has them, and so PyYAML: also True, YES, off, 1_000; not in other bases.
///
/// Throws a ProblemError with the place of each unknown key, wrong type and value out of range; it has no credentials. Does not look
/// whether files and stores are there.
CatalogConfig read_catalog_config(const std::string& text, const std::string& name);

}  // namespace weir
