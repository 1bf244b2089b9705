// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: one operator's function on tensors, dry and for real.

#include <gtest/gtest.h>

#include "isolated/engine/operators/operators.h"

namespace casemate::engine {

// A host that allows a little and has no subgraphs.
class TestHost final : public Host {
 public:
  Status allow(uint64_t bytes) override {
    if (bytes > 64u << 20) return Error{Code::kTooLarge, "more than a test may have"};
    return {};
  }
  Result<std::vector<Datum>> run(const Graph&, std::vector<Datum>) override {
    return Error{Code::kUnsupported, "no subgraph here"};
  }
};

struct NodeRun {
  std::string op;
  Attributes attributes = {};
  std::vector<Datum> inputs = {};
  size_t output_count = 1;
  int since = 0;
};

inline Node node_of(const NodeRun& run) {
  Node node{.op = run.op, .name = "n", .attributes = run.attributes, .since = run.since};
  for (uint32_t i = 0; i < run.inputs.size(); ++i)
    node.inputs.push_back(run.inputs[i].empty() ? ValueId{} : ValueId{i});
  for (uint32_t i = 0; i < run.output_count; ++i) node.outputs.push_back({100 + i});
  return node;
}

// What a dry run says of the outputs when only the inputs marked in `known` have their elements;
// none when it has to wait.
inline std::optional<std::vector<Fact>> foretell(const NodeRun& run,
                                                 const std::vector<bool>& known) {
  TestHost host;
  const Node node = node_of(run);
  std::vector<Fact> facts;
  for (size_t i = 0; i < run.inputs.size(); ++i) {
    facts.push_back(Fact::of(run.inputs[i]));
    if (!known[i] && facts.back().given) facts.back().datum = nullptr;
  }
  Computation dry(node, facts, host, Computation::Mode::kDry);
  (void)Operators::instance().find(run.op)(dry);
  if (!dry.outcome().stopped) return std::nullopt;
  return dry.facts();
}

// Runs it; what dry runs foretell must come true, whichever inputs they know.
inline Result<std::vector<Datum>> run_node(const NodeRun& run) {
  const Compute compute = Operators::instance().find(run.op);
  CHECK(compute != nullptr, "the operator under test is there");
  TestHost host;
  const Node node = node_of(run);
  std::vector<Fact> facts;
  for (const Datum& input : run.inputs) facts.push_back(Fact::of(input));
  Computation real(node, facts, host, Computation::Mode::kRun);
  TRY(compute(real));
  for (uint32_t known = 0; known < (1u << std::min<size_t>(run.inputs.size(), 6)); ++known) {
    std::vector<bool> mask;
    for (size_t i = 0; i < run.inputs.size(); ++i)
      mask.push_back(i >= 6 || ((known >> i) & 1) != 0);
    const auto foretold = foretell(run, mask);
    for (size_t i = 0; foretold && i < foretold->size(); ++i) {
      const Tensor* tensor = real.outputs()[i].tensor();
      if (tensor == nullptr) continue;
      EXPECT_EQ((*foretold)[i].type, tensor->type()) << run.op << " output " << i;
      EXPECT_EQ((*foretold)[i].shape, tensor->shape()) << run.op << " output " << i;
    }
  }
  return std::move(real.outputs());
}

// The elements of its first output.
template <class T>
std::vector<T> values_of(const Result<std::vector<Datum>>& outputs, size_t output = 0) {
  EXPECT_TRUE(outputs.has_value()) << (outputs ? "" : outputs.error().text);
  if (!outputs || (*outputs)[output].tensor() == nullptr) return {};
  const auto values = (*outputs)[output].tensor()->template values<T>();
  return std::vector<T>(values.begin(), values.end());
}

inline std::string error_of(const Result<std::vector<Datum>>& outputs) {
  return outputs ? "no error" : outputs.error().text;
}

}  // namespace casemate::engine
