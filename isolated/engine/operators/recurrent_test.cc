// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "isolated/engine/operators/node_run.h"

namespace casemate::engine {
namespace {

using Floats32 = std::vector<float>;
using Names = std::vector<std::string>;

// Functions that leave their input alone, so that results are plain sums and products.
Attributes linear(size_t count, Attributes more = {}) {
  more.set("activations", Names(count, "Affine"));
  return more;
}

Tensor floats(const Shape& shape, Floats32 values) { return Tensor::of<float>(shape, values); }

TEST(Rnn, carries_its_state_from_step_to_step) {
  const Tensor x = floats({2, 1, 1}, {1, 2});
  const Tensor w = floats({1, 1, 1}, {0.5F});
  const Tensor r = floats({1, 1, 1}, {0.25F});
  const auto plain = run_node({"RNN", linear(1), {x, w, r}, 2});
  EXPECT_EQ(values_of<float>(plain), (Floats32{0.5F, 1.125F}));
  EXPECT_EQ(values_of<float>(plain, 1), Floats32{1.125F});
  const Tensor bias = floats({1, 2}, {1, 2});
  const auto biased = run_node({"RNN", linear(1), {x, w, r, bias}});
  EXPECT_EQ(values_of<float>(biased), (Floats32{3.5F, 4.875F}));
  const Tensor initial = floats({1, 1, 1}, {4});
  const auto begun = run_node({"RNN", linear(1), {x, w, r, Datum(), Datum(), initial}});
  EXPECT_EQ(values_of<float>(begun), (Floats32{1.5F, 1.375F}));
}

TEST(Rnn, goes_backwards_from_the_end_of_each_sequence) {
  const Tensor x = floats({3, 2, 1}, {1, 4, 2, 5, 3, 6});
  const Tensor one = floats({1, 1, 1}, {1});
  const Tensor lengths = Tensor::of<int32_t>({2}, {3, 1});
  const auto y =
      run_node({"RNN", linear(1, {{"direction", "reverse"}}), {x, one, one, Datum(), lengths}, 2});
  EXPECT_EQ(values_of<float>(y), (Floats32{6, 4, 5, 0, 3, 0}));
  EXPECT_EQ(values_of<float>(y, 1), (Floats32{6, 4}));
}

TEST(Rnn, both_directions_lie_side_by_side_in_either_layout) {
  const Tensor w = floats({2, 1, 1}, {1, 10});
  const Tensor r = floats({2, 1, 1}, {1, 1});
  const Tensor lengths = Tensor::of<int32_t>({2}, {2, 0});
  Attributes attributes = linear(2, {{"direction", "bidirectional"}});
  const Tensor x = floats({2, 2, 1}, {1, 7, 2, 8});
  const auto y = run_node({"RNN", attributes, {x, w, r, Datum(), lengths}, 2});
  EXPECT_EQ(values_of<float>(y), (Floats32{1, 0, 30, 0, 3, 0, 20, 0}));
  EXPECT_EQ(values_of<float>(y, 1), (Floats32{3, 0, 30, 0}));
  attributes.set("layout", int64_t{1});
  const Tensor by_batch = floats({2, 2, 1}, {1, 2, 7, 8});
  const auto turned = run_node({"RNN", attributes, {by_batch, w, r, Datum(), lengths}, 2});
  EXPECT_EQ(values_of<float>(turned), (Floats32{1, 30, 3, 20, 0, 0, 0, 0}));
  EXPECT_EQ(values_of<float>(turned, 1), (Floats32{3, 30, 0, 0}));
}

TEST(Rnn, knows_all_functions_and_who_takes_which_number) {
  const auto after = [](Names names, float x, Floats32 alpha = {}, Floats32 beta = {}) {
    Attributes attributes = {{"activations", std::move(names)}};
    attributes.set("activation_alpha", std::move(alpha));
    attributes.set("activation_beta", std::move(beta));
    const Tensor zero = floats({1, 1, 1}, {0});
    const Tensor one = floats({1, 1, 1}, {1});
    return values_of<float>(run_node({"RNN", attributes, {floats({1, 1, 1}, {x}), one, zero}}))[0];
  };
  EXPECT_EQ(after({"Relu"}, -2), 0);
  EXPECT_FLOAT_EQ(after({"tanh"}, 0.5F), std::tanh(0.5F));
  EXPECT_FLOAT_EQ(after({"Sigmoid"}, 1), 1 / (1 + std::exp(-1.0F)));
  EXPECT_EQ(after({"Affine"}, 3, {2}, {1}), 7);
  EXPECT_FLOAT_EQ(after({"LeakyRelu"}, -2), -0.02F);
  EXPECT_EQ(after({"ThresholdedRelu"}, 2, {2}), 2);
  EXPECT_FLOAT_EQ(after({"ScaledTanh"}, 1, {3}, {0.5F}), 3 * std::tanh(0.5F));
  EXPECT_FLOAT_EQ(after({"HardSigmoid"}, 1), 0.7F);
  EXPECT_FLOAT_EQ(after({"Elu"}, -1), std::exp(-1.0F) - 1);
  EXPECT_FLOAT_EQ(after({"Softsign"}, -3), -0.75F);
  EXPECT_FLOAT_EQ(after({"Softplus"}, 0), std::log(2.0F));
}

TEST(Rnn, sixteen_bit_floats_are_carried_on_in_thirty_two) {
  const Tensor x = Tensor::of<Bfloat16>({300, 1, 1}, std::vector(300, Bfloat16(1)));
  const Tensor one = Tensor::of<Bfloat16>({1, 1, 1}, {Bfloat16(1)});
  // 256 is where they can no longer count by ones.
  const auto y = run_node({"RNN", linear(1), {x, one, one}, 2});
  EXPECT_EQ(values_of<Bfloat16>(y, 1), std::vector{Bfloat16(300)});
}

TEST(Gru, resets_before_or_after_the_product) {
  const Tensor x = floats({1, 1, 1}, {1});
  const Tensor w = floats({1, 3, 1}, {0.5F, 0.25F, 1});
  const Tensor r = floats({1, 3, 1}, {0, 0, 1});
  const Tensor initial = floats({1, 1, 1}, {2});
  const Tensor bias = floats({1, 6}, {0, 0, 0, 0, 0, 4});
  const auto run = [&](Attributes attributes, const Datum& b) {
    return values_of<float>(
        run_node({"GRU", std::move(attributes), {x, w, r, b, Datum(), initial}}));
  };
  EXPECT_EQ(run(linear(2), Datum()), Floats32{1.75F});
  EXPECT_EQ(run(linear(2), bias), Floats32{3.75F});
  EXPECT_EQ(run(linear(2, {{"linear_before_reset", int64_t{1}}}), bias), Floats32{2.25F});
  // What its first schema had for a default.
  EXPECT_EQ(run(linear(2, {{"direction", "foward"}}), Datum()), Floats32{1.75F});
}

TEST(Gru, a_sequence_that_has_ended_keeps_its_state) {
  const Tensor x = floats({2, 2, 1}, {1, 1, 1, 1});
  const Tensor w = floats({1, 3, 1}, {0, 0, 1});
  const Tensor r = floats({1, 3, 1}, {0, 0, 0});
  const Tensor initial = floats({1, 2, 1}, {5, 6});
  const Tensor lengths = Tensor::of<int32_t>({2}, {1, 0});
  const auto y = run_node({"GRU", linear(2), {x, w, r, Datum(), lengths, initial}, 2});
  EXPECT_EQ(values_of<float>(y), (Floats32{1, 0, 0, 0}));
  EXPECT_EQ(values_of<float>(y, 1), (Floats32{1, 6}));
}

// One step with gates i, o, f, c.
std::vector<Datum> lstm_inputs(const Datum& peepholes = {}) {
  return {floats({1, 1, 1}, {1}),
          floats({1, 4, 1}, {0.5F, 2, 0.25F, 1}),
          floats({1, 4, 1}, {0, 0, 0, 0}),
          Datum(),
          Datum(),
          floats({1, 1, 1}, {0}),
          floats({1, 1, 1}, {4}),
          peepholes};
}

TEST(Lstm, keeps_a_cell_beside_its_state) {
  const auto y = run_node({"LSTM", linear(3), lstm_inputs(), 3});
  EXPECT_EQ(values_of<float>(y), Floats32{3});
  EXPECT_EQ(values_of<float>(y, 1), Floats32{3});
  EXPECT_EQ(values_of<float>(y, 2), Floats32{1.5F});
}

TEST(Lstm, looks_through_peepholes_and_may_couple_its_gates) {
  const Tensor peepholes = floats({1, 3}, {1, 0.5F, 1});
  EXPECT_EQ(values_of<float>(run_node({"LSTM", linear(3), lstm_inputs(peepholes)})),
            Floats32{274.125F});
  const Attributes coupled = linear(3, {{"input_forget", int64_t{1}}});
  EXPECT_EQ(values_of<float>(run_node({"LSTM", coupled, lstm_inputs()})), Floats32{5});
  EXPECT_EQ(values_of<float>(run_node({"LSTM", linear(3, {{"clip", 1.0F}}), lstm_inputs()})),
            Floats32{1});
}

TEST(Recurrent, many_steps_and_few_at_once_are_the_same) {
  // One block of steps does not hold them all.
  const int64_t steps = 3000;
  const Tensor x = floats({steps, 1, 512}, Floats32(steps * 512, 1));
  const Tensor w = floats({1, 2, 512}, Floats32(1024, 1));
  const Tensor r = floats({1, 2, 2}, Floats32(4, 0));
  const auto y = values_of<float>(run_node({"RNN", linear(1), {x, w, r}}));
  EXPECT_EQ(y, Floats32(static_cast<size_t>(steps) * 2, 512));
}

TEST(Recurrent, shapes_and_attributes_that_do_not_agree_are_refused) {
  const Tensor x = floats({2, 1, 1}, {1, 2});
  const Tensor one = floats({1, 1, 1}, {1});
  const auto error = [&](Attributes attributes, std::vector<Datum> inputs) {
    return error_of(run_node({"RNN", std::move(attributes), std::move(inputs)}));
  };
  EXPECT_EQ(error({{"direction", "sideways"}}, {x, one, one}),
            "attribute 'direction' is 'sideways', expected forward, reverse or bidirectional");
  EXPECT_EQ(error({{"hidden_size", int64_t{2}}}, {x, one, one}),
            "attribute 'hidden_size' is 2, its recurrence has the shape [1,1,1]");
  EXPECT_EQ(error({}, {x, floats({1, 1, 2}, {1, 1}), one}),
            "its input 1 of shape [1,1,2] needs the shape [1,1,1]");
  EXPECT_EQ(error({}, {x, one, one, floats({1, 1}, {1})}),
            "its input 3 of shape [1,1] needs the shape [1,2]");
  EXPECT_EQ(error({{"activations", Names{"Cosine"}}}, {x, one, one}),
            "attribute 'activations' names 'Cosine', which is no function of it");
  EXPECT_EQ(error({{"activations", Names(3, "Relu")}}, {x, one, one}),
            "attribute 'activations' has 3 names, it needs 1");
  EXPECT_EQ(error({{"clip", -1.0F}}, {x, one, one}),
            "attribute 'clip' is -1, expected a number from 0");
  const Tensor lengths = Tensor::of<int32_t>({1}, {3});
  EXPECT_EQ(error({}, {x, one, one, Datum(), lengths}),
            "its sequence_lens has the value 3, there are 2 steps");
  const Tensor scalar = floats({}, {1});
  EXPECT_EQ(error({}, {scalar, one, one}),
            "its input [] and recurrence [1,1,1] should have rank 3, and inputs at each step");
}

TEST(Recurrent, without_elements_no_extent_takes_time_or_memory) {
  constexpr int64_t kVast = int64_t{1} << 60;
  const Tensor one = floats({1, 1, 1}, {1});
  EXPECT_EQ(values_of<float>(run_node({"RNN", {}, {floats({kVast, 0, 1}, {}), one, one}, 2})),
            Floats32());
  EXPECT_EQ(values_of<float>(run_node({"RNN", {}, {floats({0, kVast, 1}, {}), one, one}})),
            Floats32());
  EXPECT_EQ(error_of(run_node({"RNN", {}, {floats({0, kVast, 1}, {}), one, one}, 2})),
            "a FP32 tensor of shape [1,1152921504606846976,1] is larger than 2^40 bytes");
  const Tensor hidden = floats({1, 0, 0}, {});
  const Tensor weights = floats({1, 0, 1}, {});
  EXPECT_EQ(values_of<float>(run_node({"RNN", {}, {floats({1, 1, 1}, {1}), weights, hidden}})),
            Floats32());
  const Tensor initial = floats({1, 1, 1}, {3});
  const auto none =
      run_node({"RNN", {}, {floats({0, 1, 1}, {}), one, one, Datum(), Datum(), initial}, 2});
  EXPECT_EQ(values_of<float>(none, 1), Floats32{3});
}

}  // namespace
}  // namespace casemate::engine
