// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/conformance/case.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include <onnx/onnx-data_pb.h>

#include "base/format.h"
#include "isolated/engine/onnx/tensors.h"

namespace casemate::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBytesMax = 4ull << 30;

std::string contents_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<Datum> tensor_from(onnx::TensorProto& proto) {
  static const ExternalData nowhere = *ExternalData::make("");
  Budget budget{kBytesMax};
  TRY(admit_tensor(proto, nowhere, budget));
  return Datum(TRY(take_tensor(proto)));
}

Result<Datum> sequence_from(onnx::SequenceProto& proto) {
  Sequence sequence;
  for (auto& element : *proto.mutable_tensor_values())
    sequence.push_back(*TRY(tensor_from(element)).tensor());
  return Datum(std::move(sequence));
}

// Some cases store bfloat16 as UINT16, of the same bits.
Result<Datum> as_port(Datum datum, const Port& port) {
  const Tensor* tensor = datum.tensor();
  if (tensor->type() != ElementType::kUint16 || port.type != ElementType::kBfloat16) return datum;
  return Datum(
      TRY(Tensor::make(port.type, tensor->shape(), std::string(text_of(tensor->bytes())))));
}

// The interface says which message the file holds.
Result<Datum> datum_from(const fs::path& path, const Port& port) {
  const Port::Kind kind = port.kind;
  const std::string bytes = contents_of(path);
  onnx::OptionalProto optional;
  if (kind == Port::Kind::kOptional) {
    if (!optional.ParseFromString(bytes)) return Error{Code::kInvalid, "no optional"};
    if (optional.has_tensor_value()) return tensor_from(*optional.mutable_tensor_value());
    if (optional.has_sequence_value()) return sequence_from(*optional.mutable_sequence_value());
    return Datum();
  }
  if (kind == Port::Kind::kSequence) {
    onnx::SequenceProto sequence;
    if (!sequence.ParseFromString(bytes)) return Error{Code::kInvalid, "no sequence"};
    return sequence_from(sequence);
  }
  onnx::TensorProto tensor;
  if (!tensor.ParseFromString(bytes)) return Error{Code::kInvalid, "no tensor"};
  return as_port(TRY(tensor_from(tensor)), port);
}

// The inputs of light models are not stored: element k of n is k/n.
Result<Datum> ramp(const Port& port) {
  std::vector<int64_t> dims = port.dims;
  std::ranges::replace(dims, -1, 1);
  Tensor tensor = TRY(Tensor::unset(ElementType::kFloat32, Shape(dims)));
  const auto values = tensor.values<float>();
  for (size_t k = 0; k < values.size(); ++k)
    values[k] = static_cast<float>(static_cast<double>(k) / static_cast<double>(values.size()));
  return Datum(std::move(tensor));
}

void add_light(const fs::path& folder, std::vector<Case>& cases) {
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    const fs::path& path = entry.path();
    if (path.extension() != ".onnx") continue;
    const std::string name = path.stem().string();
    cases.push_back({"light", name, path, folder / (name + "_output_0.pb")});
  }
}

template <class T>
double number(T value) {
  return static_cast<double>(static_cast<float>(value));
}
double number(double value) { return value; }

template <class T>
std::string numbers_differ(const Tensor& have, const Tensor& want) {
  const auto a = have.values<T>();
  const auto b = want.values<T>();
  for (size_t i = 0; i < a.size(); ++i) {
    if constexpr (std::is_integral_v<T>) {
      if (a[i] != b[i]) return formatted("element {}: {} instead of {}", i, a[i], b[i]);
    } else {
      const double x = number(a[i]);
      const double y = number(b[i]);
      const bool same = x == y || (std::isnan(x) && std::isnan(y)) ||
                        std::abs(x - y) <= 1e-7 + 1e-3 * std::abs(y);
      if (!same) return formatted("element {}: {} instead of {}", i, x, y);
    }
  }
  return {};
}

