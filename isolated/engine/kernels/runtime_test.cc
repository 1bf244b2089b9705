// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <gtest/gtest.h>

namespace casemate::engine {
namespace {

// oneDNN's own reference finds what this finds: ours, in the program, and not libgomp's.
TEST(Runtime, of_onednns_loops_is_our_own) {
  Dl_info program{};
  ASSERT_NE(::dladdr(::dlsym(RTLD_DEFAULT, "dnnl_version"), &program), 0) << "oneDNN is there";
  const std::string_view library = program.dli_fname;
  EXPECT_NE(library.find("libdnnl"), library.npos);
  for (const char* name : {"GOMP_parallel", "GOMP_barrier", "omp_get_thread_num", "omp_in_parallel",
                           "omp_get_num_threads", "omp_get_max_threads", "omp_set_num_threads"}) {
    Dl_info found{};
    ASSERT_NE(::dladdr(::dlsym(RTLD_DEFAULT, name), &found), 0) << name;
    EXPECT_EQ(std::string_view(found.dli_fname).find("libgomp"), std::string_view::npos) << name;
  }
}

}  // namespace
}  // namespace casemate::engine
