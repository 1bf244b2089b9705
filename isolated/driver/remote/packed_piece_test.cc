// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/remote/packed_piece.h"

#include <gtest/gtest.h>

#include <random>

#include "isolated/engine/passes/pass_graphs.h"

namespace casemate::driver::remote {
namespace {

using engine::Graph;

Graph with_everything() {
  engine::Draft d;
  const engine::ValueId x = d.input({1, 4, 12, 12});
  const engine::ValueId y = d.same("Relu", d.convolution(x, 8));
  Graph graph = d.finish({y});
  engine::Node& node = graph.nodes()[0];
  node.attributes.set("text", std::string("a word"));
  node.attributes.set("real", 0.5F);
  node.attributes.set("reals", std::vector<float>{1, 2});
  node.attributes.set("texts", std::vector<std::string>{"a", ""});
  node.attributes.set("tensor", engine::Tensor::of<int64_t>({2}, {3, -4}));
  node.attributes.set("tensors", std::vector<engine::Tensor>{engine::Tensor::of<float>({}, {1})});
  node.post_ops.push_back({"Clip", 0, 6, -1});
  node.type_groups = {1, 1};
  node.since = 13;
  return graph;
}

TEST(PackedPiece, comes_out_as_it_went_in) {
  const Graph piece = with_everything();
  const auto packed = pack(piece);
  ASSERT_TRUE(packed) << packed.error().text;
  const auto made = unpack(*packed);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->text(), piece.text());
  for (size_t i = 0; i < piece.nodes().size(); ++i) {
    const engine::Node& was = piece.nodes()[i];
    const engine::Node& is = made->nodes()[i];
    EXPECT_EQ(is.attributes, was.attributes);
    EXPECT_EQ(is.post_ops, was.post_ops);
    EXPECT_EQ(is.type_groups, was.type_groups);
    EXPECT_EQ(is.since, was.since);
    EXPECT_EQ(is.raw, was.raw);
  }
  EXPECT_EQ(*pack(*made), *packed);
}

TEST(PackedPiece, that_ends_anywhere_is_refused) {
  const auto packed = *pack(with_everything());
  for (size_t size = 0; size < packed.size(); ++size) {
    const auto made = unpack(Bytes(packed).first(size));
    ASSERT_FALSE(made) << size;
    EXPECT_TRUE(made.error().code == Code::kInvalid || made.error().code == Code::kTooLarge);
  }
  auto longer = packed;
  longer.push_back(0);
  EXPECT_FALSE(unpack(longer));
}

TEST(PackedPiece, that_is_spoilt_is_refused_or_sound) {
  const auto packed = *pack(with_everything());
  std::minstd_rand random(1);
  size_t refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto spoilt = packed;
    for (int i = 0; i < 3; ++i) {
      // Most of what counts stands at the front, before the weights.
      const size_t at =
          random() % (round % 2 == 0 ? packed.size() : std::min<size_t>(400, packed.size()));
      spoilt[at] = static_cast<uint8_t>(random() % 4 == 0 ? 0xFF : random());
    }
    const auto made = unpack(spoilt);
    if (made) {
      EXPECT_TRUE(made->sound());
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000u);
}

TEST(PackedPiece, of_text_or_subgraphs_is_not_made) {
  engine::Draft d;
  Graph graph = d.finish({d.same("Relu", d.input({2}))});
  graph.nodes()[0].attributes.set("body", std::make_shared<const Graph>());
  const auto packed = pack(graph);
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace casemate::driver::remote
