# SPDX-License-Identifier: Apache-2.0
# One helper makes every component from the names of its files:
#
#   component([PROGRAM name] [DEPENDS base wire/ring ...] [LIBRARIES OpenSSL::Crypto ...] [ALONE file.cc ...])
#
#   *.cc         a static library named after the folder (wire/ring -> wire_ring)
#   main.cc      the program PROGRAM, linked with that library
#   *_test.cc    one GoogleTest program; every case is a test of its own
#   *_fuzz.cc    one libFuzzer program each (preset asan)
#   *_bench.cc   one program each, built with the rest, run by `./dev bench`
#
# A folder's first path element is its trust level. A level sees only the levels listed for it below: others are
# neither linkable (checked here) nor includable (the include root of a level has links to those folders alone).
find_package(GTest REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Threads REQUIRED)

set(casemate_levels_base base)
set(casemate_levels_wire base wire)
set(casemate_levels_trusted base wire trusted)
set(casemate_levels_isolated base wire isolated)
set(casemate_levels_outside base wire outside)
set(casemate_levels_tests base wire trusted isolated outside tests)

foreach(level base wire trusted isolated outside tests)
  set(root ${CMAKE_BINARY_DIR}/include/${level})
  file(MAKE_DIRECTORY ${root})
  foreach(seen ${casemate_levels_${level}})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${seen} ${root}/${seen} SYMBOLIC)
  endforeach()
endforeach()

# Headers of the standard library are half of what there is to compile, so they are compiled once (cmake/precompiled.h):
# as libraries of the TCB see them, as other libraries do, and as tests do. Files still include what they use.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cc CONTENT "int main() {}\n")
foreach(seen precompiled precompiled_trusted)
  add_library(${seen} OBJECT ${CMAKE_BINARY_DIR}/precompiled.cc)
endforeach()
add_executable(precompiled_tests EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cc) # position-independent as programs are
target_link_libraries(precompiled_tests PRIVATE GTest::gtest_main)
target_compile_options(precompiled_trusted PRIVATE ${CASEMATE_NO_EXCEPTIONS})
target_compile_options(precompiled_tests PRIVATE ${CASEMATE_TEST_OPTIONS})
foreach(seen precompiled precompiled_trusted precompiled_tests)
  target_precompile_headers(${seen} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.h)
endforeach()
target_precompile_headers(precompiled_tests PRIVATE <gtest/gtest.h>)

# Files of a component are compiled several at a time: a compiler that has read its headers has made half of what it
# makes of them again for each file. They share a translation unit then, so names in their anonymous namespaces must
# differ, or one of them stands behind ALONE, as do files that take long by themselves. One at a time, as with the
# preset dev, is better while one changes a few, and tells of missing includes.
set(batch 8)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(batch 1)
endif()
set(CASEMATE_BATCH ${batch} CACHE STRING "how many files of a component are compiled at a time")

# Replaces files in the list named `_list`, but those that match a pattern of `alone`, by fewer that include them.
# Paths are those of the include root: what is compiled is the same in every checkout, for ccache.
function(casemate_batch _list name alone)
  set(files ${${_list}})
  foreach(pattern IN LISTS alone)
    list(FILTER files EXCLUDE REGEX "/${pattern}$")
  endforeach()
  list(LENGTH files count)
  math(EXPR batches "(${count} + ${CASEMATE_BATCH} - 1) / ${CASEMATE_BATCH}")
  if(batches EQUAL count)
    return()
  endif()
  set(made ${${_list}})
  list(REMOVE_ITEM made ${files})
  foreach(file IN LISTS files)
    math(EXPR batch "${count} % ${batches}") # neighbours apart, since they are of a size
    math(EXPR count "${count} - 1")
    file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${file})
    string(APPEND text_${batch} "#include \"${path}\"\n")
  endforeach()
  while(batches GREATER 0)
    math(EXPR batches "${batches} - 1")
    file(CONFIGURE OUTPUT ${name}_${batches}.cc CONTENT "${text_${batches}}" @ONLY)
    list(APPEND made ${CMAKE_CURRENT_BINARY_DIR}/${name}_${batches}.cc)
  endwhile()
  set(${_list} ${made} PARENT_SCOPE)
