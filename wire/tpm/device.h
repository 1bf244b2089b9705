// SPDX-License-Identifier: Apache-2.0
#pragma once
// TpmDevice: a connection to a TPM 2.0, and the form of its commands (TPM 2.0 Library, part 3).
// The kernel's device (/dev/tpmrm0, /dev/tpm0) and a software TPM behind a Unix socket speak alike.
//
//   Owns     the connection.
//   Threads  one.
//   Trust    the TPM may be broken or no TPM at all: of an answer, size, tag and code are checked
//            here, and no wait is longer than the caller says.
//   Fails    kPlatform or kTimedOut when the connection is lost: nothing can be asked after that;
//            kDenied with what to do when the TPM refuses; kInvalid for an answer out of form.

#include "base/clock.h"
#include "base/fd.h"
#include "wire/tpm/quote.h"

namespace casemate {

class TpmDevice final {
 public:
  static constexpr uint32_t kPassword = 0x40000009;  // TPM_RS_PW: the empty password

  struct Question {
    uint32_t command;  // TPM_CC
    const char* name;
    std::vector<uint32_t> handles{};
    std::vector<uint32_t> sessions{};  // for the handles that need one: kPassword, or a policy's
    bool makes_handle = false;
    Duration patience = std::chrono::seconds(5);
  };
  struct Answer {
    uint32_t handle = 0;
    std::vector<uint8_t> parameters;
  };

  static Result<TpmDevice> open(const std::string& path);
  Result<Answer> ask(const Question& question, Bytes parameters);
  // A primary key of the endorsement hierarchy, from a TPMT_PUBLIC as template: the same each time.
  // Its handle and its TPMT_PUBLIC.
  Result<Answer> make_primary(Bytes key_template, Duration patience);
  // The key for quotes: ECDSA, P-256, SHA-256, which every TPM 2.0 has.
  Result<Answer> make_attestation_key();
  // Forgets a key or a session.
  void flush(uint32_t handle);
  [[nodiscard]] bool connected() const { return fd_.valid(); }

 private:
  TpmDevice(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<std::vector<uint8_t>> exchange(Bytes command, Instant deadline);
  Status wait(short events, Instant deadline) const;
  Fd fd_;
  std::string path_;
};

}  // namespace casemate
