// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/inference_request.h"
#include "base/format.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>

#include "isolated/gateway/protocol/json_text.h"

namespace casemate::gateway {
namespace {

using std::string_literals::operator""s;

constexpr size_t kJsonMax = 1 << 20;

PortDescription port(std::string_view name, ElementType type, const Shape& shape) {
  PortDescription made;
  made.name = Text<128>::from(name);
  made.type = static_cast<uint32_t>(type);
  made.rank = shape.rank();
  std::ranges::copy(shape.dims(), made.dims.begin());
  return made;
}

ModelDescription model_of(std::initializer_list<PortDescription> inputs,
                          std::initializer_list<PortDescription> outputs, uint32_t batch_max = 0) {
  ModelDescription model;
  std::ranges::copy(inputs, model.inputs.begin());
  std::ranges::copy(outputs, model.outputs.begin());
  model.input_count = static_cast<uint32_t>(inputs.size());
  model.output_count = static_cast<uint32_t>(outputs.size());
  model.batch_max = batch_max;
  return model;
}

ModelDescription one(ElementType type, const Shape& shape, uint32_t batch_max = 0) {
  return model_of({port("x", type, shape)}, {port("y", ElementType::kFloat32, {2})}, batch_max);
}

Result<InferenceRequest> parse(const ModelDescription& model, std::string_view body,
                               std::optional<std::string_view> length = std::nullopt) {
  return parse_inference_request(model, bytes_of(body), length, kJsonMax);
}

// The sentence that `body` is refused with.
std::string refusal(const ModelDescription& model, std::string_view body,
                    std::optional<std::string_view> length = std::nullopt) {
  const auto parsed = parse(model, body, length);
  return parsed ? "accepted" : parsed.error().text;
}

std::string input(std::string_view datatype, std::string_view shape, std::string_view data) {
  return formatted(R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}","data":{}}}]}})", shape,
                   datatype, data);
}

// A binary request: the JSON, what follows it, and the header.
std::string refusal_binary(const ModelDescription& model, std::string json, std::string_view tail) {
  const std::string length = std::to_string(json.size());
  json += tail;
  return refusal(model, json, length);
}
std::string binary_input(std::string_view datatype, std::string_view shape, std::string_view size) {
  return formatted(R"({{"inputs":[{{"name":"x","shape":{},"datatype":"{}",)"
                   R"("parameters":{{"binary_data_size":{}}}}}]}})",
                   shape, datatype, size);
}

template <class T>
std::vector<T> values(const TensorView& tensor) {
  std::vector<T> out(tensor.data.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

const ModelDescription kFloats = one(ElementType::kFloat32, {2});

TEST(InferenceRequest, reads_flat_and_nested_data_alike) {
  const auto model = one(ElementType::kInt32, {2, 3});
  const auto flat = parse(model, input("INT32", "[2,3]", "[1,-2,3,4,5,6]"));
  const auto nested = parse(model, input("INT32", "[2,3]", "[[1,-2,3],[4,5,6]]"));
  ASSERT_TRUE(flat && nested);
  EXPECT_EQ(values<int32_t>(flat->inputs[0]), (std::vector<int32_t>{1, -2, 3, 4, 5, 6}));
  EXPECT_EQ(values<int32_t>(nested->inputs[0]), values<int32_t>(flat->inputs[0]));
  EXPECT_FALSE(flat->uses_body);
}

TEST(InferenceRequest, keys_may_come_in_any_order) {
  const auto parsed = parse(
      kFloats, R"({"inputs":[{"data":[1,2],"datatype":"FP32","name":"x","shape":[2]}],"id":"a"})");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(values<float>(parsed->inputs[0]), (std::vector<float>{1, 2}));
  EXPECT_EQ(parsed->id, "a");
}

TEST(InferenceRequest, unknown_keys_are_skipped_as_triton_does) {
  const auto parsed =
      parse(kFloats, R"({"trace":{"a":[1,{"b":null}]},"inputs":[{"name":"x",)"
                     R"("hint":[[]],"shape":[2],"datatype":"FP32","data":[1,2]}]})");
  EXPECT_TRUE(parsed) << parsed.error().text;
}

TEST(InferenceRequest, binary_tensors_are_views_into_the_body_in_json_order) {
  const auto model =
      model_of({port("a", ElementType::kUint8, {2}), port("b", ElementType::kUint8, {-1})},
               {port("y", ElementType::kFloat32, {1})});
  std::string body = R"({"inputs":[{"name":"b","shape":[1],"datatype":"UINT8","parameters":)"
                     R"({"binary_data_size":1}},{"name":"a","shape":[2],"datatype":"UINT8",)"
                     R"("parameters":{"binary_data_size":2}}]})";
  const std::string length = std::to_string(body.size());
  const size_t at = body.size();
  body += "\x01\x02\x03";
  const auto parsed = parse(model, body, length);
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(values<uint8_t>(parsed->inputs[0]), (std::vector<uint8_t>{2, 3}));
  EXPECT_EQ(values<uint8_t>(parsed->inputs[1]), (std::vector<uint8_t>{1}));
  EXPECT_EQ(text_of(parsed->inputs[1].data).data(), body.data() + at);
  EXPECT_TRUE(parsed->uses_body);
}

TEST(InferenceRequest, json_and_binary_inputs_may_be_mixed) {
  const auto model =
      model_of({port("a", ElementType::kUint8, {1}), port("b", ElementType::kInt16, {2})},
               {port("y", ElementType::kFloat32, {1})});
  std::string body = R"({"inputs":[{"name":"b","shape":[2],"datatype":"INT16","data":[7,-7]},)"
                     R"({"name":"a","shape":[1],"datatype":"UINT8","parameters":)"
                     R"({"binary_data_size":1}}]})";
  const std::string length = std::to_string(body.size());
  body += '\x09';
  const auto parsed = parse(model, body, length);
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(values<int16_t>(parsed->inputs[1]), (std::vector<int16_t>{7, -7}));
  EXPECT_EQ(values<uint8_t>(parsed->inputs[0]), (std::vector<uint8_t>{9}));
}

TEST(InferenceRequest, every_datatype_is_read_as_json_and_as_binary) {
  struct Case {
    ElementType type;
    std::string_view data;  // empty: has no JSON form
    std::string bytes;
  };
  const Case cases[] = {
      {ElementType::kBool, "[true,false]", {1, 0}},
      {ElementType::kUint8, "[255,0]", {'\xff', 0}},
      {ElementType::kInt8, "[-1,2]", {'\xff', 2}},
      {ElementType::kUint16, "[65535,1]", {'\xff', '\xff', 1, 0}},
      {ElementType::kInt16, "[-2,1]", {'\xfe', '\xff', 1, 0}},
      {ElementType::kUint32, "[1,2]", {1, 0, 0, 0, 2, 0, 0, 0}},
      {ElementType::kInt32, "[1,-1]", "\1\0\0\0\xff\xff\xff\xff"s},
      {ElementType::kUint64, "[1,2]", "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"s},
      {ElementType::kInt64, "[1,2]", "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"s},
      {ElementType::kFloat32, "[1,-2]", "\0\0\x80\x3f\0\0\0\xc0"s},
      {ElementType::kFloat64, "[1,2.0]", "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"s},
      {ElementType::kFloat16, "", "abcd"},
      {ElementType::kBfloat16, "", "abcd"},
      {ElementType::kString, R"(["a",""])", "\1\0\0\0a\0\0\0\0"s}};
  for (const auto& [type, data, bytes] : cases) {
    const auto model = one(type, {2});
    const std::string name(name_of(type));
    const std::string json = binary_input(name, "[2]", std::to_string(bytes.size()));
    const std::string body = json + bytes;
    const auto binary = parse(model, body, std::to_string(json.size()));
    ASSERT_TRUE(binary) << name << ": " << binary.error().text;
    EXPECT_EQ(text_of(binary->inputs[0].data), bytes) << name;
    if (data.empty()) continue;
    const std::string text = input(name, "[2]", data);
    const auto parsed = parse(model, text);
    ASSERT_TRUE(parsed) << name << ": " << parsed.error().text;
    EXPECT_EQ(text_of(parsed->inputs[0].data), bytes) << name;
  }
}

TEST(InferenceRequest, no_mistake_of_a_client_is_the_servers_fault) {
  const auto half = one(ElementType::kFloat16, {2});
  for (const auto& [model, body] :
       {std::pair(half, input("FP16", "[2]", "[1,2]")),
        {kFloats, std::string(R"({"parameters":{"sequence_id":5}})")},
        {kFloats, R"({"inputs":[{"parameters":{"shared_memory_region":"a"}}]})"}})
    EXPECT_EQ(parse(model, body).error().code, Code::kInvalid) << body;
}

// Hostile JSON.

TEST(HostileJson, nesting_is_bounded) {
  EXPECT_SAYS(refusal(kFloats, std::string(1'000'000, '[')), "is an array");
  EXPECT_SAYS(refusal(kFloats, R"({"a":)" + std::string(1'000'000, '[')), "deeper than 16");
  std::string objects;
  for (int i = 0; i < 100; ++i) objects += R"({"a":)";
  EXPECT_SAYS(refusal(kFloats, objects), "deeper than 16");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", std::string(100, '['))), "nested unevenly");
}

TEST(HostileJson, a_million_keys_are_too_many) {
  std::string json = "{";
  for (int i = 0; i < 60'000; ++i) json += formatted("\"k{}\":0,", i);
  EXPECT_SAYS(refusal(kFloats, json + R"("id":"x"})"), "more than 64 keys");
  std::string spread = R"({"a":[)";
  for (int i = 0; i < 2000; ++i) spread += R"({"k":0},)";
  EXPECT_SAYS(refusal(kFloats, spread + "0]}"), "1024 in all");
}

TEST(HostileJson, one_object_has_64_keys_at_most) {
  const auto with = [](int count) {
    std::string json = "{";
    for (int i = 1; i < count; ++i) json += formatted("\"k{}\":0,", i);
    return refusal(kFloats, json + R"("id":"x"})");
  };
  EXPECT_SAYS(with(64), "input 'x' is missing");
  EXPECT_SAYS(with(65), "more than 64 keys");
}

TEST(HostileJson, inputs_and_outputs_are_counted) {
  for (const std::string_view kind : {"inputs", "outputs"}) {
    std::string json = formatted(R"({{"{}":[)", kind);
    for (uint32_t i = 0; i < limits::kModelPorts; ++i) json += "{},";
    EXPECT_SAYS(refusal(kFloats, json + "{}]}"), "at most 32");
  }
}

TEST(HostileJson, the_longest_timeout_is_still_a_time) {
  const auto parsed =
      parse(kFloats, R"({"parameters":{"timeout":18446744073709551615},"inputs":[)"
                     R"({"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}]})");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->timeout, std::chrono::days(90));
}

TEST(HostileJson, duplicate_keys_are_refused_wherever_they_stand) {
  for (const std::string_view json :
       {R"({"inputs":[],"inputs":[]})", R"({"id":"a","id":"b"})", R"({"foo":1,"foo":2})",
        R"({"inputs":[{"name":"x","name":"x"}]})", R"({"parameters":{"a":1,"a":1}})",
        R"({"foo":{"a":1,"a":2}})"})
    EXPECT_SAYS(refusal(kFloats, json), "appears twice");
}

TEST(HostileJson, trailing_data_and_broken_text_are_refused_with_a_position) {
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[1,2]") + "x"), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[1,2]") + "{}"), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, ""), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, R"({"inputs":[}])"), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, R"({"inputs")"), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, "5"), "no object");
  EXPECT_SAYS(refusal(kFloats, "/* comment */ {}"), "wrong at byte");
}

