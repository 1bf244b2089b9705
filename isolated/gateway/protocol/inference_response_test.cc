// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/inference_response.h"
#include "base/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "isolated/gateway/protocol/documents.h"
#include "isolated/gateway/protocol/elements.h"
#include "isolated/gateway/protocol/json_text.h"

namespace casemate::gateway {
namespace {

PortDescription port(std::string_view name, ElementType type, const Shape& shape) {
  PortDescription made;
  made.name = Text<128>::from(name);
  made.type = static_cast<uint32_t>(type);
  made.rank = shape.rank();
  std::ranges::copy(shape.dims(), made.dims.begin());
  return made;
}

ModelDescription with_output(ElementType type, const Shape& shape, uint32_t batch_max = 0) {
  ModelDescription model;
  model.output_count = 1;
  model.batch_max = batch_max;
  model.outputs[0] = port("y", type, shape);
  return model;
}

template <class T>
TensorView view(ElementType type, const Shape& shape, const std::vector<T>& values) {
  return {type,
          shape,
          {static_cast<const uint8_t*>(static_cast<const void*>(values.data())),
           values.size() * sizeof(T)}};
}

struct Written {
  Status status;
  InferenceResponse response;
};

Written write(const ModelDescription& model, const TensorView& output, OutputChoice choice,
              size_t json_max = 1 << 20) {
  InferenceRequest request;
  request.outputs.push_back(choice);
  ResponseWriter writer;
  const auto whole = writer.write({{"m", "1"}, model, request, {&output, 1}}, json_max, SIZE_MAX);
  if (!whole) return {whole.error(), {}};
  EXPECT_TRUE(*whole);
  return {{}, writer.response()};
}

constexpr std::string_view kHead = R"({"model_name":"m","model_version":"1","outputs":[)";

TEST(InferenceResponse, numbers_are_written_in_their_shortest_form) {
  const std::vector<float> values{0.1f, 1, -0.0f, 1e-45f, 16777216, 3.4028235e38f};
  const auto model = with_output(ElementType::kFloat32, {6});
  const auto written = write(model, view(ElementType::kFloat32, {6}, values), {0, false, 0});
  ASSERT_TRUE(written.status);
  EXPECT_EQ(written.response.json, std::string(kHead) +
                                       R"({"name":"y","datatype":"FP32","shape":[6],"data":)"
                                       R"([0.1,1.0,-0.0,1e-45,16777216.0,3.4028235e+38]}]})");
  EXPECT_FALSE(written.response.binary);
}

TEST(InferenceResponse, integers_are_written_in_full) {
  const std::vector<int64_t> values{INT64_MIN, INT64_MAX};
  const auto model = with_output(ElementType::kInt64, {2});
  const auto written = write(model, view(ElementType::kInt64, {2}, values), {0, false, 0});
  EXPECT_NE(written.response.json.find("[-9223372036854775808,9223372036854775807]"),
            std::string::npos);
}

TEST(InferenceResponse, every_datatype_is_written_as_json_or_as_binary) {
  const std::vector<uint8_t> bytes{1, 0, 0, 0, 0, 0, 0, 0};
  struct Case {
    ElementType type;
    std::string_view data;  // empty: has no JSON form, so that requests are refused it
  };
  for (const auto& [type, data] : {Case{ElementType::kBool, "[true]"},
                                   {ElementType::kUint8, "[1]"},
                                   {ElementType::kInt8, "[1]"},
                                   {ElementType::kUint16, "[1]"},
                                   {ElementType::kInt16, "[1]"},
                                   {ElementType::kUint32, "[1]"},
                                   {ElementType::kInt32, "[1]"},
                                   {ElementType::kUint64, "[1]"},
                                   {ElementType::kInt64, "[1]"},
                                   {ElementType::kFloat32, "[1e-45]"},
                                   {ElementType::kFloat64, "[5e-324]"},
                                   {ElementType::kFloat16, ""},
                                   {ElementType::kBfloat16, ""}}) {
    const auto model = with_output(type, {1});
    const TensorView output{type, {1}, Bytes(bytes).first(size_of(type))};
    const auto binary = write(model, output, {0, true, 0});
    ASSERT_TRUE(binary.status) << name_of(type);
    EXPECT_EQ(binary.response.tensors[0].size(), size_of(type));
    if (data.empty()) continue;
    const auto text = write(model, output, {0, false, 0});
    ASSERT_TRUE(text.status) << name_of(type);
    EXPECT_TRUE(text.response.json.contains(formatted("\"data\":{}}}", data)))
        << text.response.json;
  }
}

TEST(InferenceResponse, binary_outputs_follow_the_json_without_a_copy) {
  const std::vector<float> values{1, 2};
  const auto model = with_output(ElementType::kFloat32, {2});
  const TensorView output = view(ElementType::kFloat32, {2}, values);
  const auto written = write(model, output, {0, true, 0});
  EXPECT_TRUE(written.response.binary);
  ASSERT_EQ(written.response.tensors.size(), 1u);
  EXPECT_EQ(written.response.tensors[0].data(), output.data.data());
  EXPECT_EQ(written.response.json, std::string(kHead) +
                                       R"({"name":"y","datatype":"FP32","shape":[2],"parameters":)"
                                       R"({"binary_data_size":8}}]})");
}

TEST(InferenceResponse, what_json_cannot_express_is_refused_with_the_way_out) {
  const auto model = with_output(ElementType::kFloat64, {1});
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const std::vector<double> values{value};
    const auto written = write(model, view(ElementType::kFloat64, {1}, values), {0, false, 0});
    ASSERT_FALSE(written.status);
    EXPECT_NE(written.status.error().text.find("binary_data"), std::string::npos);
  }
}

TEST(InferenceResponse, long_json_is_refused) {
  const std::vector<float> values(1000, 1.5f);
  const auto model = with_output(ElementType::kFloat32, {1000});
  const auto written =
      write(model, view(ElementType::kFloat32, {1000}, values), {0, false, 0}, 500);
  ASSERT_FALSE(written.status);
  EXPECT_EQ(written.status.error().code, Code::kTooLarge);
  const std::vector<uint8_t> bools(1000, 1);
  const auto truths = write(with_output(ElementType::kBool, {1000}),
                            view(ElementType::kBool, {1000}, bools), {0, false, 0}, 500);
  ASSERT_FALSE(truths.status);
  EXPECT_EQ(truths.status.error().code, Code::kTooLarge);
}

TEST(InferenceResponse, strings_are_escaped_and_must_be_utf8) {
  std::vector<uint8_t> strings;
  append_string_element(strings, "a\"\n");
  append_string_element(strings, "\xC3\xA9");
  const auto model = with_output(ElementType::kString, {2});
  const auto written = write(model, view(ElementType::kString, {2}, strings), {0, false, 0});
  ASSERT_TRUE(written.status) << written.status.error().text;
  EXPECT_NE(written.response.json.find("\"data\":[\"a\\\"\\n\",\"\xC3\xA9\"]"), std::string::npos);
  strings.clear();
  append_string_element(strings, "\xFF");
  append_string_element(strings, "");
  EXPECT_FALSE(write(model, view(ElementType::kString, {2}, strings), {0, false, 0}).status);
}

TEST(InferenceResponse, a_string_tensor_that_lies_about_its_lengths_is_refused) {
  const std::vector<uint8_t> strings{0xFF, 0xFF, 0xFF, 0x7F, 'a'};
  const auto model = with_output(ElementType::kString, {1});
  EXPECT_FALSE(write(model, view(ElementType::kString, {1}, strings), {0, false, 0}).status);
}

TEST(InferenceResponse, outputs_are_held_against_the_description) {
  const auto model = with_output(ElementType::kFloat32, {-1, 2});
  const std::vector<float> four(4);
  const auto check = [&](ElementType type, const Shape& shape, size_t count) {
    TensorView tensor = view(type, shape, four);
    tensor.data = tensor.data.first(count * sizeof(float));
    return check_outputs(model, {&tensor, 1}).has_value();
  };
  EXPECT_TRUE(check(ElementType::kFloat32, {2, 2}, 4));
  EXPECT_FALSE(check(ElementType::kFloat32, {2, 2}, 3)) << "too few bytes";
  EXPECT_FALSE(check(ElementType::kInt32, {2, 2}, 4)) << "another type";
  EXPECT_FALSE(check(ElementType::kFloat32, {4, 1}, 4)) << "another shape";
  EXPECT_FALSE(check(ElementType::kFloat32, {-1, 2}, 4)) << "an extent that varies";
  EXPECT_FALSE(check(ElementType::kFloat32, {1ll << 62, 2}, 4)) << "an overflow";
  EXPECT_FALSE(check_outputs(model, {}).has_value()) << "none";
  // Strings have no size of their own, but a limit. Never touched, these pages are not there.
  const std::unique_ptr<uint8_t[]> large(new uint8_t[limits::kTensorBytes + 1]);
  TensorView strings{ElementType::kString, {1}, {large.get(), limits::kTensorBytes}};
  const auto texts = with_output(ElementType::kString, {1});
  EXPECT_TRUE(check_outputs(texts, {&strings, 1}).has_value());
  strings.data = {large.get(), limits::kTensorBytes + 1};
  EXPECT_FALSE(check_outputs(texts, {&strings, 1}).has_value());
}

TEST(Classification, gives_the_highest_values_of_every_item) {
  const std::vector<float> values{0.1f, 0.7f, 0.2f, 5, std::nanf(""), 9};
  const auto model = with_output(ElementType::kFloat32, {-1, 3}, 8);
  const auto written = write(model, view(ElementType::kFloat32, {2, 3}, values), {0, false, 2});
  ASSERT_TRUE(written.status);
  EXPECT_EQ(written.response.json, std::string(kHead) +
                                       R"({"name":"y","datatype":"BYTES","shape":[2,2],"data":)"
                                       R"(["0.7:1","0.2:2","9.0:2","5.0:0"]}]})");
}

TEST(Classification, asks_for_no_more_than_there_is) {
  const std::vector<int8_t> values{3, -1};
  const auto model = with_output(ElementType::kInt8, {2});
  const auto written = write(model, view(ElementType::kInt8, {2}, values), {0, false, 1000});
  EXPECT_NE(written.response.json.find(R"("shape":[2],"data":["3:0","-1:1"])"), std::string::npos);
}

// Outputs of every kind, one of them with `text`.
struct Mixture {
  explicit Mixture(std::string_view text) {
    append_string_element(strings, text);
    append_string_element(strings, "");
    append_string_element(strings, "b\n");
    add("floats", view(ElementType::kFloat32, {1, 100}, floats));
    add("truths", view(ElementType::kBool, {1, 5}, truths));
    add("texts", view(ElementType::kString, {1, 3}, strings));
    add("raw", view(ElementType::kInt64, {1, 3}, longs), {.binary = true});
    add("classes", view(ElementType::kFloat32, {1, 100}, floats), {.classes = 3});
    add("none", view(ElementType::kInt64, {1, 0}, std::vector<int64_t>()));
    add("longs", view(ElementType::kInt64, {1, 3}, longs));
  }
  void add(std::string_view name, const TensorView& tensor, OutputChoice choice = {}) {
    choice.port = model.output_count++;
    model.outputs[choice.port] = port(name, tensor.type, tensor.shape);
    outputs.push_back(tensor);
    request.outputs.push_back(choice);
  }
  [[nodiscard]] ResponseWriter::Source source() const {
    return {{"m", "1"}, model, request, outputs};
  }

