// SPDX-License-Identifier: Apache-2.0
// Models loaded, compiled and run as an enclave does it: with shapes that were compiled, and with
// such as are seen first when it runs, small, large, and empty.
//
//   build/asan/fuzz/isolated_engine_run_fuzz CORPUS -max_len=8192 -timeout=20
#include <bit>
#include <cstdlib>
#include <cstring>

#include "isolated/engine/engine.h"
#include "isolated/engine/model_mutator.h"

namespace {

using namespace casemate;
using namespace casemate::engine;

constexpr uint64_t kMemoryMax = 256ull << 20;
constexpr uint64_t kElementsMax = 1 << 16;

// Small numbers of both signs, and now and then one that is no index into anything.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : random_(seed) {}
  void fill(ElementType type, MutableBytes bytes) {
    const size_t size = size_of(type);
    for (size_t at = 0; at + size <= bytes.size(); at += size) {
      const uint64_t chance = random_();
      const auto small = static_cast<int64_t>(chance % 7) - 2;
      uint64_t bits = static_cast<uint64_t>(small);
      if (type == ElementType::kFloat32)
        bits = std::bit_cast<uint32_t>(0.25F * static_cast<float>(small));
      if (type == ElementType::kFloat64) bits = std::bit_cast<uint64_t>(0.25 * double(small));
      if (type == ElementType::kBool) bits = chance & 1;
      if (chance >> 58 == 0 && type != ElementType::kBool) bits = chance * 0x9E3779B97F4A7C15;
      std::memcpy(bytes.data() + at, &bits, size);
    }
  }

 private:
  std::mt19937_64 random_;
};

class Discarded final : public OutputSink {
 public:
  Result<MutableBytes> memory(size_t, ElementType, const Shape&, uint64_t bytes) override {
    if (bytes > kMemoryMax) return Error{Code::kTooLarge, "more than the model may have"};
    held_.push_back(std::make_unique<uint64_t[]>(bytes / 8 + 1));
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(held_.back().get())), bytes);
  }

 private:
  std::vector<std::unique_ptr<uint64_t[]>> held_;
};

// What the extents that vary are, one after the other, over and over.
constexpr int64_t kExtents[][4] = {
    {1, 1, 1, 1},   {3, 3, 3, 3},  {0, 0, 0, 0},         {2, 7, 1, 17},
    {64, 1, 33, 5}, {1, 0, 2, 40}, {0, 1LL << 31, 1, 2}, {1000, 2, 1, 1},
};

// With the extents that vary as they are listed. What a run refuses, it refuses with a reason.
void run_once(const Model& model, Executor& executor, std::span<const int64_t> listed) {
  const ModelDescription& description = model.description();
  Numbers numbers(static_cast<uint64_t>(listed[1]));
  std::vector<std::unique_ptr<uint64_t[]>> memory;
  std::vector<TensorView> inputs;
  size_t varying = 0;
  for (uint32_t i = 0; i < description.input_count; ++i) {
    const PortDescription& port = description.inputs[i];
    std::vector<int64_t> extents(port.dims.begin(), port.dims.begin() + port.rank);
    for (int64_t& dim : extents) {
      if (dim < 0) dim = listed[varying++ % listed.size()];
    }
    const Shape shape(extents);
    const auto count = shape.element_count();
    if (!count || *count > kElementsMax) return;
    const uint64_t bytes = *count * size_of(port.element_type());
    memory.push_back(std::make_unique<uint64_t[]>(bytes / 8 + 1));
    const MutableBytes target(static_cast<uint8_t*>(static_cast<void*>(memory.back().get())),
                              bytes);
    numbers.fill(port.element_type(), target);
    inputs.push_back({port.element_type(), shape, target});
  }
  Discarded sink;
  const auto done = executor.run(inputs, sink);
  if (!done && done.error().text.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  LoadOptions options;
  options.memory_bytes_max = kMemoryMax;
  options.batch_sizes = {1, 2};
  auto model = Model::load(Bytes(data, size), options);
  if (!model) {
    if (model.error().text.empty()) std::abort();
    return 0;
  }
  if (!model->seal()) std::abort();
  auto executor = Executor::make(*model);
  if (!executor) return 0;
  for (const auto& extents : kExtents) run_once(*model, *executor, extents);
  return 0;
}
