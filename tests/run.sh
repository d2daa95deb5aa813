#!/usr/bin/env bash
# Installs what is needed on Debian 12, builds, and runs the tests. The last line is "N passed, N failed" and, where
# some were, ", N skipped"; the exit code is 0 where at least one passed and none failed.
#
#   tests/run.sh              everything that a change needs: build, unit tests, command, foreign readers, install, ...
#   tests/run.sh --minimal    with the six packages alone that weir::framework and weir::geotiff need
#   tests/run.sh --asan       under the address and undefined behaviour sanitizers
#   tests/run.sh --tsan       under the thread sanitizer, with a oneTBB that is built for it from Debian's source
#   tests/run.sh --clang      with clang 14, and clang-tidy; twenty minutes of fuzzing with libFuzzer
#   tests/run.sh --full       all of these, the first of them with its whole matrices
#   WEIR_TEST_FULL=1 tests/run.sh [--minimal]   that run alone with its whole matrices
#   --only PATTERN            the unit tests and steps whose name has PATTERN in it
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

runs=()
only=""
while [ "$#" -gt 0 ]; do
  case "$1" in
    --minimal | --asan | --tsan | --clang | --full) runs+=("${1#--}") ;;
    --only)
      if [ "$#" -lt 2 ]; then echo "--only needs a pattern" >&2; exit 2; fi
      only="$2"
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ "${#runs[@]}" -eq 0 ]; then runs=(default); fi
if [[ " ${runs[*]} " == *" full "* ]]; then
  runs=(default minimal asan tsan clang)
  export WEIR_TEST_FULL=1
elif [ "${WEIR_TEST_FULL:-}" != 1 ]; then
  unset WEIR_TEST_FULL
fi
full="${WEIR_TEST_FULL:-}"

# Counting -----------------------------------------------------------------------------------------------------------
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); echo "ok $1"; }
not_ok() { failed=$((failed + 1)); echo "not ok $1${2:+: $2}"; }
skip() { skipped=$((skipped + 1)); echo "skip $1: $2"; }

finish() {
  local status=0
  if [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ]; then status=1; fi
  printf '%d passed, %d failed' "$passed" "$failed"
  if [ "$skipped" -gt 0 ]; then printf ', %d skipped' "$skipped"; fi
  printf '\n'
  exit "$status"
}
interrupted() {
  local background
  mapfile -t background < <(jobs -p)
  if [ "${#background[@]}" -gt 0 ]; then kill "${background[@]}" "${background[@]/#/-}" 2>/dev/null; fi
  not_ok "the run" "interrupted"
  finish
}
trap interrupted INT TERM HUP

logs="$root/build/logs"
scratch="$root/build/scratch"
mkdir -p "$logs" "$scratch"

wanted() { [ -z "$only" ] || [[ "$1" == *"$only"* ]]; }
log_of() { echo "$logs/${1//[^A-Za-z0-9_.-]/_}.log"; }

# check NAME COMMAND...: one check, which passes where the command does; its output is shown where it does not.
check() {
  local name="$1" status=0
  shift
  if ! wanted "$name"; then return 0; fi
  "$@" >"$(log_of "$name")" 2>&1 || status=$?
  checked "$name" "$status"
}
checked() {  # NAME STATUS
  local log
  log="$(log_of "$1")"
  if [ "$2" -eq 0 ]; then
    ok "$1"
  else
    not_ok "$1" "see ${log#"$root"/}"
    tail -n 60 "$log" | sed 's/^/    /'
    return 1
  fi
}

# need NAME COMMAND...: what later steps stand on. Counted only where it fails.
need() {
  local name="$1" log start=$SECONDS
  shift
  log="$(log_of "$name")"
  echo "== $name"
  if "$@" >"$log" 2>&1; then
    echo "   $((SECONDS - start)) s"
  else
    not_ok "$name" "see ${log#"$root"/}"
    grep -nE 'error|Error|FAILED|^E: ' "$log" | head -n 20 | sed 's/^/    /'
    tail -n 40 "$log" | sed 's/^/    /'
    return 1
  fi
}

