// SPDX-License-Identifier: Apache-2.0
// The second half of an appraisal: how current the platform is, by Intel's own statements.
#include <algorithm>
#include <chrono>
#include <tuple>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/intel/appraisal.h"
#include "outside/verify/intel/codes.h"

namespace casemate::verify::intel {
namespace {

constexpr std::string_view kTcbSigner = ",CN=Intel SGX TCB Signing,";
// 9999-12-31T23:59:59Z: what lies beyond is a number, not a date.
constexpr int64_t kLastMoment = 253'402'300'799;

std::string moment(int64_t unix_seconds) {
  if (unix_seconds < 0 || unix_seconds > kLastMoment) return formatted("{} s", unix_seconds);
  return formatted("{:%FT%TZ}", std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)));
}

bool covers(const Window& window, int64_t now) {
  return now >= window.issued && now <= window.next_update;
}

// The better of two statements is in force, of the later release, and of the later date.
template <class T>
bool better(const T& a, const T& b, int64_t now) {
  const auto rank = [now](const T& statement) {
    return std::tuple(covers(statement.window, now), statement.evaluation_number,
                      statement.window.issued);
  };
  return rank(a) > rank(b);
}

std::string day(const LevelWord& word) { return word.date.substr(0, word.date.find('T')); }

std::string found_text(const std::vector<Shortfall>& list) {
  std::string text;
  for (const Shortfall& short_of : list)
    text += formatted("{}{} is {}", text.empty() ? "" : ", ", short_of.part, short_of.found);
  return text;
}

std::string asked_text(const std::vector<Shortfall>& list, const PlatformLevel& level) {
  std::string text = formatted("the level of {} ({}): ", day(level.word), level.word.status.name());
  for (size_t i = 0; i < list.size(); ++i)
    text += formatted("{}{} at least {}", i == 0 ? "" : ", ", list[i].part, list[i].asked);
  return text;
}

// Which update raises what is short.
std::string update_text(const std::vector<Shortfall>& list) {
  std::string text;
  for (const Shortfall& short_of : list) {
    const std::string_view how = short_of.part == "pcesvn" ? "by a newer PCE (Intel's SGX services)"
                                 : short_of.part.contains("BIOS") ? "by a newer firmware (BIOS)"
                                 : short_of.part.contains("OS/VMM")
                                     ? "by newer modules and microcode that the host loads"
                                     : "by newer firmware or microcode";
    text += formatted("{}{} from {} to {} {}", text.empty() ? "" : "; ", short_of.part,
                      short_of.found, short_of.asked, how);
  }
  return "have the platform's operator raise " + text + ", and quote anew";
}

void add_advisories(std::vector<std::string>& list, const LevelWord& word) {
  for (const std::string& id : word.advisories) {
    if (!std::ranges::contains(list, id)) list.push_back(id);
  }
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : ", ") + item;
  return printable(text, 300);
}

Finding enclave_level(const std::vector<EnclaveLevel>& levels, uint32_t version,
                      const EnclaveLevel*& into) {
  into = level_of(levels, version);
  if (into != nullptr) {
    return {.good = true, .actual = formatted("version {}, {}", version, into->word.status.name())};
  }
  return {false,
          levels.empty()
              ? std::string("a level")
              : formatted("at least {}, the lowest level", levels.back().security_version),
          formatted("version {}, which reaches no level", version)};
}

}  // namespace

// Each list is in force, or within the rules' grace beyond its end.
Finding Appraisal::listed(const Chain& chain, const RevocationAdvice& advice) const {
  const auto check = [&](int64_t grace) {
    return check_revocation(chain, statements_.crls, now_, Revocation::kMustBeShown, grace);
  };
  Finding finding = revocation_of(
      check(0), "lists of every issuer, in force, without these certificates", advice);
  finding.allowed = !finding.good && check(rules_.grace_seconds).has_value();
  return finding;
}

Finding Appraisal::in_force(const Window& window) const {
  return {
      .good = covers(window, now_),
      .expected =
          formatted("a time from {} to {}", moment(window.issued), moment(window.next_update)),
      .actual = moment(now_),
      .allowed = now_ > window.next_update && now_ - window.next_update <= rules_.grace_seconds};
}

Result<Chain> Appraisal::signer_of(const Statement& statement) const {
  Result<Chain> found = Error{
      Code::kInvalid,
      formatted("{} is signed by no TCB-signing key that the root vouches for", statement.what)};
  for (const X509Certificate& certificate : statements_.certificates) {
    if (!formatted(",{},", certificate.subject()).contains(kTcbSigner)) continue;
    if (!check_signature(certificate.key(), "SHA256", bytes_of(std::string_view(statement.text)),
                         statement.signature, true))
      continue;
    auto chain = chain_of(certificate, statements_.certificates, chain_rules());
    // Straight below the same root as the platform's key.
    if (!chain || chain->size() != 2 || chain->back().key() != platform_.root_key) continue;
    // The certificate is renewed under the same key now and then: the one that is valid serves.
    const bool valid = check_validity(*chain, now_).has_value();
    if (valid || !found) found = std::move(chain);
    if (valid) break;
  }
  return found;
}

