// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/unpack.h"

#include <gtest/gtest.h>

#include <numeric>

#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

// Elements brought from one form to the other by oneDNN and back by us.
void expect_back(const memory::desc& plain, const memory::desc& packed) {
  ASSERT_TRUE(unpackable(plain, packed));
  std::vector<float> before(plain.get_size() / sizeof(float));
  std::iota(before.begin(), before.end(), 1.0F);
  std::vector<float> between(packed.get_size() / sizeof(float));
  memory from(plain, cpu_engine(), before.data());
  memory to(packed, cpu_engine(), between.data());
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  const auto* data = static_cast<const uint8_t*>(static_cast<const void*>(between.data()));
  const std::string after = unpack({data, packed.get_size()}, plain, packed);
  ASSERT_EQ(after.size(), plain.get_size());
  const auto* values = static_cast<const float*>(static_cast<const void*>(after.data()));
  EXPECT_TRUE(std::ranges::equal(before, std::span(values, before.size())));
}

TEST(Unpack, undoes_what_was_packed) {
  const auto f32 = memory::data_type::f32;
  const memory::desc matrix({70, 50}, f32, Tag::ab);
  for (const Tag tag : {Tag::ab, Tag::ba, Tag::BA16a64b, Tag::BA16a32b, Tag::AB8b24a})
    expect_back(matrix, memory::desc({70, 50}, f32, tag));
  expect_back(memory::desc({70, 50}, f32, Tag::ba), memory::desc({70, 50}, f32, Tag::BA16a64b));
  const memory::desc kernel({20, 17, 3, 5}, f32, Tag::abcd);
  for (const Tag tag : {Tag::ABcd16b16a, Tag::Acdb16a, Tag::cdba, Tag::ABcd4b16a4b})
    expect_back(kernel, memory::desc({20, 17, 3, 5}, f32, tag));
  expect_back(memory::desc({3, 8, 9, 3, 3}, f32, Tag::abcde),
              memory::desc({3, 8, 9, 3, 3}, f32, Tag::aBCde8c8b));
}

TEST(Unpack, packs_blocks_that_are_not_filled) {
  const auto f32 = memory::data_type::f32;
  const memory::desc plain({16, 20, 3, 3}, f32, Tag::abcd);
  const memory::desc packed({16, 20, 3, 3}, f32, Tag::ABcd16b16a);
  EXPECT_TRUE(half_filled(packed));
  EXPECT_FALSE(half_filled(plain));
  std::vector<float> before(plain.get_size() / sizeof(float));
  std::iota(before.begin(), before.end(), 1.0F);
  std::vector<float> between(packed.get_size() / sizeof(float), 7);
  const auto bytes_of_all = [](std::vector<float>& list) {
    return MutableBytes(static_cast<uint8_t*>(static_cast<void*>(list.data())), list.size() * 4);
  };
  pack_half_filled(bytes_of_all(before), plain, packed, bytes_of_all(between));
  EXPECT_EQ(between[0], 1);
  EXPECT_EQ(between[16], 10) << "the next channel";
  EXPECT_EQ(between.back(), 0) << "there is no such channel";
  const std::string after = unpack(bytes_of_all(between), plain, packed);
  EXPECT_TRUE(std::ranges::equal(bytes_of(std::string_view(after)), bytes_of_all(before)));
}

TEST(Unpack, refuses_what_has_other_elements) {
  const memory::desc plain({8, 8}, memory::data_type::f32, Tag::ab);
  EXPECT_FALSE(unpackable(plain, memory::desc({8, 8}, memory::data_type::bf16, Tag::ab)));
  EXPECT_FALSE(unpackable(plain, memory::desc({8, 4}, memory::data_type::f32, Tag::ab)));
  EXPECT_FALSE(unpackable(plain, memory::desc()));
}

}  // namespace
}  // namespace casemate::engine