std::string elements_differ(const Tensor& have, const Tensor& want) {
  switch (want.type()) {
    case ElementType::kFloat32:
      return numbers_differ<float>(have, want);
    case ElementType::kFloat64:
      return numbers_differ<double>(have, want);
    case ElementType::kFloat16:
      return numbers_differ<Float16>(have, want);
    case ElementType::kBfloat16:
      return numbers_differ<Bfloat16>(have, want);
    case ElementType::kInt64:
      return numbers_differ<int64_t>(have, want);
    case ElementType::kUint8:
      return numbers_differ<uint8_t>(have, want);
    case ElementType::kInt8:
      return numbers_differ<int8_t>(have, want);
    default:
      return have == want ? "" : "elements differ";
  }
}

std::string tensors_differ(const Tensor& have, const Tensor& want) {
  if (have.type() != want.type())
    return formatted("{} instead of {}", name_of(have.type()), name_of(want.type()));
  if (have.shape() != want.shape())
    return formatted("shape {} instead of {}", have.shape().text(), want.shape().text());
  return elements_differ(have, want);
}

std::string data_differ(const Datum& have, const Datum& want) {
  if (want.tensor() != nullptr) {
    return have.tensor() == nullptr ? "no tensor" : tensors_differ(*have.tensor(), *want.tensor());
  }
  if (want.sequence() == nullptr) return have.empty() ? "" : "something instead of nothing";
  if (have.sequence() == nullptr) return "no sequence";
  if (have.sequence()->size() != want.sequence()->size())
    return formatted("{} elements instead of {}", have.sequence()->size(), want.sequence()->size());
  for (size_t i = 0; i < want.sequence()->size(); ++i) {
    const std::string found = tensors_differ((*have.sequence())[i], (*want.sequence())[i]);
    if (!found.empty()) return formatted("element {} of the sequence: {}", i, found);
  }
  return {};
}

}  // namespace

std::vector<Case> find_cases(const fs::path& folder) {
  std::vector<Case> cases;
  for (const char* suite : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
    std::error_code missing;  // which the count of what passes tells
    for (const auto& entry : fs::directory_iterator(folder / suite, missing)) {
      const fs::path& path = entry.path();
      cases.push_back(
          {suite, path.filename().string(), path / "model.onnx", path / "test_data_set_0"});
    }
  }
  add_light(folder / "light", cases);
  std::ranges::sort(cases, {}, [](const Case& c) { return std::pair(c.suite, c.name); });
  return cases;
}

std::string operator_of(const Case& tested) {
  onnx::ModelProto model;
  if (!model.ParseFromString(contents_of(tested.model)) || model.graph().node_size() == 0)
    return {};
  const onnx::NodeProto& node = model.graph().node(0);
  return node.domain().empty() ? node.op_type() : node.domain() + ":" + node.op_type();
}

Result<Expectation> load_case(const Case& tested) {
  const std::string file = contents_of(tested.model);
  Expectation expected{TRY(read_onnx(bytes_of(std::string_view(file)), {})), {}, {}};
  const bool light = tested.suite == "light";
  for (size_t i = 0; i < expected.model.inputs.size(); ++i) {
    const Port& port = expected.model.inputs[i];
    expected.inputs.push_back(
        TRY(light ? ramp(port) : datum_from(tested.data / formatted("input_{}.pb", i), port)));
  }
  for (size_t i = 0; i < expected.model.outputs.size(); ++i) {
    const fs::path path = light ? tested.data : tested.data / formatted("output_{}.pb", i);
    expected.outputs.push_back(TRY(datum_from(path, expected.model.outputs[i])));
  }
  return expected;
}

std::string difference(const std::vector<Datum>& have, const std::vector<Datum>& want) {
  if (have.size() != want.size())
    return formatted("{} outputs instead of {}", have.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    const std::string found = data_differ(have[i], want[i]);
    if (!found.empty()) return formatted("output {}: {}", i, found);
  }
  return {};
}

}  // namespace casemate::engine
