// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/repository.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/format.h"
#include "base/growing.h"
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

// As the monitor takes them: see plain_name() in wire/abi/system.cc.
bool plain_file_name(const std::string& name) {
  return std::ranges::all_of(name, [](char c) { return c > ' ' && c < 127 && c != '\\'; });
}

Error unreadable(const fs::path& folder, const std::error_code& error) {
  return {Code::kPlatform, formatted("{}: cannot be read ({}); allow it to this user, or move it "
                                     "out of the repository",
                                     folder.string(), error.message())};
}

Result<std::vector<std::string>> files_of(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.starts_with(kGrowingPrefix)) continue;
    // Links and folders are not followed: what is served is what lies here.
    if (it->symlink_status(error).type() == fs::file_type::regular)
      files.push_back(std::move(name));
  }
  if (error) return unreadable(folder, error);
  if (files.size() > kFilesPerModel) {
    return Error{Code::kTooLarge, formatted("{}: holds {} files, of which at most {} can be "
                                            "served; keep the model and its external data alone",
                                            folder.string(), files.size(), kFilesPerModel)};
  }
  std::ranges::sort(files);
  const auto odd = std::ranges::find_if_not(files, plain_file_name);
  if (odd != files.end()) {
    return Error{Code::kInvalid, formatted("{}: holds '{}', whose name has a space or another "
                                           "character that is not served; rename or move it",
                                           folder.string(), *odd)};
  }
  if (std::ranges::contains(files, sealed::kFileName)) {
    // The key is for an enclave that has this file and no other.
    if (files.size() == 1) return files;
    return Error{Code::kInvalid,
                 formatted("{}: holds {} beside other files, and a sealed model is served alone; "
                           "move the others",
                           folder.string(), sealed::kFileName)};
  }
  const auto model = std::ranges::find(files, kModelFile);
  if (model == files.end()) {
    return Error{Code::kInvalid,
                 formatted("{}: holds no file {} (links and folders are not followed); put the "
                           "model there, or remove the version",
                           folder.string(), kModelFile)};
  }
  std::rotate(files.begin(), model, model + 1);
  return files;
}

// A folder without any version, such as one of pictures, is no model, unless one lies in it at a
// wrong place.
Status check_not_misplaced(const fs::path& folder) {
  std::error_code error;
  const auto move = [&](const fs::path& found) {
    return Error{Code::kInvalid,
                 formatted("{}: lies in no version folder; move it to {}", found.string(),
                           (folder / "1" / found.filename()).string())};
  };
  for (const std::string_view name : {std::string_view(kModelFile), sealed::kFileName}) {
    if (fs::exists(folder / name, error)) return move(folder / name);
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      std::error_code absent;
      if (fs::exists(it->path() / name, absent)) return move(it->path() / name);
    }
  }
  if (error) return unreadable(folder, error);
  return {};
}

// Nothing for a folder that is no model.
Result<std::optional<ModelFiles>> model_in(const fs::path& folder) {
  ModelFiles model;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error))
      model.version = std::max(model.version, version_of(it->path().filename().string()));
  }
  if (error) return unreadable(folder, error);
  if (model.version == 0) {
    TRY(check_not_misplaced(folder));
    return std::nullopt;
  }
  model.name = folder.filename().string();
  if (!servable_name(model.name)) {
    return Error{Code::kInvalid,
                 formatted("{}: models have names of at most {} letters, digits, '-', '_' and "
                           "'.', other than 'gateway'; rename the folder",
                           folder.string(), limits::kName - 1)};
  }
  const fs::path versioned = folder / std::to_string(model.version);
  model.files = TRY(files_of(versioned));
  model.folder = fs::absolute(versioned, error).lexically_normal().string();
  return model;
}

}  // namespace

// "gateway" is the name of the gateway's enclave and partition; folders that begin with a dot are
// passed over.
bool servable_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.size() < limits::kName && name != "gateway" &&
         std::ranges::all_of(
             name,
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
             });
}

Result<Repository> scan_repository(const std::string& folder) {
  std::error_code error;
  Repository found;
  auto& models = found.models;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!it->is_directory(error) || it->path().filename().string().starts_with('.')) continue;
    auto model = TRY(model_in(it->path()));
    const fs::path config = it->path() / kConfigFile;
    std::error_code absent;
    const bool configured = fs::exists(config, absent);
    if (!model && configured) {
      found.warnings.push_back(formatted(
          "{}: configures a model that has no version folder; nothing is served from here",
          config.string()));
    }
    if (!model) continue;
    if (configured) {
      const std::string warning = config_warning(config.string());
      if (!warning.empty()) found.warnings.push_back(warning);
    }
    models.push_back(std::move(*model));
  }
  if (error) {
    return Error{Code::kNotFound,
                 formatted("model repository {}: {}; --models or the system file's 'repository' "
                           "names it",
                           folder, error.message())};
  }
  if (models.empty()) {
    return Error{Code::kNotFound, formatted("model repository {}: holds no model; put one at "
                                            "{}/NAME/1/{}",
                                            folder, folder, kModelFile)};
  }
  std::ranges::sort(models, {}, &ModelFiles::name);
  std::ranges::sort(found.warnings);
  return found;
}

}  // namespace casemate::launch
