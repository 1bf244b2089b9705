// SPDX-License-Identifier: Apache-2.0
// A plan that is cut into pieces. Cuts go through the arena alone, so a piece can run in another
// session as well, whose arena was filled with what the first one left.
#include "isolated/engine/session.h"

#include <gtest/gtest.h>

#include <numeric>

#include "isolated/engine/engine.h"
#include "isolated/engine/onnx/model_builder.h"

namespace casemate::engine {
namespace {

// Two convolutions side by side, one of them twice, their sum, a pooling and a product: values that
// outlive several steps, and memory that is used again.
std::string branching_model() {
  ModelBuilder b;
  b.input("x", {1, 3, 12, 12});
  b.output("y", {1, 7});
  b.output("sum", {1, 8, 12, 12});
  b.noise("w1", {8, 3, 3, 3});
  b.noise("w2", {8, 8, 3, 3});
  b.noise("w3", {8, 3, 1, 1});
  b.noise("w4", {8, 7});
  set_ints(b.node("Conv", {"x", "w1"}, "a"), "pads", {1, 1, 1, 1});
  b.node("Relu", {"a"}, "r");
  set_ints(b.node("Conv", {"r", "w2"}, "b"), "pads", {1, 1, 1, 1});
  b.node("Conv", {"x", "w3"}, "c");
  b.node("Add", {"b", "c"}, "sum");
  b.node("Sigmoid", {"sum"}, "s");
  b.node("GlobalAveragePool", {"s"}, "p");
  b.node("Flatten", {"p"}, "f");
  b.node("MatMul", {"f", "w4"}, "m");
  set_int(b.node("Softmax", {"m"}, "y"), "axis", 1);
  return b.bytes();
}

// One session with an arena and outputs of its own.
struct Site {
  explicit Site(const Plan& plan)
      : arena(*Mapping::anonymous(std::max<uint64_t>(plan.arena_bytes, 1))),
        session(*Session::make(plan, arena.data())) {
    std::ranges::fill(arena.bytes(), uint8_t{0xA5});
    for (const uint64_t bytes : plan.output_bytes)
      outputs.push_back(*Mapping::anonymous(std::max<uint64_t>(bytes, 1)));
  }
  void bind(std::span<const Bytes> inputs) {
    std::vector<MutableBytes> to;
    for (const Mapping& output : outputs) to.push_back(output.bytes());
    session.bind(inputs, to);
  }
  // As a transfer to another machine would.
  void take_over(const Site& other) {
    std::ranges::copy(other.arena.bytes(), arena.data());
    for (size_t i = 0; i < outputs.size(); ++i)
      std::ranges::copy(other.outputs[i].bytes(), outputs[i].data());
  }
  [[nodiscard]] std::string result() const {
    std::string all;
    for (const Mapping& output : outputs) all += text_of(output.bytes());
    return all;
  }

  Mapping arena;
  std::vector<Mapping> outputs;
  Session session;
};

class CutPlan : public testing::Test {
 protected:
  CutPlan() : model_(*Model::load(bytes_of(std::string_view(file_)), {})) {
    std::iota(image_.begin(), image_.end(), -200.0F);
    for (float& value : image_) value /= 100;
    whole_.bind(inputs_);
    EXPECT_TRUE(whole_.session.run_steps(0, steps(), nullptr));
  }
  [[nodiscard]] const Plan& plan() const { return model_.compiled().front().plan; }
  [[nodiscard]] size_t steps() const { return plan().steps.size(); }

  std::string file_ = branching_model();
  Model model_;
  std::vector<float> image_ = std::vector<float>(size_t{3} * 12 * 12);
  std::vector<Bytes> inputs_ = {
      Bytes(static_cast<const uint8_t*>(static_cast<const void*>(image_.data())), 1728)};
  Site whole_{plan()};
};

TEST_F(CutPlan, gives_the_same_bytes_wherever_it_is_cut) {
  ASSERT_GE(steps(), 5u) << plan().text();
  for (size_t cut = 0; cut <= steps(); ++cut) {
    Site one(plan());
    one.bind(inputs_);
    ProgressCounter progress = 0;
    ASSERT_TRUE(one.session.run_steps(0, cut, &progress));
    EXPECT_EQ(progress, cut);
    ASSERT_TRUE(one.session.run_steps(cut, steps(), &progress));
    EXPECT_EQ(progress, steps());
    EXPECT_EQ(one.result(), whole_.result()) << "cut before step " << cut;
  }
}

TEST_F(CutPlan, goes_on_in_another_session_with_what_the_first_left_in_its_arena) {
  for (size_t cut = 0; cut <= steps(); ++cut) {
    Site first(plan());
    first.bind(inputs_);
    ASSERT_TRUE(first.session.run_steps(0, cut, nullptr));
    Site second(plan());
    second.bind(inputs_);
    second.take_over(first);
    ASSERT_TRUE(second.session.run_steps(cut, steps(), nullptr));
    EXPECT_EQ(second.result(), whole_.result()) << "cut before step " << cut;
  }
}

TEST_F(CutPlan, runs_step_by_step_as_it_does_at_once) {
  Site one(plan());
  one.bind(inputs_);
  for (size_t i = 0; i < steps(); ++i) ASSERT_TRUE(one.session.run_steps(i, i + 1, nullptr));
  EXPECT_EQ(one.result(), whole_.result());
}

TEST_F(CutPlan, has_its_data_read_back_equal_from_json) {
  const PlanData data = plan().data();
  ASSERT_EQ(data.steps.size(), steps());
  const auto read = plan_from_json(data.json());
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(*read, data);
  EXPECT_EQ(read->text(), plan().text());
}

}  // namespace
}  // namespace casemate::engine
