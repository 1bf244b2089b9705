// SPDX-License-Identifier: Apache-2.0
// Operators that make each element from those at its place.
#include <algorithm>
#include <bit>
#include <map>

#include "isolated/driver/opencl/device/lowering.h"
#include "isolated/engine/graph/activation.h"

namespace casemate::driver {
namespace {

using engine::PostOp;

// f_NAME in element_source.cc, behind the activations that the graph knows by itself.
constexpr std::array<std::string_view, 26> kFunctions = {
    "Abs",   "Ceil",     "Clip",       "Cos",         "Elu",       "Erf",       "Exp",
    "Floor", "Gelu",     "GeluTanh",   "HardSigmoid", "HardSwish", "LeakyRelu", "Log",
    "Mish",  "Neg",      "Reciprocal", "Relu",        "Round",     "Sigmoid",   "Sign",
    "Sin",   "Softplus", "Softsign",   "Sqrt",        "Tanh"};

// Expressions of a and b. Whole numbers are not divided: a zero would end the process.
struct BinaryForm {
  const char* text;
  bool floats = true;
  bool integers = true;
  bool truths = false;  // of bools, too
  bool compares = false;
};

const std::map<std::string_view, BinaryForm>& binary_forms() {
  static const std::map<std::string_view, BinaryForm> kForms = {
      {"Add", {"a + b"}},
      {"And", {"a != 0 && b != 0", false, false, true, true}},
      {"Div", {"a / b", true, false}},
      {"Equal", {"a == b", true, true, true, true}},
      {"Greater", {"a > b", true, true, false, true}},
      {"GreaterOrEqual", {"a >= b", true, true, false, true}},
      {"Less", {"a < b", true, true, false, true}},
      {"LessOrEqual", {"a <= b", true, true, false, true}},
      {"Max", {"a > b || a != a ? a : b"}},
      {"Min", {"a < b || a != a ? a : b"}},
      {"Mul", {"a * b"}},
      {"Or", {"a != 0 || b != 0", false, false, true, true}},
      {"PRelu", {"a < 0 ? a * b : a", true, false}},
      {"Pow", {"pow(a, b)", true, false}},
      {"Sub", {"a - b"}},
      {"Xor", {"(a != 0) != (b != 0)", false, false, true, true}},
  };
  return kForms;
}

// OpenCL's name of an element type that is computed with.
const char* kernel_type(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "float";
    case ElementType::kInt32:
      return "int";
    case ElementType::kInt64:
      return "long";
    case ElementType::kUint8:
    case ElementType::kBool:
      return "uchar";
    case ElementType::kInt8:
      return "char";
    default:
      return nullptr;
  }
}

std::string bits_text(float value) {
  return formatted("as_float(0x{:x}u)", std::bit_cast<uint32_t>(value));
}

void launch_map(Lowering& l, std::string_view from, std::string_view to, const std::string& text) {
  const int32_t count = l.count(l.node.output());
  l.launch({.source = &kElementSource,
            .defines = formatted("#define X {}\n#define Y {}\n#define UNARY {}\n", from, to, text),
            .kernel = "map",
            .items = {static_cast<uint64_t>(count), 1},
            .arguments = {l.node.inputs[0], l.node.output(), count}});
}

Status lower_activation(Lowering& l) {
  TRY(l.floats());
  TRY(l.plain());
  const auto text = activation_text(l.graph, l.node);
  if (!text || (l.node.raw && l.node.op == "Clip"))
    return l.refused("its parameters are not constants");
  if (l.in(0) != l.out()) return l.refused("its result has another shape");
  launch_map(l, "float", "float", *text);
  return {};
}

Status lower_not(Lowering& l) {
  TRY(l.plain());
  if (l.type(l.node.inputs[0]) != ElementType::kBool || l.in(0) != l.out())
    return l.refused("it is done for bools alone");
  launch_map(l, "uchar", "uchar", "v == 0");
  return {};
}

// As the engine casts: numbers that do not fit become the nearest that does.
Status lower_cast(Lowering& l) {
  TRY(l.plain());
  const ElementType from = l.type(l.node.inputs[0]);
  const ElementType to = l.type(l.node.output());
  const char* const x = kernel_type(from);
  const char* const y = kernel_type(to);
  if (x == nullptr || y == nullptr)
    return l.refused(formatted("{} is not cast to {}", name_of(from), name_of(to)));
  if (l.count(l.node.inputs[0]) != l.count(l.node.output()))
    return l.refused("its result has another shape");
  std::string text = formatted("convert_{}(v)", y);
  if (from == ElementType::kFloat32 && to != ElementType::kFloat32)
    text = formatted("convert_{}_sat_rtz(v)", y);
  if (to == ElementType::kBool) text = "v != 0";
  if (from == ElementType::kBool && to != ElementType::kBool) text = formatted("({})(v != 0)", y);
  launch_map(l, x, y, text);
  return {};
}

Status lower_binary(Lowering& l) {
  const BinaryForm& form = binary_forms().at(l.node.op);
  // Two, and what is fused behind them needs no more.
  if (l.node.inputs.size() != 2 || !l.node.input(1).present())
    return l.refused("it is done for two operands");
  const ElementType from = l.type(l.node.inputs[0]);
  const ElementType to = l.type(l.node.output());
  const bool whole = from == ElementType::kInt32 || from == ElementType::kInt64;
  const bool taken = (form.floats && from == ElementType::kFloat32) || (form.integers && whole) ||
                     (form.truths && from == ElementType::kBool);
  if (l.type(l.node.inputs[1]) != from || !taken ||
      to != (form.compares ? ElementType::kBool : from))
    return l.refused(formatted("it is not done for {}", name_of(from)));
  std::string follows;
  for (const PostOp& post : l.node.post_ops) {
    if (!known_activation(post.op) || to != ElementType::kFloat32)
      return l.refused(formatted("{} is fused behind it", post.op));
    follows += formatted("v = {}; ", activation_text(post));
  }
  const std::array<Shape, 3> operands = {l.out(), l.in(0), l.in(1)};
  const RecipeGrid grid = TRY(grid_of(l, l.out(), operands));
  if (l.count(l.node.output()) == 0) return {};
  l.launch({.source = &kElementSource,
            .defines = formatted("#define X {}\n#define Y {}\n#define BINARY {}\n#define FOLLOWS "
                                 "{}\n",
                                 kernel_type(from), kernel_type(to), form.text, follows),
            .kernel = "combine",
            .items = {static_cast<uint64_t>(grid.columns), rows_of(grid)},
            .arguments = {l.node.inputs[0], l.node.inputs[1], l.node.output(), grid}});
  return {};
}

}  // namespace

bool known_activation(std::string_view op) { return std::ranges::contains(kFunctions, op); }

std::string activation_text(const PostOp& post) {
  return formatted("f_{}(v, {}, {})", post.op, bits_text(post.alpha), bits_text(post.beta));
}

std::optional<std::string> activation_text(const engine::Graph& graph, const engine::Node& node) {
  if (const auto post = engine::as_post_op(graph, node)) {
    if (!known_activation(post->op)) return std::nullopt;
    return activation_text(*post);
  }
  if (!known_activation(node.op) || node.inputs.size() != 1) return std::nullopt;
  return activation_text(PostOp{.op = node.op});
}

Lower find_elementwise(std::string_view op) {
  if (op == "Cast") return lower_cast;
  if (op == "Not") return lower_not;
  if (op != "GeluTanh" && known_activation(op)) return lower_activation;
  return binary_forms().contains(op) ? lower_binary : nullptr;
}

}  // namespace casemate::driver