TEST(HostileJson, text_that_is_not_utf8_is_refused) {
  EXPECT_SAYS(refusal(kFloats, "{\"id\":\"\xFF\"}"), "UTF-8");
  EXPECT_SAYS(refusal(kFloats, "{\"id\":\"\xC0\x80\"}"), "UTF-8");
  EXPECT_SAYS(refusal(kFloats, "{\"id\":\"\xED\xA0\x80\"}"), "UTF-8") << "a surrogate in UTF-8";
  EXPECT_SAYS(refusal(kFloats, R"({"id":"\ud800"})"), "surrogate");
  EXPECT_SAYS(refusal(kFloats, R"({"id":"\udc00\ud800"})"), "surrogate");
}

TEST(HostileJson, nul_and_overlong_names_are_refused) {
  EXPECT_SAYS(refusal(kFloats, R"({"id":"a\u0000b"})"), "NUL");
  EXPECT_SAYS(refusal(kFloats, R"({"inputs":[{"name":"x\u0000"}]})"), "NUL");
  EXPECT_SAYS(refusal(kFloats, std::string("{\"id\":\"a\0b\"}", 12)), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, R"({"id":")" + std::string(2000, 'a') + R"("})"), "longer than");
}

TEST(HostileJson, nan_infinity_and_overflowing_numbers_are_refused) {
  for (const std::string_view data : {"[NaN,1]", "[Infinity,1]", "[-Infinity,1]", "[nan,1]"})
    EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", data)), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[1e999,1]")), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[1e39,1]")), "beyond the range of FP32");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[0x10,1]")), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[01,1]")), "wrong at byte");
}

