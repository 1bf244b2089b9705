// SPDX-License-Identifier: Apache-2.0
#pragma once
// TsmKernel: configfs-tsm as Linux has it (drivers/virt/coco/guest/report.c, fs/configfs/file.c),
// without its hardware: what is written to inblob takes effect when it is closed, an error of that
// is lost, each write counts as a generation, and reports are made when they are read.
//
//   Owns     the folders that were made and not removed.
//   Threads  one.
//   Trust    none is needed.
//   Fails    as the kernel, and where a test says so.

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "tests/attest/answered_calls.h"

namespace casemate::tests {

class TsmKernel final : public Files {
 public:
  struct Folder {
    std::string inblob;
    unsigned privlevel = 0;
    uint64_t written = 0;  // generations
    uint64_t made = 0;
    std::string outblob;
    std::string auxblob;
    std::string manifestblob;
    // As anybody else may write to it.
    void write(const std::string& data) {
      inblob = data;
      ++written;
    }
  };

  static constexpr const char* kFolder = "/sys/kernel/config/tsm";

  // What the machine is.
  std::optional<std::string> provider = "sev_guest";
  std::optional<unsigned> floor = 2;
  bool has_manifest = true;
  size_t report_bytes = 1184;
  size_t auxiliary_bytes = 4096;
  size_t manifest_bytes = 0;
  size_t blob_bytes_max = 32 << 10;  // of this kernel
  // Before each call, with its name and file ("read outblob"): a rival's moment. What it returns
  // is the call's answer, unless it is 0.
  std::function<int64_t(const std::string& call, Folder* folder)> before;

  std::map<std::string, Folder> folders;  // by path
  std::map<int, std::pair<std::string, std::string>>
      open_files;  // by number: path, what is written
  size_t calls = 0;

  int64_t open(int number, const std::string& path, int flags) override;
  int64_t read(int number, MutableBytes into) override;
  int64_t write(int number, Bytes content) override;
  int64_t close(int number) override;
  int64_t make_folder(const std::string& path) override;
  int64_t remove_folder(const std::string& path) override;
  int64_t look(const std::string& path) override;

 private:
  int64_t moment(const std::string& call, const std::string& path);
  Folder* folder_of(const std::string& path);
  [[nodiscard]] bool has(const std::string& file) const;
  [[nodiscard]] std::expected<std::string, int64_t> content(Folder& folder,
                                                            const std::string& file) const;
  int64_t make_report(Folder& folder) const;
  std::map<int, std::string> unread_;  // of files that are being read
};

}  // namespace casemate::tests
