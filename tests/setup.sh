# What tests/run.sh and examples/quickstart.sh share: packages and the build in build/. Sourced by bash.
#
# Only Debian's own tools are used, whatever else a machine has in its search paths.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
unset CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LD_LIBRARY_PATH LIBRARY_PATH CPATH PKG_CONFIG_PATH \
  CMAKE_PREFIX_PATH CMAKE_GENERATOR CMAKE_TOOLCHAIN_FILE TBBROOT TBB_DIR DESTDIR \
  PYTHONHOME PYTHONPATH VIRTUAL_ENV GDAL_DATA GDAL_DRIVER_PATH PROJ_LIB PROJ_DATA

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

tool_packages=(g++ cmake ninja-build)
six_packages=(libtbb-dev libzstd-dev zlib1g-dev libtiff-dev libfmt-dev doctest-dev)
# python3-venv: what fetches Arrow.
optional_packages=(libdeflate-dev libisal-dev liblzma-dev libcurl4-openssl-dev libproj-dev libyaml-cpp-dev
  libcli11-dev nlohmann-json3-dev libblosc-dev liblz4-dev libbz2-dev libzip-dev libssl-dev libpugixml-dev
  python3-venv)

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "packages are missing, and only root can install them: run as root, or install sudo" >&2
    return 1
  fi
}

# install_packages NAME...: those that are missing; without touching apt where none is.
install_packages() {
  local missing=() name
  for name in "$@"; do
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed; then
      missing+=("$name")
    fi
  done
  if [ "${#missing[@]}" -eq 0 ]; then return 0; fi
  echo "installing ${missing[*]}"
  # A fresh machine may still be busy with its first updates: wait for the lock.
  local options=(-qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  as_root apt-get "${options[@]}" update >/dev/null &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" -o Dpkg::Use-Pty=0 \
      install --yes --no-install-recommends "${missing[@]}" >/dev/null
}

# venv_from_pypi FOLDER LOG PIP_ARGUMENT...: a virtual environment with what is asked for. Exit code 2: PyPI cannot be reached.
venv_from_pypi() {
  local folder="$1" log="$2"
  shift 2
  rm -rf "$folder"
  if { /usr/bin/python3 -m venv "$folder" && "$folder/bin/python" -m pip --disable-pip-version-check install --quiet \
    --only-binary :all: --timeout 30 --retries 2 "$@"; } >"$log" 2>&1; then
    return 0
  fi
  rm -rf "$folder"
  if grep -qE 'NewConnectionError|Connect(ion)?Timeout|ReadTimeout|MaxRetryError|ProxyError|SSLError|Connection(Reset)?Error' \
    "$log"; then
    return 2
  fi
  return 1
}

# Arrow C++ is no package of Debian's. The wheel of pyarrow, which the readers in tests/foreign are pinned to, has its libraries
# and headers. Where it cannot be had, Weir is built without Parquet, and this says so.
arrow_options=()
arrow_from_pypi() {
  local area="$root/build/pyarrow" log="$root/build/logs/Arrow_from_PyPI.log" pin status=0
  pin="$(grep '^pyarrow==' "$root/tests/foreign/requirements.txt")"
  if [ "$(cat "$area/done" 2>/dev/null)" != "$pin" ]; then
    mkdir -p "$root/build/logs"
    venv_from_pypi "$area" "$log" --no-deps --no-compile "$pin" || status=$?
    if [ "$status" -eq 2 ]; then
      echo "   PyPI cannot be reached: no Arrow, so Weir is built without Parquet"
      return 0
    elif [ "$status" -ne 0 ]; then
      echo "   no Arrow, so Weir is built without Parquet: see ${log#"$root"/}"
      return 1
    fi
    echo "$pin" >"$area/done"
  fi
  arrow_options=("-DWEIR_ARROW_WHEEL=$(echo "$area"/lib/python3*/site-packages/pyarrow)")
}

# configure FOLDER OPTION...
# Eight files are compiled as one, in some 60 % of the time: what they include, and the templates that they use alike, are
# compiled once. Where a name in an unnamed namespace is taken by a neighbour's, one of the two is renamed, or both become
# one. That each file includes what it needs is seen by the runs that compile it alone: minimal, and clang.
configure() {
  local folder="$1"
  shift
  cmake -S "$root" -B "$folder" -G Ninja -DCMAKE_IGNORE_PREFIX_PATH=/usr/local -DCMAKE_UNITY_BUILD=ON \
    -DCMAKE_UNITY_BUILD_BATCH_SIZE=8 "${arrow_options[@]}" "$@"
}

# The one configuration of build/: optimised, asserts kept. Both scripts use it, so nothing is compiled twice.
configure_build() {
  configure "$root/build" -DCMAKE_CXX_COMPILER=/usr/bin/g++ -DCMAKE_BUILD_TYPE=Release -DWEIR_ASSERTS=ON \
    -DWEIR_WERROR=ON "$@"
}
