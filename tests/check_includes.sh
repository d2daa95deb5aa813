#!/usr/bin/env bash
# Includes go one way: examples -> pipelines -> nodes -> framework, and inside nodes/: raster <- codecs, stores <- tiff,
# zarr, headers. A pipeline includes no other pipeline (the command includes all), oneTBB only stands in at most two
# .cpp files of framework/, and Arrow in nodes/headers/parquet alone, a module that nothing else includes. Prints every
# line that breaks this.
#
#   tests/check_includes.sh [ROOT]       checks a tree; exit 1 where a rule is broken
#   tests/check_includes.sh --selftest   plants one broken include per rule, and wants to hear of each
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Rooms that the files of a room may include besides themselves.
may_include() {
  case "$1" in
    framework) echo "" ;;
    nodes/raster) echo "framework" ;;
    nodes/codecs | nodes/stores) echo "framework nodes/raster" ;;
    nodes/*) echo "framework nodes/raster nodes/codecs nodes/stores" ;;
    pipelines | pipelines/command) echo "framework nodes/raster nodes/codecs nodes/stores $(node_rooms)" ;;
    examples) echo "framework pipelines nodes/raster nodes/codecs nodes/stores $(node_rooms)" ;;
  esac
}
node_rooms() { (cd "$root" && find nodes -mindepth 1 -type d | tr '\n' ' '); }

# The room of a file in the tree: its folder, without what lies below a room.
room_of() {
  local folder="${1%/*}"
  case "$folder" in
    nodes/*/*) folder="nodes/$(cut -d/ -f2 <<<"$folder")" ;;
    framework/*) folder=framework ;;
    examples/*) folder=examples ;;
  esac
  echo "$folder"
}

check_tree() {
  root="$1"
  local broken=0 rooms=() name
  for name in framework nodes pipelines examples; do
    if [ -d "$root/$name" ]; then rooms+=("$name"); fi
  done
  while IFS=: read -r file line text; do
    local included from to allowed
    included="$(sed -E 's/^[^"<]*["<]([^">]*)[">].*/\1/' <<<"$text")"
    included="${included#weir/}"
    from="$(room_of "$file")"
    case "$included" in
      tbb/* | oneapi/*)
        if [ "$from" != framework ] || [[ "$file" != *.cpp ]]; then
          echo "$file:$line: oneTBB is included by .cpp files of framework/ alone: $included"
          broken=1
        fi
        continue
        ;;
      arrow/* | parquet/* | nodes/headers/parquet/*)
        if [[ "$file" != nodes/headers/parquet/* ]]; then
          echo "$file:$line: Arrow and what includes it is loaded when it is needed, by nodes/headers/parquet: $included"
          broken=1
        fi
        continue
        ;;
      framework/* | nodes/* | pipelines/* | examples/* | tests/*) ;;
      *) continue ;;  # an outside library
    esac
    to="$(room_of "$included")"
    if [ "$from" = pipelines ] && [ "$to" = pipelines ]; then
      # Its own header, by name.
      if [ "$(basename "${file%.*}")" != "$(basename "${included%.*}")" ]; then
        echo "$file:$line: a pipeline includes no other pipeline: $included"
        broken=1
      fi
      continue
    fi
    if [ "$from" = pipelines/command ] && [[ "$to" = pipelines* ]]; then continue; fi
    if [ "$from" = "$to" ]; then continue; fi
    allowed=" $(may_include "$from") "
    if [[ "$allowed" != *" $to "* ]]; then
      echo "$file:$line: $from does not include $to: $included"
      broken=1
    fi
  done < <(cd "$root" && grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.cpp' --include='*.hpp' \
             --include='*.hpp.in' --include='*.h' "${rooms[@]}")
  local tbb_files
  tbb_files="$(cd "$root" && grep -rlE '#[[:space:]]*include[[:space:]]*[<"](oneapi/|tbb/)' framework | wc -l)" || true
  if [ "$tbb_files" -gt 2 ]; then
    echo "framework/: oneTBB is included by $tbb_files files, at most two are allowed"
    broken=1
  fi
  return "$broken"
}

selftest() {
  local deaf=0
  scratch="$(mktemp -d)"  # not local: the trap outlives this function
  trap 'rm -rf "$scratch"' EXIT
  plant() {  # FILE INCLUDE: nothing else is wrong in the tree
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree"/{framework,nodes/{raster,codecs,stores,tiff,zarr,headers/parquet},pipelines/command,examples}
    echo '#include <tbb/flow_graph.h>' >"$scratch/tree/framework/engine.cpp"
    echo '#include "nodes/raster/block.hpp"' >"$scratch/tree/nodes/tiff/fine.cpp"
    echo '#include "pipelines/read_geotiff.hpp"' >"$scratch/tree/pipelines/command/main.cpp"
    echo '#include "pipelines/read_geotiff.hpp"' >"$scratch/tree/pipelines/read_geotiff.cpp"
    echo '#include <arrow/status.h>' >"$scratch/tree/nodes/headers/parquet/arrow_support.hpp"
    echo "#include $2" >"$scratch/tree/$1"
  }
  hears() {
    plant "$1" "$2"
    if (check_tree "$scratch/tree") >"$scratch/said"; then
      echo "not heard: $1 includes $2"
      deaf=1
    fi
  }
  hears framework/planted.hpp '"nodes/raster/block.hpp"'
  hears framework/planted.hpp '<tbb/flow_graph.h>'
  hears framework/planted.cpp '"pipelines/write_geotiff.hpp"'
  hears nodes/raster/planted.hpp '"nodes/codecs/codec.hpp"'
  hears nodes/codecs/planted.hpp '"nodes/tiff/read_tiff.hpp"'
  hears nodes/tiff/planted.cpp '"nodes/zarr/read_zarr.hpp"'
  hears nodes/tiff/planted.cpp '"pipelines/read_geotiff.hpp"'
  hears nodes/tiff/planted.cpp '<oneapi/tbb/task_arena.h>'
  hears pipelines/planted.cpp '"pipelines/read_geotiff.hpp"'
  hears pipelines/planted.cpp '"pipelines/command/flags.hpp"'
  hears pipelines/command/planted.cpp '<tbb/flow_graph.h>'
  hears pipelines/planted.cpp '"examples/first_graph.hpp"'
  hears nodes/headers/planted.hpp '<weir/nodes/tiff/read_tiff.hpp>'
  hears nodes/raster/planted.hpp '"tests/support.hpp"'
  hears examples/planted.cpp '<tbb/flow_graph.h>'
  hears nodes/headers/planted.cpp '<arrow/status.h>'
  hears nodes/headers/planted.hpp '"nodes/headers/parquet/arrow_support.hpp"'
  hears pipelines/planted.cpp '<parquet/exception.h>'
  plant framework/planted.cpp '<tbb/task_arena.h>'
  if ! (check_tree "$scratch/tree"); then
    echo "a sound tree was refused"
    deaf=1
  fi
  echo '#include <tbb/global_control.h>' >"$scratch/tree/framework/third.cpp"
  if (check_tree "$scratch/tree") >"$scratch/said"; then
    echo "not heard: a third file with oneTBB"
    deaf=1
  fi
  return "$deaf"
}

if [ "${1:-}" = --selftest ]; then selftest; else check_tree "${1:-$here}"; fi
