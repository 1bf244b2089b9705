// SPDX-License-Identifier: Apache-2.0
#pragma once
// EventLog: what firmware wrote down of all that it measured (TCG PC Client Platform Firmware
// Profile, section 10: the crypto-agile log). With a TPM it is /sys/kernel/security/tpm0/
// binary_bios_measurements and its indices are PCRs; in a trust domain it is the ACPI table CCEL's
// and they are measurement registers, from 1.
//
// Replayed, it tells what each register must hold. A digest is proved by that; an event's data only
// where its digest is of them (`data_measured`): of many kinds of event it is of something else.
//
//   Owns     its events; their digests and data are views of the bytes that it was read from.
//   Threads  a value.
//   Trust    the bytes may be hostile: every length is bounded; only what replays to a register's
//            proved value is believed.
//   Fails    kInvalid with the event's number and the offset; kUnsupported without the bank.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::verify {

enum class LogHash : uint16_t { kSha256 = 0x000B, kSha384 = 0x000C };  // TPM_ALG_ID

struct LoggedEvent {
  static constexpr uint32_t kNoAction = 3;  // EV_NO_ACTION: a remark, which nothing measured

  uint32_t index = 0;  // of the register
  uint32_t type = 0;
  Bytes digest;  // like the data a part of the bytes that were read, which have to stay
  Bytes data;
  bool data_measured = false;
};

class EventLog final {
 public:
  static constexpr size_t kBytes = 4 << 20;  // as a file of the collateral
  static constexpr uint32_t kRegisters = 24;

  // Whether this begins as such a log does.
  static bool looks_like(Bytes bytes);
  // Reads the digests of one hash; those of others are passed over. The log ends with its bytes or
  // at the mark 0xFFFFFFFF, behind which a buffer may go on.
  static Result<EventLog> read(Bytes bytes, LogHash hash);

  [[nodiscard]] const std::vector<LoggedEvent>& events() const { return events_; }
  // What register `index` holds when nothing but the logged events was measured into it. From
  // zeros, or, of PCR 0, from the locality that started the TPM.
  [[nodiscard]] std::vector<uint8_t> replay(uint32_t index) const;

 private:
  explicit EventLog(LogHash hash) : hash_(hash) {}
  LogHash hash_;
  uint8_t startup_locality_ = 0;
  std::vector<LoggedEvent> events_;
};

}  // namespace casemate::verify
