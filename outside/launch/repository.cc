// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/repository.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <format>

#include "base/limits.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFile = "model.onnx";
// model.onnx and the files its external data are in.
constexpr size_t kFilesPerModel = 64;

// The version that a folder's name says, or 0 for a name that is none.
uint32_t version_of(const std::string& name) {
  uint32_t version = 0;
  if (name.empty() || name.front() == '0') return 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
  return error == std::errc() && end == name.data() + name.size() ? version : 0;
}

bool servable_name(const std::string& name) {
  return name.size() < limits::kName &&
         std::ranges::all_of(
             name,
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
             });
}

Result<std::vector<std::string>> files_of(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    // Links and folders are not followed: what is served is what lies here.
    if (it->symlink_status(error).type() == fs::file_type::regular)
      files.push_back(it->path().filename().string());
  }
  if (error) return Error{Code::kPlatform, std::format("{}: {}", folder.string(), error.message())};
  if (files.size() > kFilesPerModel) {
    return Error{Code::kTooLarge, std::format("{}: {} files lie beside the model, at most {} can",
                                              folder.string(), files.size(), kFilesPerModel)};
  }
  std::ranges::sort(files);
  const auto model = std::ranges::find(files, kModelFile);
  if (model == files.end()) {
    return Error{Code::kNotFound, std::format("{}: there is no {} here (links are not followed)",
                                              folder.string(), kModelFile)};
  }
  std::rotate(files.begin(), model, model + 1);
  return files;
}

Result<ModelFiles> model_in(const fs::path& folder) {
  ModelFiles model;
  model.name = folder.filename().string();
  if (!servable_name(model.name)) {
    return Error{
        Code::kInvalid,
        std::format("model folder '{}': names have at most {} letters, digits, '-', '_', '.'",
                    model.name, limits::kName - 1)};
  }
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error))
      model.version = std::max(model.version, version_of(it->path().filename().string()));
  }
  if (model.version == 0) {
    return Error{Code::kNotFound,
                 std::format("model '{}': no version folder (1, 2, ...) with a {} is in {}",
                             model.name, kModelFile, folder.string())};
  }
  const fs::path versioned = folder / std::to_string(model.version);
  model.files = TRY(files_of(versioned));
  model.folder = fs::absolute(versioned, error).lexically_normal().string();
  return model;
}

}  // namespace

Result<std::vector<ModelFiles>> scan_repository(const std::string& folder) {
  std::error_code error;
  std::vector<ModelFiles> models;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    // Folders without any version, such as one of pictures, are no models.
    if (!it->is_directory(error) || it->path().filename().string().starts_with('.')) continue;
    auto model = model_in(it->path());
    if (!model && model.error().code == Code::kNotFound) continue;
    models.push_back(TRY(std::move(model)));
  }
  if (error)
    return Error{Code::kNotFound, std::format("model repository {}: {}", folder, error.message())};
  if (models.empty()) {
    return Error{Code::kNotFound, std::format("model repository {}: holds no <model>/<version>/{}",
                                              folder, kModelFile)};
  }
  std::ranges::sort(models, {}, &ModelFiles::name);
  return models;
}

}  // namespace casemate::launch