TEST(HostileJson, minus_zero_keeps_its_sign_as_a_real_number) {
  const auto parsed = parse(kFloats, input("FP32", "[2]", "[-0.0,-0]"));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(std::signbit(values<float>(parsed->inputs[0])[0]));
  EXPECT_EQ(values<float>(parsed->inputs[0])[1], 0.0f);
}

TEST(HostileJson, integers_are_exact_up_to_their_type_and_refused_beyond) {
  const auto model = one(ElementType::kInt64, {2});
  const auto parsed =
      parse(model, input("INT64", "[2]", "[9223372036854775807,-9223372036854775808]"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(values<int64_t>(parsed->inputs[0]), (std::vector<int64_t>{INT64_MAX, INT64_MIN}));
  for (const std::string_view data :
       {"[9223372036854775808,0]", "[-9223372036854775809,0]", "[18446744073709551616,0]"})
    EXPECT_SAYS(refusal(model, input("INT64", "[2]", data)), "beyond the range of INT64");
  const auto naturals = one(ElementType::kUint64, {2});
  EXPECT_TRUE(parse(naturals, input("UINT64", "[2]", "[18446744073709551615,9007199254740993]")));
  EXPECT_SAYS(refusal(naturals, input("UINT64", "[2]", "[-1,0]")), "beyond the range of UINT64");
  EXPECT_SAYS(refusal(one(ElementType::kInt8, {2}), input("INT8", "[2]", "[128,0]")),
              "element 0 is 128, beyond the range of INT8");
}

TEST(HostileJson, fractions_are_refused_for_integer_tensors) {
  const auto model = one(ElementType::kInt32, {2});
  EXPECT_SAYS(refusal(model, input("INT32", "[2]", "[1,2.5]")), "element 1 is 2.5");
  EXPECT_SAYS(refusal(model, input("INT32", "[2]", "[1,1e2]")), "whole numbers");
}

TEST(HostileJson, elements_of_another_kind_are_refused) {
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", R"(["1",2])")), "element 0 is a string");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[true,2]")), "element 0 is true");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[null,2]")), "'x'");
  EXPECT_SAYS(refusal(kFloats, input("FP32", "[2]", "[{},2]")), "an object");
  const auto bools = one(ElementType::kBool, {2});
  EXPECT_TRUE(parse(bools, input("BOOL", "[2]", "[true,0]")));
  EXPECT_SAYS(refusal(bools, input("BOOL", "[2]", "[2,0]")), "true or false");
}

