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
optional_packages=(libdeflate-dev libisal-dev liblzma-dev libcurl4-openssl-dev libproj-dev libyaml-cpp-dev
  libcli11-dev nlohmann-json3-dev libblosc-dev liblz4-dev libbz2-dev libzip-dev libssl-dev libpugixml-dev)

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

# configure FOLDER OPTION...
configure() {
  local folder="$1"
  shift
  cmake -S "$root" -B "$folder" -G Ninja -DCMAKE_IGNORE_PREFIX_PATH=/usr/local "$@"
}

# The one configuration of build/: optimised, asserts kept. Both scripts use it, so nothing is compiled twice.
configure_build() {
  configure "$root/build" -DCMAKE_CXX_COMPILER=/usr/bin/g++ -DCMAKE_BUILD_TYPE=Release -DWEIR_ASSERTS=ON \
    -DWEIR_WERROR=ON "$@"
}
