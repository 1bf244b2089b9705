# SPDX-License-Identifier: Apache-2.0
# Flags of the whole tree: warnings are errors, and what hardens a program is on in every build.
set(CASEMATE_SANITIZE "" CACHE STRING "sanitizers, as in -fsanitize=")
option(CASEMATE_FUZZ "build the libFuzzer targets" OFF)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_CXX_EXTENSIONS ON) # statement expressions, for TRY
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wundef
  -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror -fno-strict-aliasing
  -fstack-protector-strong -fcf-protection=full -ftrivial-auto-var-init=zero -g1)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-gnu-statement-expression -Wno-c99-designator -Wno-gnu-zero-variadic-macro-arguments
    -Wno-missing-designated-field-initializers)
else()
  # statement expressions are TRY's; __extension__ marks them. g++ 14 sees phantom bounds in std::string.
  add_compile_options(-fpch-preprocess -Wno-pedantic -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized
    -Wno-missing-field-initializers)
endif()
add_link_options(-Wl,--as-needed,-z,relro,-z,now,-z,noexecstack)
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=3 _GLIBCXX_ASSERTIONS)
endif()

if(CASEMATE_SANITIZE)
  # Not vptr: it reads type information, which base, wire and trusted are built without.
  add_compile_options(-fsanitize=${CASEMATE_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CASEMATE_SANITIZE})
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -DNDEBUG") # quicker to compile, and what runs is short
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CASEMATE_SANITIZE MATCHES address)
    add_compile_definitions(__SANITIZE_ADDRESS__) # as g++ says it
  endif()
endif()
if(CASEMATE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Levels that handle other people's failures may not throw across their own code.
set(CASEMATE_NO_EXCEPTIONS -fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables)

# What a test does itself is short; what it calls is built as everywhere.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(CASEMATE_TEST_OPTIONS -O1)
endif()
