# What a builder may choose. WEIR_WITH_* stand beside the libraries they are about, in the top-level CMakeLists.txt.

option(WEIR_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(WEIR_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(WEIR_BUILD_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(WEIR_BUILD_FUZZ "Build the fuzz targets" ${PROJECT_IS_TOP_LEVEL})
set(WEIR_TESTS "" CACHE STRING "A regular expression: build only the test files whose names match (empty: all)")
option(WEIR_LIBFUZZER "Link the fuzz targets with libFuzzer (clang) instead of the driver in tests/fuzz" OFF)
option(WEIR_WERROR "Warnings are errors" OFF)
option(WEIR_ASSERTS "Keep assert() in optimised builds" OFF)
set(WEIR_SANITIZE "" CACHE STRING "Sanitizers, as a list: address;undefined or thread")

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)  # for clang-tidy
endif()

set(WEIR_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # At -O3 gcc 12 warns falsely of std::vector<std::byte>::insert and of `"text" + std::string`
  # (https://gcc.gnu.org/bugzilla/show_bug.cgi?id=100366 and 105651), and takes a std::shared_ptr with a default in an
  # aggregate for uninitialized. clang, the sanitizers and the fuzz targets watch on.
  list(APPEND WEIR_WARNINGS -Wno-stringop-overflow -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(WEIR_WERROR)
  list(APPEND WEIR_WARNINGS -Werror)
endif()

if(WEIR_ASSERTS)
  add_compile_options(-UNDEBUG)  # comes after the -DNDEBUG of the build type
endif()

if(WEIR_SANITIZE)
  string(REPLACE ";" "," sanitizers "${WEIR_SANITIZE}")
  # vptr: oneTBB's own objects are seen across the library's border without their type information.
  set(sanitizer_flags -fsanitize=${sanitizers} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_options(${sanitizer_flags})
  add_link_options(${sanitizer_flags})
  # gcc's sanitizers call dlopen for us, which then looks along the newer kind of run path (RUNPATH) of theirs instead of ours: no
  # libweir_parquet.so is found. The older kind is the whole program's.
  add_link_options(-Wl,--disable-new-dtags)
endif()
if(WEIR_LIBFUZZER)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
