// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/protocol/elements.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/format.h"
#include "base/log.h"

namespace casemate::gateway {
namespace {

// A client that lies about its shape must not make us reserve what it never sends.
constexpr uint64_t kReserveMax = 1 << 20;

}  // namespace

Result<Elements> Elements::make(ElementType type, uint64_t count_expected) {
  if (type == ElementType::kFloat16 || type == ElementType::kBfloat16) {
    return Error{Code::kInvalid,
                 formatted("{} has no JSON form; send it as binary (parameter binary_data_size)",
                           name_of(type))};
  }
  Elements elements(type);
  elements.bytes_.reserve(std::min(count_expected, kReserveMax) * size_of(type));
  return elements;
}

bool Elements::refuse(std::string why) {
  why_ = std::move(why);
  return false;
}

template <class T>
bool Elements::append(T value) {
  const Bytes bytes = bytes_of(value);
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  ++count_;
  return true;
}

template <class Integer>
bool Elements::put_whole(Integer value) {
  const auto narrow = [&]<class T>(T) {
    if (!std::in_range<T>(value)) {
      return refuse(
          formatted("element {} is {}, beyond the range of {}", count_, value, name_of(type_)));
    }
    return append(static_cast<T>(value));
  };
  switch (type_) {
    case ElementType::kFloat32:
      return append(static_cast<float>(value));
    case ElementType::kFloat64:
      return append(static_cast<double>(value));
    case ElementType::kUint8:
      return narrow(uint8_t{});
    case ElementType::kInt8:
      return narrow(int8_t{});
    case ElementType::kUint16:
      return narrow(uint16_t{});
    case ElementType::kInt16:
      return narrow(int16_t{});
    case ElementType::kInt32:
      return narrow(int32_t{});
    case ElementType::kInt64:
      return narrow(int64_t{});
    case ElementType::kUint32:
      return narrow(uint32_t{});
    case ElementType::kUint64:
      return narrow(uint64_t{});
    case ElementType::kBool:
      if (value == 0 || value == 1) return append(static_cast<uint8_t>(value));
      return refuse(formatted("element {} is {}; BOOL takes true or false", count_, value));
    default:
      return refuse(formatted("element {} is a number; {} takes {}", count_, name_of(type_),
                              type_ == ElementType::kString ? "strings" : "binary data"));
  }
}

bool Elements::put_integer(int64_t value) { return put_whole(value); }
bool Elements::put_natural(uint64_t value) { return put_whole(value); }

bool Elements::put_real(double value, std::string_view literal) {
  if (type_ == ElementType::kFloat64) return append(value);
  const std::string shown = printable(literal, 40);
  if (type_ == ElementType::kFloat32) {
    const auto single = static_cast<float>(value);
    if (std::isfinite(single)) return append(single);
    return refuse(formatted("element {} is {}, beyond the range of FP32", count_, shown));
  }
  if (literal.find_first_of(".eE") == std::string_view::npos) {
    return refuse(
        formatted("element {} is {}, beyond the range of {}", count_, shown, name_of(type_)));
  }
  return refuse(formatted("element {} is {}; {} takes {}", count_, shown, name_of(type_),
                          type_ == ElementType::kString ? "strings"
                          : type_ == ElementType::kBool ? "true or false"
                                                        : "whole numbers, without a point or "
                                                          "an exponent"));
}

bool Elements::put_boolean(bool value) {
  if (type_ == ElementType::kBool) return append(static_cast<uint8_t>(value));
  return refuse(formatted("element {} is {}; {} takes {}", count_, value, name_of(type_),
                          type_ == ElementType::kString ? "strings" : "numbers"));
}

bool Elements::put_text(std::string_view value) {
  if (type_ != ElementType::kString) {
    return refuse(formatted("element {} is a string; {} takes {}", count_, name_of(type_),
                            type_ == ElementType::kBool ? "true or false" : "numbers"));
  }
  append_string_element(bytes_, value);
  ++count_;
  return true;
}

void append_string_element(std::vector<uint8_t>& out, std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  const Bytes prefix = bytes_of(length);
  out.insert(out.end(), prefix.begin(), prefix.end());
  const Bytes body = bytes_of(text);
  out.insert(out.end(), body.begin(), body.end());
}

Status check_strings(Bytes data, uint64_t count) {
  const size_t size = data.size();
  for (uint64_t i = 0; i < count; ++i) {
    const size_t at = size - data.size();
    if (data.size() < sizeof(uint32_t)) {
      return Error{Code::kInvalid,
                   formatted("its {} bytes end at byte {}, inside the length of element {} of {}",
                             size, at, i, count)};
    }
    const auto length = load<uint32_t>(data);
    data = data.subspan(sizeof length);
    if (length > data.size()) {
      return Error{Code::kInvalid,
                   formatted("element {} at byte {} says it has {} bytes, but only {} follow", i,
                             at, length, data.size())};
    }
    data = data.subspan(length);
  }
  if (!data.empty()) {
    return Error{Code::kInvalid,
                 formatted("{} bytes are left over behind its {} elements", data.size(), count)};
  }
  return {};
}

std::string_view next_string(Bytes& data) {
  const auto length = load<uint32_t>(data);
  const std::string_view text = text_of(data.subspan(sizeof length, length));
  data = data.subspan(sizeof length + length);
  return text;
}

}  // namespace casemate::gateway