  ModelDescription model;
  InferenceRequest request;
  std::vector<TensorView> outputs;
  std::vector<float> floats = std::vector<float>(100, 0.125f);
  std::vector<uint8_t> truths{1, 0, 0, 1, 1};
  std::vector<uint8_t> strings;
  std::vector<int64_t> longs{INT64_MIN, 0, 7};
};

TEST(InferenceResponse, is_the_same_when_it_is_written_bit_by_bit) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += i % 7 == 0 ? "\xF0\x9F\x98\x80" : "\"\xC3\xA9x";
  const Mixture mixture(text);
  ResponseWriter whole;
  ASSERT_TRUE(whole.write(mixture.source(), 1 << 20, SIZE_MAX).value_or(false));
  EXPECT_EQ(whole.response().made.size(), 1u);
  ResponseWriter writer;
  for (const size_t step : {1, 2, 13, 500, 5000, 1 << 20}) {
    writer.clear();
    size_t before = 0;
    for (bool done = false; !done;) {
      const auto written = writer.write(mixture.source(), 1 << 20, step);
      ASSERT_TRUE(written) << written.error().text;
      done = *written;
      const size_t size = writer.response().json.size();
      EXPECT_LT(size - before, step + (32 << 10));
      ASSERT_TRUE(done || size > before);
      before = size;
    }
    EXPECT_TRUE(writer.response().json == whole.response().json) << step;
    EXPECT_TRUE(writer.response().binary);
    ASSERT_EQ(writer.response().tensors.size(), 1u);
    EXPECT_EQ(writer.response().tensors[0].data(), mixture.outputs[3].data.data());
  }
}

