// SPDX-License-Identifier: Apache-2.0
#pragma once
// TCB info and QE identity: Intel's signed JSON that says how current a platform, its TDX module
// and its quoting enclave are, and the arithmetic on what they say.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the text may be hostile until its signature was checked; its size is bounded by the
//            caller. Keys that are not known are passed over: Intel adds some now and then.
//   Fails    kInvalid with the key and what it should be; kUnsupported for other versions.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outside/verify/intel/pck.h"
#include "outside/verify/intel/quote.h"

namespace casemate::verify::intel {

// Intel's word for a level is made of what is wrong with it, so two are combined by taking both.
struct TcbStatus {
  bool out_of_date = false;
  bool configuration = false;  // settings of the firmware do not protect as they could
  bool hardening = false;      // software has to protect itself
  bool revoked = false;

  static std::optional<TcbStatus> from(std::string_view name);
  // Of several, the worst name that covers all: once out of date, hardening is not told apart.
  [[nodiscard]] std::string_view name() const;
  friend TcbStatus operator|(const TcbStatus& a, const TcbStatus& b) {
    return {a.out_of_date || b.out_of_date, a.configuration || b.configuration,
            a.hardening || b.hardening, a.revoked || b.revoked};
  }
};

// What is said of whatever reaches a level.
struct LevelWord {
  TcbStatus status;
  std::string date;  // as Intel writes it
  std::vector<std::string> advisories;
};

struct PlatformLevel {
  ByteArray<16> sgx{};
  ByteArray<16> tdx{};
  uint16_t pce_svn = 0;
  LevelWord word;
};

struct EnclaveLevel {
  uint16_t security_version = 0;
  LevelWord word;
};

// A TDX module by its major version: "TDX_01".
struct ModuleIdentity {
  std::string id;
  Sha384Digest signer{};
  uint64_t attributes = 0;
  uint64_t attributes_mask = 0;
  std::vector<EnclaveLevel> levels;
};

// From when to when a statement holds, Unix seconds, both included.
struct Window {
  int64_t issued = 0;
  int64_t next_update = 0;
};

struct TcbInfo {
  bool tdx = false;
  Window window;
  ByteArray<6> fmspc{};
  ByteArray<2> pce_id{};
  uint32_t evaluation_number = 0;
  std::vector<PlatformLevel> levels;        // the best first
  std::array<std::string, 16> sgx_parts{};  // what a component is: "BIOS, Early Microcode Update"
  std::array<std::string, 16> tdx_parts{};
  std::optional<ModuleIdentity> module;  // the module of a platform whose modules have no versions
  std::vector<ModuleIdentity> modules;
};

struct QeIdentity {
  bool td = false;  // the quoting enclave of TDX; otherwise SGX's
  Window window;
  uint32_t evaluation_number = 0;
  uint32_t misc_select = 0;
  uint32_t misc_select_mask = 0;
  ByteArray<16> attributes{};
  ByteArray<16> attributes_mask{};
  Sha256Digest mrsigner{};
  uint16_t product_id = 0;
  std::vector<EnclaveLevel> levels;
};

Result<TcbInfo> read_tcb_info(std::string_view text, std::string_view what);
Result<QeIdentity> read_qe_identity(std::string_view text, std::string_view what);

// One security version that is too low for a level.
struct Shortfall {
  std::string part;  // "component 8 (OS/VMM, SEAMLDR ACM)"
  uint32_t found = 0;
  uint32_t asked = 0;
};

// What keeps a platform from `level`; empty when it reaches it. `guest`: nullptr for SGX.
std::vector<Shortfall> shortfalls(const TcbInfo& info, const PlatformLevel& level, const Pck& pck,
                                  const TdReport* guest);
// The first level that is reached, or nullptr.
const PlatformLevel* level_of(const TcbInfo& info, const Pck& pck, const TdReport* guest);
const EnclaveLevel* level_of(const std::vector<EnclaveLevel>& levels, uint32_t security_version);

// Reads "2026-02-18T10:58:51Z"; nothing where it is spelled otherwise, or there is no such time.
std::optional<int64_t> time_of(std::string_view text);

}  // namespace casemate::verify::intel
