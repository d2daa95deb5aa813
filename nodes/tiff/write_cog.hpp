#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nodes/tiff/cog_writer.hpp"

namespace weir {

/// What the sinks of all levels of a COG share: the one file that they write.
struct CogFile {
  std::vector<TiffOutputLayout> levels;
  std::string path;
  bool overwrite = false;
  CogPacking packing = CogPacking::automatic;
  FileSystem* files = &FileSystem::real();
  std::unique_ptr<CogWriter> writer = nullptr;  ///< from the first open() to the last close()
  std::size_t closed = 0;
};

/// Ordered sink: the encoded tiles of one level, in file order. The file has its name when the last level is closed.
class WriteCog {
 public:
  WriteCog(std::shared_ptr<CogFile> file, std::size_t level) : file_(std::move(file)), level_(level) {}

  void open() {
    if (!file_->writer)
      file_->writer = std::make_unique<CogWriter>(file_->levels, file_->path, file_->overwrite,
                                                  file_->packing, *file_->files);
  }
  void operator()(const EncodedTiles& tiles) { file_->writer->write(level_, tiles); }
  void close() {
    if (++file_->closed < file_->levels.size()) return;
    file_->writer->close();
    file_->writer.reset();
  }

 private:
  std::shared_ptr<CogFile> file_;
  std::size_t level_;
};

}  // namespace weir
