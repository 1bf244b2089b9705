// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/start.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace casemate::verify {
namespace {

// Firmware, boot loader, kernel and the keys that those were checked with (TCG PC Client Platform
// Firmware Profile, section 3.3.4). Later ones go on changing while a machine runs.
constexpr uint32_t kLastOfBoot = 9;
constexpr uint32_t kBootKeys = 14;
// What firmware has started: the boot loader, or a kernel that is its own. Whoever names others
// alone names a machine, or, of those that any program extends, nothing at all.
constexpr uint32_t kBootLoader = 4;

// Firmware, then what it starts: MRTD alone says nothing of the kernel.
constexpr std::array<std::string_view, 3> kGuestOfTdx = {"mrtd", "rtmr1", "rtmr2"};

bool named(const intel::Rules& rules, std::string_view measurement) {
  const auto found = rules.measurements.find(measurement);
  return found != rules.measurements.end() && !found->second.empty();
}

bool start_of_realm_named(const cca::Rules& rules) {
  const auto& realms = rules.reference_realms;
  return !rules.initial_measurement.empty() ||
         (!realms.empty() && std::ranges::all_of(realms, [](const cca::ReferenceRealm& realm) {
           return realm.initial_measurement.has_value();
         }));
}

bool boot_loader_named(const TpmRules& rules) {
  const auto found = rules.pcrs.find(kBootLoader);
  return found != rules.pcrs.end() && !found->second.empty();
}

void name_pcr(const Measurement& measurement, TpmRules& rules) {
  const std::string_view number = std::string_view(measurement.name).substr(3);
  uint32_t pcr = 0;
  std::from_chars(number.data(), number.data() + number.size(), pcr);
  if (pcr > kLastOfBoot && pcr != kBootKeys) return;
  if (measurement.value.size() == sizeof(Sha256Digest))
    rules.pcrs[pcr] = {load<Sha256Digest>(measurement.value)};
}

template <class Value>
void add_once(std::vector<Value>& values, const Value& value) {
  if (!std::ranges::contains(values, value)) values.push_back(value);
}

// What it answered, and whose word that is. Not to which nonce: that was not chosen by who learns,
// and whoever names it makes an answer of any age a fresh one.
void name_nvidia(const Platform& platform, nvidia::Rules& rules) {
  constexpr std::string_view kBlock = "block ";
  size_t blocks = 0;
  for (const Measurement& measurement : platform.measurements) {
    if (!measurement.name.starts_with(kBlock)) continue;
    const char* end = measurement.name.data() + measurement.name.size();
    uint8_t index = 0;
    std::from_chars(measurement.name.data() + kBlock.size(), end, index);
    add_once(rules.blocks[index], measurement.value);
    ++blocks;
  }
  if (blocks == nvidia::Transcript::kBlocksOfSwitch) rules.device = nvidia::Device::kAny;
  add_once(rules.roots, sha384(platform.root_key));
}

}  // namespace

Finding start_is_named(std::string_view root, const Policy& policy) {
  const auto wanted = [](bool good, std::string_view expected, std::string_view otherwise) {
    return Finding{good, std::string(expected), std::string(good ? "" : otherwise)};
  };
  if (root == "sev-snp") {
    return wanted(!policy.snp.measurement.empty() || !policy.snp.launches.empty(),
                  "\"snp\": {\"measurement\": [...]} or \"launch\"",
                  "neither: any guest would pass");
  }
  if (root == "tdx") {
    return wanted(
        std::ranges::all_of(kGuestOfTdx, [&](auto name) { return named(policy.intel, name); }),
        "\"intel\": {\"measurements\": {...}} with \"mrtd\", \"rtmr1\" and \"rtmr2\"",
        "not all of them: any guest, or any kernel in it, would pass");
  }
  if (root == "sgx") {
    return wanted(named(policy.intel, "mrenclave") || named(policy.intel, "mrsigner"),
                  "\"intel\": {\"measurements\": {...}} with \"mrenclave\" or \"mrsigner\"",
                  "neither: any enclave would pass");
  }
  if (root == "arm-cca") {
    return wanted(start_of_realm_named(policy.cca),
                  "\"cca\": {\"initial_measurement\": [...]} or reference values of realms",
                  "neither: any realm would pass");
  }
  if (root == "tpm") {
    return wanted(boot_loader_named(policy.tpm),
                  "\"tpm\": {\"pcrs\": {\"4\": [...], ...}}: 4 is the boot loader or kernel that "
                  "firmware started, 0 to 9 and 14 are the whole start",
                  "no PCR 4: whatever the machine has booted would pass");
  }
  if (root == "nvidia") {
    return wanted(!policy.nvidia.blocks.empty(), "\"nvidia\": {\"blocks\": {...}}",
                  "none: any firmware would pass");
  }
  return {.good = true};
}

bool debug_is_allowed(std::string_view root, const Policy& policy) {
  if (root == "sev-snp") return policy.snp.insecure_allow_debug;
  if (root == "arm-cca") return policy.cca.insecure_allow_debug;
  if (root == "eat") return policy.eat.insecure_allow_debug;
  return (root == "tdx" || root == "sgx") && policy.intel.insecure_allow_debug;
}

void name_start(const Platform& platform, Policy& policy) {
  if (platform.root == "nvidia") return name_nvidia(platform, policy.nvidia);
  if (platform.root == "driver") return add_once(policy.drivers.keys, sha384(platform.root_key));
  for (const Measurement& measurement : platform.measurements) {
    const std::string_view name = measurement.name;
    if (platform.root == "sev-snp" && name == "measurement")
      policy.snp.measurement = {measurement.value};
    if ((platform.root == "sgx" && name == "mrenclave") ||
        (platform.root == "tdx" &&
         (name == "mrtd" || name == "rtmr0" || name == "rtmr1" || name == "rtmr2")))
      policy.intel.measurements[measurement.name] = {measurement.value};
    if (platform.root == "arm-cca" && name == "initial_measurement")
      policy.cca.initial_measurement = {measurement.value};
    if (platform.root != "tpm") continue;
    if (name == kTpmKeyMeasurement) policy.tpm.keys = {load<Sha384Digest>(measurement.value)};
    if (name.starts_with("pcr")) name_pcr(measurement, policy.tpm);
  }
}

}  // namespace casemate::verify
