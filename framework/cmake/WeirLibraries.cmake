# Libraries that Debian packages without a CMake package. Used by the build and, installed, by weir-config.cmake: a
# static weir::geotiff has to name them again where it is linked.

# weir_import_library(TARGET HEADER LIBRARY VERSION_MACRO...): defines the imported target where header and library
# are found, with the version put together from the header's macros (numbers or one string).
function(weir_import_library target header library version_header)
  if(TARGET ${target})
    return()
  endif()
  string(MAKE_C_IDENTIFIER "WEIR_${library}" name)
  string(TOUPPER "${name}" name)
  find_path(${name}_INCLUDE_DIR NAMES ${header})
  find_library(${name}_LIBRARY NAMES ${library})
  mark_as_advanced(${name}_INCLUDE_DIR ${name}_LIBRARY)
  if(NOT ${name}_INCLUDE_DIR OR NOT ${name}_LIBRARY)
    return()
  endif()
  set(version "")
  foreach(macro IN LISTS ARGN)
    file(STRINGS "${${name}_INCLUDE_DIR}/${version_header}" line REGEX "#define[ \t]+${macro}[ \t]" LIMIT_COUNT 1)
    string(REGEX REPLACE ".*${macro}[ \t]+\"?([0-9.]+).*" "\\1" number "${line}")
    list(APPEND version "${number}")
  endforeach()
  list(JOIN version "." version)
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION "${${name}_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${${name}_INCLUDE_DIR}"
    WEIR_VERSION "${version}")
endfunction()

macro(weir_find_zstd)
  weir_import_library(weir::lib_zstd zstd.h zstd zstd.h ZSTD_VERSION_MAJOR ZSTD_VERSION_MINOR ZSTD_VERSION_RELEASE)
endmacro()

macro(weir_find_libdeflate)
  weir_import_library(weir::lib_deflate libdeflate.h deflate libdeflate.h LIBDEFLATE_VERSION_STRING)
endmacro()

macro(weir_find_isal)
  weir_import_library(weir::lib_isal isa-l/igzip_lib.h isal isa-l.h
                      ISAL_MAJOR_VERSION ISAL_MINOR_VERSION ISAL_PATCH_VERSION)
endmacro()

# weir_adopt_library(TARGET FOUND VERSION): an imported target under a name of ours, with its version, for a library that
# has a CMake package of its own.
function(weir_adopt_library target found version)
  if(TARGET ${found} AND NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES ${found} WEIR_VERSION "${version}")
  endif()
endfunction()

macro(weir_find_lzma)
  find_package(LibLZMA QUIET)
  weir_adopt_library(weir::lib_lzma LibLZMA::LibLZMA "${LIBLZMA_VERSION_STRING}")
endmacro()

macro(weir_find_curl)
  find_package(CURL QUIET)
  weir_adopt_library(weir::lib_curl CURL::libcurl "${CURL_VERSION_STRING}")
endmacro()

macro(weir_find_proj)
  find_package(PROJ QUIET)
  weir_adopt_library(weir::lib_proj PROJ::proj "${PROJ_VERSION}")
endmacro()

# yaml-cpp has a CMake package, whose target was renamed in 0.8.
macro(weir_find_yaml)
  if(NOT TARGET weir::lib_yaml)
    find_package(yaml-cpp QUIET)
    foreach(weir_yaml IN ITEMS yaml-cpp::yaml-cpp yaml-cpp)
      weir_adopt_library(weir::lib_yaml ${weir_yaml} "${yaml-cpp_VERSION}")
    endforeach()
  endif()
endmacro()

macro(weir_find_json)
  find_package(nlohmann_json QUIET)
  weir_adopt_library(weir::lib_json nlohmann_json::nlohmann_json "${nlohmann_json_VERSION}")
endmacro()

macro(weir_find_blosc)
  weir_import_library(weir::lib_blosc blosc.h blosc blosc.h BLOSC_VERSION_STRING)
endmacro()

