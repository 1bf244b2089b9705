// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/zoo.h"

#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include <set>

#include "outside/zoo/architectures.h"
#include "outside/zoo/model_stream.h"
#include "outside/zoo/quantise.h"

namespace casemate::zoo {
namespace {

struct Published {
  const char* name;
  uint64_t parameters;
  double operations;  // in 10^9 multiply-adds
};

// Parameters, exactly, and multiply-adds, to what is published.
//
//   torchvision's tables of pre-trained weights: AlexNet, VGG, ResNet, SqueezeNet 1.1, DenseNet,
//     MobileNetV2; Inception v3 without the 3,326,696 of its auxiliary classifier
//   Caffe's bvlc_googlenet without auxiliary classifiers: GoogLeNet
//   the papers' own counts, with the classifier's biases: MobileNet (4.2 million, 569 million)
//   61,706 = 156 + 2,416 + 48,120 + 10,164 + 850: LeNet-5 as it is taught
//   yolov3-tiny.weights, 35,434,956 bytes: less 20 of head and 4 for each of 6,368 running
//     statistics; and its 5.56 billion operations, of which a multiply-add is two
//   Hugging Face's bert-base-uncased and gpt2 (its head is the table of words)
//   MobileBERT's table of 2020 (arXiv 2004.02984): BERT at length 128 takes 22.5 billion
//     operations, of which a multiply-add is two
constexpr double kGpt2Token = 12 * (12.0 * 768 * 768 + 2 * 128 * 768) + 768.0 * 50257;
constexpr Published kPublished[] = {
    {"lenet-5", 61'706, 0.000417},
    {"alexnet", 61'100'840, 0.714},
    {"vgg-16", 138'357'544, 15.470},
    {"vgg-19", 143'667'240, 19.632},
    {"googlenet", 6'998'552, 1.58},
    {"inception-v3", 23'834'568, 5.713},
    {"resnet-18", 11'689'512, 1.814},
    {"resnet-50", 25'557'032, 4.089},
    {"resnet-152", 60'192'808, 11.514},
    {"squeezenet", 1'235'496, 0.349},
    {"densenet-121", 7'978'856, 2.834},
    {"densenet-201", 20'013'928, 4.291},
    {"mobilenet-v1", 4'231'976, 0.569},
    {"mobilenet-v2", 3'504'872, 0.301},
    {"yolov3-tiny", 8'852'366, 2.78},
    {"bert-base", 109'482'240, 11.25},
    {"gpt-2-small", 124'439'808, 128 * kGpt2Token / 1e9},
};

void PrintTo(const Published& published, std::ostream* out) { *out << published.name; }

// The model with a single byte where each weight's data should be: what there is to check of a
// graph, without hundreds of megabytes.
onnx::ModelProto outline(const Graph& graph) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  *model.mutable_graph() = graph.proto();
  for (const Graph::Tensor& tensor : graph.tensors()) {
    onnx::TensorProto& added = *model.mutable_graph()->add_initializer();
    added = tensor.head;
    if (tensor.drawn) added.set_raw_data("\0", 1);
  }
  return model;
}

std::string text_of(const onnx::ValueInfoProto& value) {
  std::string text = value.name();
  for (const auto& dim : value.type().tensor_type().shape().dim())
    text += " " + (dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value()));
  return text;
}

class EachArchitecture : public testing::TestWithParam<Published> {
 protected:
  const Architecture& architecture() { return *find_architecture(GetParam().name); }
};

TEST_P(EachArchitecture, has_the_published_parameters_and_operations) {
  const Facts facts = facts_of(architecture());
  EXPECT_EQ(facts.parameters, GetParam().parameters);
  EXPECT_NEAR(static_cast<double>(facts.operations) / 1e9, GetParam().operations,
              0.01 * GetParam().operations);
  EXPECT_GT(facts.file_bytes, 4 * facts.parameters);
  EXPECT_LT(facts.file_bytes, 4 * facts.parameters + facts.parameters / 10 + 2'000'000);
  EXPECT_TRUE(facts.inputs.front().shape.starts_with("[batch,"));
}

TEST_P(EachArchitecture, passes_the_full_check_of_onnx) {
  EXPECT_NO_THROW(onnx::checker::check_model(outline(architecture().build()), true));
}

TEST_P(EachArchitecture, has_names_for_all_that_is_in_it) {
  const Graph graph = architecture().build();
  std::set<std::string> names;
  for (const auto& node : graph.proto().node()) {
    EXPECT_FALSE(node.name().empty());
    EXPECT_TRUE(names.insert("node " + node.name()).second) << node.name();
    for (const auto& output : node.output()) EXPECT_TRUE(names.insert(output).second) << output;
  }
  for (const auto& tensor : graph.tensors())
    EXPECT_TRUE(names.insert(tensor.head.name()).second) << tensor.head.name();
}

// What libonnx infers where we say nothing is what we say; it cannot name every symbol.
TEST_P(EachArchitecture, has_outputs_of_the_shapes_that_it_declares) {
  const Graph graph = architecture().build();
  onnx::ModelProto model = outline(graph);
  for (auto& output : *model.mutable_graph()->mutable_output())
    output.mutable_type()->mutable_tensor_type()->clear_shape();
  onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), {true, 1, true});
  for (int i = 0; i < model.graph().output_size(); ++i) {
    const auto& declared = graph.proto().output(i).type().tensor_type().shape();
    const auto& inferred = model.graph().output(i).type().tensor_type().shape();
    ASSERT_EQ(inferred.dim_size(), declared.dim_size()) << text_of(graph.proto().output(i));
    for (int k = 0; k < declared.dim_size(); ++k) {
      if (inferred.dim(k).dim_param().starts_with("unk__")) {
        EXPECT_TRUE(declared.dim(k).has_dim_param()) << text_of(graph.proto().output(i));
      } else {
        EXPECT_EQ(inferred.dim(k).SerializeAsString(), declared.dim(k).SerializeAsString());
      }
    }
  }
}

