// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/onnx/tensors.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/format.h"
#include "isolated/engine/graph/name_text.h"
#include "isolated/engine/onnx/file_tensors.h"

namespace casemate::engine {
namespace {

using onnx::TensorProto;

// How many elements stand in typed fields, and whether those are the fields of the tensor's type.
struct Typed {
  int64_t count = 0;
  bool right = true;
};

Typed typed_data(const TensorProto& tensor) {
  const auto type = static_cast<ElementType>(tensor.data_type());
  const bool small =
      type == ElementType::kInt32 || (size_of(type) <= 2 && type != ElementType::kNone);
  const bool large = type == ElementType::kUint32 || type == ElementType::kUint64;
  const std::pair<int, bool> fields[] = {
      {tensor.float_data_size(), type == ElementType::kFloat32},
      {tensor.int32_data_size(), small},
      {tensor.int64_data_size(), type == ElementType::kInt64},
      {tensor.double_data_size(), type == ElementType::kFloat64},
      {tensor.uint64_data_size(), large},
      {tensor.string_data_size(), false},
  };
  Typed result;
  for (const auto& [count, right] : fields) {
    result.count += count;
    if (count > 0 && !right) result.right = false;
  }
  return result;
}

Result<int64_t> number_from(const std::string& text, std::string_view key) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) {
    return Error{Code::kInvalid,
                 formatted("external data has {} '{}', which is no number from 0 to 2^63-1", key,
                           name_text(text))};
  }
  return value;
}

Status load_external(TensorProto& tensor, const ExternalData& external, uint64_t bytes,
                     Budget& budget) {
  std::string location;
  int64_t offset = 0;
  int64_t length = -1;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = TRY(number_from(entry.value(), "offset"));
    if (entry.key() == "length") length = TRY(number_from(entry.value(), "length"));
  }
  if (length >= 0 && static_cast<uint64_t>(length) != bytes) {
    return Error{Code::kInvalid,
                 formatted("external data has {} bytes, its shape needs {}", length, bytes)};
  }
  TRY(budget.take(bytes));
  std::string data = TRY(external.read(location, offset, static_cast<int64_t>(bytes), bytes));
  tensor.set_raw_data(std::move(data));
  tensor.clear_external_data();
  tensor.set_data_location(TensorProto::DEFAULT);
  return {};
}

// The elements of a typed field, which may be wider than T, as bytes of T.
template <class T, class Source>
Result<std::string> bytes_from(const Source& source) {
  std::string bytes;
  bytes.reserve(static_cast<size_t>(source.size()) * sizeof(T));
  for (const auto value : source) {
    if constexpr (std::is_integral_v<T>) {
      if (!std::in_range<T>(value)) {
        return Error{Code::kInvalid,
                     formatted("{} is out of the range of its element type", value)};
      }
    }
    const T element = static_cast<T>(value);
    bytes.append(text_of(bytes_of(element)));
  }
  return bytes;
}

Result<std::string> typed_bytes(const TensorProto& tensor, ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return bytes_from<float>(tensor.float_data());
    case ElementType::kFloat64:
      return bytes_from<double>(tensor.double_data());
    case ElementType::kInt64:
      return bytes_from<int64_t>(tensor.int64_data());
    case ElementType::kInt32:
      return bytes_from<int32_t>(tensor.int32_data());
    case ElementType::kInt16:
      return bytes_from<int16_t>(tensor.int32_data());
    case ElementType::kInt8:
      return bytes_from<int8_t>(tensor.int32_data());
    case ElementType::kUint8:
      return bytes_from<uint8_t>(tensor.int32_data());
    case ElementType::kUint32:
      return bytes_from<uint32_t>(tensor.uint64_data());
    case ElementType::kUint64:
      return bytes_from<uint64_t>(tensor.uint64_data());
    case ElementType::kBool:
      return bytes_from<uint8_t>(tensor.int32_data());
    default:
      return bytes_from<uint16_t>(tensor.int32_data());
  }
}

}  // namespace

Status Budget::take(uint64_t bytes) {
  if (bytes > bytes_left) {
    return Error{
        Code::kTooLarge,
        formatted("{} bytes are more than the {} that the model may still use: allow it more "
                  "memory",
                  bytes, bytes_left)};
  }
  bytes_left -= bytes;
  return {};
}

