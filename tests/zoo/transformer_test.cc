// SPDX-License-Identifier: Apache-2.0
// Text through our engine, in networks of the standard architectures that are small enough for a
// test: sequences of any length, padded or not, and a cache of keys and values.
#include "outside/zoo/transformer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "isolated/engine/engine.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/model_stream.h"

namespace casemate {
namespace {

constexpr zoo::TransformerSizes kSmall = {.width = 64, .heads = 4, .inner = 128, .layers = 2};

std::string file_of(const zoo::Graph& graph) {
  std::string bytes;
  const Status done = zoo::ModelStream(graph, 1).write([&](Bytes piece) -> Status {
    bytes += text_of(piece);
    return {};
  });
  CHECK(done.has_value(), "a string takes everything");
  return bytes;
}

// Inputs and outputs of a run, which live as long as it.
struct Given {
  Shape shape;
  std::vector<int64_t> numbers = {};
  std::vector<float> reals = {};

  [[nodiscard]] TensorView view() const {
    const auto bytes = [](const auto& list) {
      return Bytes(static_cast<const uint8_t*>(static_cast<const void*>(list.data())),
                   list.size() * sizeof list[0]);
    };
    if (reals.empty() && numbers.empty()) return {ElementType::kFloat32, shape, {}};
    if (reals.empty()) return {ElementType::kInt64, shape, bytes(numbers)};
    return {ElementType::kFloat32, shape, bytes(reals)};
  }
};

class KeptOutputs final : public engine::OutputSink {
 public:
  Result<MutableBytes> memory(size_t output, ElementType, const Shape& shape,
                              uint64_t bytes) override {
    kept.resize(std::max(kept.size(), output + 1));
    kept[output] = {.shape = shape, .reals = std::vector<float>(bytes / sizeof(float))};
    std::vector<float>& reals = kept[output].reals;
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(reals.data())), bytes);
  }
  std::vector<Given> kept;
};

std::vector<Given> results(engine::Executor& executor, const std::vector<Given>& inputs) {
  std::vector<TensorView> views;
  for (const Given& input : inputs) views.push_back(input.view());
  KeptOutputs sink;
  const Status done = executor.run(views, sink);
  CHECK(done.has_value(), done ? "" : done.error().text.c_str());
  return std::move(sink.kept);
}

// Word i of a text that says nothing.
int64_t word(int64_t i) { return (i * 7919 + 13) % 20000; }

// By name: ids, mask and segments of `rows` texts, the first `length` words of each to be seen.
std::vector<Given> text(const engine::Model& model, int64_t rows, int64_t length, int64_t padded) {
  std::vector<Given> inputs;
  for (uint32_t i = 0; i < model.description().input_count; ++i) {
    const std::string_view name = model.description().inputs[i].name.view();
    Given& input = inputs.emplace_back(Given{.shape = {rows, padded}});
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t k = 0; k < padded; ++k) {
        const int64_t value = name == "input_ids" ? word(row * 1000 + k) : int64_t{k < length};
        input.numbers.push_back(name == "token_type_ids" ? 0 : value);
      }
    }
  }
  return inputs;
}

// Where the first `count` numbers of each differ most; infinity where one of them is no number.
double distance(std::span<const float> a, std::span<const float> b, size_t count) {
  double most = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return INFINITY;
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return most;
}

TEST(Bert, takes_any_length_and_does_not_see_what_is_padded) {
  const std::string bytes = file_of(zoo::bert("bert-small", kSmall));
  const auto model = engine::Model::load(bytes_of(std::string_view(bytes)), {});
  ASSERT_TRUE(model) << model.error().text;
  engine::Executor executor = *engine::Executor::make(*model);
  const auto width = static_cast<size_t>(kSmall.width);
  for (const int64_t length : {1, 33}) {
    SCOPED_TRACE(length);
    const auto alone = results(executor, text(*model, 1, length, length));
    EXPECT_EQ(alone[0].shape, (Shape{1, length, kSmall.width}));
    EXPECT_EQ(alone[1].shape, (Shape{1, kSmall.width}));
    const auto padded = results(executor, text(*model, 1, length, length + 5));
    EXPECT_LT(distance(alone[0].reals, padded[0].reals, static_cast<size_t>(length) * width), 1e-4);
    EXPECT_LT(distance(alone[1].reals, padded[1].reals, width), 1e-4);
    const auto both = results(executor, text(*model, 2, length, length));
    EXPECT_LT(distance(alone[0].reals, both[0].reals, static_cast<size_t>(length) * width), 1e-4);
    const std::span second = std::span(both[1].reals).subspan(width);
    EXPECT_GT(distance(alone[1].reals, second, width), 1e-2) << "another text is another answer";
  }
}

// Tokens [from, to) behind the pasts of those before.
std::vector<Given> tokens(const engine::Model& model, int64_t from, int64_t to,
                          std::vector<Given> pasts) {
  std::vector<Given> inputs;
  size_t past = 0;
  for (uint32_t i = 0; i < model.description().input_count; ++i) {
    const std::string_view name = model.description().inputs[i].name.view();
    if (name.starts_with("past_key_values.")) {
      inputs.push_back(std::move(pasts[past++]));
      continue;
    }
    const bool mask = name == "attention_mask";
    Given& input = inputs.emplace_back(Given{.shape = {1, mask ? to : to - from}});
    for (int64_t k = mask ? 0 : from; k < to; ++k)
      input.numbers.push_back(mask ? 1 : name == "input_ids" ? word(k) : k);
  }
  return inputs;
}

TEST(Gpt2, says_the_same_token_by_token_with_its_cache_as_of_a_prompt_at_once) {
  constexpr int64_t kPrompt = 4;
  constexpr size_t kWords = 50257;
  const std::string bytes = file_of(zoo::gpt_2("gpt-2-tiny", kSmall));
  const auto model = engine::Model::load(bytes_of(std::string_view(bytes)), {});
  ASSERT_TRUE(model) << model.error().text;
  engine::Executor executor = *engine::Executor::make(*model);
  const Given nothing = {.shape = {1, kSmall.heads, 0, kSmall.head_width()}};
  const std::vector<Given> none(static_cast<size_t>(2 * kSmall.layers), nothing);
  const auto whole = results(executor, tokens(*model, 0, kPrompt, none));
  EXPECT_EQ(whole[0].shape, (Shape{1, kPrompt, int64_t{kWords}}));
  std::vector<Given> pasts = none;
  std::vector<float> before(kWords);
  for (int64_t i = 0; i < kPrompt; ++i) {
    SCOPED_TRACE(i);
    auto step = results(executor, tokens(*model, i, i + 1, std::move(pasts)));
    const auto row = std::span(whole[0].reals).subspan(static_cast<size_t>(i) * kWords, kWords);
    EXPECT_LT(distance(step[0].reals, row, kWords), 1e-4);
    EXPECT_GT(distance(step[0].reals, before, kWords), 1e-2) << "each token changes what comes";
    before = std::move(step[0].reals);
    pasts.assign(std::make_move_iterator(step.begin() + 1), std::make_move_iterator(step.end()));
    EXPECT_EQ(pasts[0].shape, (Shape{1, kSmall.heads, i + 1, kSmall.head_width()}));
  }
  for (size_t i = 0; i < pasts.size(); ++i)
    EXPECT_LT(distance(pasts[i].reals, whole[1 + i].reals, pasts[i].reals.size()), 1e-5) << i;
}

}  // namespace
}  // namespace casemate
