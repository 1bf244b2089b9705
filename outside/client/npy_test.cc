// SPDX-License-Identifier: Apache-2.0
#include "outside/client/npy.h"
#include "base/format.h"

#include <gtest/gtest.h>

namespace casemate::client {
namespace {

using Buffer = std::vector<uint8_t>;

// A version 1 file with this header and these elements.
Buffer file(std::string_view header, Bytes data, uint8_t major = 1) {
  Buffer bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', major, 0};
  const auto length = static_cast<uint32_t>(header.size());
  const Bytes size = bytes_of(length).first(major == 1 ? 2 : 4);
  bytes.insert(bytes.end(), size.begin(), size.end());
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

Buffer counting(size_t size) {
  Buffer data(size);
  for (size_t i = 0; i < size; ++i) data[i] = static_cast<uint8_t>(i);
  return data;
}

std::string header(std::string_view type, std::string_view shape,
                   std::string_view order = "False") {
  return formatted("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", type, order, shape);
}

std::string refusal(const Buffer& bytes) {
  const auto tensor = read_npy(bytes);
  return tensor ? "accepted" : tensor.error().text;
}
std::string refusal(std::string_view text) { return refusal(file(text, {})); }

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(Npy, a_file_as_numpy_writes_it_is_read) {
  // numpy.save of numpy.arange(6, dtype='<f4').reshape(2, 3), NumPy 1.24.
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  text.resize(117, ' ');
  text += '\n';
  const std::array<float, 6> values = {0, 1, 2, 3, 4, 5};
  const auto tensor = read_npy(file(text, bytes_of(values)));
  ASSERT_TRUE(tensor) << tensor.error().text;
  EXPECT_EQ(tensor->type, ElementType::kFloat32);
  EXPECT_EQ(tensor->shape, Shape({2, 3}));
  EXPECT_EQ(load<float>(Bytes(tensor->data).subspan(20)), 5.0f);
}

TEST(Npy, every_type_and_rank_that_is_written_is_read_back) {
  const std::vector<Shape> shapes = {{}, {5}, {0}, {2, 3}, {1, 2, 3, 4}, {1, 1, 1, 1, 1, 1, 1, 2}};
  for (const ElementType type :
       {ElementType::kFloat32, ElementType::kFloat64, ElementType::kFloat16, ElementType::kInt8,
        ElementType::kUint8, ElementType::kInt16, ElementType::kUint16, ElementType::kInt32,
        ElementType::kUint32, ElementType::kInt64, ElementType::kUint64, ElementType::kBool}) {
    for (const Shape& shape : shapes) {
      Buffer data(*shape.byte_size(type), 1);
      const auto written = write_npy({type, shape, data});
      ASSERT_TRUE(written) << written.error().text;
      EXPECT_EQ((written->size() - data.size()) % 64, 0u) << "elements are aligned";
      const auto tensor = read_npy(*written);
      ASSERT_TRUE(tensor) << tensor.error().text;
      EXPECT_EQ(tensor->type, type);
      EXPECT_EQ(tensor->shape, shape);
      EXPECT_EQ(tensor->data, data);
    }
  }
}

TEST(Npy, types_that_numpy_lacks_are_not_written) {
  EXPECT_FALSE(write_npy({ElementType::kBfloat16, {1}, counting(2)}));
  EXPECT_FALSE(write_npy({ElementType::kString, {0}, {}}));
}

TEST(Npy, versions_2_and_3_are_read_and_others_refused) {
  EXPECT_EQ(refusal(file(header("|u1", "(3,)"), counting(3), 2)), "accepted");
  EXPECT_EQ(refusal(file(header("|u1", "(3,)"), counting(3), 3)), "accepted");
  EXPECT_TRUE(contains(refusal(file(header("|u1", "(3,)"), counting(3), 4)), "version 4.0"));
  EXPECT_TRUE(contains(refusal(file(header("|u1", "(3,)"), counting(3), 0)), "version 0.0"));
}

TEST(Npy, column_major_files_come_out_row_major) {
  // [[0, 2, 4], [1, 3, 5]] lies as 0..5 in column-major order.
  const auto tensor = read_npy(file(header("|u1", "(2, 3)", "True"), counting(6)));
  ASSERT_TRUE(tensor) << tensor.error().text;
  EXPECT_EQ(tensor->data, (Buffer{0, 2, 4, 1, 3, 5}));
  const auto wide = read_npy(file(header("<i2", "(2, 1, 2)", "True"), counting(8)));
  ASSERT_TRUE(wide) << wide.error().text;
  EXPECT_EQ(wide->data, (Buffer{0, 1, 4, 5, 2, 3, 6, 7}));
  EXPECT_EQ(refusal(file(header("|u1", "(2, 0, 3)", "True"), {})), "accepted");
}

TEST(Npy, a_file_cut_at_any_byte_or_with_bytes_behind_is_refused) {
  Buffer whole = file(header("<f4", "(2, 3)"), counting(24));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(refusal(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))),
              "accepted")
        << size;
  whole.push_back(0);
  EXPECT_TRUE(contains(refusal(whole), "should hold 24 bytes"));
}

TEST(Npy, shapes_that_overflow_or_are_too_large_are_refused_before_memory_is_taken) {
  EXPECT_TRUE(contains(refusal(header("<f4", "(4294967296, 4294967296)")), "2^62"));
  EXPECT_TRUE(contains(refusal(header("<f4", "(9223372036854775807, 2)")), "2^62"));
  EXPECT_TRUE(contains(refusal(header("<f4", "(99999999999999999999,)")), "no tuple of extents"));
  EXPECT_TRUE(contains(refusal(header("<f4", "(1000000000,)")), "larger than the limit"));
  EXPECT_TRUE(contains(refusal(header("<f4", "(-1,)")), "no tuple of extents"));
  EXPECT_TRUE(contains(refusal(header("<f4", "(1,1,1,1,1,1,1,1,1)")), "more than 8"));
  Buffer huge = {0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, 0xFF, 0xFF, 0xFF, 0xFF, '{'};
  EXPECT_TRUE(contains(refusal(huge), "over the limit"));
}

TEST(Npy, objects_records_texts_and_big_endian_numbers_are_refused_with_advice) {
  EXPECT_TRUE(contains(refusal(header("|O", "(1,)")), "never loaded"));
  EXPECT_TRUE(contains(refusal(header(">f4", "(1,)")), "newbyteorder"));
  EXPECT_TRUE(contains(refusal(header("<U1", "(1,)")), "astype"));
  EXPECT_TRUE(contains(refusal(header("<c8", "(1,)")), "astype"));
  EXPECT_TRUE(contains(
      refusal("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }"), "records"));
}

TEST(Npy, headers_that_are_no_such_dictionary_are_refused) {
  for (const std::string_view text :
       {"", "{", "}", "{}", "{'descr': '<f4'}", "import os", "{'descr': '<f4' 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': false, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1*9,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + {}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}"}) {
    EXPECT_NE(refusal(file(text, counting(4))), "accepted") << text;
  }
}

TEST(Npy, a_bool_that_is_neither_true_nor_false_is_refused) {
  EXPECT_TRUE(contains(refusal(file(header("|b1", "(3,)"), counting(3))), "neither 0 nor 1"));
}

}  // namespace
}  // namespace casemate::client