Result<Shape> shape_from(std::span<const int64_t> dims) {
  if (dims.size() > limits::kRank) {
    return Error{Code::kUnsupported, formatted("it has {} dimensions, supported are at most {}",
                                               dims.size(), limits::kRank)};
  }
  if (const auto negative = std::ranges::find_if(dims, [](int64_t d) { return d < 0; });
      negative != dims.end()) {
    return Error{Code::kInvalid, formatted("it has the negative dimension {}", *negative)};
  }
  return Shape(dims);
}

namespace {

Status admit_text(const TensorProto& tensor, Bytes left_out, Budget& budget) {
  const Shape shape =
      TRY(shape_from({tensor.dims().data(), static_cast<size_t>(tensor.dims_size())}));
  const uint64_t count = TRY(shape.element_count());
  if (tensor.data_location() == TensorProto::EXTERNAL || tensor.has_raw_data() ||
      !left_out.empty() || typed_data(tensor).count != tensor.string_data_size()) {
    return Error{Code::kInvalid, "its strings stand in a field of another type"};
  }
  if (static_cast<uint64_t>(tensor.string_data_size()) != count) {
    return Error{Code::kInvalid, formatted("it has {} strings, its shape {} needs {}",
                                           tensor.string_data_size(), shape.text(), count)};
  }
  uint64_t bytes = count * sizeof(std::string);
  for (const std::string& text : tensor.string_data()) bytes += text.size();
  return budget.take(bytes);
}

}  // namespace

Status admit_tensor(TensorProto& tensor, const ExternalData& external, Budget& budget,
                    Bytes left_out) {
  const auto type = element_type_from(static_cast<uint32_t>(tensor.data_type()));
  if (!type || *type == ElementType::kNone) {
    return Error{Code::kUnsupported,
                 formatted("its element type {} is not supported", tensor.data_type())};
  }
  if (*type == ElementType::kString) return admit_text(tensor, left_out, budget);
  if (tensor.has_segment()) return Error{Code::kUnsupported, "it is stored in segments"};
  const Shape shape =
      TRY(shape_from({tensor.dims().data(), static_cast<size_t>(tensor.dims_size())}));
  const uint64_t bytes = TRY(tensor_bytes(*type, shape));
  const Typed typed = typed_data(tensor);
  const bool outside = tensor.data_location() == TensorProto::EXTERNAL;
  const uint64_t raw_size = left_out.empty() ? tensor.raw_data().size() : left_out.size();
  const bool raw = raw_size > 0 || (tensor.has_raw_data() && typed.count == 0);
  if ((raw && typed.count > 0) || (outside && (typed.count > 0 || raw_size > 0))) {
    return Error{Code::kInvalid, "it has its data twice"};
  }
  if (!outside && tensor.external_data_size() > 0) {
    return Error{Code::kInvalid, "it names external data without being marked as external"};
  }
  if (outside) return load_external(tensor, external, bytes, budget);
  TRY(budget.take(bytes));
  if (raw && raw_size != bytes) {
    return Error{Code::kInvalid, formatted("it has {} bytes of data, its shape {} needs {}",
                                           raw_size, shape.text(), bytes)};
  }
  if (!typed.right) return Error{Code::kInvalid, "its data stands in a field of another type"};
  if (!raw && static_cast<uint64_t>(typed.count) * size_of(*type) != bytes) {
    return Error{Code::kInvalid, formatted("it has {} elements of data, its shape {} needs {}",
                                           typed.count, shape.text(), bytes / size_of(*type))};
  }
  return {};
}

Result<Tensor> take_tensor(TensorProto& tensor, Bytes left_out, FileTensors* file_tensors) {
  const auto type = static_cast<ElementType>(tensor.data_type());
  const Shape shape =
      TRY(shape_from({tensor.dims().data(), static_cast<size_t>(tensor.dims_size())}));
  if (type == ElementType::kString) {
    return Tensor::make(
        shape, std::vector<std::string>(tensor.string_data().begin(), tensor.string_data().end()));
  }
  if (file_tensors != nullptr && FileTensors::takes(type, left_out.size()))
    return file_tensors->add(type, shape, left_out);
  std::string bytes;
  if (!left_out.empty()) {
    bytes = text_of(left_out);
  } else if (tensor.raw_data().empty()) {
    bytes = TRY(typed_bytes(tensor, type));
  } else {
    bytes = std::move(*tensor.mutable_raw_data());
  }
  if (type == ElementType::kBool &&
      std::ranges::any_of(bytes, [](char c) { return c != 0 && c != 1; })) {
    return Error{Code::kInvalid, "it has a BOOL element that is neither 0 nor 1"};
  }
  return Tensor::make(type, shape, std::move(bytes));
}

}  // namespace casemate::engine