TEST(HostileJson, parameters_are_strings_numbers_or_booleans) {
  for (const std::string_view value : {"null", "[]", "{}"}) {
    EXPECT_NE(refusal(kFloats, formatted(R"({{"parameters":{{"a":{}}}}})", value)), "accepted");
    EXPECT_NE(refusal(kFloats, formatted(R"({{"outputs":[{{"parameters":{{"a":{}}}}}]}})", value)),
              "accepted");
  }
  EXPECT_SAYS(refusal(kFloats, R"({"parameters":{"triton_x":1}})"), "reserved");
  EXPECT_SAYS(refusal(kFloats, R"({"parameters":{"sequence_id":5}})"), "sequence_id");
  EXPECT_SAYS(refusal(kFloats, R"({"parameters":{"timeout":-5}})"), "timeout");
  EXPECT_SAYS(
      refusal(kFloats,
              R"({"inputs":[{"name":"x","parameters":{"shared_memory_region":"secret"}}]})"),
      "shared memory");
}

// Hostile tensors.

TEST(HostileTensors, the_header_length_is_a_plain_number_within_the_body) {
  const std::string json = binary_input("FP32", "[2]", "8");
  for (const std::string_view length :
       {"-1", "+10", "0x10", "", " 5", "5 ", "1e2", "abc", "99999999999999999999999", "4294967296"})
    EXPECT_SAYS(refusal(kFloats, json + "12345678", length), "Inference-Header-Content-Length");
  EXPECT_SAYS(refusal(kFloats, json + "12345678", "3"), "wrong at byte");
  EXPECT_SAYS(refusal(kFloats, json), "has no header Inference-Header-Content-Length");
}

