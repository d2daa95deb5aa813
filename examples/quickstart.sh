#!/usr/bin/env bash
# Installs what is needed on Debian 12, builds Weir, and shows its main job on real input and on a large one.
#
#   examples/quickstart.sh [YOUR_RASTER.tif]
#
# Without an argument the real input is a Landsat scene from tests/data. What is written stays in build/quickstart.
set -euo pipefail
scene="${1:-}"
if [ -n "$scene" ]; then scene="$(realpath -- "$scene")"; fi
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../tests/setup.sh"
scene="${scene:-$root/tests/data/L7_ETMs.tif}"
if [ ! -r "$scene" ]; then
  echo "cannot read $scene" >&2
  exit 1
fi

out="$root/build/quickstart"
mkdir -p "$out"
weir="$root/build/bin/weir"

echo "== 1. Packages and build"
install_packages "${tool_packages[@]}" "${six_packages[@]}" "${optional_packages[@]}" gdal-bin libtiff-tools
arrow_from_pypi || true
quietly() {  # NAME COMMAND...: its output only where it fails
  "${@:2}" >"$out/$1.log" 2>&1 || { tail -n 40 "$out/$1.log" >&2; return 1; }
}
start=$SECONDS
quietly configure configure_build -DWEIR_BUILD_TESTS=OFF -DWEIR_BUILD_EXAMPLES=OFF -DWEIR_BUILD_BENCH=OFF \
  -DWEIR_BUILD_FUZZ=OFF
quietly build cmake --build "$root/build" --target weir
echo "built in $((SECONDS - start)) s: $("$weir" --version | head -n 1)"

# whole FILE: decodes every tile with libtiff, which can complain and still exit with 0.
whole() {
  local said
  if ! said="$(tiffinfo -D "$1" 2>&1 >/dev/null)"; then said="${said:-tiffinfo failed}"; fi
  said="$(grep -v 'Unknown field with tag' <<<"$said" || true)"
  if [ -n "$said" ]; then
    echo "  libtiff: $said"
    return 1
  fi
  echo "  libtiff: tiffinfo -D decodes every tile"
}
checksums() { gdalinfo -checksum "$1" | grep -E '^ +Checksum=' | tr -d ' ' | tr '\n' ' '; }

echo
echo "== 2. $(basename "$scene") to a tiled GeoTIFF with zstd"
"$weir" convert "$scene" "$out/scene.tif" --tile 256 --compress zstd --overwrite --progress none \
  --report "$out/scene.json"
whole "$out/scene.tif"
before="$(checksums "$scene")"
after="$(checksums "$out/scene.tif")"
if [ "$before" != "$after" ] || [ -z "$after" ]; then
  echo "  GDAL: the pixels differ: $before before, $after after"
  exit 1
fi
echo "  GDAL: the same pixels in both files: $after"

echo
echo "== 3. A made-up terrain of 16384 x 16384 float32 (1 GiB) under --memory 64M"
"$weir" convert terrain:16384x16384 "$out/terrain.tif" --tile 256 --compress zstd --predictor 3 --memory 64M \
  --overwrite --progress none --report "$out/terrain.json"
whole "$out/terrain.tif"
echo "  GDAL: $(gdalinfo "$out/terrain.tif" | grep -E '^Size is'), $(checksums "$out/terrain.tif")"

echo
echo "The files and reports are in $out"
