#include "nodes/headers/write_catalog_rows.hpp"

#include <fmt/format.h>

#include <utility>

#include "framework/error.hpp"

namespace weir {

WriteCatalogRows::WriteCatalogRows(CatalogFolder folder, std::shared_ptr<CatalogListing> listing)
    : folder_(std::move(folder)), listing_(std::move(listing)), counts_(std::make_shared<Counts>()) {
  const auto refuse = [&](const std::string& read) {
    if (!read.empty() && canonical_path(folder_.path) == canonical_path(read))
      throw Error::usage("write", folder_.path,
                         "it is the earlier catalog that is read: the new one needs a folder of its own");
  };
  if (const OldCatalog* old = listing_->old()) refuse(old->folder());
  refuse(listing_->config().catalog);
}

std::uint64_t WriteCatalogRows::standing_bytes() const {
  const OldCatalog* old = listing_->old();
  return CatalogWriter::standing_bytes(folder_.options, old == nullptr ? 0 : old->rows());
}

void WriteCatalogRows::open() {
  const std::string identity = fmt::format(
      "{}schema {}\nrows {}\n", listing_->identity(),
      folder_.options.schema == CatalogSchema::weir ? "weir" : "tiff-dumper", folder_.options.rows_per_part);
  writer_ = std::make_shared<CatalogWriter>(folder_.path, identity, folder_.options, folder_.overwrite,
                                            *folder_.files);
  listing_->lister().begin_at(writer_->progress().cursor);
  counts_->rows = counts_->rows_before = writer_->rows();
  counts_->errors = counts_->errors_before = writer_->errors();
}

void WriteCatalogRows::operator()(const RowBatch& batch, const Context& context) {
  if (batch.is_empty()) return;
  if (!std::exchange(has_memory_, true)) writer_->draw_from(context.scratch());
  writer_->add(batch.rows, batch.errors, listing_->lister().header() + " " + batch.cursor, batch.old);
  counts_->parsed += batch.keys;
  counts_->rows = writer_->rows();
  counts_->errors = writer_->errors();
}

void WriteCatalogRows::close() {
  writer_->finish(listing_->old());
  counts_->rows = writer_->rows();
  counts_->errors = writer_->errors();
  writer_.reset();
}

}  // namespace weir