endfunction()

# Everything that runs without a jail, and so under sanitizers.
add_custom_target(unit_tests)
add_custom_target(fuzzers)

function(component)
  cmake_parse_arguments(C "" "PROGRAM" "DEPENDS;LIBRARIES;ALONE" ${ARGN})
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  string(REPLACE "/" "_" name ${path})
  string(REGEX MATCH "^[^/]+" level ${path})

  set(links "")
  foreach(depend ${C_DEPENDS})
    string(REGEX MATCH "^[^/]+" depend_level ${depend})
    if(NOT depend_level IN_LIST casemate_levels_${level})
      message(FATAL_ERROR "${path} depends on ${depend}, but ${level}/ may depend only on "
        "${casemate_levels_${level}}: move the shared part down, or talk over wire/.")
    endif()
    string(REPLACE "/" "_" depend ${depend})
    list(APPEND links ${depend})
  endforeach()

  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  file(GLOB tests CONFIGURE_DEPENDS *_test.cc)
  file(GLOB fuzzers CONFIGURE_DEPENDS *_fuzz.cc)
  file(GLOB benches CONFIGURE_DEPENDS *_bench.cc)
  file(GLOB mains CONFIGURE_DEPENDS main.cc)
  list(REMOVE_ITEM sources ${tests} ${fuzzers} ${benches} ${mains} "")
  casemate_batch(sources batch "${C_ALONE}")
  casemate_batch(tests test_batch "${C_ALONE}")

  set(options "")
  set(headers precompiled)
  if(level MATCHES "^(base|wire|trusted)$")
    set(options ${CASEMATE_NO_EXCEPTIONS})
    set(headers precompiled_trusted)
  endif()
  set(include_root ${CMAKE_BINARY_DIR}/include/${level})
  if(sources)
    add_library(${name} STATIC ${sources})
    target_compile_options(${name} PRIVATE ${options})
    target_precompile_headers(${name} REUSE_FROM ${headers})
    set(scope PUBLIC)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(${name} ${scope} ${links} ${C_LIBRARIES} Threads::Threads)

  macro(casemate_program target)
    add_executable(${target} ${ARGN})
    target_link_libraries(${target} PRIVATE ${name})
    target_include_directories(${target} PRIVATE ${include_root})
  endmacro()
  if(sources)
    target_include_directories(${name} PRIVATE ${include_root})
  endif()
  if(mains)
    casemate_program(${C_PROGRAM} ${mains})
    target_compile_options(${C_PROGRAM} PRIVATE ${options})
    set_target_properties(${C_PROGRAM} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  endif()
  if(tests)
    casemate_program(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE GTest::gtest_main)
    target_compile_options(${name}_test PRIVATE ${CASEMATE_TEST_OPTIONS})
    target_precompile_headers(${name}_test REUSE_FROM precompiled_tests)
    casemate_discover(${name}_test)
    if(NOT level STREQUAL "tests")
      add_dependencies(unit_tests ${name}_test)
    endif()
  endif()
  if(NOT CASEMATE_SANITIZE)
    foreach(bench ${benches})
      get_filename_component(stem ${bench} NAME_WE)
      casemate_program(${name}_${stem} ${bench})
      set_target_properties(${name}_${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
    endforeach()
  endif()
  if(CASEMATE_FUZZ)
    foreach(fuzzer ${fuzzers})
      get_filename_component(stem ${fuzzer} NAME_WE)
      casemate_program(${name}_${stem} ${fuzzer})
      target_link_options(${name}_${stem} PRIVATE -fsanitize=fuzzer)
      set_target_properties(${name}_${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
      add_dependencies(fuzzers ${name}_${stem})
    endforeach()
  endif()
endfunction()

include(GoogleTest)
# Every GoogleTest case becomes a ctest test named COMPONENT.Suite.case, so a filter works on all of them.
function(casemate_discover target)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${target}." PROPERTIES
    TIMEOUT 120 ENVIRONMENT "CASEMATE_SOURCE=${PROJECT_SOURCE_DIR}"
    # A list of two would lose the second on the way.
    ENVIRONMENT_MODIFICATION "CASEMATE_BUILD=set:${CMAKE_BINARY_DIR}")
endfunction()