TEST(HostileTensors, binary_data_size_must_be_what_shape_and_datatype_take) {
  EXPECT_SAYS(refusal_binary(kFloats, binary_input("FP32", "[2]", "7"), "1234567"), "takes 8");
  EXPECT_SAYS(refusal_binary(kFloats, binary_input("FP32", "[2]", "9"), "123456789"), "takes 8");
  EXPECT_SAYS(refusal_binary(kFloats, binary_input("FP32", "[2]", "-8"), "12345678"),
              "binary_data_size takes");
  EXPECT_SAYS(refusal_binary(kFloats, binary_input("FP32", "[2]", "8.0"), "12345678"),
              "binary_data_size takes");
  EXPECT_SAYS(refusal_binary(kFloats, binary_input("FP32", "[2]", "\"8\""), "12345678"),
              "binary_data_size takes");
  EXPECT_SAYS(refusal_binary(kFloats, binary_input("FP32", "[2]", "8"), "1234567"),
              "only 7 bytes of the body are left");
  EXPECT_SAYS(refusal_binary(kFloats, binary_input("FP32", "[2]", "8"), "123456789"),
              "1 bytes of the body belong to no input");
  EXPECT_SAYS(
      refusal_binary(kFloats, binary_input("FP32", "[2]", "18446744073709551615"), "12345678"),
      "takes 8");
}

TEST(HostileTensors, sizes_that_wrap_around_are_refused) {
  const auto texts =
      model_of({port("a", ElementType::kString, {1}), port("x", ElementType::kString, {1})},
               {port("y", ElementType::kFloat32, {1})});
  // Together, 2^64 - 5 and 10 would be the 5 bytes that there are.
  const auto sized = [](std::string_view name, std::string_view size) {
    return formatted(R"({{"name":"{}","shape":[1],"datatype":"BYTES","parameters":)"
                     R"({{"binary_data_size":{}}}}})",
                     name, size);
  };
  for (const auto& [first, second] :
       {std::pair("18446744073709551611", "10"), {"5", "18446744073709551611"}})
    EXPECT_SAYS(refusal_binary(
                    texts, R"({"inputs":[)" + sized("a", first) + "," + sized("x", second) + "]}",
                    std::string_view("\1\0\0\0a", 5)),
                "bytes of the body are left");
  const auto floats = one(ElementType::kFloat32, {-1});
  for (const std::string_view shape : {"[4611686018427387904]", "[4611686018427387905]"})
    EXPECT_NE(refusal_binary(floats, binary_input("FP32", shape, "0"), ""), "accepted") << shape;
}

