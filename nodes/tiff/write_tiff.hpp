#pragma once

#include <memory>
#include <string>

#include "nodes/tiff/tiff_writer.hpp"

namespace weir {

/// Ordered sink: encoded tiles, in file order, become a TIFF. The target is not touched before close().
class WriteTiff {
 public:
  WriteTiff(TiffOutputLayout layout, std::string path, bool overwrite, FileSystem& files)
      : layout_(std::move(layout)), path_(std::move(path)), overwrite_(overwrite), files_(&files) {}

  void open() { writer_ = std::make_unique<TiffWriter>(layout_, path_, overwrite_, *files_); }
  void operator()(const EncodedTiles& tiles) { writer_->write(tiles); }
  void close() {
    writer_->close();
    writer_.reset();
  }

 private:
  TiffOutputLayout layout_;
  std::string path_;
  bool overwrite_;
  FileSystem* files_;
  std::unique_ptr<TiffWriter> writer_;
};

}  // namespace weir
