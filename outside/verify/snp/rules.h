// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rules: what a policy asks of an SEV-SNP report; the object "snp" of a policy file:
//
//   {"roots": {"Milan": ["<hex>"]},   SHA-384 of accepted root keys (SPKI DER); absent: AMD's of
//                                     this build. Any other is a development root
//    "tcb_min": {"Milan": {"boot_loader": 3, "tee": 0, "snp": 8, "microcode": 115}},   Turin also
//                                     "fmc"
//    "launch_tcb_min": {...},          the same for what ran when the guest was started
//    "firmware_min": "1.49.3",         of the firmware that is committed
//    "guest_svn_min": 0, "vmpl_max": 3, "mitigations": 0,   a mask that both vectors must have
//                                     (version 5)
//    "measurement": ["<hex>"], "host_data": [], "id_key": [], "author_key": [], "family_id": [],
//    "image_id": [], "chip_id": [],    accepted values; empty: any
//    "launch": [{"firmware": "OVMF.fd", "processors": 4, "guest_features": 1, "kernel": "<hex>",
//                "initrd": "<hex>", "command_line": "..."}],   what the measurement must come from:
//                                     an image among the collateral, by its file's name, and
//                                     SHA-256 of the kernel and its initial files; empty: not
//                                     computed
//    "providers": ["NAME"],            whose VLEKs are accepted; empty: any
//    "allow_vlek": true, "allow_smt": true, "allow_migration_agent": false, "allow_cxl": true,
//    "allow_masked_chip_id": false, "allow_provisional_firmware": true,
//    "require_single_socket": false, "require_aes_256_xts": false, "require_rapl_off": false,
//    "require_ciphertext_hiding": false, "require_page_swap_off": false, "require_alias_check":
//                                     false,
//    "require_crl": false,             a list of what AMD revoked must be among the collateral
//    "insecure_allow_debug": false}
//
// Every key may be left out.
//
//   Owns     values.
//   Threads  a value type.
//   Trust    the user's own word; parsing is strict.
//   Fails    kInvalid with the key and what it should be.

#include <optional>

#include "outside/verdict/accepted_values.h"
#include "outside/verify/snp/launch.h"
#include "outside/verify/snp/roots.h"

namespace casemate::verify::snp {

// A launch that is accepted: the image's file, and what is beside it.
struct LaunchRule {
  std::string firmware;
  Launch launch;
};

struct Rules {
  std::vector<Root> roots = vendor_roots();
  std::array<std::optional<Tcb>, kProductNames.size()> tcb_min;  // by product
  std::array<std::optional<Tcb>, kProductNames.size()> launch_tcb_min;
  FirmwareVersion firmware_min;
  uint32_t guest_svn_min = 0;
  uint32_t vmpl_max = 3;
  uint64_t mitigations = 0;
  AcceptedValues measurement;
  AcceptedValues host_data;
  AcceptedValues id_key;
  AcceptedValues author_key;
  AcceptedValues family_id;
  AcceptedValues image_id;
  AcceptedValues chip_id;
  std::vector<LaunchRule> launches;
  std::vector<std::string> providers;
  bool allow_vlek = true;
  bool allow_smt = true;
  bool allow_migration_agent = false;
  bool allow_cxl = true;
  bool allow_masked_chip_id = false;
  bool allow_provisional_firmware = true;
  bool require_single_socket = false;
  bool require_aes_256_xts = false;
  bool require_rapl_off = false;
  bool require_ciphertext_hiding = false;
  bool require_page_swap_off = false;
  bool require_alias_check = false;
  bool require_crl = false;
  bool insecure_allow_debug = false;
};

Result<Rules> parse_rules(JsonObject& object);
// What parse_rules() reads back to the same value.
nlohmann::ordered_json rules_json(const Rules& rules);

}  // namespace casemate::verify::snp
