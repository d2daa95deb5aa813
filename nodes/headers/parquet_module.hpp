#pragma once

// Between weir::headers, which has no Arrow, and libweir_parquet.so (nodes/headers/parquet), which has it.

#include <fmt/format.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "framework/build_info.hpp"
#include "nodes/headers/catalog_reader.hpp"
#include "nodes/headers/catalog_writer.hpp"

namespace weir {

/// Where Arrow's memory comes from. Functions, as code of ours may be in the program and in the module: the pools are the program's alone.
struct ArrowMemory {
  std::function<void*(std::size_t bytes)> allocate;  ///< nullptr where there is none; aligned to 64 bytes
  std::function<void(void* block)> release;

  explicit ArrowMemory(Scratch scratch)
      : allocate([scratch](std::size_t bytes) { return scratch.allocate(bytes); }),
        release([scratch](void* block) { scratch.release(block); }) {}
};

/// What CatalogWriter says of itself, but for memory.
class CatalogWriter::State {
 public:
  virtual ~State() = default;
  virtual CatalogProgress progress() const = 0;
  virtual void draw_from(ArrowMemory memory) = 0;
  virtual void add(std::span<const HeaderRow> rows, std::span<const HeaderError> errors, std::string cursor,
                   std::span<const OldRow> old) = 0;
  virtual void finish(const OldCatalog* old) = 0;
  virtual std::uint64_t rows() const = 0;
  virtual std::uint64_t errors() const = 0;
};

/// The same of CatalogReader.
class CatalogReader::State {
 public:
  virtual ~State() = default;
  virtual std::uint64_t rows() const = 0;
  virtual std::vector<ListedObject> next(std::size_t most) = 0;
  virtual void seek(std::uint64_t row) = 0;
};

/// What weir_parquet_module() of the module returns: its work, and before all whether the two fit.
struct ParquetModule {
  const char* boundary;      ///< what parquet_boundary() was where the module was built
  std::string (*why_not)();  ///< as why_no_parquet(), of Arrow's own version
  std::unique_ptr<CatalogWriter::State> (*write)(const std::string& folder, std::string identity,
                                                 const CatalogOptions& options, bool overwrite,
                                                 ArrowMemory memory, FileSystem& files);
  std::unique_ptr<CatalogReader::State> (*read)(const std::string& folder, ArrowMemory memory,
                                                FileSystem& files);
  void (*each_error_path)(const std::string& folder, ArrowMemory memory, FileSystem& files,
                          const std::function<void(const std::string& path)>& each);
};

/// Differs where classes that both sides use may differ.
inline std::string parquet_boundary() {
  return fmt::format("Weir {}, {}, of {}.{}.{}.{}.{} bytes", build_info::version, build_info::compiler,
                     sizeof(HeaderRow), sizeof(HeaderError), sizeof(OldCatalog), sizeof(CatalogOptions),
                     sizeof(ParquetModule));
}

/// Loads it with the first call, which takes some 10 ms and 16 MiB. Throws a usage Error with why_no_parquet() where there is none.
const ParquetModule& parquet_module(std::string_view action, const std::string& folder);

// What the pools of a writer and of a reader hold at most. Here, as both sides know it. Beside row groups: builders with a batch of rows,
// which double as they grow, and the batch while it is encoded; the same of errors. Of an earlier catalog's rows as they are read: a batch
// of them, and the rows of it that are taken as one; of 100 columns a piece of the file, a page and a dictionary.
inline std::uint64_t writer_pool_bytes(const CatalogOptions& options, bool is_update) {
  constexpr std::uint64_t batch_bytes = 12 << 20, reading_bytes = 16 << 20;
  // Arrow doubles the memory for what a column has written so far, and for a moment holds both.
  return 3 * options.group_bytes + batch_bytes + (is_update ? reading_bytes : 0);
}
/// Of four columns: pieces of the file, pages and a batch, all of them small but where a path is not.
inline constexpr std::uint64_t reader_pool_bytes = 8 << 20;

}  // namespace weir
