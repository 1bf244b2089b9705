// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/grpc/infer_message.h"

#include <gtest/gtest.h>

#include "isolated/gateway/grpc/fields.h"
#include "isolated/gateway/grpc/messages.h"

namespace casemate::gateway {
namespace {

constexpr size_t kTypedMax = 1 << 20;

std::string input(std::string_view name, std::string_view type, std::initializer_list<int64_t> dims,
                  std::string_view contents = "") {
  std::string message;
  FieldWriter(message)
      .text(1, name)
      .text(2, type)
      .packed(3, std::vector<int64_t>(dims))
      .text(5, contents);
  return message;
}

std::string request(std::initializer_list<std::string> inputs,
                    std::initializer_list<std::string> raw = {}) {
  std::string message;
  FieldWriter out(message);
  out.text(1, "m").text(2, "3").text(3, "id");
  for (const std::string& each : inputs) out.element(5, each);
  for (const std::string& each : raw) out.element(7, each);
  return message;
}

Result<GrpcInferRequest> read(const std::string& message) {
  return read_infer_request(bytes_of(std::string_view(message)), kTypedMax);
}

void expect_refused(const std::string& message, std::string_view words) {
  const auto result = read(message);
  ASSERT_FALSE(result) << words;
  EXPECT_TRUE(result.error().text.contains(words)) << result.error().text;
}

TEST(InferMessage, raw_contents_stay_where_they_are) {
  const std::string message = request({input("x", "FP32", {1, 2})}, {"12345678"});
  const auto result = read(message);
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->model, "m");
  EXPECT_EQ(result->version, "3");
  EXPECT_EQ(result->request.id, "id");
  const JsonInput& x = result->request.inputs.at(0);
  EXPECT_EQ(text_of(*x.raw), "12345678");
  EXPECT_EQ(x.raw->data(), bytes_of(std::string_view(message)).data() + message.size() - 8);
  EXPECT_EQ(*x.shape, (Shape{1, 2}));
}

TEST(InferMessage, typed_contents_become_what_a_tensor_holds) {
  std::string integers;
  FieldWriter(integers).packed(2, std::vector<int64_t>{-1, 127});
  std::string strings;
  FieldWriter(strings).element(8, "ab").element(8, "");
  const auto result =
      read(request({input("n", "INT8", {2}, integers), input("s", "BYTES", {2}, strings)}));
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(result->request.inputs[0].data, (std::vector<uint8_t>{0xff, 0x7f}));
  EXPECT_EQ(text_of(result->request.inputs[1].data), std::string("\2\0\0\0ab\0\0\0\0", 10));
}

TEST(InferMessage, numbers_beyond_the_type_are_refused) {
  std::string contents;
  FieldWriter(contents).packed(2, std::vector<int64_t>{128});
  expect_refused(request({input("n", "INT8", {1}, contents)}), "beyond the range of INT8");
}

TEST(InferMessage, contents_of_another_list_are_refused) {
  std::string contents;
  FieldWriter(contents).packed(3, std::vector<int64_t>{1});
  expect_refused(request({input("n", "INT8", {1}, contents)}), "takes int_contents");
  expect_refused(request({input("n", "FP16", {1}, contents)}), "no typed form");
}

TEST(InferMessage, what_does_not_add_up_is_refused) {
  std::string contents;
  FieldWriter(contents).packed(2, std::vector<int64_t>{1});
  expect_refused(request({input("n", "INT8", {2}, contents)}), "takes 2 elements");
  expect_refused(request({input("n", "INT8", {1}, contents)}, {"x"}), "exclude each other");
  expect_refused(request({input("n", "INT8", {1})}, {"x", "y"}), "2 raw_input_contents for 1");
  expect_refused(request({input("n", "INT8", {-1})}, {"x"}), "negative extent -1");
  expect_refused(request({input("n", "INT8", {1, 1, 1, 1, 1, 1, 1, 1, 1})}, {"x"}), "extents");
  expect_refused(request({input("n", "INT9", {1})}, {"x"}), "no datatype");
  expect_refused(request({input("n", "", {1})}, {"x"}), "no datatype");
  expect_refused(request({input(std::string(1025, 'n'), "INT8", {1})}, {"x"}), "longer than");
  expect_refused(request({input("\xff", "INT8", {1})}, {"x"}), "UTF-8");
  const auto large = read_infer_request(
      bytes_of(std::string_view(request({input("n", "INT8", {1}, contents)}))), 1);
  EXPECT_TRUE(large.error().text.contains("raw_input_contents")) << large.error().text;
}

TEST(InferMessage, every_cut_of_a_message_is_refused_or_sound) {
  std::string contents;
  FieldWriter(contents).packed(2, std::vector<int64_t>{1, 2, 3});
  const std::string whole = request({input("n", "INT8", {3}, contents)});
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    const auto result = read(cut);
    if (result) {
      EXPECT_LE(result->request.inputs.size(), 1u);
    }
  }
}

