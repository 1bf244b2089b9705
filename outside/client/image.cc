// SPDX-License-Identifier: Apache-2.0
#include "outside/client/image.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/format.h"
#include "base/log.h"

namespace casemate::client {
namespace {

constexpr std::string_view kPrefix = "casemate.input.image.";
// No model in use takes more; 16384 x 1024 x 3 as FP32 is 192 MiB, below limits::kTensorBytes.
constexpr uint32_t kSideMax = 1 << 14;

Error invalid(std::string_view property, std::string_view value, std::string_view wanted) {
  return {Code::kInvalid, formatted("the property {}{} is \"{}\"; it should be {}", kPrefix,
                                    property, printable(value, 60), wanted)};
}

std::optional<std::string_view> value_of(const Properties& properties, std::string_view name) {
  const auto found = properties.find(std::string(kPrefix) + std::string(name));
  if (found == properties.end()) return std::nullopt;
  return found->second;
}

template <class Number>
std::optional<Number> number_from(std::string_view text) {
  Number number{};
  const auto [at, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || at != text.data() + text.size()) return std::nullopt;
  return number;
}

Status set_size(std::string_view text, ImageRecipe& recipe) {
  const size_t cross = text.find('x');
  const auto width = number_from<uint32_t>(text.substr(0, cross));
  const auto height =
      cross == text.npos ? std::nullopt : number_from<uint32_t>(text.substr(cross + 1));
  if (!width || !height || *width == 0 || *height == 0 || *width > kSideMax || *height > kSideMax)
    return invalid("size", text, "WIDTHxHEIGHT, such as 224x224");
  recipe.width = *width;
  recipe.height = *height;
  return {};
}

// One number for all channels, or one for each.
Status set_numbers(std::string_view property, std::string_view text, std::array<double, 3>& into) {
  size_t count = 0;
  std::string_view rest = text;
  for (bool more = true; more; ++count) {
    const size_t comma = rest.find(',');
    const auto number = number_from<double>(rest.substr(0, comma));
    if (count == into.size() || !number || !std::isfinite(*number))
      return invalid(property, text, "one number, or three with commas between");
    into[count] = *number;
    more = comma != rest.npos;
    if (more) rest.remove_prefix(comma + 1);
  }
  if (count == 2) return invalid(property, text, "one number, or three with commas between");
  if (count == 1) into.fill(into[0]);
  return {};
}

bool channel_count(int64_t extent) { return extent == 1 || extent == 3; }

// What the input's own extents say; 0 for a side that varies.
Status set_layout(const Port& input, ImageRecipe& recipe) {
  const auto dims = input.shape.dims();
  const size_t rank = dims.size();
  size_t row = rank >= 2 ? rank - 2 : 0;
  if (rank >= 3 && !channel_count(dims[rank - 3]) && channel_count(dims[rank - 1])) {
    recipe.channels_last = true;
    row = rank - 3;
  }
  const bool has_channels = rank == 3 || rank == 4;
  const int64_t channels = !has_channels          ? 1
                           : recipe.channels_last ? dims[rank - 1]
                                                  : dims[rank - 3];
  if (rank < 2 || rank > 4 || !channel_count(channels) || (rank == 4 && dims[0] > 1)) {
    return Error{Code::kUnsupported,
                 formatted("input \"{}\" of shape {} takes no single picture; give a .npy file",
                           printable(input.name, 64), input.shape.text())};
  }
  recipe.channels = static_cast<uint32_t>(channels);
  for (const size_t axis : {row, row + 1}) {
    if (dims[axis] == 0 || dims[axis] > kSideMax)
      return Error{Code::kUnsupported,
                   "an input without pixels, or with too many, takes no picture"};
  }
  recipe.height = dims[row] < 0 ? 0 : static_cast<uint32_t>(dims[row]);
  recipe.width = dims[row + 1] < 0 ? 0 : static_cast<uint32_t>(dims[row + 1]);
  return {};
}

Status set_numbers(const Properties& properties, ImageRecipe& recipe) {
  if (const auto scale = value_of(properties, "scale"); scale) {
    const auto number = number_from<double>(*scale);
    if (!number || !std::isfinite(*number)) return invalid("scale", *scale, "a number");
    recipe.scale = *number;
  }
  if (const auto mean = value_of(properties, "mean"); mean)
    TRY(set_numbers("mean", *mean, recipe.mean));
  if (const auto deviation = value_of(properties, "std"); deviation) {
    TRY(set_numbers("std", *deviation, recipe.deviation));
    for (const double number : recipe.deviation) {
      if (number == 0) return invalid("std", *deviation, "other than 0, since it divides");
    }
  }
  return {};
}

// The value that stands for a pixel in the tensor.
template <class T>
void store(std::vector<uint8_t>& data, size_t at, double value) {
  T element{};
  if constexpr (std::is_integral_v<T>) {
    element = static_cast<T>(std::lround(std::fmin(std::fmax(value, 0.0), 255.0)));
  } else {
    element = static_cast<T>(value);
  }
  std::memcpy(data.data() + at * sizeof(T), &element, sizeof(T));
}

template <class T>
std::vector<uint8_t> elements_of(const std::vector<float>& pixels, const ImageRecipe& recipe) {
  std::vector<uint8_t> data(pixels.size() * sizeof(T));
  const size_t plane = size_t{recipe.width} * recipe.height;
  for (size_t i = 0; i < pixels.size(); ++i) {
    const size_t channel = i % recipe.channels;
    const double pixel = recipe.invert ? 255.0 - pixels[i] : pixels[i];
    // UINT8 inputs take pixels as they are: their models scale for themselves.
    const double value = std::is_integral_v<T> ? pixel
                                               : (pixel * recipe.scale - recipe.mean[channel]) /
                                                     recipe.deviation[channel];
    const size_t at = recipe.channels_last ? i : channel * plane + i / recipe.channels;
    store<T>(data, at, value);
  }
  return data;
}

}  // namespace

Result<ImageRecipe> recipe_for(const Port& input, const Properties& properties) {
  ImageRecipe recipe;
  TRY(set_layout(input, recipe));
  const ImageRecipe own = recipe;
  if (const auto size = value_of(properties, "size"); size) TRY(set_size(*size, recipe));
  if ((own.width != 0 && own.width != recipe.width) ||
      (own.height != 0 && own.height != recipe.height)) {
    return Error{
        Code::kInvalid,
        formatted("the property {}size says {}x{}, and input \"{}\" has shape {}", kPrefix,
                  recipe.width, recipe.height, printable(input.name, 64), input.shape.text())};
  }
  if (recipe.width == 0 || recipe.height == 0) {
    return Error{Code::kInvalid,
                 formatted("input \"{}\" takes pictures of any size; say which: --image "
                           "size=WIDTHxHEIGHT",
                           printable(input.name, 64))};
  }
  if (const auto color = value_of(properties, "color"); color) {
    const uint32_t channels = *color == "grey" ? 1 : *color == "rgb" ? 3 : 0;
    if (channels != recipe.channels) {
      return invalid("color", *color,
                     recipe.channels == 1 ? "grey: the input has one channel"
                                          : "rgb: the input has three channels");
    }
  }
  TRY(set_numbers(properties, recipe));
  return recipe;
}

Result<Tensor> to_tensor(const Picture& picture, const ImageRecipe& recipe, const Port& input) {
  Tensor tensor{.name = input.name, .type = input.type, .shape = input.shape, .data = {}};
  const size_t rank = tensor.shape.rank();
  const size_t row = recipe.channels_last ? rank - 3 : rank - 2;
  if (rank == 4) tensor.shape[0] = 1;
  tensor.shape[row] = recipe.height;
  tensor.shape[row + 1] = recipe.width;
  (void)TRY(tensor.shape.byte_size(tensor.type));
  const std::vector<float> pixels =
      resized(with_channels(picture, recipe.channels), recipe.width, recipe.height);
  switch (input.type) {
    case ElementType::kFloat32:
      tensor.data = elements_of<float>(pixels, recipe);
      return tensor;
    case ElementType::kFloat64:
      tensor.data = elements_of<double>(pixels, recipe);
      return tensor;
    case ElementType::kUint8:
      tensor.data = elements_of<uint8_t>(pixels, recipe);
      return tensor;
    default:
      return Error{Code::kUnsupported,
                   formatted("input \"{}\" is {}, and pictures become FP32, FP64 or UINT8; give "
                             "a .npy file",
                             printable(input.name, 64), name_of(input.type))};
  }
}

}  // namespace casemate::client
