// SPDX-License-Identifier: Apache-2.0
// How long which layer takes, beside what the machine can do.
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "isolated/inspect/answer.h"
#include "isolated/inspect/ceiling.h"
#include "isolated/inspect/compiled_model.h"
#include "isolated/inspect/layers.h"
#include "isolated/inspect/sample.h"

namespace casemate::inspect {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kNameShown = 60;

double per_second(double count, double ms) { return ms > 0 ? count / ms * 1e3 : 0; }

std::string line(const Layer& layer, double total_ms) {
  return formatted("{:9.3f} {:5.1f}% {:9.3f} {:9.1f} {:7.1f}  {:>4.0f}% {:10}  {:28} {:18} {}\n",
                   layer.ms, 100 * layer.ms / std::max(total_ms, 1e-9), layer.lost_ms,
                   per_second(layer.flops, layer.ms) / 1e9, per_second(layer.bytes, layer.ms) / 1e9,
                   100 * layer.share(), layer.by_memory() ? "memory" : "arithmetic", layer.kernel,
                   layer.op, shortened(layer.name, kNameShown));
}

std::string text_of(const std::vector<Layer>& layers, const Layer& total, const Ceiling& ceiling,
                    const Options& options) {
  std::string text = formatted(
      "ceilings, measured now with {} thread{}: {:.1f} GFLOP/s ({}, FP32), {:.1f} GB/s (reads)\n"
      "medians of {} runs; shares above 100%: caches, or Winograd's method\n\n"
      "{:>9} {:>6} {:>9} {:>9} {:>7}  {:16}  {:28} {:18} {}\n",
      options.threads, options.threads == 1 ? "" : "s", ceiling.flops_per_s / 1e9,
      ceiling.instruction_set, ceiling.bytes_per_s / 1e9, options.rounds, "ms", "time", "lost ms",
      "GFLOP/s", "GB/s", "share of ceiling", "kernel", "operator", "node");
  for (const Layer& layer : layers) text += line(layer, total.ms);
  text += formatted(
      "{:9.3f} {:5.1f}% {:9.3f} {:9.1f} {:7.1f}  {:>4.0f}% of what bounds each of "
      "{} layers\n",
      total.ms, 100.0, total.lost_ms, per_second(total.flops, total.ms) / 1e9,
      per_second(total.bytes, total.ms) / 1e9, 100 * total.share(), total.steps);
  return text;
}

Json json_of(const Layer& layer) {
  return {{"ms", layer.ms},
          {"lost_ms", layer.lost_ms},
          {"flops", layer.flops},
          {"bytes", layer.bytes},
          {"gflops_per_s", per_second(layer.flops, layer.ms) / 1e9},
          {"gbytes_per_s", per_second(layer.bytes, layer.ms) / 1e9},
          {"bound", layer.by_memory() ? "memory" : "arithmetic"},
          {"share_of_ceiling", layer.share()}};
}

std::string json_text(const std::vector<Layer>& layers, const Layer& total, const Ceiling& ceiling,
                      const Options& options) {
  Json json = {{"threads", options.threads},
               {"rounds", options.rounds},
               {"ceiling",
                {{"instruction_set", ceiling.instruction_set},
                 {"gflops_per_s", ceiling.flops_per_s / 1e9},
                 {"gbytes_per_s", ceiling.bytes_per_s / 1e9}}},
               {"total", json_of(total)},
               {"layers", Json::array()}};
  for (const Layer& layer : layers) {
    Json entry = {{"node", layer.name},
                  {"operator", layer.op},
                  {"kernel", layer.kernel},
                  {"steps", layer.steps}};
    entry.update(json_of(layer));
    json["layers"].push_back(std::move(entry));
  }
  return json.dump(1, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<Answer> profile(const Mapping& file, const Options& options) {
  const engine::Model model = TRY(compiled_model(file, options));
  engine::Executor executor = TRY(engine::Executor::make(model));
  const Sample sample = TRY(Sample::make(model));
  KeptOutputs outputs;
  const std::vector<TensorView> views = sample.views();
  TRY(executor.run(views, outputs));  // touches all memory
  const Ceiling ceiling = TRY(measure_ceiling(options.threads));
  Stopwatch stopwatch;
  executor.observe(&stopwatch);
  for (int i = 0; i < options.rounds; ++i) TRY(executor.run(views, outputs));
  const std::vector<Layer> layers = stopwatch.layers(ceiling);
  if (layers.empty()) return Error{Code::kUnsupported, "nothing runs: the model computes nothing"};
  const Layer total = sum_of(layers);
  const std::vector<Layer> shown = arranged(layers, options.order);
  return Answer{options.json ? json_text(shown, total, ceiling, options)
                             : text_of(shown, total, ceiling, options)};
}

}  // namespace casemate::inspect
