# Profile-guided optimisation of the proxy's libraries. FAIRLEAD_PROFILE is
#   use       the release: an inner build counts what tests/training makes the proxy do, and the compiler learns from it
#   generate  that inner build
#   (empty)   neither
# The counts are made anew when the proxy's code changes, and all that is compiled by them is compiled again: objects of two
# profiles cannot be linked.
set(FAIRLEAD_PROFILE "" CACHE STRING "Profile-guided optimisation of the proxy: use, generate or nothing")

add_library(fairlead_profile INTERFACE)

if(FAIRLEAD_PROFILE STREQUAL "generate")
  find_program(LLVM_PROFDATA NAMES llvm-profdata-19 llvm-profdata REQUIRED)
  target_compile_options(fairlead_profile INTERFACE -fprofile-generate)
  target_link_options(fairlead_profile INTERFACE -fprofile-generate)
  add_custom_command(OUTPUT proxy.profdata
    COMMAND ${CMAKE_COMMAND} -E env LLVM_PROFILE_FILE=${CMAKE_BINARY_DIR}/proxy.profraw $<TARGET_FILE:proxy_training>
    COMMAND ${LLVM_PROFDATA} merge -sparse -o proxy.profdata proxy.profraw
    DEPENDS proxy_training
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
    COMMENT "Counting what the proxy does" VERBATIM)
  add_custom_target(profile DEPENDS ${CMAKE_BINARY_DIR}/proxy.profdata)
elseif(FAIRLEAD_PROFILE STREQUAL "use")
  set(inner ${CMAKE_BINARY_DIR}/profile)
  add_custom_target(proxy_profile
    COMMAND ${CMAKE_COMMAND} -S ${CMAKE_SOURCE_DIR} -B ${inner} -G Ninja -DFAIRLEAD_PROFILE=generate -DFAIRLEAD_TESTS=OFF
            -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE} -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}
            -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} --log-level=WARNING
    COMMAND ${CMAKE_COMMAND} --build ${inner} --target profile
    BYPRODUCTS ${inner}/proxy.profdata
    COMMENT "Profile of the proxy" VERBATIM)
  add_dependencies(fairlead_profile proxy_profile)
  # A function that training never enters is no mistake.
  target_compile_options(fairlead_profile INTERFACE -fprofile-use=${inner}/proxy.profdata -Wno-profile-instr-unprofiled
    "SHELL:-Xclang -fdepfile-entry=${inner}/proxy.profdata")
  # Code that never ran goes where it takes no room in the instruction cache beside what runs for each request.
  target_link_options(fairlead_profile INTERFACE
    -Wl,-mllvm,-enable-split-machine-functions -Wl,-z,keep-text-section-prefix)
elseif(FAIRLEAD_PROFILE)
  message(FATAL_ERROR "FAIRLEAD_PROFILE is \"${FAIRLEAD_PROFILE}\"; it can be use, generate or empty")
endif()

# fairlead_profiled(TARGET...): these libraries and programs are built by it.
function(fairlead_profiled)
  foreach(name ${ARGN})
    target_link_libraries(${name} PRIVATE fairlead_profile)
  endforeach()
endfunction()
