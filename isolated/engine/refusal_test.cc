// SPDX-License-Identifier: Apache-2.0
// Files that are wrong in one way each: every one is refused with the node and the reason, and none
// harms the process. The list follows the project's checklist of hostile inputs.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "isolated/engine/shape_model.h"

namespace casemate::engine {
namespace {

Result<Graph> import(const std::string& bytes) {
  return shape_model(bytes_of(std::string_view(bytes)));
}

struct Wrong {
  const char* what;
  std::function<void(ModelBuilder&)> spoil;  // given small_network()
  Code code;
  const char* words;
};

onnx::NodeProto& node(ModelBuilder& b, const std::string& name) {
  for (auto& node : *b.graph().mutable_node()) {
    if (node.name() == name) return node;
  }
  throw std::logic_error("the small network has no node " + name);
}
onnx::TensorProto& tensor(ModelBuilder& b, const std::string& name) {
  for (auto& tensor : *b.graph().mutable_initializer()) {
    if (tensor.name() == name) return tensor;
  }
  throw std::logic_error("the small network has no initializer " + name);
}
void drop_attribute(onnx::NodeProto& node, const std::string& name) {
  for (int i = 0; i < node.attribute_size(); ++i) {
    if (node.attribute(i).name() == name) return node.mutable_attribute()->DeleteSubrange(i, 1);
  }
}
void replace_ints(onnx::NodeProto& node, const std::string& name, const Dims& values) {
  drop_attribute(node, name);
  set_ints(node, name, values);
}

const std::vector<Wrong>& container_wrongs() {
  static const std::vector<Wrong> all = {
      {"no graph", [](ModelBuilder& b) { b.model.clear_graph(); }, Code::kInvalid,
       "holds no graph"},
      {"an empty graph", [](ModelBuilder& b) { b.graph().Clear(); }, Code::kInvalid,
       "the model has no output"},
      {"no format version", [](ModelBuilder& b) { b.model.clear_ir_version(); }, Code::kUnsupported,
       "format (IR) version 0"},
      {"an unknown format version", [](ModelBuilder& b) { b.model.set_ir_version(99); },
       Code::kUnsupported, "format (IR) version 99, supported are 1 to 13"},
      {"a negative format version", [](ModelBuilder& b) { b.model.set_ir_version(-1); },
       Code::kUnsupported, "version -1"},
      {"an operator set of the future",
       [](ModelBuilder& b) { b.model.mutable_opset_import(0)->set_version(1000); },
       Code::kUnsupported, "version 1000 of operator set '', supported are 1 to 27"},
      {"two operator sets", [](ModelBuilder& b) { b.model.add_opset_import()->set_version(13); },
       Code::kInvalid, "twice"},
      {"no operator set", [](ModelBuilder& b) { b.model.clear_opset_import(); }, Code::kInvalid,
       "imports no operator set"},
      {"a domain that nobody knows",
       [](ModelBuilder& b) { node(b, "r1").set_domain("com.example"); }, Code::kInvalid,
       "node 'r1' (Relu): its domain 'com.example' is not among those"},
      {"an operator that nobody knows",
       [](ModelBuilder& b) { node(b, "r1").set_op_type("Frobnicate"); }, Code::kUnsupported,
       "node 'r1' (Frobnicate): operator set 17 of domain '' has no such operator, or this "
       "build does not know it yet"},
      {"an operator that we do not know",
       [](ModelBuilder& b) { node(b, "r1").set_op_type("ImageDecoder"); }, Code::kUnsupported,
       "node 'r1' (ImageDecoder)"},
      {"an operator with attributes that must agree in length",
       [](ModelBuilder& b) {
         auto& set = *b.model.add_opset_import();
         set.set_domain("ai.onnx.ml");
         set.set_version(1);
         node(b, "r1").set_domain("ai.onnx.ml");
         node(b, "r1").set_op_type("SVMClassifier");
         node(b, "r1").add_output("scores");
       },
       Code::kUnsupported, "node 'r1' (SVMClassifier): this operator is not supported"},
      {"a node without a name",
       [](ModelBuilder& b) {
         node(b, "r2").set_op_type("ImageDecoder");
         node(b, "r2").clear_name();
       },
       Code::kUnsupported, "node 'ImageDecoder #5' (ImageDecoder)"},
      {"a sparse initializer", [](ModelBuilder& b) { b.graph().add_sparse_initializer(); },
       Code::kUnsupported, "sparse initializers"},
      {"an input that is a sequence",
       [](ModelBuilder& b) { b.graph().mutable_input(0)->mutable_type()->mutable_sequence_type(); },
       Code::kUnsupported, "input 'image' is no tensor"},
      {"an input of text",
       [](ModelBuilder& b) {
         b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(8);
       },
       Code::kUnsupported, "element type"},
      {"an input of 65 dimensions",
       [](ModelBuilder& b) {
         for (int i = 0; i < 61; ++i)
           b.graph()
               .mutable_input(0)
               ->mutable_type()
               ->mutable_tensor_type()
               ->mutable_shape()
               ->add_dim()
               ->set_dim_value(1);
       },
       Code::kUnsupported, "has 65 dimensions, supported are at most 8"},
      {"an input of a negative extent",
       [](ModelBuilder& b) {
         b.graph()
             .mutable_input(0)
             ->mutable_type()
             ->mutable_tensor_type()
             ->mutable_shape()
             ->mutable_dim(1)
             ->set_dim_value(-5);
       },
       Code::kInvalid, "'image' is declared with the negative extent -5"},
      {"an input of an enormous extent",
       [](ModelBuilder& b) {
         b.graph()
             .mutable_input(0)
             ->mutable_type()
             ->mutable_tensor_type()
             ->mutable_shape()
             ->mutable_dim(2)
             ->set_dim_value(1ll << 40);
       },
       Code::kUnsupported, "supported are 0 to 2^31"},
  };
  return all;
}

const std::vector<Wrong>& name_wrongs() {
  static const std::vector<Wrong> all = {
      {"a cycle", [](ModelBuilder& b) { node(b, "r1").set_input(0, "r2"); }, Code::kInvalid,
       "node 'r1' (Relu): reads 'r2', which nothing before it makes: is the graph cyclic"},
      {"a node that reads itself", [](ModelBuilder& b) { node(b, "r1").set_input(0, "r1"); },
       Code::kInvalid, "node 'r1' (Relu): reads 'r1'"},
      {"a name that nothing makes", [](ModelBuilder& b) { node(b, "r1").set_input(0, "ghost"); },
       Code::kInvalid, "node 'r1' (Relu): reads 'ghost', which nothing before it makes"},
      {"a value made twice", [](ModelBuilder& b) { node(b, "r2").set_output(0, "r1"); },
       Code::kInvalid, "node 'r2' (Relu): makes 'r1', which is there already"},
      {"a value that is an initializer", [](ModelBuilder& b) { node(b, "r2").set_output(0, "w1"); },
       Code::kInvalid, "node 'r2' (Relu): makes 'w1', which is there already"},
      {"two initializers of one name", [](ModelBuilder& b) { b.noise("w1", {6, 1, 3, 3}); },
       Code::kInvalid, "'w1' is the name of two initializers"},
      {"two inputs of one name", [](ModelBuilder& b) { b.input("image", {1}); }, Code::kInvalid,
       "two inputs named 'image'"},
      {"two outputs of one name", [](ModelBuilder& b) { b.output("probabilities", {-1, 5}); },
       Code::kInvalid, "two outputs named 'probabilities'"},
      {"an output that nothing makes", [](ModelBuilder& b) { b.output("ghost", {1}); },
       Code::kInvalid, "output 'ghost' of the model is made by no node"},
      {"an initializer without a name", [](ModelBuilder& b) { tensor(b, "w1").clear_name(); },
       Code::kInvalid, "an initializer has no name"},
      {"a node that makes nothing", [](ModelBuilder& b) { node(b, "r2").clear_output(); },
       Code::kInvalid, "node 'r2' (Relu): has 0 outputs"},
      {"a node that lacks an input",
       [](ModelBuilder& b) { node(b, "c1").mutable_input()->RemoveLast(); }, Code::kInvalid, "c1"},
      {"a node with an empty input", [](ModelBuilder& b) { node(b, "c1").set_input(1, ""); },
       Code::kInvalid, "c1"},
  };
  return all;
}

const std::vector<Wrong>& tensor_wrongs() {
  static const std::vector<Wrong> all = {
      {"a product of extents that overflows",
       [](ModelBuilder& b) {
         for (int i = 0; i < 4; ++i) tensor(b, "w1").set_dims(i, 1ll << 32);
       },
       Code::kTooLarge, "initializer 'w1': shape [4294967296"},
      {"a negative extent", [](ModelBuilder& b) { tensor(b, "w1").set_dims(2, -3); },
       Code::kInvalid, "initializer 'w1': it has the negative dimension -3"},
      {"65 dimensions",
       [](ModelBuilder& b) {
         for (int i = 0; i < 61; ++i) tensor(b, "w1").add_dims(1);
       },
       Code::kUnsupported, "initializer 'w1': it has 65 dimensions"},
      {"too few bytes", [](ModelBuilder& b) { tensor(b, "w1").mutable_raw_data()->pop_back(); },
       Code::kInvalid, "initializer 'w1': it has 215 bytes of data, its shape [6,1,3,3] needs 216"},
      {"too many bytes",
       [](ModelBuilder& b) { tensor(b, "w1").mutable_raw_data()->append("more"); }, Code::kInvalid,
       "it has 220 bytes of data"},
      {"data twice", [](ModelBuilder& b) { tensor(b, "w1").add_float_data(1); }, Code::kInvalid,
       "it has its data twice"},
      {"no data", [](ModelBuilder& b) { tensor(b, "w1").clear_raw_data(); }, Code::kInvalid,
       "it has 0 elements of data"},
      {"too few typed elements",
       [](ModelBuilder& b) {
         tensor(b, "w1").clear_raw_data();
         tensor(b, "w1").add_float_data(1);
       },
       Code::kInvalid, "it has 1 elements of data, its shape [6,1,3,3] needs 54"},
      {"data of another type",
       [](ModelBuilder& b) {
         tensor(b, "b3").clear_raw_data();
         for (int i = 0; i < 5; ++i) tensor(b, "b3").add_int64_data(1);
       },
       Code::kInvalid, "initializer 'b3': its data stands in a field of another type"},
      {"an element type that nobody knows",
       [](ModelBuilder& b) { tensor(b, "w1").set_data_type(77); }, Code::kUnsupported,
       "element type 77"},
      {"text", [](ModelBuilder& b) { tensor(b, "w1").set_data_type(8); }, Code::kInvalid,
       "its strings stand in a field of another type"},
      {"segments", [](ModelBuilder& b) { tensor(b, "w1").mutable_segment()->set_begin(1); },
       Code::kUnsupported, "segments"},
      {"external data without a folder",
       [](ModelBuilder& b) {
         tensor(b, "w1").clear_raw_data();
         tensor(b, "w1").set_data_location(onnx::TensorProto::EXTERNAL);
       },
       Code::kDenied, "without a folder"},
      {"external data and its own",
       [](ModelBuilder& b) { tensor(b, "w1").set_data_location(onnx::TensorProto::EXTERNAL); },
       Code::kInvalid, "it has its data twice"},
      {"external data that is not marked",
       [](ModelBuilder& b) { tensor(b, "w1").add_external_data()->set_key("location"); },
       Code::kInvalid, "without being marked"},
      {"another type than its operator takes",
       [](ModelBuilder& b) { tensor(b, "w1").set_data_type(6); }, Code::kInvalid,
       "node 'c1' (Conv): "},
  };
  return all;
}

const std::vector<Wrong>& operator_wrongs() {
  static const std::vector<Wrong> all = {
      {"a kernel larger than its padded input",
       [](ModelBuilder& b) {
         tensor(b, "w1").set_dims(2, 99);
         tensor(b, "w1").set_raw_data(std::string(6 * 99 * 3 * 4, '\0'));
       },
       Code::kInvalid, "node 'c1' (Conv): "},
      {"a pool larger than its input",
       [](ModelBuilder& b) { replace_ints(node(b, "pool"), "kernel_shape", {13, 2}); },
       Code::kInvalid, "node 'pool' (MaxPool): "},
      {"a stride of 0", [](ModelBuilder& b) { set_ints(node(b, "c1"), "strides", {0, 1}); },
       Code::kInvalid, "node 'c1' (Conv): attribute 'strides' has the value 0, expected 1"},
      {"a negative stride",
       [](ModelBuilder& b) { replace_ints(node(b, "pool"), "strides", {-2, 2}); }, Code::kInvalid,
       "node 'pool' (MaxPool): attribute 'strides' has the value -2"},
      {"a dilation of 0", [](ModelBuilder& b) { set_ints(node(b, "c1"), "dilations", {1, 0}); },
       Code::kInvalid, "attribute 'dilations'"},
      {"a kernel of 0",
       [](ModelBuilder& b) { replace_ints(node(b, "pool"), "kernel_shape", {0, 2}); },
       Code::kInvalid, "attribute 'kernel_shape'"},
      {"a negative pad",
       [](ModelBuilder& b) { replace_ints(node(b, "c1"), "pads", {-1, 1, 1, 1}); }, Code::kInvalid,
       "attribute 'pads'"},
      {"an enormous pad",
       [](ModelBuilder& b) { replace_ints(node(b, "c1"), "pads", {1ll << 62, 1, 1, 1}); },
       Code::kInvalid, "attribute 'pads'"},
      {"too few pads", [](ModelBuilder& b) { replace_ints(node(b, "c1"), "pads", {1, 1}); },
       Code::kInvalid, "c1"},
      {"too many strides", [](ModelBuilder& b) { set_ints(node(b, "c1"), "strides", {1, 1, 1}); },
       Code::kInvalid, "c1"},
      {"no groups", [](ModelBuilder& b) { set_int(node(b, "c2"), "group", 0); }, Code::kInvalid,
       "node 'c2' (Conv): 0 groups do not divide"},
      {"groups that do not divide the channels",
       [](ModelBuilder& b) { set_int(node(b, "c2"), "group", 4); }, Code::kInvalid,
       "node 'c2' (Conv): 4 groups do not divide the 6 input and 6 output channels"},
      {"a kernel that is not that of the weights",
       [](ModelBuilder& b) { set_ints(node(b, "c1"), "kernel_shape", {2, 2}); }, Code::kInvalid,
       "c1"},
      {"an unknown way of padding",
       [](ModelBuilder& b) {
         drop_attribute(node(b, "c1"), "pads");
         set_text(node(b, "c1"), "auto_pad", "SOMEHOW");
       },
       Code::kInvalid, "c1"},
      {"a bias of another length",
       [](ModelBuilder& b) {
         tensor(b, "b2").set_dims(0, 3);
         tensor(b, "b2").set_raw_data(std::string(12, '\0'));
       },
       Code::kInvalid, "node 'c2' (Conv): its bias [3] needs the shape [6]"},
      {"statistics of another length",
       [](ModelBuilder& b) {
         tensor(b, "mean").set_dims(0, 3);
         tensor(b, "mean").set_raw_data(std::string(12, '\0'));
       },
       Code::kInvalid, "n1"},
      {"matrices that do not fit",
       [](ModelBuilder& b) {
         tensor(b, "w3").set_dims(1, 100);
         tensor(b, "w3").set_raw_data(std::string(5 * 100 * 4, '\0'));
       },
       Code::kInvalid,
       "node 'logits' (Gemm): its matrices do not multiply: A has 216 columns, and B 100 rows"},
      {"an axis out of range",
       [](ModelBuilder& b) { set_int(node(b, "probabilities"), "axis", 7); }, Code::kInvalid,
       "probabilities"},
      {"an attribute twice", [](ModelBuilder& b) { set_ints(node(b, "c1"), "pads", {1, 1, 1, 1}); },
       Code::kInvalid, "node 'c1' (Conv): Attribute 'pads' appeared multiple times"},
      {"an attribute of another type",
       [](ModelBuilder& b) {
         drop_attribute(node(b, "c1"), "pads");
         set_float(node(b, "c1"), "pads", 1);
       },
       Code::kInvalid, "c1"},
      {"an attribute that the operator does not have",
       [](ModelBuilder& b) { set_int(node(b, "r1"), "colour", 1); }, Code::kInvalid, "r1"},
      {"a subgraph where none belongs",
       [](ModelBuilder& b) {
         auto& a = *node(b, "r1").add_attribute();
         a.set_name("then_branch");
         a.set_type(onnx::AttributeProto::GRAPH);
         a.mutable_g()->set_name("g");
       },
       Code::kInvalid, "node 'r1' (Relu): Unrecognized attribute: then_branch"},
  };
  return all;
}

void expect_all_refused(const std::vector<Wrong>& wrongs) {
  for (const Wrong& wrong : wrongs) {
    ModelBuilder builder = small_network();
    wrong.spoil(builder);
    const auto refused = import(builder.bytes());
    ASSERT_FALSE(refused) << wrong.what;
    EXPECT_EQ(name_of(refused.error().code), name_of(wrong.code))
        << wrong.what << ": " << refused.error().text;
    EXPECT_NE(refused.error().text.find(wrong.words), std::string::npos)
        << wrong.what << ": " << refused.error().text;
  }
}

TEST(Refusal, of_wrong_containers) { expect_all_refused(container_wrongs()); }
TEST(Refusal, of_wrong_names) { expect_all_refused(name_wrongs()); }
TEST(Refusal, of_wrong_tensors) { expect_all_refused(tensor_wrongs()); }
TEST(Refusal, of_wrong_operators) { expect_all_refused(operator_wrongs()); }

// One node between "x" [2,6] and "y" of that rank and any extents, with its other inputs.
ModelBuilder single(const std::string& op, const std::vector<std::string>& inputs,
                    size_t rank = 2) {
  ModelBuilder b;
  b.input("x", {2, 6});
  b.output("y", Dims(rank, -1));
  b.node(op, inputs, "y");
  return b;
}

void expect_refused(const ModelBuilder& b, std::string_view words) {
  const auto refused = import(b.bytes());
  ASSERT_FALSE(refused) << words;
  EXPECT_NE(refused.error().text.find(words), std::string::npos) << refused.error().text;
}

// Complex numbers, and those of 8, 4 and 2 bits, by ONNX's numbers; then what is no type at all.
TEST(Refusal, of_numbers_that_are_not_held) {
  for (const int type : {14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0, 77, -1}) {
    ModelBuilder weight = small_network();
    tensor(weight, "w1").set_data_type(type);
    expect_refused(
        weight, "initializer 'w1': its element type " + std::to_string(type) + " is not supported");
    ModelBuilder input = small_network();
    input.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(type);
    expect_refused(input, "input 'image' has an element type that is not served");
  }
}

TEST(Refusal, of_shapes_that_make_no_sense) {
  for (const Dims& shape :
       {Dims{-1, -1}, Dims{5, -1}, Dims{5, 5}, Dims{-7, 2}, Dims{1ll << 62, 4}, Dims(65, 1)}) {
    ModelBuilder b = single("Reshape", {"x", "shape"});
    b.integers("shape", {static_cast<int64_t>(shape.size())}, shape);
    expect_refused(b, "node 'y' (Reshape): ");
  }
}

TEST(Refusal, of_outputs_that_explode) {
  ModelBuilder expand = single("Expand", {"x", "shape"}, 3);
  expand.integers("shape", {3}, {1000000000, 2, 6});
  expect_refused(expand, "node 'y' (Expand): a value would take");
  ModelBuilder pad = single("Pad", {"x", "pads"});
  pad.integers("pads", {4}, {0, 0, 1ll << 40, 1ll << 40});
  expect_refused(pad, "node 'y' (Pad): shape [1099511627778,1099511627782] has more than");
  ModelBuilder chain = single("Expand", {"x", "shape"}, 8);
  chain.integers("shape", {8}, {1ll << 40, 1ll << 40, 1, 1, 1, 1, 2, 6});
  expect_refused(chain, "node 'y' (Expand): shape [1099511627776,1099511627776");
}

TEST(Refusal, of_steps_axes_and_indices_out_of_range) {
  ModelBuilder step = single("Slice", {"x", "a", "b", "c", "zero"});
  for (const char* name : {"a", "c", "zero"}) step.integers(name, {1}, {0});
  step.integers("b", {1}, {1});
  expect_refused(step, "node 'y' (Slice): ");
  ModelBuilder axis = single("Concat", {"x", "x"});
  set_int(*axis.graph().mutable_node(0), "axis", -9);
  expect_refused(axis, "node 'y' (Concat): ");
  ModelBuilder order = single("Transpose", {"x"});
  set_ints(*order.graph().mutable_node(0), "perm", {0, 5});
  expect_refused(order, "node 'y' (Transpose): ");
  ModelBuilder twice = single("Transpose", {"x"});
  set_ints(*twice.graph().mutable_node(0), "perm", {1, 1});
  expect_refused(twice, "node 'y' (Transpose): ");
  ModelBuilder reduce = single("ReduceMean", {"x"});
  set_ints(*reduce.graph().mutable_node(0), "axes", {3});
  expect_refused(reduce, "node 'y' (ReduceMean): ");
}

TEST(Refusal, of_an_input_left_out_among_any_number_of_them) {
  expect_refused(single("Sum", {"x", "x", ""}), "node 'y' (Sum): its input 2 may not be left out");
  expect_refused(single("Concat", {"", "x"}), "node 'y' (Concat): its input 0 may not be left out");
}

// A node of a newer operator set than libonnx has the schemas of.
ModelBuilder newer(int64_t set, const std::string& op, const std::vector<std::string>& inputs) {
  ModelBuilder b(set);
  b.input("x", {-1, 2});
  b.output("y", {-1, 2});
  b.node(op, inputs, "y");
  return b;
}

TEST(Refusal, of_a_newer_operator_set_names_what_is_new_in_it) {
  EXPECT_TRUE(import(newer(23, "Relu", {"x"}).bytes()));
  EXPECT_TRUE(import(newer(27, "Softmax", {"x"}).bytes()));
  expect_refused(newer(24, "Swish", {"x"}),
                 "node 'y' (Swish): operator set 24 of domain '' has no such operator, or this "
                 "build does not know it yet");
  for (const auto& [set, op] : {std::pair(23, "RMSNormalization"), std::pair(23, "Attention"),
                                std::pair(23, "RotaryEmbedding"), std::pair(24, "TensorScatter"),
                                std::pair(26, "CumProd"), std::pair(26, "BitCast")}) {
    expect_refused(newer(set, op, {"x"}), "has no such operator, or this build does not know it");
  }
  // What older operators have learnt is an attribute, which nobody may overlook.
  const struct {
    int64_t set;
    const char* op;
    std::vector<std::string> inputs;
    const char* attribute;
  } learnt[] = {{23, "DequantizeLinear", {"x", "s"}, "output_dtype"},
                {23, "QuantizeLinear", {"x", "s"}, "precision"},
                {24, "Cast", {"x"}, "round_mode"}};
  for (const auto& each : learnt) {
    ModelBuilder b = newer(each.set, each.op, each.inputs);
    if (each.inputs.size() > 1) b.floats("s", {}, {1});
    set_int(*b.graph().mutable_node(0), each.attribute, 1);
    expect_refused(b, std::string("Unrecognized attribute: ") + each.attribute);
  }
  ModelBuilder range = newer(27, "Range", {"a", "b", "c"});
  for (const char* name : {"a", "b", "c"}) range.floats(name, {}, {1});
  set_int(*range.graph().mutable_node(0), "stash_type", 1);
  expect_refused(range, "node 'y' (Range): ");
  expect_refused(newer(28, "Relu", {"x"}), "version 28 of operator set '', supported are 1 to 27");
}

TEST(Refusal, of_operands_that_do_not_broadcast) {
  ModelBuilder b = single("Add", {"x", "c"});
  b.noise("c", {5});
  expect_refused(b, "node 'y' (Add): ");
}

// A network of every kind of entry in some hundred bytes, so that all its bits can be tried.
std::string tiny_network() {
  ModelBuilder b;
  b.input("x", {-1, 1, 2, 2});
  b.output("y", {-1, 2});
  b.noise("w", {1, 1, 1, 1});
  set_ints(b.node("Conv", {"x", "w"}, "c"), "pads", {0, 0, 0, 0});
  b.node("Relu", {"c"}, "r");
  set_int(b.node("Flatten", {"r"}, "f"), "axis", 1);
  b.noise("m", {4, 2});
  b.node("MatMul", {"f", "m"}, "y");
  return b.bytes();
}

std::string file_at(const std::string& path) {
  const char* source = std::getenv("CASEMATE_SOURCE");
  std::ifstream file(std::string(source == nullptr ? "." : source) + "/" + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Where a file may be cut and still be a model: behind whichever comes last of its format version,
// its graph and its operator set, and between the entries that follow (protobuf has no end mark).
std::set<size_t> legal_cuts(const std::string& file) {
  std::set<size_t> cuts;
  std::set<uint64_t> missing = {onnx::ModelProto::kIrVersionFieldNumber,
                                onnx::ModelProto::kGraphFieldNumber,
                                onnx::ModelProto::kOpsetImportFieldNumber};
  size_t at = 0;
  const auto number = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(file.at(at++));
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < file.size()) {
    const uint64_t key = number();
    const uint64_t value = number();  // or a length
    if (key % 8 == 2) at += value;
    missing.erase(key / 8);
    if (missing.empty()) cuts.insert(at);
  }
  return cuts;
}

// True when a refusal says where: a byte, an entry by its name, or what the file as a whole lacks.
bool says_what_is_wrong(const std::string& text) {
  for (const char* words :
       {"at byte ", "node '", "initializer '", "input '", "output '", "value '", "' of the model",
        "(op_type:", "Bad node spec for node. Name: ", "has no name", "Field '",
        "protobuf cannot read it", "the file is empty", "format (IR) version", "operator set",
        "holds no graph", "no output", "functions local to", "sparse initializers"}) {
    if (text.find(words) != std::string::npos) return true;
  }
  return false;
}

void expect_cut_is_refused(const std::string& file, size_t size) {
  const auto result = import(file.substr(0, size));
  ASSERT_FALSE(result) << "cut to " << size << " of " << file.size() << " bytes";
  EXPECT_TRUE(says_what_is_wrong(result.error().text)) << size << ": " << result.error().text;
}

TEST(Refusal, of_a_file_cut_off_at_any_byte) {
  for (const std::string& file : {tiny_network(), small_network().bytes()}) {
    ASSERT_TRUE(import(file));
    EXPECT_EQ(legal_cuts(file), std::set<size_t>{file.size()}) << "it ends in its operator set";
    for (size_t size = 0; size < file.size(); ++size) expect_cut_is_refused(file, size);
  }
}

// Everywhere near both ends; between them, where weights lie, which are alike, at every residue of
// small strides.
TEST(Refusal, of_the_digit_model_cut_off_but_where_it_may_end) {
  constexpr size_t kEnds = 4096;
  const std::string file = file_at("models/digits/1/model.onnx");
  ASSERT_TRUE(import(file)) << "the digit model is committed";
  const std::set<size_t> legal = legal_cuts(file);
  EXPECT_TRUE(legal.contains(file.size()));
  for (size_t size = 0; size < file.size();) {
    if (!legal.contains(size)) expect_cut_is_refused(file, size);
    if (testing::Test::HasFailure()) return;
    size += size < kEnds || size + kEnds > file.size() ? 1 : 13;
  }
  for (const size_t size : legal) EXPECT_TRUE(import(file.substr(0, size))) << size;
}

TEST(Refusal, or_a_sound_graph_of_a_file_with_any_flipped_bit) {
  const std::string file = tiny_network();
  size_t refused = 0;
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto result = import(flipped);
    if (result) {
      EXPECT_TRUE(result->sound()) << "bit " << bit;
      continue;
    }
    ++refused;
    EXPECT_TRUE(says_what_is_wrong(result.error().text)) << bit << ": " << result.error().text;
  }
  EXPECT_GT(refused, file.size()) << "most of it is structure";
}

TEST(Refusal, or_a_sound_graph_of_a_network_with_any_byte_replaced) {
  const std::string file = small_network().bytes();
  for (size_t at = 0; at < file.size(); ++at) {
    std::string changed = file;
    changed[at] = static_cast<char>(0xFF);
    const auto result = import(changed);
    EXPECT_TRUE(result ? result->sound().has_value() : says_what_is_wrong(result.error().text))
        << at << ": " << (result ? "" : result.error().text);
  }
}

}  // namespace
}  // namespace casemate::engine
