include(CMakePackageConfigHelpers)

set(WEIR_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/weir")

macro(weir_find_cli11)
  find_package(CLI11 QUIET)
endmacro()

# A catalog's manifest is JSON, so Parquet comes with it. The link is tried: a library of another C++ ABI has the names of all
# headers, and nothing that could be called.
macro(weir_find_parquet_with_json)
  set(WEIR_ARROW_WHEEL "" CACHE PATH "The folder pyarrow of an installed wheel: Arrow where find_package finds none")
  if(WEIR_HAS_JSON)
    weir_find_parquet("${WEIR_ARROW_WHEEL}")
    if(WEIR_ARROW_WHEEL AND NOT TARGET weir::lib_parquet)
      message(FATAL_ERROR "no libarrow.so.* and libparquet.so.* of one version in WEIR_ARROW_WHEEL=${WEIR_ARROW_WHEEL}")
    endif()
    if(TARGET weir::lib_parquet)
      weir_try_arrow()
    endif()
  endif()
endmacro()
function(weir_try_arrow)
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_FLAGS -std=c++20)
  set(CMAKE_REQUIRED_LIBRARIES weir::lib_parquet)
  check_cxx_source_compiles("#include <arrow/status.h>
int main() { return arrow::Status::OK().ToString().empty(); }" WEIR_ARROW_LINKS)
  if(NOT WEIR_ARROW_LINKS)
    unset(WEIR_ARROW_LINKS CACHE)
    message(FATAL_ERROR "Arrow is there, and a program that uses it does not link with this compiler (another C++ ABI?): see "
      "${CMAKE_BINARY_DIR}/CMakeFiles/CMakeError.log. -DWEIR_WITH_PARQUET=OFF leaves it out")
  endif()
endfunction()

# weir_with(NAME HELP FINDER TARGET PACKAGE): the option WEIR_WITH_<NAME> (AUTO, ON, OFF), and WEIR_HAS_<NAME>: whether
# it is on. AUTO is on where FINDER finds TARGET; ON without it is an error that names Debian's package.
macro(weir_with name help finder target package)
  set(WEIR_WITH_${name} AUTO CACHE STRING "${help}: AUTO (where found), ON, OFF")
  set_property(CACHE WEIR_WITH_${name} PROPERTY STRINGS AUTO ON OFF)
  set(WEIR_HAS_${name} OFF)
  if(WEIR_WITH_${name} STREQUAL "AUTO" OR WEIR_WITH_${name})
    cmake_language(CALL ${finder})
    if(TARGET ${target})
      set(WEIR_HAS_${name} ON)
    elseif(NOT WEIR_WITH_${name} STREQUAL "AUTO")
      message(FATAL_ERROR "WEIR_WITH_${name} is ON, and its library was not found (Debian: ${package})")
    endif()
  endif()
  set_property(GLOBAL APPEND PROPERTY WEIR_WITH_NAMES ${name})
  set_property(GLOBAL PROPERTY WEIR_WITH_${name}_HELP "${help}")
endmacro()

# weir_component(NAME FOLDERS ... [FILES pipelines/NAME...] [EXCEPT pipelines/NAME...] PUBLIC ... PRIVATE ... [WITH OPTION
# TARGET]...): the library weir_NAME, alias weir::NAME, of all .cpp files in the folders (not below them), and of the file
# pairs (without .hpp and .cpp) under FILES, without those under EXCEPT; static unless BUILD_SHARED_LIBS.
function(weir_component name)
  set(folders "")
  set(pairs "")
  set(others "")
  set(public "")
  set(private "")
  set(withs "")
  set(definitions "")
  set(mode "")
  foreach(word IN LISTS ARGN)
    if(word MATCHES "^(FOLDERS|FILES|EXCEPT|PUBLIC|PRIVATE|WITH)$")
      set(mode "${word}")
      set(option "")
    elseif(mode STREQUAL "FOLDERS")
      list(APPEND folders "${word}")
    elseif(mode STREQUAL "FILES")
      list(APPEND pairs "${word}")
    elseif(mode STREQUAL "EXCEPT")
      list(APPEND others "${word}")
    elseif(mode STREQUAL "PUBLIC")
      list(APPEND public "${word}")
    elseif(mode STREQUAL "PRIVATE")
      list(APPEND private "${word}")
    elseif(option STREQUAL "")
      set(option "${word}")
    elseif(WEIR_HAS_${option})
      list(APPEND private "${word}")
      list(APPEND definitions "WEIR_WITH_${option}=1")
    endif()
  endforeach()

  list(TRANSFORM folders APPEND "/*.cpp" OUTPUT_VARIABLE globs)
  list(TRANSFORM pairs APPEND ".cpp" OUTPUT_VARIABLE pair_sources)
  file(GLOB sources CONFIGURE_DEPENDS ${globs} ${pair_sources})
  foreach(other IN LISTS others)
    list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/${other}.cpp")
  endforeach()
  set(library weir_${name})
  add_library(${library} ${sources})
  add_library(weir::${name} ALIAS ${library})
  target_compile_features(${library} PUBLIC cxx_std_20)
  target_compile_options(${library} PRIVATE ${WEIR_WARNINGS})
  target_compile_definitions(${library} PRIVATE ${definitions})
  target_link_libraries(${library} PUBLIC ${public} PRIVATE ${private})
  # Headers name each other from the project's root ("framework/graph.hpp"); users write <weir/framework/graph.hpp>.
  target_include_directories(${library} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>"
    "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/weir>")
  set_target_properties(${library} PROPERTIES
    EXPORT_NAME ${name}
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    INSTALL_RPATH "$ORIGIN;$ORIGIN/weir")

  install(TARGETS ${library} EXPORT weir-${name}-targets)
  install(EXPORT weir-${name}-targets NAMESPACE weir:: DESTINATION "${WEIR_PACKAGE_DIR}")
  foreach(folder IN LISTS folders)
    file(GLOB headers CONFIGURE_DEPENDS "${folder}/*.hpp")
    foreach(other IN LISTS others)
      list(REMOVE_ITEM headers "${PROJECT_SOURCE_DIR}/${other}.hpp")
    endforeach()
    install(FILES ${headers} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/weir/${folder}")
    set_property(GLOBAL APPEND PROPERTY WEIR_PUBLIC_HEADERS ${headers})
  endforeach()
  foreach(pair IN LISTS pairs)
    cmake_path(GET pair PARENT_PATH folder)
    install(FILES "${pair}.hpp" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/weir/${folder}")
    set_property(GLOBAL APPEND PROPERTY WEIR_PUBLIC_HEADERS "${PROJECT_SOURCE_DIR}/${pair}.hpp")
  endforeach()
endfunction()

# libweir_parquet.so: all that includes Arrow. weir::headers opens it when a catalog is written or read, so that nobody else pays for
# Arrow: 10 ms and 16 MiB. With static components it has code of ours of its own, all of it hidden; it is opened by its name, and found
# by the run path of the program that has weir::headers in it.
function(weir_parquet_module)
  file(GLOB sources CONFIGURE_DEPENDS nodes/headers/parquet/*.cpp)
  add_library(weir_parquet MODULE ${sources})
  target_compile_features(weir_parquet PRIVATE cxx_std_20)
  target_compile_options(weir_parquet PRIVATE ${WEIR_WARNINGS})
  target_link_libraries(weir_parquet PRIVATE weir_headers weir::lib_parquet fmt::fmt)
  set(script "${PROJECT_SOURCE_DIR}/framework/cmake/parquet_module.map")
  target_link_options(weir_parquet PRIVATE "-Wl,--version-script=${script}" -Wl,--as-needed)
  set(folder "${CMAKE_INSTALL_LIBDIR}/weir")
  set_target_properties(weir_parquet PROPERTIES
    CXX_EXTENSIONS OFF
    LINK_DEPENDS "${script}"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib"
    INSTALL_RPATH "$ORIGIN;$ORIGIN/..")
  install(TARGETS weir_parquet LIBRARY DESTINATION "${folder}")
  # Arrow from a wheel goes where only weir looks: nobody else's program takes it for the system's.
  get_target_property(copied weir::lib_parquet WEIR_COPIED)
  if(copied)
    install(PROGRAMS ${copied} DESTINATION "${folder}")
  endif()
  set_target_properties(weir_headers PROPERTIES BUILD_RPATH "${PROJECT_BINARY_DIR}/lib")  # where it is shared, it opens the module
  # Who finds the installed package finds the module in it, wherever it is moved to.
  target_link_options(weir_headers INTERFACE "$<INSTALL_INTERFACE:-Wl,-rpath,$<INSTALL_PREFIX>/${folder}>")
  if(NOT PROJECT_IS_TOP_LEVEL)
    target_link_options(weir_headers INTERFACE "$<BUILD_INTERFACE:-Wl,-rpath,${PROJECT_BINARY_DIR}/lib>")
  endif()
endfunction()

# A program of this build that may write catalogs: the module is built with it, and found from the build tree.
function(weir_loads_parquet program)
  if(TARGET weir_parquet)
    add_dependencies(${program} weir_parquet)
    set_property(TARGET ${program} APPEND PROPERTY BUILD_RPATH "${PROJECT_BINARY_DIR}/lib")
  endif()
endfunction()

# weir::plugin: what the author of a plugin needs. <weir/framework/plugin.hpp>, C++20, and hidden symbols, so that classes
# of the same name in two plugins stay two.
function(weir_plugin_component)
  add_library(weir_plugin INTERFACE)
  add_library(weir::plugin ALIAS weir_plugin)
  target_compile_features(weir_plugin INTERFACE cxx_std_20)
  target_compile_options(weir_plugin INTERFACE -fvisibility=hidden)
  target_include_directories(weir_plugin INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  set_target_properties(weir_plugin PROPERTIES EXPORT_NAME plugin)
  install(TARGETS weir_plugin EXPORT weir-plugin-targets)
  install(EXPORT weir-plugin-targets NAMESPACE weir:: DESTINATION "${WEIR_PACKAGE_DIR}")
  install(FILES framework/plugin.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/weir/framework")
endfunction()

# framework/build_info.hpp: the version, and what is in this build.
function(weir_write_build_info)
  set(WEIR_BUILD_LIBRARIES "oneTBB ${TBB_VERSION}, fmt ${fmt_VERSION}, libtiff ${TIFF_VERSION_STRING}")
  string(APPEND WEIR_BUILD_LIBRARIES ", zlib ${ZLIB_VERSION_STRING}")
  get_target_property(version weir::lib_zstd WEIR_VERSION)
  string(APPEND WEIR_BUILD_LIBRARIES ", zstd ${version}")
  foreach(pair IN ITEMS "LIBDEFLATE libdeflate weir::lib_deflate" "ISAL ISA-L weir::lib_isal"
      "LZMA liblzma weir::lib_lzma" "CURL libcurl weir::lib_curl" "PROJ PROJ weir::lib_proj"
      "YAML yaml-cpp weir::lib_yaml" "JSON nlohmann-json weir::lib_json" "BLOSC c-blosc weir::lib_blosc"
      "LZ4 lz4 weir::lib_lz4" "BZ2 bzip2 weir::lib_bz2" "ZIP libzip weir::lib_zip"
      "OPENSSL OpenSSL weir::lib_openssl" "PUGIXML pugixml weir::lib_pugixml" "PARQUET Arrow weir::lib_parquet")
    separate_arguments(pair)
    list(GET pair 0 name)
    list(GET pair 1 label)
    list(GET pair 2 target)
    if(WEIR_HAS_${name})
      get_target_property(version ${target} WEIR_VERSION)
      string(APPEND WEIR_BUILD_LIBRARIES ", ${label} ${version}")
    else()
      string(APPEND WEIR_BUILD_LIBRARIES ", no ${label}")
    endif()
  endforeach()
  set(WEIR_BUILD_COMPILER "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
  string(REPLACE ";" "," WEIR_BUILD_SANITIZE "${WEIR_SANITIZE}")
  configure_file("${PROJECT_SOURCE_DIR}/framework/build_info.hpp.in"
                 "${PROJECT_BINARY_DIR}/generated/framework/build_info.hpp" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/generated/framework/build_info.hpp"
          DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/weir/framework")
  set(WEIR_BUILD_LIBRARIES "${WEIR_BUILD_LIBRARIES}" PARENT_SCOPE)
endfunction()

function(weir_install_package)
  set(WEIR_FRAMEWORK_IMPORTS "")
  if(WEIR_HAS_YAML)
    list(APPEND WEIR_FRAMEWORK_IMPORTS weir::lib_yaml)
  endif()
  set(WEIR_GEOTIFF_IMPORTS weir::lib_zstd)
  foreach(pair IN ITEMS "LIBDEFLATE deflate" "ISAL isal" "LZMA lzma" "CURL curl" "PROJ proj" "ZIP zip" "OPENSSL openssl"
      "PUGIXML pugixml")
    separate_arguments(pair)
    list(GET pair 0 name)
    list(GET pair 1 library)
    if(WEIR_HAS_${name})
      list(APPEND WEIR_GEOTIFF_IMPORTS weir::lib_${library})
    endif()
  endforeach()
  set(WEIR_ZARR_IMPORTS "")
  foreach(pair IN ITEMS "BLOSC blosc" "LZ4 lz4" "BZ2 bz2" "LZMA lzma")
    separate_arguments(pair)
    list(GET pair 0 name)
    list(GET pair 1 library)
    if(WEIR_HAS_${name})
      list(APPEND WEIR_ZARR_IMPORTS weir::lib_${library})
    endif()
  endforeach()
  set(WEIR_HEADERS_IMPORTS "")
  foreach(pair IN ITEMS "PROJ proj" "JSON json")
    separate_arguments(pair)
    list(GET pair 0 name)
    list(GET pair 1 library)
    if(WEIR_HAS_${name})
      list(APPEND WEIR_HEADERS_IMPORTS weir::lib_${library})
    endif()
  endforeach()
  configure_package_config_file("${PROJECT_SOURCE_DIR}/framework/cmake/weir-config.cmake.in"
    "${PROJECT_BINARY_DIR}/weir-config.cmake" INSTALL_DESTINATION "${WEIR_PACKAGE_DIR}")
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/weir-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES
    "${PROJECT_BINARY_DIR}/weir-config.cmake"
    "${PROJECT_BINARY_DIR}/weir-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/framework/cmake/WeirLibraries.cmake"
    DESTINATION "${WEIR_PACKAGE_DIR}")
endfunction()

function(weir_summary)
  message(STATUS "weir ${PROJECT_VERSION}: ${WEIR_BUILD_LIBRARIES}")
  get_property(names GLOBAL PROPERTY WEIR_WITH_NAMES)
  foreach(name IN LISTS names)
    get_property(help GLOBAL PROPERTY WEIR_WITH_${name}_HELP)
    message(STATUS "  WEIR_WITH_${name}=${WEIR_WITH_${name}}: ${WEIR_HAS_${name}} (${help})")
  endforeach()
  message(STATUS "  build type ${CMAKE_BUILD_TYPE}, asserts ${WEIR_ASSERTS}, sanitizers: ${WEIR_SANITIZE}")
endfunction()
