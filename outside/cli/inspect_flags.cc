// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/inspect_flags.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "outside/cli/inspector.h"
#include "outside/launch/programs.h"

namespace casemate::cli {
namespace {

constexpr double kDay = 24 * 3600;

// "NAME=EXTENT"; the name may hold a '='.
std::string wrong_shape(const std::string& word) {
  const size_t at = word.rfind('=');
  uint64_t extent = 0;
  const char* end = word.data() + word.size();
  const bool sound = at != word.npos && at > 0;
  const auto [stopped, wrong] = std::from_chars(sound ? word.data() + at + 1 : end, end, extent);
  if (sound && wrong == std::errc() && stopped == end && extent >= 1 && extent <= 1ull << 31)
    return {};
  return "write NAME=EXTENT with an extent from 1 to 2^31, such as sequence=128";
}

}  // namespace

void InspectFlags::declare(CLI::App& app) {
  app.add_option("MODEL", model, "the model's file, ONNX")->type_name("")->required();
  app.add_option("--batch", batch, "what the model's batch is, where it varies")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20).description(""));
  app.add_option("--shape", shapes, "what an extent of the inputs is that varies, by its name")
      ->type_name("NAME=EXTENT")
      ->check(CLI::Validator(wrong_shape, ""));
  app.add_option("--memory", memory_mib, "MiB that weights and one run may take")
      ->type_name("MIB")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->capture_default_str();
  app.add_option("--timeout", timeout_s, "seconds after which to give up")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, kDay).description(""))
      ->capture_default_str();
  app.add_flag("--external-data", external_data,
               "the model's weights lie in files beside it: let its folder be read");
  app.add_flag("--json", json, "for programs");
}

void InspectFlags::declare_threads(CLI::App& app) {
  app.add_option("--threads", threads, "threads to compile for and to run with")
      ->type_name("N")
      ->check(CLI::Range(1, 1024).description(""))
      ->capture_default_str();
}

int InspectFlags::ask(const std::string& question, const std::vector<std::string>& more,
                      Streams streams) const {
  std::vector<std::string> arguments = {
      question, formatted("json={}", json ? 1 : 0), formatted("threads={}", threads),
      formatted("memory={}", memory_mib << 20),
      formatted("seconds={}", static_cast<uint64_t>(std::ceil(timeout_s)))};
  if (external_data) arguments.emplace_back("external_data=1");
  if (batch != 0) arguments.push_back(formatted("batch={}", batch));
  for (const std::string& shape : shapes) arguments.push_back("shape=" + shape);
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto folder = launch::program_folder();
  if (!folder) return fail(folder.error(), streams);
  InspectorLimits limits{.external_data = external_data};
  limits.patience = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(timeout_s));
  const auto answer = inspect(*folder + "/casemate-inspect", model, arguments, limits);
  if (!answer) return fail(answer.error(), streams);
  if (json && !answer->text.empty() && !nlohmann::json::accept(answer->text))
    return fail({Code::kPartitionFailed, "what casemate-inspect said is no JSON"}, streams);
  streams.out << answer->text << std::flush;
  if (!answer->refusal) return kDone;
  Error refusal = *answer->refusal;
  if (!external_data && refusal.code == Code::kDenied)
    refusal.text += "; --external-data lets the files beside the model be read";
  return fail(refusal, streams);
}

}  // namespace casemate::cli