TEST(HostileTensors, data_and_binary_data_size_exclude_each_other_and_one_must_be_there) {
  const std::string both = R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2],)"
                           R"("parameters":{"binary_data_size":8}}]})";
  EXPECT_SAYS(refusal_binary(kFloats, both, "12345678"), "exactly one of data");
  EXPECT_SAYS(refusal(kFloats, R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32"}]})"),
              "exactly one of data");
}

TEST(HostileTensors, every_dimension_is_given_and_sound) {
  const auto model = one(ElementType::kFloat32, {-1, -1});
  EXPECT_SAYS(refusal(model, input("FP32", "[-1,2]", "[1,2]")), "negative extent -1");
  EXPECT_SAYS(refusal(model, input("FP32", "[2.0,1]", "[1,2]")), "whole numbers");
  EXPECT_SAYS(refusal(model, input("FP32", "[4294967296,4294967296]", "[1,2]")), "data has 2");
  EXPECT_SAYS(refusal(model, input("FP32", "[18446744073709551615,1]", "[1,2]")), "2^63-1");
  EXPECT_SAYS(refusal_binary(model, binary_input("FP32", "[4294967296,4294967296]", "0"), ""),
              "more than 2^62");
  EXPECT_SAYS(refusal_binary(model, binary_input("FP32", "[65536,65536]", "0"), ""), "256 MiB");
  std::string dims = "1";
  for (int i = 0; i < 64; ++i) dims += ",1";
  EXPECT_SAYS(refusal(model, input("FP32", "[" + dims + "]", "[1]")), "more than 8 dimensions");
  EXPECT_SAYS(refusal(model, input("FP32", "[2]", "[1,2]")), "does not fit [-1,-1]");
  EXPECT_SAYS(refusal(model, input("FP32", "[2,2]", "[1,2,3]")), "data has 3 elements");
  EXPECT_SAYS(refusal(model, input("FP32", "[[2],2]", "[1,2,3]")), "shape takes whole");
  EXPECT_SAYS(refusal(model, input("FP32", "2", "[1,2,3]")), "shape takes an array");
}

TEST(HostileTensors, empty_tensors_are_tensors) {
  const auto model = one(ElementType::kFloat32, {-1, 3});
  EXPECT_TRUE(parse(model, input("FP32", "[0,3]", "[]")));
  const std::string json = binary_input("FP32", "[0,3]", "0");
  EXPECT_TRUE(parse(model, json, std::to_string(json.size())));
}

TEST(HostileTensors, data_nested_against_its_shape_is_refused) {
  const auto model = one(ElementType::kFloat32, {2, 2});
  for (const std::string_view data :
       {"[[1,2],[3]]", "[[1,2,3,4]]", "[[1],[2],[3],[4]]", "[[[1,2],[3,4]]]", "[1,[2,3,4]]",
        "[[1,2],3,4]", "[[1,2],[3,4],[]]", "[[],[1,2,3,4]]"})
    EXPECT_NE(refusal(model, input("FP32", "[2,2]", data)), "accepted") << data;
}

TEST(HostileTensors, the_batch_is_bounded_and_the_same_for_all_inputs) {
  const auto model = one(ElementType::kUint8, {-1, 1}, 2);
  EXPECT_TRUE(parse(model, input("UINT8", "[2,1]", "[1,2]")));
  EXPECT_SAYS(refusal(model, input("UINT8", "[3,1]", "[1,2,3]")), "must be from 1 to 2");
  EXPECT_SAYS(refusal(model, input("UINT8", "[0,1]", "[]")), "must be from 1 to 2");
  const auto two =
      model_of({port("a", ElementType::kUint8, {-1}), port("b", ElementType::kUint8, {-1})},
               {port("y", ElementType::kUint8, {-1})}, 4);
  EXPECT_SAYS(refusal(two, R"({"inputs":[{"name":"a","shape":[1],"datatype":"UINT8","data":[1]},)"
                           R"({"name":"b","shape":[2],"datatype":"UINT8","data":[1,2]}]})"),
              "a batch of 2 items, another input one of 1");
}

