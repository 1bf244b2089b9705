// SPDX-License-Identifier: Apache-2.0
#include "isolated/model/model_options.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "base/log.h"

namespace casemate::model {
namespace {

using Shape = std::map<std::string, int64_t>;

constexpr size_t kShown = 80;

// Takes what stands before the next `mark` off the text, and the mark.
std::string_view take(std::string_view& text, char mark) {
  const std::string_view taken = text.substr(0, text.find(mark));
  text.remove_prefix(std::min(taken.size() + 1, text.size()));
  return taken;
}

Error refuse(std::string_view part, std::string_view expected) {
  return {Code::kInvalid, formatted("the model's option '{}' is {}: start monitor, command and "
                                    "model program of one build",
                                    printable(part, kShown), expected)};
}

Status add_extent(Shape& shape, std::string_view part) {
  const size_t colon = part.find(':');
  if (colon == 0 || colon == part.npos || shape.size() == ModelOptions::kShapeExtents)
    return refuse(part, "no extent of a shape, or one too many");
  int64_t value = -1;
  const char* end = part.data() + part.size();
  const auto [rest, error] = std::from_chars(part.data() + colon + 1, end, value);
  if (error != std::errc() || rest != end || value < 0 || value > ModelOptions::kExtentMax)
    return refuse(part, formatted("no extent from 0 to {}", ModelOptions::kExtentMax));
  if (!shape.emplace(part.substr(0, colon), value).second)
    return refuse(part, "an extent that is there already");
  return {};
}

// "1*30": so many nodes on that device.
Status add_run(ModelOptions& options, std::string_view part) {
  uint32_t device = 0;
  uint32_t nodes = 0;
  const char* end = part.data() + part.size();
  const auto [star, wrong] = std::from_chars(part.data(), end, device);
  const bool marked = wrong == std::errc() && star != end && *star == '*';
  const auto [rest, error] = std::from_chars(marked ? star + 1 : end, end, nodes);
  if (error != std::errc() || rest != end || device >= options.devices.size() ||
      nodes > ModelOptions::kNodes - options.on.size())
    return refuse(part, "no run of nodes on a device");
  options.on.insert(options.on.end(), nodes, device);
  return {};
}

Status add_cut(ModelOptions& options, std::string_view part) {
  std::string_view devices = take(part, '/');
  while (!devices.empty()) {
    const std::string_view device = take(devices, ',');
    if (device.empty() || options.devices.size() == ModelOptions::kDevices)
      return refuse(device, "no device, or one too many");
    options.devices.emplace_back(device);
  }
  if (part.ends_with(',')) return refuse(part, "no cut: nothing follows its last comma");
  while (!part.empty()) TRY(add_run(options, take(part, ',')));
  if (options.on.empty()) return refuse(part, "no cut");
  return {};
}

}  // namespace

Result<ModelOptions> ModelOptions::parse(std::string_view text) {
  constexpr std::string_view kShape = "shape=";
  constexpr std::string_view kCut = "cut=";
  ModelOptions options;
  while (!text.empty()) {
    std::string_view part = take(text, ';');
    if (part.starts_with(kCut) && options.devices.empty()) {
      part.remove_prefix(kCut.size());
      TRY(add_cut(options, part));
      continue;
    }
    if (!part.starts_with(kShape) || options.shapes.size() == ModelOptions::kShapes)
      return refuse(part, "unknown, or one shape too many");
    part.remove_prefix(kShape.size());
    Shape& shape = options.shapes.emplace_back();
    do {
      TRY(add_extent(shape, take(part, ',')));
    } while (!part.empty());
  }
  return options;
}

}  // namespace casemate::model
