// SPDX-License-Identifier: Apache-2.0
#include "isolated/model/model_options.h"
#include "base/format.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace casemate::model {
namespace {

using Shapes = std::vector<std::map<std::string, int64_t>>;

TEST(ModelOptions, of_no_text_are_no_shapes) {
  const auto options = ModelOptions::parse("");
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_TRUE(options->shapes.empty());
}

TEST(ModelOptions, are_the_extents_of_each_shape_by_name) {
  const auto options =
      ModelOptions::parse("shape=batch:8,past + 1:0;shape=batch:1048576;shape=a=b:3");
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->shapes,
            (Shapes{{{"batch", 8}, {"past + 1", 0}}, {{"batch", 1048576}}, {{"a=b", 3}}}));
}

TEST(ModelOptions, say_which_nodes_run_on_which_device) {
  const auto options = ModelOptions::parse("shape=n:2;cut=cpu:0,npu:0/0*2,1*1,0*1");
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->shapes.size(), 1u);
  EXPECT_EQ(options->devices, (std::vector<std::string>{"cpu:0", "npu:0"}));
  EXPECT_EQ(options->on, (std::vector<uint32_t>{0, 0, 1, 0}));
}

// Nobody who describes a system well writes these.
TEST(ModelOptions, that_are_malformed_are_refused) {
  std::string many = "shape=a:1";
  std::string wide = "shape=e:1";
  for (int i = 0; i < 16; ++i) {
    many += ";shape=a:1";
    wide += formatted(",e{}:1", i);
  }
  for (const std::string& text : {std::string("batch=8"),
                                  std::string("shape"),
                                  std::string("shape="),
                                  std::string("shape=;shape=a:1"),
                                  std::string("shape=a"),
                                  std::string("shape=a:"),
                                  std::string("shape=:1"),
                                  std::string("shape=a:-1"),
                                  std::string("shape=a:1048577"),
                                  std::string("shape=a:99999999999999999999"),
                                  std::string("shape=a:1x"),
                                  std::string("shape=a: 1"),
                                  std::string("shape=a:1,a:2"),
                                  std::string("shape=a:1,,b:2"),
                                  std::string(";"),
                                  std::string("shape=\x01\xff"),
                                  std::string("cut="),
                                  std::string("cut=cpu:0"),
                                  std::string("cut=/0*1"),
                                  std::string("cut=cpu:0/1*1"),
                                  std::string("cut=cpu:0/0*1,"),
                                  std::string("cut=cpu:0/0*16385"),
                                  std::string("cut=cpu:0/0*-1"),
                                  std::string("cut=cpu:0/0"),
                                  std::string("cut=,cpu:0/0*1"),
                                  std::string("cut=cpu:0/0*1;cut=cpu:0/0*1"),
                                  std::string("cut=a,b,c,d,e,f,g,h,i/0*1"),
                                  many,
                                  wide}) {
    const auto options = ModelOptions::parse(text);
    ASSERT_FALSE(options) << text;
    EXPECT_EQ(options.error().code, Code::kInvalid) << text;
    EXPECT_TRUE(std::ranges::all_of(options.error().text, [](char c) { return c >= ' '; })) << text;
  }
}

}  // namespace
}  // namespace casemate::model
