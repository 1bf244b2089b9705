// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/repository.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <format>

#include "base/limits.h"
#include "outside/launch/model_config.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFile = "model.onnx";
constexpr const char* kConfigFile = "config.pbtxt";
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

// 0 when there is none.
uint32_t highest_version(const fs::path& folder) {
  std::error_code error;
  uint32_t version = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error))
      version = std::max(version, version_of(it->path().filename().string()));
  }
  return version;
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
  model.version = highest_version(folder);
  if (model.version == 0) {
    return Error{Code::kNotFound,
                 std::format("model '{}': no version folder (1, 2, ...) with a {} is in {}",
                             model.name, kModelFile, folder.string())};
  }
  const fs::path versioned = folder / std::to_string(model.version);
  model.files = TRY(files_of(versioned));
  std::error_code error;
  model.folder = fs::absolute(versioned, error).lexically_normal().string();
  return model;
}

}  // namespace

Result<Repository> scan_repository(const std::string& folder) {
  std::error_code error;
  Repository found;
  auto& models = found.models;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->is_directory(error) || it->path().filename().string().starts_with('.')) continue;
    const fs::path config = it->path() / kConfigFile;
    const bool configured = fs::exists(config, error);
    auto model = model_in(it->path());
    if (!model && model.error().code == Code::kNotFound) {
      // A folder with neither version nor configuration, such as one of pictures, is no model.
      if (configured || highest_version(it->path()) != 0)
        found.warnings.push_back("not served: " + model.error().text);
      continue;
    }
    if (model && configured) {
      const std::string warning = config_warning(config.string());
      if (!warning.empty()) found.warnings.push_back(warning);
    }
    models.push_back(TRY(std::move(model)));
  }
  if (error)
    return Error{Code::kNotFound, std::format("model repository {}: {}", folder, error.message())};
  if (models.empty()) {
    return Error{Code::kNotFound, std::format("model repository {}: holds no <model>/<version>/{}",
                                              folder, kModelFile)};
  }
  std::ranges::sort(models, {}, &ModelFiles::name);
  std::ranges::sort(found.warnings);
  return found;
}

}  // namespace casemate::launch
