#pragma once

#include "framework/file.hpp"

namespace weir {

/// Commits a raster's file. Where it replaces another, that one's sidecars (.ovr, .aux.xml, .msk) told of other pixels: they are
/// removed once the new file is in place. Throws Error; see AtomicFile::commit.
void commit_with_sidecars(AtomicFile& file, FileSystem& files);

}  // namespace weir
