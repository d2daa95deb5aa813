#!/usr/bin/env bash
# weir convert beside gdal_translate, on the same input and codec, interleaved: medians of wall time, CPU time and peak
# resident memory, and the size of the output. Input is an uncompressed tiled GeoTIFF in FOLDER.
#
#   tests/bench/against_gdal.sh [FOLDER [ROUNDS]]        default: /dev/shm 5; needs gdal-bin and GNU time
set -euo pipefail
folder="${1:-/dev/shm}"
rounds="${2:-5}"
weir="$(dirname "$0")/../../build/bin/weir"
threads="$(nproc)"
trap 'rm -f "$folder"/weir_bench_*' EXIT

measure() {  # TAG COMMAND...: a line "wall user+sys kilobytes" to the file of TAG
  /usr/bin/time -f "%e %U %S %M" -o "$folder/weir_bench_time" "${@:2}" >/dev/null 2>&1
  awk '{ print $1, $2 + $3, $4 }' "$folder/weir_bench_time" >>"$folder/weir_bench_$1.txt"
}
median() { sort -n -k"$2,$2" "$folder/weir_bench_$1.txt" | awk -v k="$2" '{ a[NR] = $k } END { print a[int((NR + 1) / 2)] }'; }

row() {  # NAME INPUT MB COMPRESS LEVEL PREDICTOR WEIR_OPTIONS...
  local name="$1" input="$2" megabytes="$3" compress="$4" level="$5" predictor="$6"
  local gdal_level=() weir_level=()
  case "$compress" in
    deflate) gdal_level=(-co "ZLEVEL=$level"); weir_level=(--level "$level") ;;
    zstd) gdal_level=(-co "ZSTD_LEVEL=$level"); weir_level=(--level "$level") ;;
  esac
  rm -f "$folder"/weir_bench_{weir,gdal}.txt
  for ((round = 0; round < rounds; ++round)); do
    measure weir "$weir" convert "$input" "$folder/weir_bench_ours.tif" --compress "$compress" "${weir_level[@]}" \
      --predictor "$predictor" --overwrite --progress none --memory 64M
    measure gdal gdal_translate -q "$input" "$folder/weir_bench_theirs.tif" -co TILED=YES -co "COMPRESS=${compress^^}" \
      "${gdal_level[@]}" -co "PREDICTOR=$predictor" -co "NUM_THREADS=$threads" -co BIGTIFF=IF_SAFER
  done
  local ours theirs
  ours="$(median weir 1)" theirs="$(median gdal 1)"
  awk -v name="$name" -v mb="$megabytes" -v o="$ours" -v t="$theirs" -v oc="$(median weir 2)" -v tc="$(median gdal 2)" \
    -v om="$(median weir 3)" -v tm="$(median gdal 3)" -v os="$(stat -c %s "$folder/weir_bench_ours.tif")" \
    -v ts="$(stat -c %s "$folder/weir_bench_theirs.tif")" 'BEGIN {
      printf "%-22s %6.0f %6.0f %6.2fx %7.2f %7.2f %6.0f %6.0f %7.1f %7.1f\n", name, mb / o, mb / t, t / o, oc, tc,
        om / 1024, tm / 1024, os / 1e6, ts / 1e6 }'
}

"$weir" convert terrain:8192x8192:uint16 "$folder/weir_bench_u16.tif" --compress none --overwrite --quiet
"$weir" convert terrain:8192x8192:float32 "$folder/weir_bench_f32.tif" --compress none --overwrite --quiet
echo "$(gdalinfo --version), $threads threads each, $rounds rounds, weir --memory 64M, GDAL's default cache, in $folder"
printf '%-22s %6s %6s %7s %7s %7s %6s %6s %7s %7s\n' "8192 x 8192, tiles 256" "MB/s" "GDAL" "faster" "CPU s" "GDAL" "MiB" "GDAL" "MB out" "GDAL"
row "uint16 deflate 6" "$folder/weir_bench_u16.tif" 134 deflate 6 2
row "uint16 zstd 3" "$folder/weir_bench_u16.tif" 134 zstd 3 2
row "uint16 lzw" "$folder/weir_bench_u16.tif" 134 lzw 0 2
row "float32 deflate 6" "$folder/weir_bench_f32.tif" 268 deflate 6 3
row "float32 zstd 3" "$folder/weir_bench_f32.tif" 268 zstd 3 3
row "float32 none" "$folder/weir_bench_f32.tif" 268 none 0 1