// Which quantised form an architecture has, and that it is a model: bytes where floats were.
TEST_P(EachArchitecture, has_a_quantised_form_that_onnx_takes) {
  const bool text = GetParam().name == std::string_view("bert-base");
  const bool neither = GetParam().name == std::string_view("gpt-2-small");
  EXPECT_EQ(quantised(architecture().build(), Form::kQdq).has_value(), !text && !neither);
  EXPECT_EQ(quantised(architecture().build(), Form::kDynamic).has_value(), text);
  if (neither) return;
  const auto graph = quantised(architecture().build(), text ? Form::kDynamic : Form::kQdq);
  EXPECT_NO_THROW(onnx::checker::check_model(outline(*graph), true));
  EXPECT_LT(ModelStream(*graph, 1).size(), ModelStream(architecture().build(), 1).size());
  std::set<std::string> names;
  for (const auto& node : graph->proto().node())
    for (const auto& output : node.output()) EXPECT_TRUE(names.insert(output).second) << output;
  for (const auto& tensor : graph->tensors())
    EXPECT_TRUE(names.insert(tensor.head.name()).second) << tensor.head.name();
}

std::string test_name(const testing::TestParamInfo<Published>& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Zoo, EachArchitecture, testing::ValuesIn(kPublished), test_name);

TEST(Zoo, every_architecture_is_tested) {
  std::set<std::string> tested;
  for (const Published& published : kPublished) tested.insert(published.name);
  for (const Architecture& architecture : architectures()) {
    EXPECT_TRUE(tested.erase(architecture.name)) << architecture.name;
    EXPECT_EQ(architecture.build().proto().name(), architecture.name);
  }
  EXPECT_TRUE(tested.empty());
  EXPECT_EQ(find_architecture("resnet"), nullptr);
}

// A generator of text feeds each present back as the past of the same name.
TEST(Zoo, gpt_2_takes_and_gives_a_cache_for_every_layer) {
  const Graph graph = gpt_2_small();
  std::set<std::string> inputs;
  for (const auto& input : graph.proto().input()) inputs.insert(text_of(input));
  EXPECT_EQ(inputs.size(), 3u + 24u);
  ASSERT_EQ(graph.proto().output_size(), 1 + 24);
  EXPECT_EQ(graph.proto().output(0).name(), "logits");
  for (int i = 1; i < graph.proto().output_size(); ++i) {
    std::string past = text_of(graph.proto().output(i));
    past.replace(0, past.find('.'), "past_key_values");
    past.replace(past.find("total_"), 6, "past_");
    EXPECT_TRUE(inputs.contains(past)) << past;
  }
}

}  // namespace
}  // namespace casemate::zoo
