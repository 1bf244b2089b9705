// SPDX-License-Identifier: Apache-2.0
#pragma once
// A model's inputs and outputs as files: [NAME=]FILE, where FILE is .npy or .png for an input and
// .npy for an output. What a file is, its first bytes say, not its name.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    files may be hostile: the readers in outside/client bound them.
//   Fails    kInvalid and what to write instead.

#include <string>
#include <vector>

#include "outside/client/image.h"
#include "outside/client/protocol.h"
#include "outside/client/tensor.h"

namespace casemate::cli {

// "NAME=FILE", or "FILE" with an empty name.
struct FileArgument {
  std::string name;
  std::string path;
};
Result<FileArgument> parse_file_argument(const std::string& text, std::string_view flag);

// How pictures become tensors, beyond what the model says: "size=28x28" and the like, each a
// property of outside/client/image.h without its prefix.
struct ImageFlags {
  std::vector<std::string> settings;
  bool invert = false;
};

// One tensor for each argument, checked against the model's description.
Result<std::vector<client::Tensor>> read_inputs(const std::vector<std::string>& arguments,
                                                const client::ModelMetadata& metadata,
                                                const ImageFlags& flags);

// Writes the outputs that the arguments name; one without a name is for a model with one output.
Status write_outputs(const std::vector<std::string>& arguments,
                     const std::vector<client::Tensor>& outputs);

}  // namespace casemate::cli
