// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/snp/codes.h"
#include "outside/verify/snp/endorsement.h"
#include "outside/verify/snp/id_block.h"
#include "outside/verify/snp/snp.h"
#include "outside/verify/x509/chain.h"

namespace casemate::verify::snp {
namespace {

constexpr size_t kTableCertificates = 16;  // AMD has a host show three

// What a guest policy's bit may be (ABI, table of the guest policy).
struct PolicyBit {
  uint32_t bit;
  std::string_view what;
  bool wanted;         // of the bit, where the rule below does not let both pass
  bool Rules::* rule;  // allow_...: lets a set bit pass; require_...: wants it set
};
constexpr std::array<PolicyBit, 8> kPolicyBits = {
    {{16, "SMT", false, &Rules::allow_smt},
     {18, "migration agent", false, &Rules::allow_migration_agent},
     {20, "single socket", true, &Rules::require_single_socket},
     {21, "CXL", false, &Rules::allow_cxl},
     {22, "AES-256-XTS", true, &Rules::require_aes_256_xts},
     {23, "RAPL off", true, &Rules::require_rapl_off},
     {24, "ciphertext hiding", true, &Rules::require_ciphertext_hiding},
     {25, "page swap off", true, &Rules::require_page_swap_off}}};
constexpr uint64_t kMustBeOne = uint64_t{1} << 17;
constexpr uint64_t kDebugBit = uint64_t{1} << 19;
constexpr uint32_t kBitsKnown = 26;
constexpr uint64_t kAliasCheckComplete = uint64_t{1} << 5;

constexpr std::string_view kDoUpdateMicrocode =
    "update the processor's microcode (a newer BIOS, or the kernel's microcode package), then "
    "fetch "
    "the certificate of the new level";
constexpr std::string_view kDoUpdateFirmware =
    "update the secure processor's firmware (a BIOS with a newer AGESA, or a newer SEV firmware "
    "file "
    "with snphost), then fetch the certificate of the new level";
constexpr std::string_view kDoCommit =
    "newer firmware runs already: have it committed and reported (snphost commit, snphost config), "
    "then fetch the certificate of the new level";

bool vendors(const Root& root) { return std::ranges::contains(vendor_roots(), root); }

// The first part of `tcb` that is below `least`.
const TcbPart* short_part(Product product, const Tcb& tcb, const Tcb& least) {
  const auto parts = tcb_parts(product);
  const auto found = std::ranges::find_if(
      parts, [&](const TcbPart& part) { return tcb[part.byte] < least[part.byte]; });
  return found == parts.end() ? nullptr : &*found;
}

class SnpAppraisal final {
 public:
  SnpAppraisal(Bytes evidence, const Rules& rules, const Collateral& collateral, int64_t now,
               Checks& checks)
      : evidence_(evidence), rules_(rules), collateral_(collateral), now_(now), checks_(checks) {}

  Platform run() && {
    platform_.root = "sev-snp";
    read();
    prove_signature();
    prove_chain();
    prove_binding();
    judge_signer();
    judge_guest();
    judge_firmware();
    judge_measurements();
    judge_id_block();
    return std::move(platform_);
  }

 private:
  void read();
  void prove_signature();
  void prove_chain();
  void prove_binding();
  void judge_signer();
  void judge_guest();
  void judge_firmware();
  void judge_measurements();

  Status gather();
  Finding choose_key();
  Finding same_product() const;
  Finding right_issuer() const;
  Finding right_chip() const;
  Finding right_tcb() const;
  Finding not_revoked() const;
  Finding accepted_signer() const;
  Finding policy_form() const;
  Finding tcb_order() const;
  Finding new_enough(const std::optional<Tcb>& least, const Tcb& tcb) const;
  Finding firmware() const;
  Finding mitigations() const;
  void judge_id_block();
  Finding launched() const;