# unit NAME PROGRAM [PREFIX...]: a doctest program. Its own counts are added up; a line "skip NAME: REASON" that a test
# prints makes it count as skipped.
unit() {
  local name="$1" before=("$passed" "$failed" "$skipped") status=0
  echo "== $name"
  doctest "$scratch/unit" "${@:3}" "$2" >"$(log_of "$name")" 2>&1 || status=$?
  doctest_ended "$name" "$status" "${only:+filtered}"
  counted_since "${before[@]}"
}
# The same, as one process for each test file, two at a time: under a sanitizer, one thread that tests takes an hour.
unit_by_file() {
  local name="$1" program="$2" before=("$passed" "$failed" "$skipped") file files doctest_limit=3600
  shift 2
  echo "== $name"
  mapfile -t files < <("$@" "$program" --list-test-cases --reporters=xml | grep -aoP '(?<=filename=")[^"]*' | sort -u)
  if [ "${#files[@]}" -eq 0 ]; then not_ok "$name" "the program lists no tests"; fi
  for file in "${files[@]}"; do
    in_a_pair doctest_ended "$name, $(basename "$file")" \
      doctest "$scratch/unit/$(basename "$file")" "$@" "$program" "--source-file=$file"
  done
  pairs_end
  counted_since "${before[@]}"
}
counted_since() { echo "   $((passed - $1)) passed, $((failed - $2)) failed, $((skipped - $3)) skipped"; }
doctest_limit=900
if [ -n "$full" ]; then doctest_limit=7200; fi
doctest() {  # FOLDER COMMAND...
  local arguments=(--no-colors=true)
  if [ -n "$only" ]; then arguments+=("--test-case=*$only*"); fi
  rm -rf "$1" && mkdir -p "$1" && (cd "$1" && timeout -k 20 "$doctest_limit" "${@:2}" "${arguments[@]}")
}
doctest_ended() {  # NAME STATUS [FILTER]: doctest calls what a filter leaves out skipped, too; counted only where FILTER is ""
  local log line said
  log="$(log_of "$1")"
  line="$(grep -aE '^\[doctest\] test cases: +[0-9]+ \|' "$log" | tail -n 1)"
  if [[ "$line" =~ ([0-9]+)\ passed\ *\|\ *([0-9]+)\ failed\ *\|\ *([0-9]+)\ skipped ]]; then
    local tests_passed="${BASH_REMATCH[1]}" tests_failed="${BASH_REMATCH[2]}" tests_skipped="${BASH_REMATCH[3]}"
    if [ "${3-filtered}" = filtered ]; then tests_skipped=0; fi
    said="$(grep -acE '^skip [^:]+: ' "$log")"
    grep -aE '^skip [^:]+: ' "$log"
    passed=$((passed + tests_passed - said))
    failed=$((failed + tests_failed))
    skipped=$((skipped + tests_skipped + said))
    if [ "$2" -ne 0 ] && [ "$tests_failed" -eq 0 ]; then not_ok "$1" "exit code $2"; fi
  elif [ "$2" -eq 124 ] || [ "$2" -eq 137 ]; then
    not_ok "$1" "not done after $doctest_limit s"
  else
    not_ok "$1" "no summary, exit code $2"
  fi
  if [ "$2" -ne 0 ]; then
    echo "   in $1:"
    tail -n 120 "$log" | sed 's/^/    /'
  fi
}

# lines NAME STATUS: what a program said that prints "ok NAME", "not ok NAME: REASON" and "skip NAME: REASON".
lines() {
  local name="$1" status="$2" log good bad
  log="$(log_of "$name")"
  good="$(grep -cE '^ok ' "$log")"
  bad="$(grep -cE '^not ok ' "$log")"
  echo "== $name"
  grep -E '^skip ' "$log"
  grep -E '^not ok ' "$log" | head -n 12 | cut -c 1-400
  if [ "$bad" -gt 12 ]; then echo "   and $((bad - 12)) more in ${log#"$root"/}"; fi
  passed=$((passed + good))
  failed=$((failed + bad))
  skipped=$((skipped + $(grep -cE '^skip ' "$log")))
  echo "   $good passed, $bad failed"
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
    not_ok "$name" "exit code $status"
    tail -n 40 "$log" | sed 's/^/    /'
  fi
}

