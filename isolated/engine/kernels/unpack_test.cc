// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/unpack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "isolated/engine/kernels/dnnl_kernel.h"

namespace casemate::engine {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

std::vector<float> counted(const memory::desc& plain) {
  std::vector<float> values(plain.get_size() / sizeof(float));
  std::iota(values.begin(), values.end(), 1.0F);
  return values;
}

Bytes bytes_in(const std::vector<float>& values) {
  return {static_cast<const uint8_t*>(static_cast<const void*>(values.data())),
          values.size() * sizeof(float)};
}

std::vector<float> packed_by_us(const memory::desc& plain, const memory::desc& packed) {
  std::vector<float> made(packed.get_size() / sizeof(float), -1.0F);
  auto* const to = static_cast<uint8_t*>(static_cast<void*>(made.data()));
  pack(bytes_in(counted(plain)), plain, packed, {to, packed.get_size()});
  return made;
}

std::vector<float> packed_by_onednn(const memory::desc& plain, const memory::desc& packed) {
  std::vector<float> before = counted(plain);
  std::vector<float> made(packed.get_size() / sizeof(float), -1.0F);
  memory from(plain, cpu_engine(), before.data());
  memory to(packed, cpu_engine(), made.data());
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return made;
}

void expect_back(const memory::desc& plain, const memory::desc& packed) {
  ASSERT_TRUE(unpackable(plain, packed));
  const std::vector<float> made = packed_by_us(plain, packed);
  const std::vector<float> before = counted(plain);
  const std::string after = unpack(bytes_in(made), plain, packed);
  ASSERT_EQ(after.size(), plain.get_size());
  const auto* values = static_cast<const float*>(static_cast<const void*>(after.data()));
  EXPECT_TRUE(std::ranges::equal(before, std::span(values, before.size())));
  // Beside the elements there is nothing but zeros.
  const double sum = std::accumulate(made.begin(), made.end(), 0.0);
  EXPECT_EQ(sum, std::accumulate(before.begin(), before.end(), 0.0));
}

constexpr auto kFloat = memory::data_type::f32;
constexpr Tag kMatrixTags[] = {Tag::ab, Tag::ba, Tag::BA16a64b, Tag::BA16a32b, Tag::AB8b24a};
constexpr Tag kKernelTags[] = {Tag::ABcd16b16a, Tag::Acdb16a, Tag::cdba, Tag::ABcd4b16a4b};

TEST(Unpack, undoes_what_was_packed) {
  for (const Tag tag : kMatrixTags)
    expect_back({{70, 50}, kFloat, Tag::ab}, {{70, 50}, kFloat, tag});
  expect_back({{70, 50}, kFloat, Tag::ba}, {{70, 50}, kFloat, Tag::BA16a64b});
  for (const Tag tag : kKernelTags)
    expect_back({{20, 17, 3, 5}, kFloat, Tag::abcd}, {{20, 17, 3, 5}, kFloat, tag});
  expect_back({{3, 8, 9, 3, 3}, kFloat, Tag::abcde}, {{3, 8, 9, 3, 3}, kFloat, Tag::aBCde8c8b});
}

// Only where blocks are full: see unpack.h.
TEST(Unpack, packs_what_onednn_packs) {
  for (const Tag tag : kMatrixTags) {
    const memory::desc plain({48, 64}, kFloat, Tag::ab);
    const memory::desc packed({48, 64}, kFloat, tag);
    EXPECT_EQ(packed_by_us(plain, packed), packed_by_onednn(plain, packed));
  }
  for (const Tag tag : kKernelTags) {
    const memory::desc plain({32, 48, 3, 5}, kFloat, Tag::abcd);
    const memory::desc packed({32, 48, 3, 5}, kFloat, tag);
    EXPECT_EQ(packed_by_us(plain, packed), packed_by_onednn(plain, packed));
  }
}

TEST(Unpack, refuses_what_has_other_elements) {
  const memory::desc plain({8, 8}, memory::data_type::f32, Tag::ab);
  EXPECT_FALSE(unpackable(plain, memory::desc({8, 8}, memory::data_type::bf16, Tag::ab)));
  EXPECT_FALSE(unpackable(plain, memory::desc({8, 4}, memory::data_type::f32, Tag::ab)));
  EXPECT_FALSE(unpackable(plain, memory::desc()));
}

}  // namespace
}  // namespace casemate::engine
