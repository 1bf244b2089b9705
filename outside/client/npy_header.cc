// SPDX-License-Identifier: Apache-2.0
#include "outside/client/npy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/format.h"
#include "base/log.h"

namespace casemate::client {
namespace {

struct TypeName {
  std::string_view numpy;
  ElementType type;
};
constexpr std::array<TypeName, 12> kTypes = {{
    {"<f4", ElementType::kFloat32},
    {"<f8", ElementType::kFloat64},
    {"<f2", ElementType::kFloat16},
    {"|u1", ElementType::kUint8},
    {"|i1", ElementType::kInt8},
    {"|b1", ElementType::kBool},
    {"<i2", ElementType::kInt16},
    {"<i4", ElementType::kInt32},
    {"<i8", ElementType::kInt64},
    {"<u2", ElementType::kUint16},
    {"<u4", ElementType::kUint32},
    {"<u8", ElementType::kUint64},
}};

Error invalid(std::string_view what) {
  return {Code::kInvalid,
          formatted("the .npy header {}; write the file again with numpy.save", what)};
}

Result<ElementType> type_named(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &TypeName::numpy);
  if (found != kTypes.end()) return found->type;
  const std::string shown = printable(name, 40);
  const auto refuse = [&](std::string_view what) {
    return Error{Code::kUnsupported, formatted("elements of NumPy type '{}' are {}", shown, what)};
  };
  if (name.contains('O'))
    return refuse("Python objects, which are never loaded; save an array of numbers");
  if (name.starts_with('>')) return refuse("big-endian; save a.astype(a.dtype.newbyteorder('<'))");
  return refuse("no tensor's; save a.astype('float32') or another plain number type");
}

// Reads the literal from left to right.
class Literal final {
 public:
  explicit Literal(std::string_view text) : text_(text) {}

  // True, and past it, if `c` comes next.
  bool take(char c) {
    skip_spaces();
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    skip_spaces();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  // What stands between quotes; NumPy escapes nothing in the strings that we accept.
  std::optional<std::string_view> quoted() {
    skip_spaces();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) return std::nullopt;
    const size_t end = text_.find(text_[0], 1);
    if (end == text_.npos) return std::nullopt;
    const std::string_view inside = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return inside;
  }
  std::optional<int64_t> number() {
    skip_spaces();
    int64_t value = 0;
    const auto [at, wrong] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (wrong != std::errc()) return std::nullopt;
    text_.remove_prefix(static_cast<size_t>(at - text_.data()));
    return value;
  }
  [[nodiscard]] bool at_end() {
    skip_spaces();
    return text_.empty();
  }

 private:
  void skip_spaces() {
    const size_t start = text_.find_first_not_of(" \t\n");
    text_.remove_prefix(std::min(start, text_.size()));
  }
  std::string_view text_;
};

Result<Shape> read_shape(Literal& literal) {
  if (!literal.take('(')) return invalid("has a 'shape' that is no tuple");
  std::array<int64_t, limits::kRank> dims{};
  size_t rank = 0;
  bool comma = true;  // an extent may follow only the bracket or a comma
  while (!literal.take(')')) {
    const auto extent = comma ? literal.number() : std::nullopt;
    if (!extent || *extent < 0) return invalid("has a 'shape' that is no tuple of extents");
    if (rank == dims.size()) {
      return Error{Code::kTooLarge, "the .npy file has more than 8 dimensions; reshape the array"};
    }
    dims[rank++] = *extent;
    comma = literal.take(',');
  }
  return Shape(std::span(dims).first(rank));
}

Result<bool> read_boolean(Literal& literal) {
  if (literal.take(std::string_view("True"))) return true;
  if (literal.take(std::string_view("False"))) return false;
  return invalid("has a 'fortran_order' that is neither True nor False");
}

Result<ElementType> read_type(Literal& literal) {
  if (const auto name = literal.quoted(); name) return type_named(*name);
  return Error{Code::kUnsupported,
               "the .npy file holds records; save each field as an array of its own"};
}

// What has been read so far; every key comes exactly once.
struct Fields {
  std::optional<ElementType> type;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

template <class T>
Status keep(std::optional<T>& field, Result<T> value) {
  if (field) return invalid("has a key twice");
  field = TRY(std::move(value));
  return {};
}

Status read_field(Literal& literal, Fields& fields) {
  const auto key = literal.quoted();
  if (!key || !literal.take(':')) return invalid("is no dictionary of quoted keys");
  if (*key == "descr") return keep(fields.type, read_type(literal));
  if (*key == "fortran_order") return keep(fields.fortran_order, read_boolean(literal));
  if (*key == "shape") return keep(fields.shape, read_shape(literal));
  return invalid(formatted("has the unknown key '{}'", printable(*key, 40)));
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::string_view text) {
  Literal literal(text);
  if (!literal.take('{')) return invalid("is no dictionary");
  Fields fields;
  bool comma = true;
  while (!literal.take('}')) {
    if (!comma) return invalid("lacks a comma or its closing brace");
    TRY(read_field(literal, fields));
    comma = literal.take(',');
  }
  if (!literal.at_end()) return invalid("goes on after its closing brace");
  if (!fields.type || !fields.fortran_order || !fields.shape)
    return invalid("lacks one of 'descr', 'fortran_order', 'shape'");
  return NpyHeader{*fields.type, *fields.fortran_order, *fields.shape};
}

Result<std::string> npy_header_text(ElementType type, const Shape& shape) {
  const auto found = std::ranges::find(kTypes, type, &TypeName::type);
  if (found == kTypes.end()) {
    return Error{Code::kUnsupported, formatted("NumPy has no element type for {}", name_of(type))};
  }
  std::string tuple;
  for (const int64_t extent : shape.dims())
    tuple += formatted("{}{}", tuple.empty() ? "" : ", ", extent);
  if (shape.rank() == 1) tuple += ',';
  return formatted("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", found->numpy,
                   tuple);
}

}  // namespace casemate::client