TEST(InferMessage, unknown_fields_are_skipped_and_groups_are_not) {
  std::string message = request({input("n", "INT8", {1})}, {"x"});
  FieldWriter(message).number(100, 5).text(101, "new");
  EXPECT_TRUE(read(message));
  expect_refused(message + "\x0b", "no protobuf message");
}

TEST(InferMessage, contents_in_many_pieces_are_bounded) {
  std::string pieces = input("n", "INT8", {1});
  for (uint32_t i = 0; i <= limits::kModelPorts; ++i) FieldWriter(pieces).element(5, "");
  expect_refused(request({pieces}), "more than 32 pieces of contents");
}

TEST(InferMessage, what_is_not_raw_is_bounded_even_where_it_means_nothing) {
  std::string message = request({input("n", "INT8", {1})}, {"x"});
  EXPECT_LT(typed_bytes(bytes_of(std::string_view(message)), kTypedMax), message.size());
  while (message.size() < 2 * kTypedMax) FieldWriter(message).number(15, 1);
  expect_refused(message, "not in raw_input_contents");
  EXPECT_LT(typed_bytes(bytes_of(std::string_view(message)), 1000), 1010u) << "and no further";
  const std::string large(2 * kTypedMax, 'x');
  const std::string raw = request({input("n", "INT8", {1})}, {large});
  EXPECT_TRUE(read(raw)) << "raw contents have no bound of their own";
  EXPECT_LT(typed_bytes(bytes_of(std::string_view(raw)), kTypedMax), 100u);
}

TEST(SingleMessage, has_a_head_that_tells_the_truth) {
  const auto of = [](std::string_view text) { return single_message(bytes_of(text)); };
  EXPECT_EQ(text_of(*of(std::string_view("\0\0\0\0\3abc", 8))), "abc");
  EXPECT_EQ(of(std::string_view("\0\0\0\0\3ab", 7)).error().code, Code::kInvalid);
  EXPECT_EQ(of(std::string_view("\0\0\0\0\3abcd", 9)).error().code, Code::kInvalid);
  EXPECT_EQ(of(std::string_view("\1\0\0\0\3abc", 8)).error().code, Code::kUnsupported);
  EXPECT_EQ(of("").error().code, Code::kInvalid);
}

TEST(FieldReader, refuses_varints_beyond_64_bits_and_lengths_beyond_the_end) {
  const std::string_view wrong[] = {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                                    "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
                                    "\x0a\x05"
                                    "abcd",
                                    "\x0d\x01\x02\x03",
                                    "\x09\x01",
                                    "\x07",
                                    "\x80"};
  for (const std::string_view text : wrong) {
    FieldReader field(bytes_of(text));
    EXPECT_FALSE(field.next());
    EXPECT_TRUE(field.broken());
  }
}

TEST(GrpcMethods, are_known_by_their_whole_name) {
  EXPECT_EQ(grpc_method("/inference.GRPCInferenceService/ModelInfer"), GrpcMethod::kModelInfer);
  EXPECT_EQ(grpc_method("/inference.GRPCInferenceService/modelinfer"), GrpcMethod::kUnknown);
  EXPECT_EQ(grpc_method("/grpc.health.v1.Health/Check"), GrpcMethod::kHealthCheck);
  EXPECT_FALSE(of_grpc("/v2/models/m/infer"));
}

}  // namespace
}  // namespace casemate::gateway
