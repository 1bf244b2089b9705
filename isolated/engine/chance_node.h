// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: models of one node of chance, of any operator, as its schema allows it and beyond:
// inputs of its types and of shapes that nobody would give it, attributes of its types with values
// that make no sense. Seeded.

#include <onnx/defs/schema.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "isolated/engine/onnx/model_builder.h"
#include "isolated/engine/onnx/schemas.h"
#include "isolated/engine/operators/datum.h"

namespace casemate::engine {

// A model, and data for its inputs.
struct ChanceCase {
  ModelBuilder model;
  std::vector<Datum> inputs;
};

class ChanceNode final {
 public:
  explicit ChanceNode(uint64_t seed) : random_(seed) {}

  // None for an operator with subgraphs, sequences or types that we do not hold.
  std::optional<ChanceCase> make(const std::string& op_with_domain) {
    const size_t colon = op_with_domain.rfind(':');
    const std::string domain = colon == std::string::npos ? "" : op_with_domain.substr(0, colon);
    const std::string op = op_with_domain.substr(colon == std::string::npos ? 0 : colon + 1);
    const int version = domain.empty() ? one_of({7, 11, 13, 18, 20, 22}) : 4;
    const onnx::OpSchema* schema = schema_of(op, version, domain);
    if (schema == nullptr) return std::nullopt;
    ChanceCase made{ModelBuilder(version), {}};
    if (!domain.empty()) {
      auto& set = *made.model.model.add_opset_import();
      set.set_domain(domain);
      set.set_version(domain == "ai.onnx.ml" ? 4 : 1);
    }
    types_.clear();
    first_ = shape();
    onnx::NodeProto& node = made.model.node(op, {}, "y");
    node.set_domain(domain);
    if (!add_inputs(*schema, made, node) || !add_attributes(*schema, node)) return std::nullopt;
    for (int i = 1; i < std::min(schema->max_output(), 3); ++i) {
      if (i < schema->min_output() || once_in(2)) node.add_output("y" + std::to_string(i));
    }
    for (const std::string& name : node.output()) made.model.graph().add_output()->set_name(name);
    return made;
  }