TEST(InferenceResponse, refuses_the_same_when_it_is_written_bit_by_bit) {
  std::vector<float> values(1000, 1.5f);
  values[700] = std::nanf("");
  const auto model = with_output(ElementType::kFloat32, {1000});
  InferenceRequest request;
  request.outputs.push_back({0, false, 0});
  const TensorView output = view(ElementType::kFloat32, {1000}, values);
  const auto end = [&](size_t json_max) {
    ResponseWriter writer;
    Result<bool> written = false;
    while (written && !*written)
      written = writer.write({{"m", "1"}, model, request, {&output, 1}}, json_max, 64);
    return written.has_value() ? Error{Code::kOk, "it is written"} : written.error();
  };
  EXPECT_TRUE(end(1 << 20).text.contains("element 700")) << end(1 << 20).text;
  EXPECT_EQ(end(500).code, Code::kTooLarge);
}

TEST(InferenceResponse, a_string_that_is_cut_inside_a_sequence_is_no_utf8) {
  for (const size_t at : {0, 4093, 4095, 4096, 8191, 9000}) {
    std::string text(9000, 'x');
    text.insert(at, "\xF0\x9F\x98");
    EXPECT_FALSE([&] {
      const Mixture mixture(text);
      return ResponseWriter().write(mixture.source(), 1 << 20, SIZE_MAX).has_value();
    }()) << at;
  }
}