TEST(HostileTensors, bytes_elements_fill_their_buffer_exactly) {
  const auto model = one(ElementType::kString, {2});
  const std::string good("\x01\0\0\0a\0\0\0\0", 9);
  const std::string json = binary_input("BYTES", "[2]", "9");
  EXPECT_TRUE(parse(model, json + good, std::to_string(json.size())));
  const auto with = [&](std::string_view tail) {
    return refusal_binary(model, binary_input("BYTES", "[2]", std::to_string(tail.size())), tail);
  };
  EXPECT_SAYS(with(std::string_view("\x02\0\0\0a", 5)), "only 1 follow");
  EXPECT_SAYS(with(std::string_view("\xff\xff\xff\xff", 4)), "only 0 follow");
  EXPECT_SAYS(with(std::string_view(good).substr(0, 8)), "inside the length of element 1");
  EXPECT_SAYS(with(good + "z"), "1 bytes are left over");
  EXPECT_TRUE(parse(model, input("BYTES", "[2]", R"(["a",""])")));
  EXPECT_SAYS(refusal(model, input("BYTES", "[2]", "[1,2]")), "takes strings");
}

TEST(HostileTensors, a_bool_byte_is_0_or_1) {
  const auto model = one(ElementType::kBool, {2});
  EXPECT_SAYS(refusal_binary(model, binary_input("BOOL", "[2]", "2"), std::string("\x01\x02", 2)),
              "byte 1 is 2");
}

TEST(HostileTensors, names_and_datatypes_are_the_models) {
  EXPECT_SAYS(refusal(kFloats, input("FP64", "[2]", "[1,2]")), "datatype is FP64");
  EXPECT_SAYS(refusal(kFloats, input("FLOAT", "[2]", "[1,2]")), "is no datatype");
  EXPECT_SAYS(
      refusal(kFloats, R"({"inputs":[{"name":"z","shape":[2],"datatype":"FP32","data":[1,2]}]})"),
      "there is no input 'z'; the model has: x");
  EXPECT_SAYS(refusal(kFloats, "{}"), "input 'x' is missing");
  EXPECT_SAYS(refusal(kFloats, R"({"inputs":[]})"), "input 'x' is missing");
  const std::string x = R"({"name":"x","shape":[2],"datatype":"FP32","data":[1,2]})";
  EXPECT_SAYS(refusal(kFloats, R"({"inputs":[)" + x + "," + x + "]}"), "'x' appears twice");
  const auto outputs = [&](std::string_view names) {
    return refusal(kFloats, R"({"inputs":[)" + x + R"(],"outputs":[)" + std::string(names) + "]}");
  };
  EXPECT_SAYS(outputs(R"({"name":"q"})"), "there is no output 'q'; the model has: y");
  EXPECT_SAYS(outputs(R"({"name":"y"},{"name":"y"})"), "requested twice");
  EXPECT_SAYS(outputs("{}"), "there is no output ''");
  EXPECT_SAYS(outputs("5"), "hold objects");
  for (const std::string_view missing : {"name", "shape", "datatype"}) {
    std::string json = input("FP32", "[2]", "[1,2]");
    json.replace(json.find(missing), missing.size(), "zzz");
    EXPECT_SAYS(refusal(kFloats, json), formatted("has no {}", missing));
  }
}

