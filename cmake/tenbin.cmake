# How a folder of Tenbin is built: one folder, one library, and two checks that come with it.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(FMT REQUIRED IMPORTED_TARGET fmt)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

# Where libraries lie that the system's package manager would not install beside what is there
# (see tools/setup); empty on most machines.
set(TENBIN_DEPS_DIR "" CACHE PATH "private folder of unpacked development packages")

find_path(TENBIN_BOOST_INCLUDE boost/beast.hpp REQUIRED
          HINTS ${TENBIN_DEPS_DIR}/usr/include)

function(tenbin_outside name)
  add_library(outside_${name} INTERFACE)
  target_link_libraries(outside_${name} INTERFACE ${ARGN})
endfunction()
tenbin_outside(threads Threads::Threads)
tenbin_outside(zlib ZLIB::ZLIB)
tenbin_outside(zstd PkgConfig::ZSTD)
tenbin_outside(openssl OpenSSL::SSL)
tenbin_outside(sqlite PkgConfig::SQLITE)
tenbin_outside(sodium PkgConfig::SODIUM)
tenbin_outside(simdjson PkgConfig::SIMDJSON)
tenbin_outside(fmt PkgConfig::FMT)
tenbin_outside(cli11)
tenbin_outside(tomlplusplus)
tenbin_outside(beast Threads::Threads)
target_include_directories(outside_beast SYSTEM INTERFACE ${TENBIN_BOOST_INCLUDE})

# The flags of every file of ours.
add_library(tenbin_flags INTERFACE)
target_compile_features(tenbin_flags INTERFACE cxx_std_23)
target_include_directories(tenbin_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(tenbin_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum -Wno-missing-field-initializers
  -Werror
  $<$<NOT:$<CONFIG:Release>>:-fno-omit-frame-pointer>)  # for profiles; costs users 2 %
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(tenbin_flags INTERFACE -march=x86-64-v2)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these where they are not, in code it has inlined itself.
  target_compile_options(tenbin_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow
    -Wno-array-bounds -Wno-restrict)
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # GCC 12's library sorts stably with std::get_temporary_buffer, which is deprecated.
  target_compile_options(tenbin_flags INTERFACE -Wno-deprecated-declarations)
endif()

set(TENBIN_SANITIZE "" CACHE STRING "sanitizers, as -fsanitize= takes them")
if(TENBIN_SANITIZE)
  target_compile_options(tenbin_flags INTERFACE -fsanitize=${TENBIN_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(tenbin_flags INTERFACE -fsanitize=${TENBIN_SANITIZE})
  target_compile_definitions(tenbin_flags INTERFACE TENBIN_SANITIZED)
endif()
option(TENBIN_FUZZ "build the fuzz targets with libFuzzer (clang)" OFF)
if(TENBIN_FUZZ)
  target_compile_options(tenbin_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# One folder, one library. The names after DEPS are the only folders of ours that it may include,
# those after USES the only outside libraries it is built with. `x_test.cc` files of the folder
# become one test program, `<folder>_test`.
function(tenbin_library name)
  cmake_parse_arguments(ARG "PURE" "" "DEPS;USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(NOT sources)
    file(WRITE ${PROJECT_BINARY_DIR}/empty_${name}.cc "")
    set(sources ${PROJECT_BINARY_DIR}/empty_${name}.cc)
  endif()
  list(TRANSFORM ARG_USES PREPEND outside_)
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC tenbin_flags ${ARG_DEPS} ${ARG_USES})
  if(ARG_PURE)
    target_compile_options(${name} PRIVATE -fno-exceptions -fno-rtti)
    if(NOT TENBIN_SANITIZE)
      add_test(NAME ${name}.is_pure
               COMMAND ${PROJECT_SOURCE_DIR}/tools/check_pure $<TARGET_FILE:${name}>)
    endif()
  endif()
  add_test(NAME ${name}.includes
           COMMAND python3 ${PROJECT_SOURCE_DIR}/tools/check_includes.py
                   ${PROJECT_SOURCE_DIR}/src ${name} ${ARG_DEPS})
  if(tests AND BUILD_TESTING)
    tenbin_test(${name}_test SOURCES ${tests} DEPS ${name})
  endif()
endfunction()

# A file that the program carries with it, in a folder's library: `std::string_view tenbin::<name>()`.
function(tenbin_embed library file name)
  set(made ${PROJECT_BINARY_DIR}/embedded/${name}.cc)
  add_custom_command(OUTPUT ${made}
    COMMAND ${CMAKE_COMMAND} -DFROM=${PROJECT_SOURCE_DIR}/${file} -DTO=${made} -DNAME=${name}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${PROJECT_SOURCE_DIR}/${file} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(${library} PRIVATE ${made})
endfunction()

# The program: every folder meets here.
function(tenbin_program program folder)
  cmake_parse_arguments(ARG "" "" "DEPS;USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cc)
  if(NOT sources)
    return()
  endif()
  list(TRANSFORM ARG_USES PREPEND outside_)
  add_executable(${program} ${sources})
  target_link_libraries(${program} PRIVATE tenbin_flags ${ARG_DEPS} ${ARG_USES})
endfunction()

# A test program of doctest cases. LABEL long keeps it for `./test --full`.
function(tenbin_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/doctest_main.cc)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} tenbin_flags)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABEL}"
    ENVIRONMENT "TENBIN_SHARED=${PROJECT_SOURCE_DIR}/../shared")
endfunction()