TEST(InferenceResponse, is_about_as_long_as_expected) {
  InferenceRequest request;
  for (const auto& [choice, least] : {std::pair{OutputChoice{0, false, 0}, 8000u},
                                      {OutputChoice{0, true, 0}, 0u},
                                      {OutputChoice{0, false, 10}, 1000u}}) {
    request.outputs = {choice};
    const std::vector<float> values(1000, 0.123456f);
    const TensorView output = view(ElementType::kFloat32, {1000}, values);
    EXPECT_GE(expected_text(request, {&output, 1}), least);
    EXPECT_LE(expected_text(request, {&output, 1}), least * 2);
  }
}

TEST(Documents, metadata_names_what_a_client_needs) {
  ModelDescription model = with_output(ElementType::kFloat32, {-1, 10}, 8);
  model.input_count = 1;
  model.inputs[0] = port("x\"", ElementType::kUint8, {-1, 28, 28});
  model.metadata_count = 1;
  model.metadata[0] = {Text<64>::from("labels"), Text<192>::from("0,1")};
  const std::string versions[] = {"1", "3"};
  EXPECT_EQ(metadata_document({"m", "3"}, versions, model),
            R"({"name":"m","versions":["1","3"],"platform":"onnx_onnxv1",)"
            R"("inputs":[{"name":"x\"","datatype":"UINT8","shape":[-1,28,28]}],)"
            R"("outputs":[{"name":"y","datatype":"FP32","shape":[-1,10]}],)"
            R"("properties":{"labels":"0,1"}})");
  EXPECT_EQ(
      config_document({"m", "3"}, model),
      R"({"name":"m","platform":"onnx_onnxv1","backend":"casemate","max_batch_size":8,)"
      R"("input":[{"name":"x\"","data_type":"TYPE_UINT8","format":"FORMAT_NONE","dims":[28,28]}],)"
      R"("output":[{"name":"y","data_type":"TYPE_FP32","dims":[10]}],)"
      R"("default_model_filename":"model.onnx"})");
}

TEST(Documents, an_error_is_json_whatever_its_text_holds) {
  EXPECT_EQ(error_document("a \"b\" \xFF\n"), "{\"error\":\"a \\\"b\\\" \xEF\xBF\xBD\\n\"}");
}

TEST(Documents, the_index_filter_is_empty_or_an_object) {
  const auto read = [](std::string_view text) { return read_index_filter(bytes_of(text)); };
  EXPECT_FALSE(*read(""));
  EXPECT_FALSE(*read("{}"));
  EXPECT_TRUE(*read(R"({"ready":true})"));
  for (const std::string_view bad : {"[]", "{", R"({"ready":1})", "\xFF"}) EXPECT_FALSE(read(bad));
  EXPECT_FALSE(read(std::string(5000, '[')));
  EXPECT_TRUE(read("{}" + std::string(4094, ' ')));
  EXPECT_FALSE(read("{}" + std::string(4095, ' '))) << "too long";
}

TEST(JsonText, a_piece_cuts_no_sequence) {
  EXPECT_EQ(utf8_piece("abcd", 4), "abcd");
  EXPECT_EQ(utf8_piece("abcde", 4), "abcd");
  EXPECT_EQ(utf8_piece("abc\xC3\xA9", 4), "abc");
  EXPECT_EQ(utf8_piece("ab\xE2\x82\xAC", 4), "ab");
  EXPECT_EQ(utf8_piece("a\xF0\x9F\x98\x80", 4), "a");
  EXPECT_EQ(utf8_piece("\xF0\x9F\x98\x80z", 4), "\xF0\x9F\x98\x80");
  EXPECT_FALSE(utf8_piece("\x80\x80\x80\x80\x80\x80", 4).empty()) << "it is none anyway";
}

TEST(JsonText, valid_utf8_is_told_from_invalid) {
  EXPECT_TRUE(valid_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  for (const std::string_view bad :
       {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
        "\xF8\x88\x80\x80\x80", "\xC3", "\xE2\x82"})
    EXPECT_FALSE(valid_utf8(bad));
}

}  // namespace
}  // namespace casemate::gateway
