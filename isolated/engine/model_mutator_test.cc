// SPDX-License-Identifier: Apache-2.0
// What the fuzzers' mutations reach.
#include "isolated/engine/model_mutator.h"

#include <gtest/gtest.h>

#include <set>

#include "isolated/engine/onnx/read.h"

// libFuzzer's own mutation, which is not linked here and changes nothing.
extern "C" size_t LLVMFuzzerMutate(uint8_t*, size_t size, size_t) { return size; }

namespace casemate::engine {
namespace {

TEST(Mutator, begins_with_models_that_load) {
  for (const auto& model : {fuzzing::small_network(), fuzzing::small_loop()}) {
    const std::string bytes = model.SerializeAsString();
    const auto read = read_onnx(bytes_of(std::string_view(bytes)), {});
    EXPECT_TRUE(read) << read.error().text;
  }
}

TEST(Mutator, changes_subgraphs_and_what_is_around_them) {
  const onnx::ModelProto start = fuzzing::small_loop();
  const std::string body = start.graph().node(0).attribute(0).g().SerializeAsString();
  std::set<std::string> bodies;
  int outer_alone = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    onnx::ModelProto model = start;
    fuzzing::Mutator(model, seed).mutate();
    const auto& node = model.graph().node(0);
    const bool whole = node.attribute_size() > 0 && node.attribute(0).has_g();
    ASSERT_TRUE(whole) << seed;
    const std::string now = node.attribute(0).g().SerializeAsString();
    if (now != body) bodies.insert(now);
    if (now == body && model.SerializeAsString() != start.SerializeAsString()) ++outer_alone;
  }
  EXPECT_GT(bodies.size(), 30u);
  EXPECT_GT(outer_alone, 50);
}

}  // namespace
}  // namespace casemate::engine
