// SPDX-License-Identifier: Apache-2.0
// casemate zoo: standard architectures with random weights, listed or written as ONNX files.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/log.h"
#include "outside/cli/commands.h"
#include "outside/zoo/zoo.h"

namespace casemate::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct ZooFlags {
  std::string name;
  std::string path;
  uint64_t seed = 1;
  std::string form = "float";
  bool json = false;
};

// "25,557,032"
std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

// "417 K", "4.09 G"
std::string rounded(uint64_t number) {
  const auto value = static_cast<double>(number);
  return number < 1'000'000     ? formatted("{:.0f} K", value / 1e3)
         : number < 100'000'000 ? formatted("{:.1f} M", value / 1e6)
                                : formatted("{:.2f} G", value / 1e9);
}

// "input float [batch,3,224,224]"; inputs that are alike are said together.
std::string text_of(const std::vector<zoo::Port>& inputs) {
  std::string text;
  for (auto first = inputs.begin(); first != inputs.end();) {
    const auto end = std::find_if(first, inputs.end(), [&](const zoo::Port& port) {
      return port.type != first->type || port.shape != first->shape;
    });
    text += formatted("{}{}", text.empty() ? "" : "; ", first->name);
    for (auto port = first + 1; port != end && end - first <= 3; ++port) text += ", " + port->name;
    if (end - first > 3) text += formatted(" to {}", (end - 1)->name);
    text += formatted(" {} {}", first->type, first->shape);
    first = end;
  }
  return text;
}

OrderedJson json_of(const zoo::Architecture& architecture) {
  const zoo::Facts facts = zoo::facts_of(architecture);
  OrderedJson inputs = OrderedJson::array();
  for (const zoo::Port& port : facts.inputs)
    inputs.push_back({{"name", port.name}, {"type", port.type}, {"shape", port.shape}});
  return {{"name", architecture.name},      {"paper", facts.paper},
          {"parameters", facts.parameters}, {"multiply_adds", facts.operations},
          {"file_bytes", facts.file_bytes}, {"inputs", std::move(inputs)}};
}

int list(bool json, Streams streams) {
  OrderedJson all = OrderedJson::array();
  if (!json) {
    streams.out << formatted("{:<13} {:>11} {:>13} {:>9}  inputs\n", "name", "parameters",
                             "multiply-adds", "file");
  }
  for (const zoo::Architecture& architecture : zoo::architectures()) {
    if (json) {
      all.push_back(json_of(architecture));
      continue;
    }
    const zoo::Facts facts = zoo::facts_of(architecture);
    streams.out << formatted("{:<13} {:>11} {:>13} {:>6.1f} MB  {}\n", architecture.name,
                             grouped(facts.parameters), rounded(facts.operations),
                             static_cast<double>(facts.file_bytes) / 1e6, text_of(facts.inputs));
  }
  if (json) {
    streams.out << all.dump(2) << "\n";
  } else {
    streams.out << "Multiply-adds are those of one image, or of one sequence of 128 tokens.\n"
                   "casemate zoo NAME -o FILE.onnx writes one with random weights.\n";
  }
  return kDone;
}

Status write(const ZooFlags& flags, Streams streams) {
  const zoo::Architecture* architecture = zoo::find_architecture(flags.name);
  if (architecture == nullptr) {
    std::string names;
    for (const zoo::Architecture& known : zoo::architectures())
      names += formatted("{}{}", names.empty() ? "" : ", ", known.name);
    return Error{Code::kNotFound, formatted("there is no architecture '{}'; there are {}",
                                            printable(flags.name, 64), names)};
  }
  TRY(zoo::write_model(*architecture, flags.seed, flags.path, *zoo::form_of(flags.form)));
  OrderedJson json = json_of(*architecture);
  if (flags.form != "float") {
    json["form"] = flags.form;
    json["file_bytes"] = std::filesystem::file_size(flags.path);
  }
  json["seed"] = flags.seed;
  json["path"] = flags.path;
  if (flags.json) {
    streams.out << json.dump(2, ' ', true, OrderedJson::error_handler_t::replace) << "\n";
  } else {
    streams.out << formatted("{}: {} parameters, seed {}, {} bytes\n", flags.path,
                             grouped(json["parameters"]), flags.seed, grouped(json["file_bytes"]));
  }
  return {};
}

}  // namespace

Run add_zoo(CLI::App& app) {
  const auto flags = std::make_shared<ZooFlags>();
  CLI::Option* name =
      app.add_option("NAME", flags->name, "the architecture; without one, all are listed")
          ->type_name("");
  CLI::Option* output =
      app.add_option("-o,--output", flags->path, "the ONNX file to write; replaced if it is there")
          ->type_name("FILE")
          ->needs(name);
  name->needs(output);
  app.add_option("--seed", flags->seed, "other weights for every other number")
      ->type_name("N")
      ->needs(name)
      ->capture_default_str();
  app.add_option("--quantised", flags->form,
                 "qdq: bytes from end to end, for images; dynamic: products of bytes, for text")
      ->type_name("FORM")
      ->check(CLI::IsMember({"qdq", "dynamic"}))
      ->needs(name);
  app.add_flag("--json", flags->json, "print what is known of it as JSON");
  return [flags](Streams streams) {
    if (flags->name.empty()) return list(flags->json, streams);
    const auto done = write(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