  Bytes evidence_;
  const Rules& rules_;
  const Collateral& collateral_;
  int64_t now_;
  Checks& checks_;
  Platform platform_;
  ReportFile file_;
  const Report& report_ = file_.report;
  std::vector<X509Certificate> certificates_;
  std::optional<X509Certificate> leaf_;
  Endorsement endorsement_;
  Chain chain_;
  Root root_;
};

void SnpAppraisal::read() {
  checks_.require(code::kForm, "", [&] {
    auto file = read_report(evidence_);
    if (!file) return finding_of(file.error(), "a report of 1184 bytes, version 2 to 5");
    file_ = *std::move(file);
    platform_.report_data = report_.report_data;
    platform_.measurements = {
        {"measurement", {report_.measurement.begin(), report_.measurement.end()}},
        {"host_data", {report_.host_data.begin(), report_.host_data.end()}},
        {"id_key", {report_.id_key_digest.begin(), report_.id_key_digest.end()}},
        {"author_key", {report_.author_key_digest.begin(), report_.author_key_digest.end()}},
        {"family_id", {report_.family_id.begin(), report_.family_id.end()}},
        {"image_id", {report_.image_id.begin(), report_.image_id.end()}}};
    platform_.digest = digest_of(platform_.root, platform_.measurements);
    platform_.security_version = report_.guest_svn;
    platform_.debug = (report_.policy & kDebugBit) != 0;
    return Finding{.good = true};
  });
}

// Certificates of the collateral, and of the tables in it or behind the report.
Status SnpAppraisal::gather() {
  certificates_.assign(collateral_.certificates().begin(), collateral_.certificates().end());
  const auto add = [&](Bytes table) -> Status {
    Collateral found;
    for (const Bytes blob : table_blobs(table)) TRY(found.add("", blob));
    if (found.certificates().size() > kTableCertificates) {
      return Error{Code::kInvalid,
                   formatted("a table of certificates holds more than {}", kTableCertificates)};
    }
    certificates_.insert(certificates_.end(), found.certificates().begin(),
                         found.certificates().end());
    return {};
  };
  TRY(add(file_.table));
  for (const Collateral::File& file : collateral_.others()) TRY(add(file.content));
  return {};
}

// The certificate whose key should have signed: best one that names this chip and this firmware.
Finding SnpAppraisal::choose_key() {
  const std::string wanted = formatted(
      "the {} of chip {}.. for TCB {}", report_.signer() == Report::kSignedByVlek ? "VLEK" : "VCEK",
      to_hex(Bytes(report_.chip_id).first(8)), to_hex(report_.reported_tcb));
  if (report_.signer() != Report::kSignedByVcek && report_.signer() != Report::kSignedByVlek) {
    return {.expected = "a report signed by a VCEK or a VLEK",
            .actual = report_.signer() == 7 ? "a report that nobody signed"
                                            : formatted("key number {}", report_.signer())};
  }
  if (const Status gathered = gather(); !gathered) return finding_of(gathered, wanted);
  int best = -1;
  std::string trouble = "no such certificate in the collateral";
  for (const X509Certificate& certificate : certificates_) {
    if (!endorses_reports(certificate)) continue;
    auto read = read_endorsement(certificate);
    if (!read) {
      trouble = read.error().text;
      continue;
    }
    if (read->vlek != (report_.signer() == Report::kSignedByVlek)) {
      trouble = formatted("{} alone", read->vlek ? "a VLEK" : "a VCEK");
      continue;
    }
    const auto product = product_named(read->product);
    const auto tcb = certified_tcb(*read, product.value_or(Product::kMilan));
    const bool chip = std::ranges::equal(
        read->hardware_id,
        Bytes(report_.chip_id).first(std::min(read->hardware_id.size(), report_.chip_id.size())));
    const int fit = (chip ? 2 : 0) + (tcb && *tcb == report_.reported_tcb ? 1 : 0);
    if (fit <= best) continue;
    best = fit;
    leaf_ = certificate;
    endorsement_ = *std::move(read);
  }
  if (leaf_) return {.good = true, .expected = wanted, .actual = leaf_->subject()};
  return {.expected = wanted, .actual = trouble};
}

void SnpAppraisal::prove_signature() {
  checks_.require(code::kKey, "", [&] { return choose_key(); });
  checks_.require(code::kSignature, "", [&] {
    const std::string expected = formatted("a signature by the key of {}", leaf_->subject());
    const auto signature = signature_of(report_);
    if (!signature) return finding_of(signature.error(), expected);
    return finding_of(verify_signature(leaf_->key(), report_.signed_bytes(), *signature), expected);
  });
}

void SnpAppraisal::prove_chain() {
  checks_.require(code::kChain, "", [&] {
    const std::string_view expected = "a chain to AMD's root of this product";
    ChainRules wanted{.anchors = {}, .known_critical = {}, .length_max = 3};
    for (const Root& root : rules_.roots) wanted.anchors.push_back(root.key);
    auto chain = chain_of(*leaf_, certificates_, wanted);
    if (!chain) return finding_of(chain.error(), expected);
    if (chain->size() != 3)
      return Finding{.expected = "a key, its authority and a root",
                     .actual = formatted("{} certificates", chain->size())};
    chain_ = *std::move(chain);
    platform_.root_key = chain_.back().key();
    root_ = *std::ranges::find(rules_.roots, sha384(platform_.root_key), &Root::key);
    platform_.development = !vendors(root_);
    return Finding{.good = true,
                   .expected = std::string(expected),
                   .actual = formatted("root key {}", to_hex(root_.key))};
  });
  checks_.require(code::kIssuer, "", [&] { return right_issuer(); });
  checks_.require(code::kValidity, "", [&] {
    return finding_of(check_validity(chain_, now_), "certificates that are valid at this time");
  });
  checks_.require(code::kRevocation, "", [&] { return not_revoked(); });
}

// Both authorities hang under one root, so the names alone keep a VLEK's from issuing VCEKs.
Finding SnpAppraisal::right_issuer() const {
  const std::string_view product = name_of(root_.product);
  const std::string authority =
      formatted("{}{}", endorsement_.vlek ? "SEV-VLEK-" : "SEV-", product);
  const std::string root = formatted("ARK-{}", product);
  const std::string found_authority = common_name(chain_[1]);
  const std::string found_root = common_name(chain_[2]);
  return {.good = found_authority == authority && found_root == root,
          .expected = formatted("{} under {}", authority, root),
          .actual = formatted("{} under {}", found_authority, found_root)};
}

// AMD lists revoked authorities, in a list that the root signs; nobody lists single keys.
Finding SnpAppraisal::not_revoked() const {
  const std::string_view expected = "a current list of AMD that names none of the certificates";
  const Chain authorities(chain_.begin() + 1, chain_.end());
  const Status shown =
      check_revocation(authorities, collateral_.crls(), now_, Revocation::kMustBeShown);
  if (rules_.require_crl && !shown) return revocation_of(shown, expected, code::kRevoked);
  return unrevoked(shown, check_revocation(chain_, collateral_.crls(), now_, Revocation::kIfListed),
                   expected, code::kRevoked);
}

void SnpAppraisal::prove_binding() {
  checks_.require(code::kProduct, "", [&] { return same_product(); });
  checks_.require(code::kChip, "", [&] { return right_chip(); });
  checks_.require(code::kCertifiedTcb, "", [&] { return right_tcb(); });
}

Finding SnpAppraisal::same_product() const {
  const std::string expected = formatted("product {}, as the root", name_of(root_.product));
  if (product_named(endorsement_.product) != root_.product)
    return {.expected = expected,
            .actual = formatted("a certificate for {}", endorsement_.product)};
  // Reports of version 2 do not say on what they were made.
  if (report_.version >= 3 &&
      product_of_cpu(report_.cpu_family, report_.cpu_model) != root_.product) {
    return {.expected = expected,
            .actual = formatted("a processor of family {:#x}, model {:#x}", report_.cpu_family,
                                report_.cpu_model)};
  }
  return {.good = true, .expected = expected};
}

Finding SnpAppraisal::right_chip() const {
  if (endorsement_.vlek) return {.good = true, .actual = "a VLEK, which is of no chip"};
  const Bytes certified = endorsement_.hardware_id;
  const size_t size = root_.product == Product::kTurin ? 8 : 64;
  Finding finding{.expected = formatted("chip {}", to_hex(certified)),
                  .actual = formatted("chip {}", to_hex(report_.chip_id))};
  if (certified.size() != size) {
    finding.expected = formatted("an identity of {} bytes in the certificate", size);
    finding.actual = formatted("{} bytes", certified.size());
    return finding;
  }
  ByteArray<64> padded{};
  std::ranges::copy(certified, padded.begin());
  finding.good = padded == report_.chip_id;
  if (report_.chip_id_masked()) {
    finding.good = false;
    finding.actual = "a report that hides its chip";
    finding.allowed = rules_.allow_masked_chip_id && report_.chip_id == ByteArray<64>{};
    finding.remedy =
        "have the operator show the chip's identity (MaskChipId off), or set "
        "\"allow_masked_chip_id\": true in the policy's \"snp\"";
  }
  return finding;
}

Finding SnpAppraisal::right_tcb() const {
  const auto certified = certified_tcb(endorsement_, root_.product);
  if (!certified) return finding_of(certified.error(), "a version of each part");
  return {.good = *certified == report_.reported_tcb,
          .expected = formatted("{}, as certified", tcb_text(root_.product, *certified)),
          .actual = tcb_text(root_.product, report_.reported_tcb)};
}

void SnpAppraisal::judge_signer() {
  checks_.judge(code::kRoot, "", [&] {
    return Finding{.good = vendors(root_),
                   .expected = "a root of AMD that this build knows",
                   .actual = formatted("root key {}", to_hex(root_.key)),
                   .allowed = true};
  });
  checks_.judge(code::kSigner, "", [&] { return accepted_signer(); });
}

Finding SnpAppraisal::accepted_signer() const {
  if (!endorsement_.vlek) return {.good = true, .actual = "a VCEK"};
  if (!rules_.allow_vlek) return {.expected = "a VCEK", .actual = "a VLEK"};
  if (rules_.providers.empty()) {
    return {.expected = "a provider that the policy names",
            .actual = formatted("a VLEK of {}", endorsement_.provider),
            .allowed = true};
  }
  return {.good = std::ranges::contains(rules_.providers, endorsement_.provider),
          .expected = "a VLEK of a provider that the policy names",
          .actual = formatted("a VLEK of {}", endorsement_.provider)};
}

Finding SnpAppraisal::policy_form() const {
  if ((report_.policy & kMustBeOne) == 0)
    return {.expected = "bit 17 set, as in every policy", .actual = "bit 17 clear"};
  if (report_.policy >> kBitsKnown != 0) {
    return {.expected = formatted("the {} lowest bits, which this build knows", kBitsKnown),
            .actual = formatted("{:#x}", report_.policy)};
  }
  return {.good = true, .actual = formatted("{:#x}", report_.policy)};
}

void SnpAppraisal::judge_guest() {
  checks_.judge(code::kDebug, "", [&] {
    return Finding{!platform_.debug, "policy bit 19 clear",
                   platform_.debug ? "policy bit 19 set: debugging allowed" : "",
                   rules_.insecure_allow_debug};
  });
  checks_.judge(code::kGuestPolicy, "", [&] { return policy_form(); });
  for (const PolicyBit& bit : kPolicyBits) {
    checks_.judge(code::kGuestPolicy, std::string(bit.what), [&] {
      const bool set = (report_.policy >> bit.bit & 1) != 0;
      const bool any = rules_.*bit.rule != bit.wanted;  // allowed, or not required
      return Finding{
          .good = any || set == bit.wanted,
          .expected = any ? formatted("any bit {}", bit.bit)
                          : formatted("bit {} {}", bit.bit, bit.wanted ? "set" : "clear"),
          .actual = formatted("{:#x}", report_.policy)};
    });
  }
  checks_.judge(code::kVmpl, "", [&] {
    return Finding{report_.vmpl <= rules_.vmpl_max, formatted("VMPL {} or lower", rules_.vmpl_max),
                   report_.vmpl == UINT32_MAX ? "a report that the host asked for"
                                              : formatted("VMPL {}", report_.vmpl)};
  });
  checks_.judge(code::kGuestSvn, "", [&] {
    return Finding{report_.guest_svn >= rules_.guest_svn_min,
                   formatted("{} or higher", rules_.guest_svn_min),
                   formatted("{}", report_.guest_svn)};
  });
}

Finding SnpAppraisal::tcb_order() const {
  for (const auto& [name, tcb] : {std::pair("reported", &report_.reported_tcb),
                                  std::pair("committed", &report_.committed_tcb)}) {
    if (short_part(root_.product, report_.current_tcb, *tcb) != nullptr) {
      return {.expected =
                  formatted("at most {}, which runs", tcb_text(root_.product, report_.current_tcb)),
              .actual = formatted("{}: {}", name, tcb_text(root_.product, *tcb))};
    }
  }
  return {.good = true, .actual = tcb_text(root_.product, report_.current_tcb)};
}

Finding SnpAppraisal::new_enough(const std::optional<Tcb>& least, const Tcb& tcb) const {
  if (!least) {
    return {.expected = "a minimum in the policy",
            .actual = tcb_text(root_.product, tcb),
            .allowed = true};
  }
  const TcbPart* part = short_part(root_.product, tcb, *least);
  if (part == nullptr) {
    return {.good = true,
            .expected = formatted("{} or higher", tcb_text(root_.product, *least)),
            .actual = tcb_text(root_.product, tcb)};
  }
  const uint8_t wanted = (*least)[part->byte];
  Finding finding{
      .expected = formatted("{} SVN {} or higher, required by the policy", part->title, wanted),
      .actual = formatted("{} SVN {} < {}", part->title, tcb[part->byte], wanted)};
  const bool runs = short_part(root_.product, report_.current_tcb, *least) == nullptr;
  finding.remedy = runs                       ? kDoCommit
                   : part->key == "microcode" ? kDoUpdateMicrocode
                                              : kDoUpdateFirmware;
  return finding;
}

Finding SnpAppraisal::firmware() const {
  const auto text = [](const FirmwareVersion& version) {
    return formatted("{}.{}.{}", version.major, version.minor, version.build);
  };
  const auto order = [](const FirmwareVersion& version) {
    return version.major << 16 | version.minor << 8 | version.build;
  };
  const bool committed = report_.committed_tcb == report_.current_tcb &&
                         order(report_.committed_version) == order(report_.current_version);
  if (!committed && !rules_.allow_provisional_firmware) {
    return {.expected = "firmware that is committed",
            .actual = formatted("{} running, {} committed", text(report_.current_version),
                                text(report_.committed_version))};
  }
  return {.good = order(report_.committed_version) >= order(rules_.firmware_min),
          .expected = formatted("{} or later", text(rules_.firmware_min)),
          .actual = text(report_.committed_version)};
}

Finding SnpAppraisal::mitigations() const {
  if (rules_.mitigations == 0) return {.good = true, .expected = "none in particular"};
  const std::string expected = formatted("all of {:#x}", rules_.mitigations);
  if (report_.version < 5)
    return {.expected = expected,
            .actual = formatted("a report of version {}, which has none", report_.version)};
  const uint64_t both = report_.launch_mitigations & report_.current_mitigations;
  return {.good = (both & rules_.mitigations) == rules_.mitigations,
          .expected = expected,
          .actual = formatted("{:#x} at launch, {:#x} now", report_.launch_mitigations,
                              report_.current_mitigations)};
}

void SnpAppraisal::judge_firmware() {
  const auto product = static_cast<size_t>(root_.product);
  checks_.judge(code::kTcbOrder, "", [&] { return tcb_order(); });
  checks_.judge(code::kTcb, "",
                [&] { return new_enough(rules_.tcb_min[product], report_.reported_tcb); });
  if (rules_.launch_tcb_min[product]) {
    checks_.judge(code::kLaunchTcb, "", [&] {
      Finding finding = new_enough(rules_.launch_tcb_min[product], report_.launch_tcb);
      finding.remedy.clear();  // what runs now does not matter
      return finding;
    });
  }
  checks_.judge(code::kFirmware, "", [&] { return firmware(); });
  checks_.judge(code::kMitigations, "", [&] { return mitigations(); });
  checks_.judge(code::kPlatformInfo, "", [&] {
    return Finding{
        !rules_.require_alias_check || (report_.platform_info & kAliasCheckComplete) != 0,
        rules_.require_alias_check ? "a completed check for memory aliases (bit 5)" : "any",
        formatted("{:#x}", report_.platform_info)};
  });
}

void SnpAppraisal::judge_measurements() {
  const auto judge = [&](std::string_view name, const AcceptedValues& accepted, Bytes actual) {
    checks_.judge(code::kMeasurement, std::string(name),
                  [&] { return one_of_accepted(accepted, actual); });
  };
  judge("measurement", rules_.measurement, report_.measurement);
  judge("host_data", rules_.host_data, report_.host_data);
  judge("id_key", rules_.id_key, report_.id_key_digest);
  judge("author_key", rules_.author_key, report_.author_key_digest);
  judge("family_id", rules_.family_id, report_.family_id);
  judge("image_id", rules_.image_id, report_.image_id);
  judge("chip_id", rules_.chip_id, report_.chip_id);
  if (!rules_.launches.empty()) checks_.judge(code::kLaunch, "", [&] { return launched(); });
}

Finding SnpAppraisal::launched() const {
  Finding finding{.expected = formatted("one of {} launches", rules_.launches.size()),
                  .actual = to_hex(report_.measurement)};
  for (const auto& [firmware, launch] : rules_.launches) {
    const auto file = std::ranges::find(collateral_.others(), firmware, &Collateral::File::name);
    if (file == collateral_.others().end()) {
      finding.remedy =
          formatted("add the firmware image {} to the collateral", printable(firmware, 100));
      continue;
    }
    const auto digest = launch_digest(file->content, launch);
    if (!digest) {
      finding.remedy = digest.error().text;
      continue;
    }
    finding.expected = formatted("{}, of {}", to_hex(*digest), printable(firmware, 100));
    finding.good = *digest == report_.measurement;
    if (finding.good) return finding;
  }
  return finding;
}

// Where the collateral has what the guest's owner signed, the report must be of that guest.
void SnpAppraisal::judge_id_block() {
  const Collateral::File* authentication = nullptr;
  std::optional<IdBlock> block;
  for (const Collateral::File& file : collateral_.others()) {
    if (looks_like_id_authentication(file.content)) authentication = &file;
    if (!block) block = id_block_in(file.content);
  }
  if (authentication == nullptr) return;
  checks_.judge(code::kIdBlock, "", [&] {
    const std::string_view expected = "an ID block of this guest, signed";
    if (!block) return Finding{.expected = "an ID block of 96 bytes", .actual = "none"};
    const auto checked = check_id_block(*block, authentication->content);
    if (!checked) return finding_of(checked.error(), expected);
    return finding_of(fits(*checked, report_), expected);
  });
}

}  // namespace

bool looks_like(Bytes evidence) { return looks_like_report(evidence); }

Platform appraise(Bytes evidence, const Rules& rules, const Collateral& collateral,
                  int64_t now_unix, Checks& checks) {
  return SnpAppraisal(evidence, rules, collateral, now_unix, checks).run();
}

}  // namespace casemate::verify::snp
