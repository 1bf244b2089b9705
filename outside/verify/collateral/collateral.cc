// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/collateral/collateral.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/format.h"

namespace casemate::verify {
namespace {

bool starts_json(Bytes content) {
  const auto first = std::ranges::find_if(
      content, [](uint8_t c) { return c != ' ' && c != '\n' && c != '\r' && c != '\t'; });
  return first != content.end() && (*first == '{' || *first == '[');
}

Result<std::vector<uint8_t>> content_of(const std::filesystem::path& path) {
  std::error_code wrong;
  const auto size = std::filesystem::file_size(path, wrong);
  if (wrong || size > Collateral::kFileBytes) {
    return Error{Code::kTooLarge, formatted("{}: collateral files have at most {} bytes",
                                            path.string(), Collateral::kFileBytes)};
  }
  std::ifstream stream(path, std::ios::binary);
  std::vector<uint8_t> content(size);
  stream.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(size));
  if (!stream) return Error{Code::kPlatform, formatted("{} cannot be read", path.string())};
  return content;
}

}  // namespace

Status Collateral::add(std::string name, Bytes content) {
  const std::string_view text = text_of(content);
  if (text.contains("-----BEGIN ")) {
    for (auto& certificate : TRY(certificates_in_pem(text))) certificates_.push_back(certificate);
    for (auto& crl : TRY(crls_in_pem(text))) crls_.push_back(crl);
    return {};
  }
  if (auto certificate = X509Certificate::from_der(content)) {
    certificates_.push_back(*std::move(certificate));
    return {};
  }
  if (auto crl = X509Crl::from_der(content)) {
    crls_.push_back(*std::move(crl));
    return {};
  }
  File file{std::move(name), std::vector<uint8_t>(content.begin(), content.end())};
  (starts_json(content) ? documents_ : others_).push_back(std::move(file));
  return {};
}

Result<Collateral> Collateral::read_folder(const std::string& path) {
  std::error_code wrong;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator at(path, wrong), end; !wrong && at != end;
       at.increment(wrong)) {
    if (at->is_regular_file(wrong)) files.push_back(at->path());
    if (files.size() > kFiles)
      return Error{Code::kTooLarge, formatted("{} holds more than {} files", path, kFiles)};
  }
  if (wrong) {
    return Error{Code::kNotFound,
                 formatted("the collateral folder {} cannot be read: {}", path, wrong.message())};
  }
  std::ranges::sort(files);
  Collateral collateral;
  for (const auto& file : files) {
    const auto content = TRY(content_of(file));
    if (const auto added = collateral.add(file.filename().string(), content); !added)
      return Error{added.error().code, formatted("{}: {}", file.string(), added.error().text)};
  }
  return collateral;
}

}  // namespace casemate::verify
