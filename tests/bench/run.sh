#!/usr/bin/env bash
# Weir beside the programs that do the same, and beside what the machine allows, in one run: installs the peers (Debian's packages and
# wheels in build/bench_peers), builds a release without asserts in build/release, and measures. Markdown and JSON: build/bench_results.
#
#   tests/bench/run.sh                        all families, each about five minutes
#   tests/bench/run.sh read write             these: read recompress slope write deflate memory large growth cog zarr headers engine
#   --rows PATTERN                            rows whose name has it (a regular expression)
#   --quick                                   rasters of 16 MB, one round: does everything run?
#   --full                                    every combination, five rounds each, growth to 16 GB; hours
#   --resume                                  rows that build/bench_results has are not measured again
#   --folder FOLDER                           where rasters lie (default: /dev/shm, so that no disk is measured and a sync is free)
#
# BENCH_PYTHON: the Python of the peers; the newest that is found, because xarray-spatial's writer and the newest rasterio want 3.12.
# BENCH_PREFIX: put in front of every measured command, of all sides: "chrt -r 5" beside other work. WEIR_BIN and BENCH_BUILD: another
# program and build folder, and nothing is built.
set -euo pipefail
if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
  exit 0
fi
pythons=("${BENCH_PYTHON:-}")
for version in 14 13 12; do
  pythons+=("$(type -P "python3.$version" || true)" "$(find ~/.pyenv/versions -path "*3.$version.*/bin/python3.$version" 2>/dev/null | tail -1)")
done
pythons+=(/usr/bin/python3)
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../setup.sh"

install_packages "${tool_packages[@]}" "${six_packages[@]}" "${optional_packages[@]}" gdal-bin python3-gdal python3-numpy libtiff-tools libvips-tools
mkdir -p "$root/build/logs"
if [ -z "${WEIR_BIN:-}" ]; then
  arrow_from_pypi || true
  echo "building a release in build/release"
  configure "$root/build/release" -DCMAKE_CXX_COMPILER=/usr/bin/g++ -DCMAKE_BUILD_TYPE=Release -DWEIR_BUILD_TESTS=ON -DWEIR_TESTS='^$' \
    -DWEIR_BUILD_EXAMPLES=OFF -DWEIR_BUILD_BENCH=ON -DWEIR_BUILD_FUZZ=OFF >"$root/build/logs/bench_configure.log"
  cmake --build "$root/build/release" --target weir bench zarr_tool_child >"$root/build/logs/bench_build.log" ||
    { tail -n 40 "$root/build/logs/bench_build.log" >&2; exit 1; }
fi

peers="$root/build/bench_peers"
wheels=(rasterio tifffile imagecodecs async-tiff rio-cogeo xarray-spatial zstandard dask rioxarray zarr zarrs tensorstore psutil)
if [ "$(cat "$peers/done" 2>/dev/null)" != "${wheels[*]}" ]; then
  for python in "${pythons[@]}"; do
    [ -n "$python" ] && "$python" -c 'import venv' 2>/dev/null || continue
    rm -rf "$peers"
    echo "peers from PyPI for $python"
    if "$python" -m venv "$peers" && "$peers/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${wheels[@]}" \
      >"$root/build/logs/bench_peers.log" 2>&1; then
      echo "${wheels[*]}" >"$peers/done"
      break
    fi
  done
  [ -e "$peers/done" ] || { echo "the peers cannot be installed: see build/logs/bench_peers.log" >&2; exit 1; }
fi
export WEIR_BIN="${WEIR_BIN:-$root/build/release/bin/weir}" BENCH_BUILD="${BENCH_BUILD:-$root/build/release}" PYTHONDONTWRITEBYTECODE=1
exec "$peers/bin/python" "$root/tests/bench/rows.py" "$@"
