// SPDX-License-Identifier: Apache-2.0
#pragma once
// GramineOs: Gramine's /dev/attestation: a quote is over what user_report_data held when `quote`
// was opened, and what is written arrives when the file is closed.
//
//   Owns     what was written.
//   Threads  one.
//   Trust    none is needed.
//   Fails    where a test says so.

#include <map>
#include <string>

#include "tests/attest/answered_calls.h"

namespace casemate::tests {

class GramineOs final : public Files {
 public:
  static constexpr const char* kFolder = "/dev/attestation";
  static constexpr size_t kReportDataAt = 48 + 320;  // of an SGX quote, version 3

  std::string type = "dcap";
  std::string report_data = std::string(64, '\0');
  size_t quote_bytes = 4700;
  std::function<int64_t(const std::string& call)> before;  // "read quote"; not 0: the answer
  size_t calls = 0;
  std::map<int, std::pair<std::string, std::string>> open_files;  // name, what is left or written

  int64_t open(int number, const std::string& path, int flags) override;
  int64_t read(int number, MutableBytes into) override;
  int64_t write(int number, Bytes content) override;
  int64_t close(int number) override;
  int64_t make_folder(const std::string& path) override;
  int64_t remove_folder(const std::string& path) override;
  int64_t look(const std::string& path) override;

 private:
  int64_t moment(const std::string& call, const std::string& name);
};

}  // namespace casemate::tests
