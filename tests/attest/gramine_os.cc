// SPDX-License-Identifier: Apache-2.0
#include "tests/attest/gramine_os.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace casemate::tests {

int64_t GramineOs::moment(const std::string& call, const std::string& name) {
  ++calls;
  return before ? before(call + " " + name) : 0;
}

int64_t GramineOs::open(int number, const std::string& path, int flags) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (const int64_t answer = moment("open", name); answer != 0) return answer;
  const bool writing = (flags & O_ACCMODE) == O_WRONLY;
  if (writing != (name == "user_report_data")) return -EACCES;
  std::string content;
  if (name == "attestation_type") {
    content = type;
  } else if (name == "quote") {
    if (type == "none") return -ENOENT;
    content.assign(quote_bytes, 'q');
    if (quote_bytes >= kReportDataAt + report_data.size())
      content.replace(kReportDataAt, report_data.size(), report_data);
  } else if (!writing) {
    return -ENOENT;
  }
  open_files[number] = {name, content};
  return 0;
}

int64_t GramineOs::read(int number, MutableBytes into) {
  auto& [name, left] = open_files.at(number);
  if (const int64_t answer = moment("read", name); answer != 0) return answer;
  const size_t size = std::min({left.size(), into.size(), size_t{1000}});
  std::copy_n(left.begin(), size, into.begin());
  left.erase(0, size);
  return static_cast<int64_t>(size);
}

int64_t GramineOs::write(int number, Bytes content) {
  auto& [name, written] = open_files.at(number);
  if (const int64_t answer = moment("write", name); answer != 0) return answer;
  if (content.size() > 64) return -EFBIG;
  written += text_of(content);
  return static_cast<int64_t>(content.size());
}

int64_t GramineOs::close(int number) {
  const auto [name, written] = open_files.at(number);
  open_files.erase(number);
  if (moment("close", name) == 0 && name == "user_report_data") report_data = written;
  return 0;
}

int64_t GramineOs::make_folder(const std::string&) { return -EACCES; }
int64_t GramineOs::remove_folder(const std::string&) { return -EACCES; }
int64_t GramineOs::look(const std::string&) { return moment("access", "attestation"); }

}  // namespace casemate::tests
