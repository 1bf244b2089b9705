// SPDX-License-Identifier: Apache-2.0
// Classifies a picture on a server that is verified first, with the public client API alone.
//
//   classify https://HOST:PORT MODEL PICTURE.png POLICY.json
//
// With the digits model, a picture of a 7, and a policy that allows the development root, it prints
// (examples/classify.expected):
//
//   DEVELOPMENT ROOT: fine for trying things out, worth nothing against the machine's operator
//   verified-development: digits
//   7 0.99
//
// A server that the policy refuses gets no picture; the line on stderr says why and what to do.

#include <cstdio>
#include <print>
#include <string>

#include "outside/client/classes.h"
#include "outside/client/file.h"
#include "outside/client/image.h"
#include "outside/client/session.h"

namespace {

using namespace casemate;

// Reads the picture and brings it into the form that the model's own metadata ask for.
Result<client::Tensor> load_picture(const std::string& path, const client::ModelMetadata& model) {
  const auto file = TRY(client::read_file(path, 16 << 20));
  const auto picture = TRY(client::read_png(file));
  const auto recipe = TRY(client::recipe_for(model.inputs.at(0), model.properties));
  return client::to_tensor(picture, recipe, model.inputs.at(0));
}

Status classify(const std::string& url, const std::string& model, const std::string& picture_path,
                const std::string& policy_path) {
  const auto text = TRY(client::read_file(policy_path, 1 << 20));
  const auto policy = TRY(verify::parse_policy(text_of(text), policy_path));

  // Nothing of ours is sent before the server's evidence has passed the policy.
  auto session = TRY(client::Session::connect(url, policy));
  const auto verdict = TRY(session.verdict(model));
  if (verdict.development_root) {
    std::println(
        "DEVELOPMENT ROOT: fine for trying things out, worth nothing against the "
        "machine's operator");
  }
  std::println("{}: {}", verdict.status(), model);

  const auto metadata = TRY(session.metadata(model));
  if (metadata.inputs.size() != 1)
    return Error{Code::kUnsupported, "this example is for models with one input"};
  const client::Tensor inputs[] = {TRY(load_picture(picture_path, metadata))};
  const auto outputs = TRY(session.infer(model, inputs));

  const auto labels = client::labels_of(metadata);
  for (const client::Tensor& output : outputs) {
    for (const auto& score : TRY(client::top_classes(output, labels, 1)))
      std::println("{} {:.2f}", score.label, score.probability);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::println(stderr, "usage: classify https://HOST:PORT MODEL PICTURE.png POLICY.json");
    return 2;
  }
  const auto done = classify(argv[1], argv[2], argv[3], argv[4]);
  if (!done) std::println(stderr, "classify: {}", done.error().text);
  return done ? 0 : 1;
}
