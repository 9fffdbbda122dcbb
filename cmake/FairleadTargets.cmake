# One way to declare a library, a program and a test, so that warnings and include paths are the same everywhere. Every
# include path starts at the root of the repository. There is no precompiled header: it saved a third of a cold compile
# but made every file depend on a path of this tree, which costs the compiler cache all its hits between trees.

add_library(fairlead_flags INTERFACE)
target_include_directories(fairlead_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
# No path of the machine that built it ends up in a program.
# Naming some fields and leaving the rest to their defaults is what designated initialisers are for.
target_compile_options(fairlead_flags INTERFACE -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Wno-missing-designated-field-initializers
  -fno-omit-frame-pointer
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
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

if(FAIRLEAD_FUZZ)
  # Coverage has to be counted in the libraries too, or the fuzzer is blind to the parser it drives.
  target_compile_options(fairlead_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# fairlead_library(NAME SOURCES ... DEPS ...): dependencies are PUBLIC; a target that must not see a library does not
# list it.
function(fairlead_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC fairlead_flags ${arg_DEPS})
endfunction()

function(fairlead_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE fairlead_flags ${arg_DEPS})
endfunction()

# `ninja unit_tests` and so on build what carries that label.
add_custom_target(unit_tests)
add_custom_target(integration_tests)
add_custom_target(node_tests)
add_custom_target(cluster_tests)

# fairlead_test(NAME LABEL unit|integration|node|cluster SOURCES ... DEPS ...): a GoogleTest program, each test a ctest.
# Node tests own kernel state of the whole machine (pins, cgroups) and cluster tests one API server, so they run one at
# a time. FIXTURE: what ctest is to start before and to end after (tests/cluster).
function(fairlead_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT;FIXTURE" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  set(environment)
  if(arg_FIXTURE)
    set(environment FAIRLEAD_CLUSTER_STATE=${CMAKE_BINARY_DIR}/${arg_FIXTURE})
  endif()
  set(serial OFF)
  if(arg_LABEL MATCHES "^(node|cluster)$")
    set(serial ON)
  endif()
  add_executable(${name} ${arg_SOURCES})
  add_dependencies(${arg_LABEL}_tests ${name})
  target_link_libraries(${name} PRIVATE fairlead_flags ${arg_DEPS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${serial} FIXTURES_REQUIRED "${arg_FIXTURE}" ENVIRONMENT "${environment}"
               ENVIRONMENT_MODIFICATION "PATH=path_list_prepend:${CMAKE_SOURCE_DIR}/build/tools/usr/bin")
endfunction()

# fairlead_fuzzer(NAME SOURCES ... DEPS ...): what it once found is kept in tests/fuzz/corpus/NAME. With FAIRLEAD_FUZZ it
# is a libFuzzer program, and CI runs all that `ninja fuzzers` builds; otherwise a unit test that each kept input passes.
add_custom_target(fuzzers)
function(fairlead_fuzzer name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(FAIRLEAD_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    add_dependencies(fuzzers ${name})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
    target_link_libraries(${name} PRIVATE fairlead_flags ${arg_DEPS})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    fairlead_program(${name}_corpus SOURCES ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.cc DEPS ${arg_DEPS})
    add_dependencies(unit_tests ${name}_corpus)
    add_test(NAME Corpus.${name} COMMAND ${name}_corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(Corpus.${name} PROPERTIES LABELS unit TIMEOUT 60)
  endif()
endfunction()