# in_a_pair HANDLER NAME COMMAND...: runs it beside one other, with its log; HANDLER NAME STATUS is called when it has
# ended. pairs_end waits for the last ones.
declare -A pair=()  # process -> "HANDLER NAME"
in_a_pair() {
  if [ "${#pair[@]}" -ge 2 ]; then one_of_the_pair_ends; fi
  "${@:3}" >"$(log_of "$2")" 2>&1 &
  pair[$!]="$1 $2"
}
one_of_the_pair_ends() {
  local process status=0 ended
  wait -n -p process "${!pair[@]}" || status=$?
  ended="${pair[$process]}"
  unset "pair[$process]"
  "${ended%% *}" "${ended#* }" "$status"
}
pairs_end() { while [ "${#pair[@]}" -gt 0 ]; do one_of_the_pair_ends; done; }

# aside WHAT COMMAND...: for the background, on what time the cores have left over, so that tests that watch the clock are
# not held up by it. aside_ended WHAT waits for it, says what it said, and returns its exit code.
aside_process=""
aside() {
  local status=0
  if ! chrt --idle --pid 0 "$BASHPID" 2>/dev/null; then renice -n 19 -p "$BASHPID" >/dev/null; fi
  "${@:2}" >"$logs/aside_$1.log" 2>&1 || status=$?
  echo "$status" >"$logs/aside_$1.status"
}
aside_ended() {
  while [ ! -s "$logs/aside_$1.status" ] && kill -0 "$aside_process" 2>/dev/null; do sleep 1; done
  cat "$logs/aside_$1.log"
  return "$(cat "$logs/aside_$1.status" || echo 1)"
}

# Steps --------------------------------------------------------------------------------------------------------------
test_packages=(gdal-bin python3-gdal python3-zarr libtiff-tools python3-numpy python3-venv libvips-tools libimage-exiftool-perl ca-certificates chromium nginx-light)
clang_packages=(clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev)
source_packages=(dpkg-dev)

# As for whoever calls cmake: each file includes what it needs, and each header what it needs of the standard library.
each_alone=(-DCMAKE_UNITY_BUILD=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON)

headers_compile_alone() { check "every public header compiles alone ($1)" cmake --build "$2" --target header_check; }

unit_tests() {  # LABEL FOLDER [PREFIX...]
  local label="$1" folder="$2" how=unit
  shift 2
  if [[ "$label" == *san ]]; then how=unit_by_file; fi
  # Whole matrices run once, in the plain build: they look at the same code everywhere.
  if [[ "$label" == *san ]] || [[ "$label" != default && " ${runs[*]} " == *" default "* ]]; then
    set -- env -u WEIR_TEST_FULL "$@"
  fi
  "$how" "unit tests ($label)" "$folder/tests/weir_tests" "$@"
  if [ -x "$folder/tests/weir_command_tests" ]; then
    "$how" "command tests ($label)" "$folder/tests/weir_command_tests" "$@"
  fi
}

includes_go_one_way() {
  check "includes go one way" "$root/tests/check_includes.sh"
  check "the include check hears planted includes" "$root/tests/check_includes.sh" --selftest
}