template <class T, class Matches>
Finding Appraisal::choose(const std::vector<Statement>& list,
                          Result<T> (*read)(std::string_view, std::string_view), Matches matches,
                          Signed<T>& into, std::string wanted) {
  bool found = false;
  std::string wrong;
  const auto complain = [&](std::string text) {
    if (wrong.empty()) wrong = std::move(text);
  };
  for (const Statement& statement : list) {
    auto content = read(statement.text, statement.what);
    if (!content) {
      complain(content.error().text);
      continue;
    }
    if (!matches(*content)) continue;
    auto signer = signer_of(statement);
    if (!signer) {
      complain(signer.error().text);
      continue;
    }
    if (!found || better(*content, into.content, now_))
      into = {*std::move(content), *std::move(signer)};
    found = true;
  }
  complain(statements_.broken);
  complain("none among the collateral");
  return {found, std::move(wanted), std::move(wrong)};
}

void Appraisal::check_statements() {
  checks_.judge(code::kRevocation, "platform",
                [&] { return listed(chain_, code::kRevokedPlatform); });
  checks_.require(code::kTcbInfo, "", [&] {
    return choose(
        statements_.tcb_infos, read_tcb_info,
        [&](const TcbInfo& info) {
          return info.tdx == quote_.td && info.fmspc == pck_.fmspc && info.pce_id == pck_.pce_id;
        },
        info_,
        formatted("TCB info of {} for FMSPC {}, pceId {}", quote_.td ? "TDX" : "SGX",
                  to_hex(pck_.fmspc), to_hex(pck_.pce_id)));
  });
  checks_.judge(code::kTcbTime, "", [&] { return in_force(info_.content.window); });
  checks_.require(code::kQeIdentity, "", [&] {
    return choose(
        statements_.qe_identities, read_qe_identity,
        [&](const QeIdentity& identity) { return identity.td == quote_.td; }, identity_,
        formatted("the identity {}", quote_.td ? "TD_QE" : "QE"));
  });
  checks_.judge(code::kQeTime, "", [&] { return in_force(identity_.content.window); });
  checks_.judge(code::kEvaluationNumber, "", [&] {
    const uint32_t number =
        std::min(info_.content.evaluation_number, identity_.content.evaluation_number);
    return Finding{number >= rules_.evaluation_number_min,
                   formatted("tcbEvaluationDataNumber {} or higher", rules_.evaluation_number_min),
                   formatted("{}", number)};
  });
}

Finding Appraisal::right_qe() const {
  const QeIdentity& identity = identity_.content;
  const SgxReport& report = quote_.qe_report;
  if (report.mrsigner != identity.mrsigner)
    return {false, formatted("mrsigner {}", to_hex(identity.mrsigner)), to_hex(report.mrsigner)};
  if (report.product_id != identity.product_id) {
    return {false, formatted("isvprodid {}", identity.product_id),
            formatted("{}", report.product_id)};
  }
  if ((report.misc_select & identity.misc_select_mask) != identity.misc_select) {
    return {false, formatted("miscselect {:08x}", identity.misc_select),
            formatted("{:08x}", report.misc_select)};
  }
  for (size_t i = 0; i < report.attributes.size(); ++i) {
    if ((report.attributes[i] & identity.attributes_mask[i]) != identity.attributes[i]) {
      return {false, formatted("attributes {}", to_hex(identity.attributes)),
              to_hex(report.attributes)};
    }
  }
  return {.good = true,
          .expected = formatted("mrsigner {}, isvprodid {}", to_hex(identity.mrsigner),
                                identity.product_id)};
}

Finding Appraisal::qe_level() {
  return enclave_level(identity_.content.levels, quote_.qe_report.security_version, qe_);
}

