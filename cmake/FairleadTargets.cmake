# One way to declare a library, a program and a test, so that warnings, precompiled headers and include paths are the
# same everywhere. Every include path starts at the root of the repository.

add_library(fairlead_flags INTERFACE)
target_include_directories(fairlead_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(fairlead_flags INTERFACE -Wall -Wextra -Wpedantic -fno-omit-frame-pointer)
target_link_options(fairlead_flags INTERFACE -fuse-ld=lld)
if(FAIRLEAD_WERROR)
  target_compile_options(fairlead_flags INTERFACE -Werror)
endif()
if(FAIRLEAD_SANITIZE)
  target_compile_options(fairlead_flags INTERFACE -fsanitize=${FAIRLEAD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(fairlead_flags INTERFACE -fsanitize=${FAIRLEAD_SANITIZE})
  if(FAIRLEAD_SANITIZE MATCHES "undefined")
    # Debian's libraries are built without RTTI for some types; vptr checks need it on both sides.
    target_compile_options(fairlead_flags INTERFACE -fno-sanitize=vptr)
  endif()
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

set(FAIRLEAD_PCH ${CMAKE_SOURCE_DIR}/cmake/precompiled.h)

# fairlead_library(NAME SOURCES ... DEPS ...): dependencies are PUBLIC; a target that must not see a library does not
# list it.
function(fairlead_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC fairlead_flags ${arg_DEPS})
  target_precompile_headers(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${FAIRLEAD_PCH}>)
endfunction()

function(fairlead_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE fairlead_flags ${arg_DEPS})
  target_precompile_headers(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${FAIRLEAD_PCH}>)
endfunction()

# fairlead_test(NAME LABEL unit|integration|node SOURCES ... DEPS ...): a GoogleTest program, each test a ctest.
function(fairlead_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE fairlead_flags ${arg_DEPS} GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${FAIRLEAD_PCH}>)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()

# fairlead_fuzzer(NAME SOURCES ... DEPS ...): only with FAIRLEAD_FUZZ.
function(fairlead_fuzzer name)
  if(NOT FAIRLEAD_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE fairlead_flags ${arg_DEPS})
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
