// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/scan.h"

#include <gtest/gtest.h>

#include "isolated/engine/onnx/model_builder.h"

namespace casemate::engine {
namespace {

Bytes view(const std::string& text) { return bytes_of(std::string_view(text)); }

// A field with a length, as protobuf writes it.
std::string field(uint32_t number, const std::string& content) {
  std::string text(1, static_cast<char>(number << 3 | 2));
  for (size_t length = content.size();; length >>= 7) {
    text += static_cast<char>((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
    if (length <= 0x7F) return text + content;
  }
}

void expect_refused(const std::string& file, Code code, std::string_view words,
                    ScanLimits limits = {}) {
  const Status status = scan_onnx(view(file), limits);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, code);
  EXPECT_NE(status.error().text.find(words), std::string::npos) << status.error().text;
}

TEST(Scan, accepts_what_protobuf_writes) {
  EXPECT_TRUE(scan_onnx(view(small_network().bytes()), {}));
}

TEST(Scan, says_where_the_file_stops_making_sense) {
  expect_refused("", Code::kInvalid, "the file is empty");
  expect_refused(std::string("\x08", 1), Code::kInvalid, "a number is cut off at byte 1");
  expect_refused(std::string("\x08") + std::string(11, '\xFF'), Code::kInvalid,
                 "a number of more than 10 bytes");
  expect_refused("\x3A\x7F", Code::kInvalid, "a field is longer than what encloses it at byte 2");
  expect_refused("\x3B", Code::kInvalid, "a wire type that ONNX does not use");
  expect_refused(std::string("\x02\x00", 2), Code::kInvalid, "an impossible field number");
  expect_refused(field(7, field(1, "\x0A\x05")), Code::kInvalid, "longer than what encloses it");
  expect_refused(std::string("\x09") + "1234567", Code::kInvalid, "longer than what encloses it");
}

TEST(Scan, refuses_a_hundred_thousand_nested_subgraphs_before_anybody_recurses) {
  // Built from the inside out, with lengths in five bytes each so that a prefix has a fixed size.
  std::string file;
  constexpr int kDepth = 100000;
  std::vector<std::string> prefixes;
  const auto prefix = [](uint32_t number, size_t length) {
    std::string text(1, static_cast<char>(number << 3 | 2));
    for (int i = 0; i < 4; ++i, length >>= 7) text += static_cast<char>((length & 0x7F) | 0x80);
    return text + static_cast<char>(length);
  };
  size_t size = 0;
  for (int i = 0; i < kDepth; ++i) {
    for (const uint32_t number :
         {6u, 5u, 1u}) {  // graph in attribute, attribute in node, node in graph
      prefixes.push_back(prefix(number, size));
      size += prefixes.back().size();
    }
  }
  file = prefix(7, size);
  for (auto it = prefixes.rbegin(); it != prefixes.rend(); ++it) file += *it;
  expect_refused(file, Code::kTooLarge, "nested too deep");
}

TEST(Scan, refuses_deep_types_too) {
  // sequence(sequence(...)): a list type within a type within a list type.
  std::string type;
  for (int i = 0; i < 60; ++i) type = field(4, field(1, type));
  expect_refused(field(7, field(11, field(2, type))), Code::kTooLarge, "nested too deep");
}

TEST(Scan, counts_what_protobuf_would_allocate) {
  // Two bytes in the file, hundreds in memory.
  std::string nodes;
  for (int i = 0; i < 100000; ++i) nodes += field(1, "");
  expect_refused(field(7, nodes), Code::kTooLarge, "allow it more memory",
                 {.memory_bytes_max = 30 << 20});
  EXPECT_TRUE(scan_onnx(view(field(7, nodes)), {.memory_bytes_max = 50 << 20}));
  // One byte in the file, eight in memory.
  const std::string numbers = field(7, field(5, field(7, std::string(1 << 20, '\x01'))));
  expect_refused(numbers, Code::kTooLarge, "allow it more memory", {.memory_bytes_max = 8 << 20});
  // Bytes are bytes.
  EXPECT_TRUE(scan_onnx(view(field(7, field(5, field(9, std::string(1 << 20, '\x01'))))),
                        {.memory_bytes_max = 8 << 20}));
}

// A file with a large initializer, a small one, and a second large one; then what is left out.
struct Outlined {
  explicit Outlined(const std::string& written) : file(written) {
    std::vector<Initializer> initializers;
    EXPECT_TRUE(scan_onnx(view(file), {}, &initializers));
    outline = outline_of(view(file), initializers);
  }
  std::string file;
  Outline outline;
};

ModelBuilder three_initializers() {
  ModelBuilder b;
  b.input("x", {1});
  b.noise("first", {100, 100});
  b.noise("small", {5});
  b.noise("last", {9, 1000});
  b.node("Relu", {"x"}, "y");
  b.output("y", {1});
  return b;
}

TEST(Outline, leaves_out_what_is_large_and_nothing_else) {
  ModelBuilder b = three_initializers();
  const Outlined made(b.bytes());
  ASSERT_EQ(made.outline.raw.size(), 3u);
  EXPECT_EQ(text_of(made.outline.raw[0]), b.graph().initializer(0).raw_data());
  EXPECT_TRUE(made.outline.raw[1].empty());
  EXPECT_EQ(text_of(made.outline.raw[2]), b.graph().initializer(2).raw_data());
  EXPECT_LT(made.outline.file.size(), 1000u);
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(made.outline.file));
  for (const int i : {0, 2}) b.graph().mutable_initializer(i)->clear_raw_data();
  EXPECT_EQ(parsed.SerializeAsString(), b.bytes());
}

TEST(Outline, of_a_graph_in_two_parts_is_what_protobuf_makes_of_both) {
  ModelBuilder first = three_initializers();
  ModelBuilder second;
  second.noise("more", {100, 100});
  const Outlined made(first.bytes() + field(7, second.graph().SerializeAsString()));
  ASSERT_EQ(made.outline.raw.size(), 4u);
  EXPECT_EQ(text_of(made.outline.raw[3]), second.graph().initializer(0).raw_data());
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(made.outline.file));
  ASSERT_EQ(parsed.graph().initializer_size(), 4);
  EXPECT_EQ(parsed.graph().initializer(3).name(), "more");
  EXPECT_EQ(parsed.graph().node_size(), 1);
}

TEST(Outline, leaves_to_protobuf_a_tensor_that_has_its_data_twice) {
  const std::string tensor = field(9, std::string(40000, 'a')) + field(9, std::string(40000, 'b'));
  const Outlined made(field(7, field(5, tensor)));
  EXPECT_TRUE(made.outline.file.empty());
  EXPECT_TRUE(made.outline.raw[0].empty());
}

TEST(Outline, leaves_tensors_of_nodes_alone) {
  const std::string tensor = field(5, field(9, std::string(40000, 'a')));
  const Outlined made(field(7, field(1, field(5, tensor))));
  EXPECT_TRUE(made.outline.raw.empty());
  EXPECT_TRUE(made.outline.file.empty());
}

}  // namespace
}  // namespace casemate::engine