 private:
  int64_t below(int64_t count) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(count));
  }
  bool once_in(int64_t count) { return below(count) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return list.begin()[below(static_cast<int64_t>(list.size()))];
  }
  int64_t integer() {
    if (!once_in(8)) return below(6) - 1;
    return one_of<int64_t>({INT64_MIN, INT64_MAX, INT32_MAX, INT32_MIN, -7, 9, 1LL << 33, 1 << 20});
  }
  float real() {
    if (!once_in(8)) return static_cast<float>(below(17)) / 4 - 1;
    return one_of({NAN, INFINITY, -INFINITY, 1e30F, -1e30F, 1e-40F, 0.0F, -0.0F});
  }

  Shape shape() {
    const int64_t rank = one_of({0, 1, 2, 2, 3, 3, 4, 4, 5, 8});
    std::vector<int64_t> extents;
    bool hollow = false;
    for (int64_t i = 0; i < rank; ++i) {
      extents.push_back(once_in(10) ? 0 : 1 + below(4));
      hollow = hollow || extents.back() == 0;
    }
    // What is empty can be as long as it likes.
    int64_t* const longest = extents.empty() ? nullptr : &extents[below(rank)];
    if (hollow && *longest != 0 && once_in(2))
      *longest = one_of<int64_t>({1LL << 40, 1LL << 31, 1 << 20});
    return Shape(extents);
  }

  Shape shape_of_input(size_t index, ElementType type) {
    if (index == 0) return first_;
    const auto rank = static_cast<int64_t>(first_.rank());
    if (type == ElementType::kInt64 && !once_in(3))
      return once_in(3) ? Shape{} : Shape{one_of<int64_t>({rank, rank, 2 * rank, 1, below(4)})};
    switch (below(6)) {
      case 0:
        return shape();
      case 1:
      case 2: {
        // Not so many that they would have to be there.
        const int64_t extent = rank > 0 ? first_[static_cast<size_t>(below(rank))] : 1;
        return extent < 64 ? Shape{extent} : Shape{};
      }
      default:
        return first_;
    }
  }

  // A type that the input may have, the same for all that the schema gives one type.
  std::optional<ElementType> type_of(const onnx::OpSchema::FormalParameter& formal) {
    static const std::map<std::string, ElementType> kHeld = {
        {"tensor(float)", ElementType::kFloat32},  {"tensor(uint8)", ElementType::kUint8},
        {"tensor(int8)", ElementType::kInt8},      {"tensor(uint16)", ElementType::kUint16},
        {"tensor(int16)", ElementType::kInt16},    {"tensor(int32)", ElementType::kInt32},
        {"tensor(int64)", ElementType::kInt64},    {"tensor(string)", ElementType::kString},
        {"tensor(bool)", ElementType::kBool},      {"tensor(float16)", ElementType::kFloat16},
        {"tensor(double)", ElementType::kFloat64}, {"tensor(uint32)", ElementType::kUint32},
        {"tensor(uint64)", ElementType::kUint64},  {"tensor(bfloat16)", ElementType::kBfloat16}};
    if (const auto found = types_.find(formal.GetTypeStr()); found != types_.end())
      return found->second;
    std::vector<ElementType> possible;
    for (const std::string* name : formal.GetTypes()) {
      if (const auto held = kHeld.find(*name); held != kHeld.end())
        possible.push_back(held->second);
    }
    if (possible.empty()) return std::nullopt;
    std::ranges::sort(possible);  // the set is one of pointers
    const bool real = std::ranges::contains(possible, ElementType::kFloat32) && once_in(2);
    const ElementType type = real ? ElementType::kFloat32 : possible[below(std::ssize(possible))];
    types_[formal.GetTypeStr()] = type;
    return type;
  }

  Tensor tensor(ElementType type, const Shape& shape) {
    Tensor made = *Tensor::unset(type, shape);
    if (type == ElementType::kString) {
      for (std::string& text : made.values<std::string>())
        text.assign(below(4), one_of({'a', 'b', '1', ' ', '\xff'}));
      return made;
    }
    const size_t size = size_of(type);
    const MutableBytes bytes = made.mutable_bytes();
    for (size_t at = 0; at < bytes.size(); at += size) {
      int64_t bits = integer();
      if (type == ElementType::kBool) bits = below(2);
      if (type == ElementType::kFloat32) bits = std::bit_cast<int32_t>(real());
      if (type == ElementType::kFloat64) bits = std::bit_cast<int64_t>(static_cast<double>(real()));
      if (type == ElementType::kFloat16)
        bits = std::bit_cast<int16_t>(static_cast<Float16>(real()));
      if (type == ElementType::kBfloat16) bits = std::bit_cast<int32_t>(real()) >> 16;
      std::memcpy(bytes.data() + at, &bits, size);
    }
    return made;
  }

  // As an input of the model or, now and then, an initializer.
  void add_value(ChanceCase& made, const std::string& name, const Tensor& tensor) {
    if (once_in(3) && tensor.type() != ElementType::kString) {
      auto& constant = *made.model.graph().add_initializer();
      constant.set_name(name);
      constant.set_data_type(static_cast<int>(tensor.type()));
      for (const int64_t extent : tensor.shape().dims()) constant.add_dims(extent);
      constant.set_raw_data(std::string(text_of(tensor.bytes())));
      return;
    }
    const auto dims = tensor.shape().dims();
    made.model.input(name, {dims.begin(), dims.end()}, static_cast<int>(tensor.type()));
    made.inputs.emplace_back(tensor);
  }

  bool add_inputs(const onnx::OpSchema& schema, ChanceCase& made, onnx::NodeProto& node) {
    const int most = std::min(schema.max_input(), schema.min_input() + 3);
    const auto count = schema.min_input() + below(most - schema.min_input() + 1);
    for (int64_t i = 0; i < count; ++i) {
      const size_t index = std::min<size_t>(static_cast<size_t>(i), schema.inputs().size() - 1);
      const auto& formal = schema.inputs()[index];
      const auto type = type_of(formal);
      if (!type) return false;
      if (formal.GetOption() == onnx::OpSchema::Optional && once_in(4)) {
        node.add_input("");
        continue;
      }
      const std::string name = "x" + std::to_string(i);
      add_value(made, name, tensor(*type, shape_of_input(static_cast<size_t>(i), *type)));
      node.add_input(name);
    }
    return true;
  }

  std::string word() {
    return one_of<const char*>({"NOTSET",
                                "SAME_UPPER",
                                "SAME_LOWER",
                                "VALID",
                                "nearest",
                                "linear",
                                "cubic",
                                "constant",
                                "reflect",
                                "edge",
                                "wrap",
                                "avg",
                                "max",
                                "zeros",
                                "border",
                                "LEFT",
                                "RIGHT",
                                "none",
                                "add",
                                "mul",
                                "sum",
                                "mean",
                                "forward",
                                "reverse",
                                "bidirectional",
                                "DCR",
                                "CRD",
                                "half_pixel",
                                "align_corners",
                                "asymmetric",
                                "TF",
                                "IDF",
                                "tanh",
                                "BILINEAR",
                                "i,j->ij",
                                "ij,jk->ik",
                                "ii->i",
                                "...a,...a->...",
                                "(a|b)*1",
                                "LOWER",
                                "floor",
                                "ceil",
                                ""});
  }

  // Mostly as the operator's names suggest, and as long as there are dimensions.
  std::vector<int64_t> integers(const std::string& name) {
    const auto rank = static_cast<int64_t>(first_.rank());
    const auto spatial = std::max<int64_t>(rank - 2, 0);
    int64_t count = one_of<int64_t>({rank, spatial, spatial, 2 * spatial, 1, below(5)});
    if (name == "pads" && once_in(2)) count = one_of({2 * spatial, 2 * rank});
    std::vector<int64_t> list;
    for (int64_t i = 0; i < count; ++i) list.push_back(once_in(3) ? integer() : 1 + below(2));
    return list;
  }

  bool add_attributes(const onnx::OpSchema& schema, onnx::NodeProto& node) {
    for (const auto& [name, formal] : schema.attributes()) {
      if (formal.type == onnx::AttributeProto::GRAPH) return false;
      if (!formal.required && !once_in(3)) continue;
      auto& attribute = *node.add_attribute();
      attribute.set_name(name);
      attribute.set_type(formal.type);
      if (!fill(attribute)) node.mutable_attribute()->RemoveLast();
    }
    return true;
  }

  bool fill(onnx::AttributeProto& attribute) {
    switch (attribute.type()) {
      case onnx::AttributeProto::INT:
        attribute.set_i(integer());
        return true;
      case onnx::AttributeProto::FLOAT:
        attribute.set_f(real());
        return true;
      case onnx::AttributeProto::STRING:
        attribute.set_s(word());
        return true;
      case onnx::AttributeProto::INTS:
        for (const int64_t value : integers(attribute.name())) attribute.add_ints(value);
        return true;
      case onnx::AttributeProto::FLOATS:
        for (int64_t i = below(5); i > 0; --i) attribute.add_floats(real());
        return true;
      case onnx::AttributeProto::STRINGS:
        for (int64_t i = below(5); i > 0; --i) attribute.add_strings(word());
        return true;
      case onnx::AttributeProto::TENSOR: {
        const ElementType type =
            one_of({ElementType::kFloat32, ElementType::kInt64, ElementType::kUint8});
        const Tensor made = tensor(type, {below(4)});
        attribute.mutable_t()->set_data_type(static_cast<int>(type));
        attribute.mutable_t()->add_dims(made.shape()[0]);
        attribute.mutable_t()->set_raw_data(std::string(text_of(made.bytes())));
        return true;
      }
      default:
        return false;
    }
  }

  std::mt19937_64 random_;
  Shape first_;
  std::map<std::string, ElementType> types_;
};

}  // namespace casemate::engine