TEST(HostileTensors, classification_needs_numbers) {
  const auto model =
      model_of({port("x", ElementType::kUint8, {1})},
               {port("s", ElementType::kString, {2}), port("n", ElementType::kFloat32, {2}),
                port("scalar", ElementType::kFloat32, {})});
  const auto ask = [&](std::string_view output) {
    return refusal(model, formatted(R"({{"inputs":[{{"name":"x","shape":[1],"datatype":"UINT8",)"
                                    R"("data":[1]}}],"outputs":[{}]}})",
                                    output));
  };
  EXPECT_SAYS(ask(R"({"name":"s","parameters":{"classification":1}})"), "needs numbers");
  EXPECT_SAYS(ask(R"({"name":"n","parameters":{"classification":0}})"), "number of classes");
  EXPECT_SAYS(ask(R"({"name":"scalar","parameters":{"classification":1}})"), "needs a dimension");
  EXPECT_EQ(ask(R"({"name":"n","parameters":{"classification":3}})"), "accepted");
}

TEST(HostileTensors, half_precision_is_binary_only_and_says_so) {
  const auto model = one(ElementType::kFloat16, {2});
  EXPECT_SAYS(refusal(model, input("FP16", "[2]", "[1,2]")), "FP16 has no JSON form");
  const auto output =
      model_of({port("x", ElementType::kUint8, {1})}, {port("y", ElementType::kBfloat16, {1})});
  EXPECT_SAYS(refusal(output, input("UINT8", "[1]", "[1]")), "BF16, which has no JSON form");
}

// Raw binary requests.

TEST(RawRequest, the_whole_body_is_the_single_input) {
  const auto model = one(ElementType::kFloat32, {-1, 2}, 4);
  const auto parsed = parse(model, "12345678", "0");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->inputs[0].shape, (Shape{1, 2}));
  EXPECT_TRUE(parsed->outputs[0].binary);
  const auto variable = parse(one(ElementType::kFloat32, {-1}), "12345678", "0");
  ASSERT_TRUE(variable);
  EXPECT_EQ(variable->inputs[0].shape, (Shape{2}));
}

TEST(RawRequest, is_refused_where_it_would_have_two_meanings) {
  EXPECT_SAYS(refusal(one(ElementType::kFloat32, {-1, 2}, 4), "1234567", "0"), "takes 8");
  EXPECT_SAYS(refusal(one(ElementType::kFloat32, {-1}), "12345", "0"), "multiple of 4");
  EXPECT_SAYS(refusal(one(ElementType::kFloat32, {-1, -1}), "1234", "0"), "one variable extent");
  EXPECT_SAYS(
      refusal(model_of({port("a", ElementType::kUint8, {1}), port("b", ElementType::kUint8, {1})},
                       {port("y", ElementType::kUint8, {1})}),
              "1", "0"),
      "a model with one input");
  EXPECT_SAYS(refusal(one(ElementType::kBool, {1}), "\x07", "0"), "BOOL");
}

TEST(InferenceRequest, too_much_json_is_refused_before_it_is_read) {
  const std::string json(100, ' ');
  const auto parsed = parse_inference_request(kFloats, bytes_of(std::string_view(json)), {}, 50);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kTooLarge);
}

TEST(InferenceRequest, a_lying_shape_reserves_no_memory) {
  const auto model = one(ElementType::kFloat32, {-1});
  const auto parsed = parse(model, input("FP32", "[60000000]", "[1]"));
  ASSERT_FALSE(parsed);
  EXPECT_SAYS(parsed.error().text, "data has 1 elements");
}

// Properties.

TEST(InferenceRequest, floats_survive_json_exactly) {
  EXPECT_TRUE(rc::check("every finite float", [](uint32_t bits) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) return;
    std::string data = "[";
    append_number(data, value);
    const auto parsed = parse(kFloats, input("FP32", "[2]", data + ",0]"));
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(std::memcmp(parsed->inputs[0].data.data(), &value, sizeof value) == 0);
  }));
}

TEST(InferenceRequest, any_cut_of_a_sound_request_is_refused) {
  std::string json = binary_input("FP32", "[2]", "8");
  const std::string length = std::to_string(json.size());
  json += "12345678";
  for (size_t size = 0; size < json.size(); ++size)
    EXPECT_FALSE(parse(kFloats, std::string_view(json).substr(0, size), length)) << size;
}

}  // namespace
}  // namespace casemate::gateway
