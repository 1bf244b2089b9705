// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmDevice: a connection to a TPM 2.0, and the form of its commands (TPM 2.0 Library, part 3):
// header, handles, passwords, parameters. The kernel's device (/dev/tpmrm0, /dev/tpm0) and a
// software TPM behind a Unix socket speak alike.
//
//   Owns     the connection.
//   Threads  one.
//   Trust    the TPM may be broken or no TPM at all: of an answer, size, tag and code are checked
//            here, and no wait is longer than the caller says.
//   Fails    kPlatform or kTimedOut when the connection is lost: nothing can be asked after that;
//            kDenied with what to do when the TPM refuses; kInvalid for an answer out of form.

#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "wire/tpm/quote.h"

namespace casemate::attest {

// TPM_CC and the name that errors have for it.
struct TpmCommand {
  uint32_t code;
  const char* name;
};

class TpmDevice final {
 public:
  static constexpr size_t kAnswer = 4096;  // TPM_PT_MAX_RESPONSE_SIZE of the TPMs in use

  static Result<TpmDevice> open(const std::string& path);

  // A command; the answer's handle, where the command makes one, and parameters. `sessions` has one
  // for each handle that needs a password: empty_password() or a policy's.
  struct Answer {
    uint32_t handle = 0;
    std::vector<uint8_t> parameters;
  };
  struct Question {
    TpmCommand command;
    std::vector<uint32_t> handles{};
    std::vector<uint32_t> sessions{};
    bool makes_handle = false;
    Duration patience = std::chrono::seconds(5);
  };
  static constexpr uint32_t kPassword = 0x40000009;  // TPM_RS_PW: the empty password
  Result<Answer> ask(const Question& question, Bytes parameters);

  // Makes a primary key of the endorsement hierarchy after a template: the same key each time.
  // Its handle and its TPMT_PUBLIC.
  Result<Answer> make_primary(Bytes key_template, Duration patience);
  void flush(uint32_t handle);
  [[nodiscard]] bool connected() const { return fd_.valid(); }

 private:
  TpmDevice(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<std::vector<uint8_t>> exchange(Bytes command, Instant deadline);
  Status wait(short events, Instant deadline) const;
  Fd fd_;
  std::string path_;
};

}  // namespace casemate::attest