macro(weir_find_lz4)
  weir_import_library(weir::lib_lz4 lz4.h lz4 lz4.h LZ4_VERSION_MAJOR LZ4_VERSION_MINOR LZ4_VERSION_RELEASE)
endmacro()

macro(weir_find_bz2)
  find_package(BZip2 QUIET)
  weir_adopt_library(weir::lib_bz2 BZip2::BZip2 "${BZIP2_VERSION_STRING}")
endmacro()

# libzip 1.7's CMake package wants programs that Debian packages apart (zipcmp).
macro(weir_find_zip)
  weir_import_library(weir::lib_zip zip.h zip zipconf.h LIBZIP_VERSION)
endmacro()

macro(weir_find_openssl)
  find_package(OpenSSL QUIET)
  weir_adopt_library(weir::lib_openssl OpenSSL::Crypto "${OPENSSL_VERSION}")
endmacro()

macro(weir_find_pugixml)
  find_package(pugixml QUIET)
  weir_adopt_library(weir::lib_pugixml pugixml::pugixml "${pugixml_VERSION}")
endmacro()

# Arrow and Parquet, which Debian does not package: where they are installed with their CMake packages; else the libraries in
# a pyarrow wheel, which has headers, libarrow.so.NNNN and libparquet.so.NNNN, and nothing that would say where they are.
# `folder`: that of the wheel's package "pyarrow".
# The target has WEIR_COPIED: files to install beside weir, which is then at home on machines without Arrow.
macro(weir_find_parquet folder)
  if(NOT TARGET weir::lib_parquet)
    find_package(Arrow QUIET)
    find_package(Parquet QUIET)
    if(ARROW_VERSION VERSION_GREATER_EQUAL 26)  # pages that end after so many rows, and readers that return results
      foreach(weir_parquet IN ITEMS Parquet::parquet_shared Parquet::parquet_static)
        weir_adopt_library(weir::lib_parquet ${weir_parquet} "${ARROW_VERSION}")
      endforeach()
    endif()
  endif()
  if(NOT TARGET weir::lib_parquet)
    weir_import_arrow("${folder}")
  endif()
endmacro()

function(weir_import_arrow folder)
  file(GLOB arrow "${folder}/libarrow.so.*")
  file(GLOB parquet "${folder}/libparquet.so.*")
  list(LENGTH arrow arrows)
  list(LENGTH parquet parquets)
  set(config "${folder}/include/arrow/util/config.h")
  if(NOT folder OR NOT arrows EQUAL 1 OR NOT parquets EQUAL 1 OR NOT EXISTS "${config}")
    return()
  endif()
  file(STRINGS "${config}" line REGEX "#define[ \t]+ARROW_VERSION_STRING[ \t]" LIMIT_COUNT 1)
  string(REGEX REPLACE ".*\"([^\"]+)\".*" "\\1" version "${line}")
  file(STRINGS "${config}" line REGEX "#define[ \t]+ARROW_SO_VERSION[ \t]" LIMIT_COUNT 1)
  string(REGEX REPLACE ".*\"([^\"]+)\".*" "\\1" so_version "${line}")
  foreach(library IN ITEMS "${arrow}" "${parquet}")
    if(NOT library MATCHES "\\.so\\.${so_version}$")
      message(WARNING "left out: ${library} is not of the version of ${config}, ${version}")
      return()
    endif()
  endforeach()
  add_library(weir::lib_arrow UNKNOWN IMPORTED GLOBAL)
  set_target_properties(weir::lib_arrow PROPERTIES IMPORTED_LOCATION "${arrow}")
  add_library(weir::lib_parquet UNKNOWN IMPORTED GLOBAL)
  set_target_properties(weir::lib_parquet PROPERTIES
    IMPORTED_LOCATION "${parquet}"
    INTERFACE_INCLUDE_DIRECTORIES "${folder}/include"
    INTERFACE_LINK_LIBRARIES weir::lib_arrow
    WEIR_VERSION "${version}"
    WEIR_COPIED "${arrow};${parquet}")
endfunction()
