// SPDX-License-Identifier: Apache-2.0
#include "outside/cli/model_files.h"

#include <algorithm>

#include "base/format.h"
#include "base/limits.h"
#include "base/log.h"
#include "outside/client/file.h"
#include "outside/client/npy.h"
#include "outside/client/picture.h"

namespace casemate::cli {
namespace {

using client::ModelMetadata;
using client::Port;
using client::Properties;
using client::Tensor;

// A tensor and its header.
constexpr uint64_t kFileBytes = limits::kTensorBytes + (64 << 10);
constexpr ByteArray<4> kPngMark = {0x89, 'P', 'N', 'G'};

std::string names_of(const auto& things) {
  std::string names;
  for (const auto& thing : things)
    names += formatted("{}{}", names.empty() ? "" : ", ", printable(thing.name, 64));
  return names;
}

// The one of `things` that is meant: by its name, or the only one.
template <class T>
Result<const T*> find(const std::vector<T>& things, const std::string& name,
                      std::string_view kind) {
  if (name.empty() && things.size() == 1) return &things.front();
  const auto found = std::ranges::find(things, name, &T::name);
  if (!name.empty() && found != things.end()) return &*found;
  if (name.empty()) {
    return Error{Code::kInvalid,
                 formatted("the model has {} {}s: say which with NAME=FILE; they are {}",
                           things.size(), kind, names_of(things))};
  }
  return Error{Code::kInvalid, formatted("the model has no {} \"{}\"; it has {}", kind,
                                         printable(name, 64), names_of(things))};
}

Result<Properties> properties_of(const ModelMetadata& metadata, const ImageFlags& flags) {
  Properties properties = metadata.properties;
  for (const std::string& setting : flags.settings) {
    const size_t equals = setting.find('=');
    const std::string key = setting.substr(0, equals);
    const bool known =
        key == "size" || key == "color" || key == "scale" || key == "mean" || key == "std";
    if (!known || equals == setting.npos) {
      return Error{Code::kInvalid,
                   formatted("--image {} should be size=, color=, scale=, mean= or std= and a "
                             "value",
                             setting)};
    }
    properties["casemate.input.image." + key] = setting.substr(equals + 1);
  }
  return properties;
}

Result<Tensor> picture_tensor(Bytes file, const Port& port, const ModelMetadata& metadata,
                              const ImageFlags& flags) {
  client::ImageRecipe recipe = TRY(client::recipe_for(port, TRY(properties_of(metadata, flags))));
  recipe.invert = flags.invert;
  return client::to_tensor(TRY(client::read_png(file)), recipe, port);
}

Result<Tensor> array_tensor(Bytes file, const Port& port) {
  Tensor tensor = TRY(client::read_npy(file));
  tensor.name = port.name;
  if (tensor.type != port.type || !port.shape.admits(tensor.shape)) {
    return Error{Code::kInvalid,
                 formatted("input \"{}\" takes {} {}, and the file holds {} {}",
                           printable(port.name, 64), name_of(port.type), port.shape.text(),
                           name_of(tensor.type), tensor.shape.text())};
  }
  return tensor;
}

Result<Tensor> read_input(const FileArgument& argument, const ModelMetadata& metadata,
                          const ImageFlags& flags) {
  const Port* port = TRY(find(metadata.inputs, argument.name, "input"));
  const auto file = TRY(client::read_file(argument.path, kFileBytes));
  const bool picture = file.size() >= kPngMark.size() &&
                       std::ranges::equal(Bytes(file).first(kPngMark.size()), kPngMark);
  auto tensor = picture ? picture_tensor(file, *port, metadata, flags) : array_tensor(file, *port);
  if (!tensor)
    return Error{tensor.error().code, formatted("{}: {}", argument.path, tensor.error().text)};
  return tensor;
}

}  // namespace

Result<FileArgument> parse_file_argument(const std::string& text, std::string_view flag) {
  const size_t equals = text.find('=');
  FileArgument argument;
  if (equals != text.npos) argument.name = text.substr(0, equals);
  argument.path = equals == text.npos ? text : text.substr(equals + 1);
  if (argument.path.empty() || equals == 0)
    return Error{Code::kInvalid, formatted("{} {} should be NAME=FILE or FILE", flag, text)};
  return argument;
}

Result<std::vector<Tensor>> read_inputs(const std::vector<std::string>& arguments,
                                        const ModelMetadata& metadata, const ImageFlags& flags) {
  std::vector<Tensor> tensors;
  for (const std::string& text : arguments) {
    const FileArgument argument = TRY(parse_file_argument(text, "--input"));
    Tensor tensor = TRY(read_input(argument, metadata, flags));
    if (std::ranges::contains(tensors, tensor.name, &Tensor::name)) {
      return Error{Code::kInvalid,
                   formatted("input \"{}\" is given twice", printable(tensor.name, 64))};
    }
    tensors.push_back(std::move(tensor));
  }
  if (tensors.size() < metadata.inputs.size()) {
    return Error{Code::kInvalid,
                 formatted("the model has {} inputs and {} are given; it has {}",
                           metadata.inputs.size(), tensors.size(), names_of(metadata.inputs))};
  }
  return tensors;
}

Status write_outputs(const std::vector<std::string>& arguments,
                     const std::vector<Tensor>& outputs) {
  for (const std::string& text : arguments) {
    const FileArgument argument = TRY(parse_file_argument(text, "--output"));
    const Tensor* output = TRY(find(outputs, argument.name, "output"));
    const auto file = TRY(client::write_npy({output->type, output->shape, output->data}));
    TRY(client::write_file(argument.path, file));
  }
  return {};
}

}  // namespace casemate::cli
