// SPDX-License-Identifier: Apache-2.0
// Nodes of chance of every operator: interpreted, planned, and planned as for a shape that is first
// seen while a model serves, each is computed or refused with its name, and by all three alike.
#include "isolated/engine/chance_node.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <new>

#include "base/format.h"
#include "isolated/engine/interpret/interpreter.h"
#include "isolated/engine/onnx/read.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/run_model.h"
#include "isolated/engine/runner.h"

namespace casemate::engine {
namespace {

constexpr uint64_t kMemory = 64 << 20;
constexpr int kParts = 8;  // so that each is done in time under sanitizers
constexpr uint64_t kRuns = 24;

std::string shapes_of(const Result<std::vector<Datum>>& outputs) {
  if (!outputs) return outputs.error().code == Code::kTooLarge ? "too large" : "refused";
  std::string text;
  for (const Datum& output : *outputs) {
    text += output.tensor() == nullptr ? "no tensor "
                                       : formatted("{} {} ", name_of(output.tensor()->type()),
                                                   output.tensor()->shape().text());
  }
  return text;
}

// Empty when it was computed, or refused as it should be.
std::string wrong_with(const Result<std::vector<Datum>>& outputs) {
  if (outputs) return {};
  const std::string& text = outputs.error().text;
  const bool somewhere = text.starts_with("node '") || text.starts_with("value '") ||
                         text.starts_with("a plan for these shapes: ");
  if (!somewhere) return "no node is named: " + text;
  if (text.contains("out of memory")) return text;
  return {};
}

// Of all runs; children count in memory that they share with the test.
struct Tally {
  std::atomic<int> computed = 0;
  std::atomic<int> refused = 0;
};

std::string run_everywhere(const ChanceCase& made, Tally& tally) {
  const std::string bytes = made.model.bytes();
  const auto read = read_onnx(bytes_of(std::string_view(bytes)), {.memory_bytes_max = kMemory});
  if (!read) return {};  // what the schema does not allow
  Interpreter interpreter({.memory_bytes_max = kMemory});
  const auto reference = interpreter.run(read->graph, made.inputs);
  ++(reference ? tally.computed : tally.refused);
  if (const std::string wrong = wrong_with(reference); !wrong.empty()) return wrong;
  auto weights = tensors::WeightStore::make(kMemory);
  if (!weights) return weights.error().text;
  Packer packer(*weights);
  Compiler early(packer, Compiler::Code::kGenerated, kMemory);
  Compiler late(kMemory);
  for (auto& [compiler, kind] : {std::pair(&early, "planned"), std::pair(&late, "planned late")}) {
    Runner runner(*compiler, {.memory_bytes_max = kMemory});
    const auto planned = runner.run(read->graph, made.inputs);
    if (const std::string wrong = wrong_with(planned); !wrong.empty()) return wrong;
    if (shapes_of(planned) != shapes_of(reference)) {
      return formatted("{}: {} instead of {}: {}", kind, shapes_of(planned), shapes_of(reference),
                       planned ? (reference ? "" : reference.error().text) : planned.error().text);
    }
  }
  return {};
}

class OfEveryOperator : public testing::TestWithParam<int> {};

TEST_P(OfEveryOperator, are_computed_or_refused_by_all_alike) {
  void* const shared =
      ::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  Tally& tally = *new (shared) Tally;
  int at = 0;
  for (const auto& [op, function] : Operators::instance().all()) {
    if (at++ % kParts != GetParam()) continue;
    const int status = in_child([&] {
#if !defined(__SANITIZE_ADDRESS__)
      const rlimit limit{kMemory * 12, kMemory * 12};
      if (::setrlimit(RLIMIT_DATA, &limit) != 0) return false;
#endif
      for (uint64_t seed = 0; seed < kRuns; ++seed) {
        std::string wrong;
        try {
          ChanceNode chance(seed * 1000 + std::hash<std::string>{}(op) % 1000);
          const auto made = chance.make(op);
          if (made) wrong = run_everywhere(*made, tally);
        } catch (const std::exception& thrown) {
          wrong = thrown.what();
        }
        if (wrong.empty()) continue;
        std::fprintf(stderr, "%s, seed %d: %s\n", op.c_str(), static_cast<int>(seed),
                     wrong.c_str());
        return false;
      }
      return true;
    });
    EXPECT_EQ(status, 0) << op;
  }
  // That all is refused would be no test.
  EXPECT_GT(tally.computed, 50) << tally.refused << " refused";
  ::munmap(shared, sizeof(Tally));
}

INSTANTIATE_TEST_SUITE_P(ChanceNodes, OfEveryOperator, testing::Range(0, kParts));

}  // namespace
}  // namespace casemate::engine
