// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/numerics/measure.h"

#include <algorithm>
#include <limits>

#include "base/format.h"
#include "isolated/engine/kernels/registry.h"
#include "isolated/engine/operators/operators.h"
#include "isolated/engine/operators/types.h"

namespace casemate::engine {
namespace {

// Enough for what is measured, and no subgraphs.
class NumericHost final : public Host {
 public:
  Status allow(uint64_t) override { return {}; }
  Result<std::vector<Datum>> run(const Graph&, std::vector<Datum>) override {
    return Error{Code::kUnsupported, "no subgraph is measured"};
  }
};

Result<std::vector<double>> doubles(const Tensor& tensor) {
  std::vector<double> values;
  TRY(for_type(NumbersAndBool{}, tensor.type(), [&]<class T>() -> Status {
    for (const T value : tensor.values<T>()) values.push_back(static_cast<double>(value));
    return {};
  }));
  return values;
}

Result<Tensor> widened_tensor(const Tensor& tensor) {
  if (tensor.type() != ElementType::kFloat32) return tensor;
  const std::vector<double> values = TRY(doubles(tensor));
  return Tensor::of<double>(tensor.shape(), std::span<const double>(values));
}

// What the operator's own function makes.
Result<std::vector<double>> meaning_of(const NumericCase& given) {
  const Compute compute = Operators::instance().find(given.meant.op);
  if (compute == nullptr) {
    return Error{Code::kUnsupported,
                 formatted("operator '{}' has no function of its own", given.meant.op)};
  }
  std::vector<Datum> data;
  for (const Tensor& tensor : given.inputs)
    data.emplace_back(given.widened ? TRY(widened_tensor(tensor)) : tensor);
  Node node = given.meant;
  for (uint32_t i = 0; i < data.size(); ++i) node.inputs.push_back({i});
  node.outputs.push_back({static_cast<uint32_t>(data.size())});
  std::vector<Fact> facts;
  for (const Datum& datum : data) facts.push_back(Fact::of(datum));
  NumericHost host;
  Computation computation(node, std::move(facts), host, Computation::Mode::kRun);
  TRY(compute(computation));
  return doubles(*computation.outputs()[0].tensor());
}

}  // namespace

double error_of(const std::vector<double>& got, const std::vector<double>& exact) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (got.size() != exact.size()) return kInfinite;
  double worst = 0;
  double squares = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    if (std::isnan(got[i]) != std::isnan(exact[i])) return kInfinite;
    if (std::isnan(exact[i]) || got[i] == exact[i]) continue;
    worst = std::max(worst, std::fabs(got[i] - exact[i]));
  }
  for (const double value : exact) squares += std::isfinite(value) ? value * value : 0;
  const double root = std::sqrt(squares / static_cast<double>(std::max<size_t>(exact.size(), 1)));
  return root > 0 ? worst / root : worst;
}

Status measure_cases(const std::string& name, std::vector<NumericCase> cases,
                     std::vector<Measured>& measured) {
  Measured generated{.name = name, .how = "generated"};
  Measured fixed{.name = name, .how = "own loops"};
  for (NumericCase& given : cases) {
    const auto exact = meaning_of(given);
    if (!exact) return Error{exact.error().code, formatted("{}: {}", name, exact.error().text)};
    for (const bool without_code : {false, true}) {
      if (given.run.maker != nullptr && !without_code) continue;  // it generates none
      given.run.fixed = without_code;
      const auto made = run_case(given.run);
      // Not every node that has a kernel has loops of our own, too.
      if (!made && without_code && made.error().code == Code::kUnsupported) continue;
      if (!made) return Error{made.error().code, formatted("{}: {}", name, made.error().text)};
      if (made->needs.slow) continue;  // the function that it is compared with
      Measured& to = without_code ? fixed : generated;
      ++to.cases;
      if (made->needs.view) continue;  // nothing runs
      to.error = std::max(to.error, error_of(TRY(doubles(made->output)), *exact));
    }
  }
  if (generated.cases + fixed.cases == 0) {
    return Error{Code::kUnsupported, formatted("{}: none of its cases is run by its kernel", name)};
  }
  if (generated.cases > 0) measured.push_back(generated);
  if (fixed.cases > 0) measured.push_back(fixed);
  return {};
}

namespace {

// What works on bytes is held to the operators' own functions bit for bit, or to a step of what it
// is quantised to: kernels/byte_kernels_test.cc.
bool on_bytes(std::string_view op, ElementType type) {
  constexpr std::string_view kQuantised[] = {"QLinearConv",
                                             "ConvInteger",
                                             "QLinearMatMul",
                                             "MatMulInteger",
                                             "QuantizeLinear",
                                             "DequantizeLinear",
                                             "DynamicQuantizeLinear",
                                             "casemate:QLinearGemm",
                                             "casemate:DynamicGemm",
                                             "casemate:QLinearAdd",
                                             "casemate:QLinearAveragePool",
                                             "casemate:QLinearGlobalAveragePool",
                                             "casemate:ByteTable"};
  const bool moved = op == "MaxPool" || op == "Concat";
  return std::ranges::contains(kQuantised, op) || (moved && type != ElementType::kFloat32);
}

}  // namespace

Result<std::vector<Measured>> measure_kernels() {
  std::vector<Measured> measured;
  for (const auto& [key, entry] : Registry::instance().all()) {
    const auto& [op, device, type] = key;
    if (on_bytes(op, type)) continue;
    const std::string name = formatted("{} {}", op, name_of(type));
    std::vector<NumericCase> cases = cases_of(op, type);
    if (cases.empty()) {
      return Error{
          Code::kNotFound,
          formatted("{}: it has no case: add one to isolated/engine/numerics/cases.cc", name)};
    }
    TRY(measure_cases(name, std::move(cases), measured));
  }
  for (const int size : {2, 4}) {
    const std::string name = formatted("Conv FP32 by Winograd, {0}x{0}", size);
    TRY(measure_cases(name, winograd_cases(size), measured));
  }
  return measured;
}

}  // namespace casemate::engine
