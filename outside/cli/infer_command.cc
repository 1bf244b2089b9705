// SPDX-License-Identifier: Apache-2.0
// casemate infer: verifies a server and a model's enclaves, then runs the model.
#include <memory>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"
#include "outside/cli/commands.h"
#include "outside/cli/model_files.h"
#include "outside/cli/server_flags.h"
#include "outside/client/classes.h"
#include "outside/client/session.h"

namespace casemate::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct InferFlags {
  ServerFlags server;
  PolicyFlags policy;
  std::string model;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  size_t top = 5;
  ImageFlags image;
  bool json = false;
};

struct Answer {
  verify::Verdict verdict;
  std::vector<std::string> labels;
  std::vector<client::Tensor> outputs;
};

// Classes of an output that holds scores; none for any other.
std::vector<client::ClassScore> classes_of(const client::Tensor& output, const Answer& answer,
                                           size_t top) {
  auto best = client::top_classes(output, answer.labels, top);
  return best ? *std::move(best) : std::vector<client::ClassScore>{};
}

void print_text(const InferFlags& flags, const Answer& answer, Streams streams) {
  for (const client::Tensor& output : answer.outputs) {
    streams.out << formatted("{} {} {}\n", printable(output.name, 64), name_of(output.type),
                             output.shape.text());
    for (const client::ClassScore& score : classes_of(output, answer, flags.top))
      streams.out << formatted("  {:<24} {:.4f}\n", score.label, score.probability);
  }
}

void print_json(const InferFlags& flags, const Answer& answer, Streams streams) {
  OrderedJson json;
  json["model"] = flags.model;
  json["verdict"] = OrderedJson::parse(verify::json_of(answer.verdict));
  json["outputs"] = OrderedJson::array();
  for (const client::Tensor& output : answer.outputs) {
    OrderedJson classes = OrderedJson::array();
    for (const client::ClassScore& score : classes_of(output, answer, flags.top)) {
      classes.push_back(
          {{"index", score.index}, {"label", score.label}, {"probability", score.probability}});
    }
    const auto dims = output.shape.dims();
    json["outputs"].push_back({{"name", output.name},
                               {"datatype", name_of(output.type)},
                               {"shape", std::vector<int64_t>(dims.begin(), dims.end())},
                               {"classes", std::move(classes)}});
  }
  streams.out << json.dump(2, ' ', true, OrderedJson::error_handler_t::replace) << "\n";
}

Status infer(const InferFlags& flags, Streams streams) {
  const verify::Policy policy = TRY(flags.policy.policy());
  client::Session session =
      TRY(client::Session::connect(flags.server.url, policy, flags.server.options()));
  Answer answer{.verdict = TRY(session.verdict(flags.model)), .labels = {}, .outputs = {}};
  if (!flags.json) streams.out << verify::line_of(answer.verdict) << "\n";
  const client::ModelMetadata metadata = TRY(session.metadata(flags.model));
  answer.labels = client::labels_of(metadata);
  const auto inputs = TRY(read_inputs(flags.inputs, metadata, flags.image));
  answer.outputs = TRY(session.infer(flags.model, inputs));
  TRY(write_outputs(flags.outputs, answer.outputs));
  if (flags.json) {
    print_json(flags, answer, streams);
  } else {
    print_text(flags, answer, streams);
  }
  return {};
}

}  // namespace

Run add_infer(CLI::App& app) {
  const auto flags = std::make_shared<InferFlags>();
  flags->server.declare(app);
  app.add_option("MODEL", flags->model, "the model's name on the server")
      ->type_name("")
      ->required();
  app.add_option("--input", flags->inputs, "an input: a NumPy array or a PNG picture; repeatable")
      ->type_name("[NAME=]FILE")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--output", flags->outputs, "write an output as a NumPy array; repeatable")
      ->type_name("[NAME=]FILE")
      ->allow_extra_args(false);
  app.add_option("--top", flags->top, "how many classes to print")
      ->type_name("COUNT")
      ->check(CLI::Range(0, 100000).description(""))
      ->capture_default_str();
  app.add_option("--image", flags->image.settings,
                 "how a picture becomes an input, against what the model says: size=28x28, "
                 "color=grey|rgb, scale=, mean=, std=; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--invert", flags->image.invert, "turn black on white into white on black");
  app.add_flag("--json", flags->json, "print verdict and classes as JSON");
  flags->policy.declare(app);
  return [flags](Streams streams) {
    const auto done = infer(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
