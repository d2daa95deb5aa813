#pragma once

#include <tiffio.h>

#include "framework/file.hpp"
#include "nodes/tiff/tiff_info.hpp"

namespace weir {

/// What decoders of tiles or strips have to know, from an open handle of their directory; `layout` has all but this.
/// Throws Error where the file says what its codec cannot hold, or the codec cannot be used here.
DecodeSpec decode_spec_of(const ReadableFile& file, TIFF* tiff, const RasterInfo& info,
                          const TiffLayout& layout);

}  // namespace weir
