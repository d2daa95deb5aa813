#include "nodes/headers/catalog_reader.hpp"

#include "nodes/headers/parquet_module.hpp"

namespace weir {

CatalogReader::CatalogReader(std::string folder, FileSystem& files)
    : state_(parquet_module("read", folder).read(folder, ArrowMemory(Scratch()), files)) {}
CatalogReader::~CatalogReader() = default;
std::uint64_t CatalogReader::rows() const {
  return state_->rows();
}
std::vector<ListedObject> CatalogReader::next(std::size_t most) {
  return state_->next(most);
}
void CatalogReader::seek(std::uint64_t row) {
  state_->seek(row);
}
std::uint64_t CatalogReader::standing_bytes() {
  return reader_pool_bytes + (4 << 20);  // and the footer, of 64 row groups with 120 columns
}

void each_error_path(const std::string& folder, FileSystem& files,
                     const std::function<void(const std::string& path)>& each) {
  parquet_module("read", folder).each_error_path(folder, ArrowMemory(Scratch()), files, each);
}

}  // namespace weir
