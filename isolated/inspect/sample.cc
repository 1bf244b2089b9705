// SPDX-License-Identifier: Apache-2.0
#include "isolated/inspect/sample.h"

#include <random>
#include <string_view>

namespace casemate::inspect {
namespace {

using engine::Tensor;

template <class T>
void draw_floats(Tensor& tensor, std::mt19937& random) {
  std::normal_distribution<float> normal;
  for (T& value : tensor.values<T>()) value = static_cast<T>(normal(random));
}

template <class T>
void draw_integers(Tensor& tensor, std::string_view name, std::mt19937& random) {
  const auto named = [&](std::string_view part) { return name.contains(part); };
  const Shape& shape = tensor.shape();
  const uint64_t row = shape.rank() == 0 ? 1 : static_cast<uint64_t>(shape[shape.rank() - 1]);
  const int64_t below = sizeof(T) == 1 ? 100 : 1000;
  uint64_t count = 0;
  for (T& value : tensor.values<T>()) {
    const auto place = static_cast<int64_t>(count++ % row);
    const auto number = static_cast<int64_t>(random() % static_cast<uint64_t>(below));
    const bool truth = named("type") || std::is_same_v<T, bool>;
    value = static_cast<T>(named("mask")       ? 1
                           : named("position") ? place
                           : truth             ? number % 2
                                               : number);
  }
}

void draw(Tensor& tensor, std::string_view name, std::mt19937& random) {
  switch (tensor.type()) {
    case ElementType::kFloat32:
      return draw_floats<float>(tensor, random);
    case ElementType::kFloat64:
      return draw_floats<double>(tensor, random);
    case ElementType::kFloat16:
      return draw_floats<engine::Float16>(tensor, random);
    case ElementType::kBfloat16:
      return draw_floats<engine::Bfloat16>(tensor, random);
    case ElementType::kInt64:
      return draw_integers<int64_t>(tensor, name, random);
    case ElementType::kInt32:
      return draw_integers<int32_t>(tensor, name, random);
    case ElementType::kInt16:
      return draw_integers<int16_t>(tensor, name, random);
    case ElementType::kInt8:
      return draw_integers<int8_t>(tensor, name, random);
    case ElementType::kUint64:
      return draw_integers<uint64_t>(tensor, name, random);
    case ElementType::kUint32:
      return draw_integers<uint32_t>(tensor, name, random);
    case ElementType::kUint16:
      return draw_integers<uint16_t>(tensor, name, random);
    case ElementType::kUint8:
      return draw_integers<uint8_t>(tensor, name, random);
    case ElementType::kBool:
      return draw_integers<bool>(tensor, name, random);
    default:
      return;
  }
}

}  // namespace

Result<Sample> Sample::make(const engine::Model& model) {
  std::mt19937 random(1);
  Sample sample;
  const std::vector<engine::Fact>& facts = model.largest();
  for (size_t i = 0; i < facts.size(); ++i) {
    sample.inputs_.push_back(TRY(Tensor::zeros(facts[i].type, facts[i].shape)));
    draw(sample.inputs_.back(), model.description().inputs[i].name.view(), random);
  }
  return sample;
}

std::vector<TensorView> Sample::views() const {
  std::vector<TensorView> views;
  for (const Tensor& input : inputs_) views.push_back({input.type(), input.shape(), input.bytes()});
  return views;
}

Result<MutableBytes> KeptOutputs::memory(size_t output, ElementType, const Shape&, uint64_t bytes) {
  if (kept_.size() <= output) kept_.resize(output + 1);
  kept_[output].resize(bytes / sizeof(double) + 1);
  return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(kept_[output].data())), bytes);
}

}  // namespace casemate::inspect
