#include "nodes/headers/catalog_writer.hpp"

#include <utility>

#include "nodes/headers/old_rows.hpp"
#include "nodes/headers/parquet_module.hpp"

namespace weir {
namespace {

/// What Arrow does not take from the pool: contexts of zstd, footers of 64 row groups with 100 columns; and the buffers of files.
constexpr std::uint64_t outside_bytes = 12 << 20;

}  // namespace

CatalogWriter::CatalogWriter(std::string folder, std::string identity, const CatalogOptions& options,
                             bool overwrite, FileSystem& files)
    : state_(parquet_module("write", folder)
                 .write(folder, std::move(identity), options, overwrite, ArrowMemory(Scratch()), files)) {}
CatalogWriter::~CatalogWriter() = default;

CatalogProgress CatalogWriter::progress() const {
  return state_->progress();
}
void CatalogWriter::draw_from(Scratch scratch) {
  state_->draw_from(ArrowMemory(std::move(scratch)));
}
void CatalogWriter::add(std::span<const HeaderRow> rows, std::span<const HeaderError> errors,
                        std::string cursor, std::span<const OldRow> old) {
  state_->add(rows, errors, std::move(cursor), old);
}
void CatalogWriter::finish(const OldCatalog* old) {
  state_->finish(old);
}
std::uint64_t CatalogWriter::rows() const {
  return state_->rows();
}
std::uint64_t CatalogWriter::errors() const {
  return state_->errors();
}

std::uint64_t CatalogWriter::standing_bytes(const CatalogOptions& options, std::uint64_t old_rows) {
  return writer_pool_bytes(options, old_rows > 0) + outside_bytes + OldRows::bytes(old_rows);
}

}  // namespace weir
