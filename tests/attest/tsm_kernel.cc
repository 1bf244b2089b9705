// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/tsm_kernel.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace casemate::tests {
namespace {

constexpr size_t kInblobMax = 64;
constexpr unsigned kPrivlevelMax = 3;
constexpr size_t kReportDataAt = 0x50;  // in a report of SEV-SNP

std::string file_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
bool binary(const std::string& file) { return file.ends_with("blob"); }

}  // namespace

TsmKernel::Folder* TsmKernel::folder_of(const std::string& path) {
  const auto found = folders.find(path.substr(0, path.rfind('/')));
  return found == folders.end() ? nullptr : &found->second;
}

int64_t TsmKernel::moment(const std::string& call, const std::string& path) {
  ++calls;
  if (!before) return 0;
  const auto itself = folders.find(path);
  return before(call + " " + (call.ends_with("dir") ? "folder" : file_of(path)),
                itself != folders.end() ? &itself->second : folder_of(path));
}

bool TsmKernel::has(const std::string& file) const {
  if (file == "privlevel" || file == "privlevel_floor") return floor.has_value();
  if (file == "manifestblob") return has_manifest;
  return file == "inblob" || file == "outblob" || file == "auxblob" || file == "provider" ||
         file == "generation";
}

int64_t TsmKernel::make_report(Folder& folder) const {
  if (!provider) return -ENXIO;
  if (folder.inblob.empty()) return -EINVAL;
  if (!folder.outblob.empty() && folder.made == folder.written) return 0;
  if (floor && folder.privlevel < *floor) return -EIO;  // the firmware's answer
  folder.outblob.assign(report_bytes, 'r');
  if (report_bytes >= kReportDataAt + kInblobMax)
    folder.outblob.replace(kReportDataAt, kInblobMax, folder.inblob);
  folder.auxblob.assign(auxiliary_bytes, 'c');
  folder.manifestblob.assign(manifest_bytes, 'm');
  folder.made = folder.written;
  return 0;
}

std::expected<std::string, int64_t> TsmKernel::content(Folder& folder,
                                                       const std::string& file) const {
  if (file == "generation") return std::to_string(folder.written) + "\n";
  if (!provider) return std::unexpected(-ENXIO);
  if (file == "provider") return *provider + "\n";
  if (file == "privlevel_floor") return std::to_string(*floor) + "\n";
  if (const int64_t error = make_report(folder); error != 0) return std::unexpected(error);
  const std::string& blob = file == "outblob"   ? folder.outblob
                            : file == "auxblob" ? folder.auxblob
                                                : folder.manifestblob;
  if (blob.size() > blob_bytes_max) return std::unexpected(-EFBIG);
  return blob;
}

int64_t TsmKernel::open(int number, const std::string& path, int flags) {
  if (const int64_t answer = moment("open", path); answer != 0) return answer;
  if (folder_of(path) == nullptr || !has(file_of(path))) return -ENOENT;
  const std::string file = file_of(path);
  const bool writable = file == "inblob" || file == "privlevel";
  if (((flags & O_ACCMODE) == O_WRONLY) != writable) return -EACCES;
  open_files[number] = {path, ""};
  return 0;
}

int64_t TsmKernel::read(int number, MutableBytes into) {
  const std::string path = open_files.at(number).first;
  if (const int64_t answer = moment("read", path); answer != 0) return answer;
  if (!unread_.contains(number)) {
    auto found = content(*folder_of(path), file_of(path));
    if (!found) return found.error();
    unread_[number] = *found;
  }
  std::string& unread = unread_[number];
  // A page at most, as a kernel may.
  const size_t size = std::min({unread.size(), into.size(), size_t{4096}});
  std::copy_n(unread.begin(), size, into.begin());
  unread.erase(0, size);
  return static_cast<int64_t>(size);
}

int64_t TsmKernel::write(int number, Bytes bytes) {
  auto& [path, written] = open_files.at(number);
  if (const int64_t answer = moment("write", path); answer != 0) return answer;
  if (binary(file_of(path))) {
    if (written.size() + bytes.size() > kInblobMax) return -EFBIG;
    written += text_of(bytes);
    return static_cast<int64_t>(bytes.size());
  }
  unsigned value = 0;
  const std::string text(text_of(bytes));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < floor.value_or(0) || value > kPrivlevelMax) return -EINVAL;
  Folder& folder = *folder_of(path);
  folder.privlevel = value;
  ++folder.written;
  return static_cast<int64_t>(bytes.size());
}

int64_t TsmKernel::close(int number) {
  const auto [path, written] = open_files.at(number);
  open_files.erase(number);
  unread_.erase(number);
  // Whatever goes wrong here, who closes does not hear of it.
  if (moment("close", path) == 0 && binary(file_of(path)) && !written.empty())
    folder_of(path)->write(written);
  return 0;
}

int64_t TsmKernel::make_folder(const std::string& path) {
  if (const int64_t answer = moment("mkdir", path); answer != 0) return answer;
  if (!provider) return -ENXIO;
  return folders.try_emplace(path).second ? 0 : -EEXIST;
}

int64_t TsmKernel::remove_folder(const std::string& path) {
  if (const int64_t answer = moment("rmdir", path); answer != 0) return answer;
  return folders.erase(path) == 1 ? 0 : -ENOENT;
}

int64_t TsmKernel::look(const std::string& path) {
  if (const int64_t answer = moment("access", path); answer != 0) return answer;
  if (path == kFolder + std::string("/report")) return 0;
  return folder_of(path) != nullptr && has(file_of(path)) ? 0 : -ENOENT;
}

}  // namespace casemate::tests