examples_print_what_they_say() {  # LABEL FOLDER
  local source name
  for source in "$root"/examples/*.cpp; do
    [ -e "$source" ] || continue
    name="$(basename "$source" .cpp)"
    check "example $name prints what its header says ($1)" \
      "$root/tests/check_example.sh" "$source" "$2/examples/$name"
  done
}

# A project outside of this one builds against an installed copy, and a user of the framework needs no raster library.
outside_project() {  # FOLDER
  local area="$1/install_test"
  local outside=(cmake -S "$root/tests/install_test" -G Ninja -DCMAKE_CXX_COMPILER=/usr/bin/g++
    -DCMAKE_IGNORE_PREFIX_PATH=/usr/local "-DCMAKE_PREFIX_PATH=$area/prefix")
  rm -rf "$area"
  cmake --install "$1" --prefix "$area/prefix" &&
    "${outside[@]}" -B "$area/framework" -DCMAKE_DISABLE_FIND_PACKAGE_TIFF=ON -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON &&
    cmake --build "$area/framework" &&
    "$area/framework/outside" &&
    ! ldd "$area/framework/outside" | grep -E 'libtiff|libz|libdeflate' &&
    "${outside[@]}" -B "$area/geotiff" -DOUTSIDE_GEOTIFF=ON &&
    cmake --build "$area/geotiff" &&
    (cd "$area" && "$area/geotiff/outside_geotiff" && "$area/geotiff/outside_headers") &&
    ! ldd "$area/geotiff/outside_headers" "$area"/prefix/bin/* | grep -E 'libarrow|libparquet'
}
# The example plugin, built on an installed copy as its author would: with one header, and nothing of Weir linked. It is
# used by a program, and where there is a command by a graph file, from WEIR_PLUGIN_PATH and from the installed folder.
plugin_project() {  # FOLDER
  local area="$1/install_test" weir="$1/install_test/prefix/bin/weir"
  local plugin="$area/plugin/terrain.so" used folder
  cmake -S "$root/examples/plugin" -B "$area/plugin" -G Ninja -DCMAKE_CXX_COMPILER=/usr/bin/g++ \
    -DCMAKE_IGNORE_PREFIX_PATH=/usr/local "-DCMAKE_PREFIX_PATH=$area/prefix" -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Werror" &&
    cmake --build "$area/plugin" || return
  if [ "$(grep -c 'include <weir/' "$root/examples/plugin/terrain_plugin.cpp")" != 1 ]; then
    echo "the example plugin includes more of Weir than one header"
    return 1
  fi
  echo '#include <weir/framework/plugin.h>' |
    gcc -std=c99 -Wall -Wextra -Wpedantic -Werror "-I$area/prefix/include" -fsyntax-only -x c - || return
  if readelf -d "$plugin" | grep -E 'NEEDED.*(weir|tbb|fmt|tiff)'; then return 1; fi
  (cd "$area" && "$area/geotiff/outside_plugin" "$plugin") || return
  if [ ! -x "$weir" ]; then return; fi
  (
    cd "$area" && unset WEIR_PLUGIN_PATH || exit
    "$weir" plugin-check "$plugin" || exit
    "$weir" convert terrain:300x400 dem.tif --overwrite --quiet || exit
    for used in env installed; do
      if [ "$used" = env ]; then
        export WEIR_PLUGIN_PATH="$area/plugin"
      else
        unset WEIR_PLUGIN_PATH
        folder="$(dirname "$(dirname "$(find "$area/prefix" -name weir-config.cmake)")")/../weir/plugins"
        mkdir -p "$folder" && cp "$plugin" "$folder" || exit
      fi
      "$weir" nodes ruggedness &&
        "$weir" run "$root/examples/plugin/ruggedness.yaml" --overwrite --set input=dem.tif --set "output=$used.tif" &&
        "$weir" run "$root/examples/plugin/ruggedness.yaml" --overwrite --set input=dem.tif --set "output=$used.zstd.tif" \
          --set codec=zstd || exit
    done
    cmp env.tif installed.tif
  )
}
# Also from where the installed folder was moved to, and without the module that catalogs need, for whoever needs none.
installed_command_runs() {
  local area="$1/install_test" moved="$1/install_test/moved" module
  "$area/prefix/bin/weir" --version || return
  rm -rf "$moved" && cp -r "$area/prefix" "$moved" && module="$(find "$moved" -name libweir_parquet.so)"
  if [ -z "$module" ]; then return; fi
  mkdir -p "$area/pictures" && "$moved/bin/weir" convert terrain:30x40 "$area/pictures/a.tif" --overwrite --quiet &&
    echo "store: {name: '$area/pictures'}" >"$area/headers.yaml" &&
    "$moved/bin/weir" headers "$area/headers.yaml" "$area/moved_catalog" --overwrite --quiet || return
  rm "$module"
  if "$moved/bin/weir" headers "$area/headers.yaml" "$area/no_catalog" --quiet 2>"$area/refused"; then return 1; fi
  grep 'Parquet cannot be loaded: libweir_parquet.so: cannot open shared object file' "$area/refused" &&
    "$moved/bin/weir" info "$area/pictures/a.tif"
}
install_tests() {  # LABEL FOLDER
  check "an outside project builds on the installed package ($1)" outside_project "$2" || return
  if [ -x "$2/bin/weir" ]; then check "the installed command runs ($1)" installed_command_runs "$2"; fi
  check "the example plugin builds on the installed package, and is used ($1)" plugin_project "$2"
}

# Readers from PyPI go into build/venv. Where PyPI cannot be reached (exit code 2) they are missing, and their checks are
# skipped.
fetch_readers() {
  local venv="$root/build/venv" pins="$root/tests/foreign/requirements.txt" log
  log="$(log_of "readers from PyPI")"
  if cmp -s "$pins" "$venv/done"; then return 0; fi
  venv_from_pypi "$venv" "$log" --requirement "$pins" && cp "$pins" "$venv/done"
}
foreign_wanted() {  # names of the scripts in tests/foreign that are to run
  local script name
  for script in "$root"/tests/foreign/*.py; do
    name="$(basename "$script" .py)"
    if wanted "foreign $name"; then echo "$name"; fi
  done
}
foreign_reader() {  # FOLDER NAME PYTHON_WITH_READERS
  local area="$scratch/$2" status=0
  rm -rf "$area"
  mkdir -p "$area"
  WEIR_BIN="$1/bin/weir" WEIR_DATA="$root/tests/data" WEIR_SCRATCH="$area" WEIR_VENV_PYTHON="$3" \
    PYTHONDONTWRITEBYTECODE=1 timeout -k 20 1800 /usr/bin/python3 "$root/tests/foreign/$2.py" || status=$?
  rm -rf "${area:?}"
  return "$status"
}
# Two at a time: each keeps one core busy.
foreign_readers() {  # FOLDER STATUS_OF_fetch_readers
  local name python=""
  case "$2" in
    0) python="$root/build/venv/bin/python" ;;
    2) echo "   PyPI cannot be reached: its readers are left out" ;;
    *)
      not_ok "readers from PyPI"
      tail -n 10 "$(log_of "readers from PyPI")" | sed 's/^/    /'
      ;;
  esac
  for name in $(foreign_wanted); do in_a_pair lines "foreign $name" foreign_reader "$1" "$name" "$python"; done
  pairs_end
}

# Fuzzing: every target starts from its seeds, tests/fuzz/seeds/TARGET; that of TIFF files from tests/data as well. A plain
# run sees crashes, hangs, failed asserts and large allocations; what reads or writes a byte outside is seen by --asan and
# --full.
seeds_of() {
  echo "$root/tests/fuzz/seeds/$1"
  if [ "$1" = tiff_fuzz ]; then echo "$root/tests/data"; fi
}
# An allocation above this is one that was taken from a count in the file.
fuzz_allocation_mb=1024
fuzz_one() {  # PROGRAM SECONDS SEEDS...
  cd "$scratch/fuzz" &&
    ASAN_OPTIONS="max_allocation_size_mb=$fuzz_allocation_mb:allocator_may_return_null=0:detect_leaks=1" \
      timeout -k 20 "$(($2 + 300))" "${aslr_off[@]}" "$1" --seconds "$2" "${@:3}"
}
libfuzzer_one() {  # PROGRAM SECONDS SEEDS...
  mkdir -p "$root/build/fuzz/corpus/$(basename "$1")" && cd "$scratch/fuzz" &&
    timeout -k 20 "$(($2 + 300))" "${aslr_off[@]}" "$1" -max_total_time="$2" -timeout=20 -rss_limit_mb=3072 \
      -malloc_limit_mb="$fuzz_allocation_mb" -print_final_stats=1 -verbosity=0 \
      "$root/build/fuzz/corpus/$(basename "$1")" "${@:3}"
}
fuzz_targets() {  # LABEL FOLDER RUNNER SECONDS_IN_TOTAL
  local sources=("$root"/tests/fuzz/*_fuzz.cpp) source name seeds
  if [ ! -e "${sources[0]}" ]; then return; fi
  mkdir -p "$scratch/fuzz"
  echo "== fuzzing ($1)"
  for source in "${sources[@]}"; do
    name="$(basename "$source" .cpp)"
    mapfile -t seeds < <(seeds_of "$name")
    if wanted "$name finds nothing ($1)"; then
      in_a_pair checked "$name finds nothing ($1)" "$3" "$2/fuzz/$name" "$(($4 / ${#sources[@]}))" "${seeds[@]}"
    fi
  done
  pairs_end
}

# Shadow memory of gcc 12's and clang 14's sanitizers collides with address randomisation of 32 bits (newer kernels).
aslr_off=()
if setarch "$(uname -m)" -R true 2>/dev/null; then aslr_off=(setarch "$(uname -m)" -R); fi
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

sanitized() {  # FOLDER SANITIZERS OPTION...
  local folder="$1" sanitizers="$2"
  shift 2
  # Not -Werror: gcc warns falsely where the sanitizers change its view of the code.
  configure "$folder" -DCMAKE_CXX_COMPILER=/usr/bin/g++ -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" "-DWEIR_SANITIZE=$sanitizers" -DWEIR_BUILD_BENCH=OFF "$@"
}

# oneTBB for the thread sanitizer, from Debian's source package: with the packaged library every wait inside it is
# noise, and the usual suppression hides true races. The machine's own apt lists stay as they are.
tsan_onetbb() {
  local area="$root/build/tsan_onetbb" version
  version="$(dpkg-query -W -f='${Version}' libtbb-dev)"
  if [ "$(cat "$area/done" 2>/dev/null)" = "$version" ]; then return 0; fi
  rm -rf "$area"
  mkdir -p "$area/lists/partial" "$area/archives/partial" "$area/source" || return
  apt-get indextargets --format "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \$(REPO_URI) \$(RELEASE) main" \
    'Identifier: Packages' | grep -E '/debian(-security)?/? ' | sort -u >"$area/sources.list"
  if [ ! -s "$area/sources.list" ]; then
    echo "apt knows no Debian repository to take oneTBB's source from" >&2
    return 1
  fi
  local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$area/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$area/lists" -o "Dir::Cache::archives=$area/archives" -o Dir::Cache::pkgcache=
    -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o Acquire::Retries=3)
  "${apt[@]}" update &&
    (cd "$area/source" && { "${apt[@]}" source "onetbb=$version" || "${apt[@]}" source onetbb; }) &&
    cmake -S "$(find "$area/source" -mindepth 1 -maxdepth 1 -type d -name 'onetbb-*')" -B "$area/build" -G Ninja \
      -DCMAKE_CXX_COMPILER=/usr/bin/g++ -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTBB_SANITIZE=thread -DTBB_TEST=OFF \
      -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF "-DCMAKE_INSTALL_PREFIX=$area/prefix" &&
    cmake --build "$area/build" &&
    cmake --install "$area/build" &&
    echo "$version" >"$area/done"
}

format_is_kept() {
  find "$root"/{framework,nodes,pipelines,examples,tests} \( -name '*.cpp' -o -name '*.hpp' \) -print0 |
    xargs -0 clang-format-14 --dry-run -Werror
}
tidy() {
  run-clang-tidy-14 -quiet -p "$root/build/clang" "^$root/(framework|nodes|pipelines|examples)/.*\.cpp$"
}

# What Parquet needs. Weir is tested without it where PyPI cannot be reached, and what needs it is skipped.
get_arrow() { arrow_from_pypi || not_ok "Arrow from PyPI"; }

# Runs ---------------------------------------------------------------------------------------------------------------
run_default() {
  need "packages" install_packages "${tool_packages[@]}" "${six_packages[@]}" "${optional_packages[@]}" \
    "${test_packages[@]}" || return
  get_arrow
  includes_go_one_way
  need "configure" configure_build -DWEIR_BUILD_TESTS=ON -DWEIR_BUILD_EXAMPLES=ON -DWEIR_BUILD_BENCH=ON || return
  need "build" cmake --build "$root/build" || return
  # Unit tests keep one core busy. What is only fetched and compiled is so on the other meanwhile.
  local foreign headers_alone="every public header compiles alone (default)"
  foreign="$(foreign_wanted)"
  rm -f "$logs"/aside_*
  set -m  # a process group of its own, so that an interruption ends all of it
  {
    if [ -n "$foreign" ]; then aside readers fetch_readers; fi
    if wanted "$headers_alone"; then aside headers cmake --build "$root/build" --target header_check; fi
    if wanted fuzz; then aside fuzz cmake --build "$root/build" --target fuzz; fi
  } &
  aside_process=$!
  set +m
  unit_tests default "$root/build"
  examples_print_what_they_say default "$root/build"
  install_tests default "$root/build"
  if [ -n "$foreign" ]; then
    aside_ended readers
    foreign_readers "$root/build" "$?"
  fi
  if wanted "$headers_alone"; then check "$headers_alone" aside_ended headers; fi
  if wanted fuzz; then
    need "fuzz targets (default)" aside_ended fuzz && fuzz_targets default "$root/build" fuzz_one 60
  fi
}

run_minimal() {
  local folder="$root/build/minimal"
  need "packages (minimal)" install_packages "${tool_packages[@]}" "${six_packages[@]}" || return
  includes_go_one_way
  need "configure (minimal)" configure "$folder" -DCMAKE_CXX_COMPILER=/usr/bin/g++ -DCMAKE_BUILD_TYPE=Release \
    -DWEIR_ASSERTS=ON -DWEIR_WERROR=ON -DWEIR_WITH_LIBDEFLATE=OFF -DWEIR_WITH_ISAL=OFF -DWEIR_WITH_LZMA=OFF \
    -DWEIR_WITH_CURL=OFF -DWEIR_WITH_PROJ=OFF -DWEIR_WITH_YAML=OFF -DWEIR_WITH_COMMAND=OFF \
    -DWEIR_WITH_JSON=OFF -DWEIR_WITH_BLOSC=OFF -DWEIR_WITH_LZ4=OFF -DWEIR_WITH_BZ2=OFF -DWEIR_WITH_ZIP=OFF \
    -DWEIR_WITH_OPENSSL=OFF -DWEIR_WITH_PUGIXML=OFF -DWEIR_WITH_PARQUET=OFF "${each_alone[@]}" || return
  need "build (minimal)" cmake --build "$folder" || return
  headers_compile_alone minimal "$folder"
  unit_tests minimal "$folder"
  examples_print_what_they_say minimal "$folder"
  install_tests minimal "$folder"
}

run_asan() {
  need "packages (asan)" install_packages "${tool_packages[@]}" "${six_packages[@]}" "${optional_packages[@]}" || return
  get_arrow
  need "configure (asan)" sanitized "$root/build/asan" "address;undefined" || return
  need "build (asan)" cmake --build "$root/build/asan" || return
  unit_tests asan "$root/build/asan" "${aslr_off[@]}"
  if wanted fuzz; then
    need "fuzz targets (asan)" cmake --build "$root/build/asan" --target fuzz &&
      fuzz_targets asan "$root/build/asan" fuzz_one 300
  fi
}

run_tsan() {
  need "packages (tsan)" install_packages "${tool_packages[@]}" "${six_packages[@]}" "${optional_packages[@]}" \
    "${source_packages[@]}" || return
  get_arrow
  need "oneTBB for the thread sanitizer" tsan_onetbb || return
  need "configure (tsan)" sanitized "$root/build/tsan" thread -DWEIR_BUILD_FUZZ=OFF \
    "-DTBB_DIR=$(dirname "$(find "$root/build/tsan_onetbb/prefix" -name TBBConfig.cmake)")" || return
  need "build (tsan)" cmake --build "$root/build/tsan" || return
  unit_tests tsan "$root/build/tsan" "${aslr_off[@]}"
}

run_clang() {
  local clang=(-DCMAKE_CXX_COMPILER=/usr/bin/clang++-14 "${each_alone[@]}")
  need "packages (clang)" install_packages "${clang_packages[@]}" || return
  get_arrow
  check "the sources are formatted" format_is_kept
  need "configure (clang)" configure "$root/build/clang" "${clang[@]}" -DCMAKE_BUILD_TYPE=Release -DWEIR_ASSERTS=ON \
    -DWEIR_WERROR=ON || return
  need "build (clang)" cmake --build "$root/build/clang" || return
  headers_compile_alone clang "$root/build/clang"
  unit_tests clang "$root/build/clang"
  check "clang-tidy has nothing to say" tidy
  need "configure (libFuzzer)" configure "$root/build/libfuzzer" "${clang[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" "-DWEIR_SANITIZE=address;undefined" -DWEIR_LIBFUZZER=ON || return
  need "build (libFuzzer)" cmake --build "$root/build/libfuzzer" --target fuzz || return
  fuzz_targets libFuzzer "$root/build/libfuzzer" libfuzzer_one 1200
}

for run in "${runs[@]}"; do "run_$run"; done
finish
