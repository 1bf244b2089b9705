// SPDX-License-Identifier: Apache-2.0
#include "outside/client/classes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/format.h"
#include "base/log.h"

namespace casemate::client {
namespace {

// Float32 sums of a few thousand probabilities stay within this.
constexpr double kSumTolerance = 1e-3;

std::vector<double> values_of(const Tensor& output) {
  std::vector<double> values;
  const size_t size = size_of(output.type);
  for (Bytes left = output.data; left.size() >= size; left = left.subspan(size)) {
    values.push_back(output.type == ElementType::kFloat32 ? static_cast<double>(load<float>(left))
                                                          : load<double>(left));
  }
  return values;
}

bool probabilities(const std::vector<double>& values) {
  const auto inside = [](double v) { return v >= 0 && v <= 1 + kSumTolerance; };
  return std::ranges::all_of(values, inside) &&
         std::abs(std::accumulate(values.begin(), values.end(), 0.0) - 1) < kSumTolerance;
}

void softmax(std::vector<double>& values) {
  const double largest = std::ranges::max(values);
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value - largest);
  for (double& value : values) value /= sum;
}

}  // namespace

std::vector<std::string> labels_of(const ModelMetadata& metadata) {
  std::vector<std::string> labels;
  const auto found = metadata.properties.find("casemate.labels");
  if (found == metadata.properties.end() || found->second.empty()) return labels;
  std::string_view rest = found->second;
  for (size_t comma = rest.find(','); comma != rest.npos; comma = rest.find(',')) {
    labels.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(comma + 1);
  }
  labels.emplace_back(rest);
  return labels;
}

bool scores(const Tensor& output) {
  const bool number = output.type == ElementType::kFloat32 || output.type == ElementType::kFloat64;
  const uint32_t rank = output.shape.rank();
  if (!number || rank == 0) return false;
  const auto count = output.shape.element_count();
  return count && *count >= 2 && static_cast<uint64_t>(output.shape[rank - 1]) == *count;
}

Result<std::vector<ClassScore>> top_classes(const Tensor& output,
                                            const std::vector<std::string>& labels, size_t count) {
  if (!scores(output)) {
    return Error{Code::kUnsupported,
                 formatted("output \"{}\" ({} {}) is no row of scores", printable(output.name, 64),
                           name_of(output.type), output.shape.text())};
  }
  std::vector<double> values = values_of(output);
  if (!std::ranges::all_of(values, [](double v) { return std::isfinite(v); })) {
    return Error{Code::kUnsupported, formatted("output \"{}\" holds values that are no numbers",
                                               printable(output.name, 64))};
  }
  if (!probabilities(values)) softmax(values);
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
  std::partial_sort(order.begin(), middle, order.end(), [&](size_t a, size_t b) {
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  });
  std::vector<ClassScore> best;
  for (auto at = order.begin(); at != middle; ++at) {
    const std::string label =
        labels.size() == values.size() ? printable(labels[*at], 64) : formatted("{}", *at);
    best.push_back({*at, label, values[*at]});
  }
  return best;
}

}  // namespace casemate::client
