// SPDX-License-Identifier: Apache-2.0
// Of the domain ai.onnx.ml: LabelEncoder, which looks each element up, and Binarizer.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "base/format.h"
#include "isolated/engine/operators/elements.h"
#include "isolated/engine/operators/operators.h"

namespace casemate::engine {
namespace {

using Labels = Types<float, double, int16_t, int32_t, int64_t, std::string>;

Error invalid(std::string text) { return {Code::kInvalid, std::move(text)}; }

template <class T>
Tensor list_of(const std::vector<T>& values) {
  const Shape shape = {static_cast<int64_t>(values.size())};
  if constexpr (std::is_same_v<T, std::string>) {
    return *Tensor::make(shape, values);
  } else {
    return Tensor::of<T>(shape, std::span<const T>(values));
  }
}

// One of the attributes NAME_floats, _int64s, _strings and _tensor.
Result<Tensor> one_list(const Attributes& attributes, const std::string& name) {
  std::vector<Tensor> found;
  if (attributes.has(name + "_floats"))
    found.push_back(list_of(attributes.reals(name + "_floats")));
  if (attributes.has(name + "_int64s"))
    found.push_back(list_of(attributes.integers(name + "_int64s")));
  if (attributes.has(name + "_strings"))
    found.push_back(list_of(attributes.texts(name + "_strings")));
  if (const Tensor* tensor = attributes.tensor(name + "_tensor")) found.push_back(*tensor);
  if (found.size() == 1) return found[0];
  return invalid(
      formatted("it has {} of the attributes '{}_...', it needs one", found.size(), name));
}

// What stands for elements that are not among the keys.
template <class T>
Result<T> default_of(const Attributes& attributes) {
  if (const Tensor* tensor = attributes.tensor("default_tensor")) {
    if (tensor->type() == element_type_of<T>() && tensor->count() == 1)
      return tensor->values<T>()[0];
    return invalid("attribute 'default_tensor' is not one element of the values' type");
  }
  if constexpr (std::is_same_v<T, std::string>) {
    return attributes.text("default_string", "_Unused");
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return attributes.integer("default_int64", -1);
  } else if constexpr (std::is_same_v<T, float>) {
    return attributes.real("default_float", -0.0F);
  } else {
    return std::is_floating_point_v<T> ? T(-0.0) : T(-1);
  }
}

// What a key is compared by. Floats: by their bits at first, and since version 4 by their value,
// where one NaN is like the other.
template <class T>
auto key_of(const T& value, bool by_bits) {
  if constexpr (std::is_floating_point_v<T>) {
    const T key = by_bits ? value : std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value;
    const T zero = !by_bits && key == 0 ? T(0) : key;
    return std::bit_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(zero);
  } else {
    return value;
  }
}

template <class From, class To>
Status look_up(Computation& c, const Tensor& keys, const Tensor& values) {
  const auto otherwise = TRY(default_of<To>(c.attributes()));
  const auto y = TRY(c.make<To>(0, c.shape(0)));
  const auto x = TRY(c.values<From>(0));
  const bool by_bits = !c.since(4);
  std::map<decltype(key_of(From(), by_bits)), size_t> places;
  const auto known = keys.values<From>();
  // Of a key that is repeated, the last one counts.
  for (size_t i = 0; i < known.size(); ++i) places.insert_or_assign(key_of(known[i], by_bits), i);
  const auto labels = values.values<To>();
  for (size_t i = 0; i < x.size(); ++i) {
    const auto found = places.find(key_of(x[i], by_bits));
    y[i] = found == places.end() ? otherwise : labels[found->second];
  }
  return {};
}

// Version 1: from the place in a list of strings to the string, or back.
Status compute_first_label_encoder(Computation& c) {
  const std::vector<std::string> classes = c.attributes().texts("classes_strings");
  if (c.type(0) == ElementType::kString) {
    std::vector<int64_t> places(classes.size());
    for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i);
    return look_up<std::string, int64_t>(c, list_of(classes), list_of(places));
  }
  const std::string otherwise = c.attributes().text("default_string", "_Unused");
  const auto y = TRY(c.make<std::string>(0, c.shape(0)));
  const auto x = TRY(c.values<int64_t>(0));
  for (size_t i = 0; i < x.size(); ++i) {
    const bool known = x[i] >= 0 && x[i] < static_cast<int64_t>(classes.size());
    y[i] = known ? classes[static_cast<size_t>(x[i])] : otherwise;
  }
  return {};
}

Status compute_label_encoder(Computation& c) {
  if (!c.since(2)) return compute_first_label_encoder(c);
  const Tensor keys = TRY(one_list(c.attributes(), "keys"));
  const Tensor values = TRY(one_list(c.attributes(), "values"));
  if (keys.count() != values.count()) {
    return invalid(formatted("it has {} keys and {} values", keys.count(), values.count()));
  }
  if (keys.type() != c.type(0)) {
    return invalid(formatted("its input is a tensor of {}, its keys are {}", name_of(c.type(0)),
                             name_of(keys.type())));
  }
  return for_type(Labels{}, keys.type(), [&]<class From>() -> Status {
    return for_type(Labels{}, values.type(),
                    [&]<class To>() -> Status { return look_up<From, To>(c, keys, values); });
  });
}

Status compute_binarizer(Computation& c) {
  const double threshold = static_cast<double>(c.attributes().real("threshold", 0));
  return map_elements<Types<float, double, int64_t, int32_t>>(
      c, [&](auto x) { return static_cast<double>(x) > threshold; });
}

}  // namespace

void add_labels(Operators& operators) {
  operators.add("ai.onnx.ml:LabelEncoder", compute_label_encoder);
  operators.add("ai.onnx.ml:Binarizer", compute_binarizer);
}

}  // namespace casemate::engine
