#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/raster/raster_info.hpp"

namespace weir {

/// NumPy's .npy header, version 1.0 (numpy.lib.format), for all pixels in row-major order: magic, version,
/// length, a Python dict, padded to 64 bytes.
std::string npy_header(const RasterInfo& info);

/// Ordered sink: uncompressed strips become a plain file of rows behind a header of the caller's. The file
/// appears whole or not at all.
class WriteRows {
 public:
  WriteRows(std::string header, std::string path, bool overwrite, FileSystem& files)
      : header_(std::move(header)), path_(std::move(path)), overwrite_(overwrite), files_(&files) {}

  void open() {
    file_ = std::make_unique<AtomicFile>(path_, overwrite_, *files_);
    append(std::as_bytes(std::span(header_)));
  }
  void operator()(const EncodedTiles& strips) { append(strips.bytes.span()); }
  void close() {
    file_->commit();
    file_.reset();
  }

 private:
  void append(std::span<const std::byte> bytes) {
    file_->write_at(end_, bytes);
    end_ += bytes.size();
  }

  std::string header_;
  std::string path_;
  bool overwrite_;
  FileSystem* files_;
  std::unique_ptr<AtomicFile> file_;
  std::uint64_t end_ = 0;
};

}  // namespace weir