Finding Appraisal::module_level() {
  const TcbInfo& info = info_.content;
  const TdReport& guest = quote_.guest;
  const uint8_t major = guest.tee_tcb_svn[1];
  const std::string id = formatted("TDX_{:02X}", major);
  const ModuleIdentity* identity = info.module ? &*info.module : nullptr;
  if (major > 0) {
    const auto known = std::ranges::find(info.modules, id, &ModuleIdentity::id);
    identity = known == info.modules.end() ? nullptr : &*known;
  }
  if (identity == nullptr)
    return {false, "a TDX module that the TCB info knows", formatted("module {}", id)};
  if (guest.mrsignerseam != identity->signer) {
    return {false, formatted("a module signed by {}", to_hex(identity->signer)),
            to_hex(guest.mrsignerseam)};
  }
  if ((guest.seam_attributes & identity->attributes_mask) != identity->attributes) {
    return {false, formatted("module attributes {:#x}", identity->attributes),
            formatted("{:#x}", guest.seam_attributes)};
  }
  if (major == 0) return {.good = true};
  return enclave_level(identity->levels, guest.tee_tcb_svn[0], module_);
}

Finding Appraisal::platform_level() {
  const TdReport* guest = quote_.td ? &quote_.guest : nullptr;
  const TcbInfo& info = info_.content;
  level_ = level_of(info, pck_, guest);
  if (level_ != nullptr) {
    return {
        .good = true,
        .actual = formatted("the level of {} ({})", day(level_->word), level_->word.status.name())};
  }
  if (info.levels.empty()) return {false, "TCB levels", "none in the TCB info"};
  // The level that is nearest says what would have to change at the least.
  const auto nearest = std::ranges::min_element(info.levels, {}, [&](const PlatformLevel& level) {
    return shortfalls(info, level, pck_, guest).size();
  });
  const auto missing = shortfalls(info, *nearest, pck_, guest);
  return {.expected = asked_text(missing, *nearest),
          .actual = "no TCB level matches: " + found_text(missing),
          .remedy = update_text(missing)};
}

void Appraisal::check_levels() {
  checks_.require(code::kQe, "", [&] { return right_qe(); });
  checks_.judge(code::kQeLevel, "", [&] { return qe_level(); });
  if (quote_.td) checks_.judge(code::kModule, "", [&] { return module_level(); });
  checks_.judge(code::kLevel, "", [&] { return platform_level(); });
}

Finding Appraisal::status() {
  const bool module_missing = quote_.td && quote_.guest.tee_tcb_svn[1] > 0 && module_ == nullptr;
  if (level_ == nullptr || qe_ == nullptr || module_missing)
    return {false, joined(rules_.tcb_statuses), "none, since there is no level"};
  TcbStatus all = level_->word.status | qe_->word.status;
  TcbState& tcb = platform_.tcb;
  add_advisories(tcb.advisories, level_->word);
  if (module_ != nullptr) {
    all = all | module_->word.status;
    add_advisories(tcb.advisories, module_->word);
  }
  add_advisories(tcb.advisories, qe_->word);
  tcb.status = all.name();
  tcb.date = level_->word.date;
  tcb.evaluation_number = info_.content.evaluation_number;
  if (!all.revoked && std::ranges::contains(rules_.tcb_statuses, tcb.status))
    return {.good = true, .expected = joined(rules_.tcb_statuses), .actual = tcb.status};
  Finding finding{.expected = joined(rules_.tcb_statuses),
                  .actual = formatted("{} ({})", tcb.status, joined(tcb.advisories))};
  const TdReport* guest = quote_.td ? &quote_.guest : nullptr;
  const auto missing = shortfalls(info_.content, info_.content.levels.front(), pck_, guest);
  if (!missing.empty()) finding.remedy = update_text(missing);
  if (level_->word.status.configuration || level_->word.status.hardening) {
    finding.remedy += formatted(
        "{}if the advisories do not concern this workload, take the status into "
        "\"tcb_statuses\" of the policy",
        finding.remedy.empty() ? "" : "; ");
  }
  return finding;
}

Finding Appraisal::advisories() const {
  std::vector<std::string> open;
  for (const std::string& id : platform_.tcb.advisories) {
    if (rules_.advisories && !std::ranges::contains(*rules_.advisories, id)) open.push_back(id);
  }
  return {open.empty(), "no advisories but those that the policy lists", joined(open)};
}

void Appraisal::judge_status() {
  checks_.judge(code::kStatus, "", [&] { return status(); });
  checks_.judge(code::kAdvisories, "", [&] { return advisories(); });
}

void Appraisal::judge_signers() {
  const auto judge = [&](const Chain& signer, std::string subject) {
    checks_.judge(code::kRevocation, subject, [&] { return listed(signer, code::kRevokedSigner); });
    checks_.judge(code::kSignerValidity, subject, [&] {
      const Status valid = check_validity(signer, now_);
      if (valid) return Finding{.good = true, .expected = "certificates that are valid now"};
      return Finding{false, "certificates that are valid now", valid.error().text};
    });
  };
  judge(info_.signer, "TCB info");
  judge(identity_.signer, "QE identity");
}

}  // namespace casemate::verify::intel
