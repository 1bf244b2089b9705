// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/snp.h"

#include <gtest/gtest.h>

#include "base/format.h"
#include "outside/verify/snp/codes.h"
#include "outside/verify/snp/testing/judged.h"

namespace casemate::verify::snp {
namespace {

using testing::judge;
using testing::Judged;
using testing::kNow;
using testing::number_der;
using testing::Reporter;
using testing::text_der;

Judged judge(const Reporter& reporter, const Rules& rules) {
  return testing::judge(reporter.evidence(), reporter.collateral(), rules);
}

std::string outcome(const Reporter& reporter) {
  return judge(reporter, reporter.rules()).outcome();
}

// What happens when the firmware says something else, and signs it.
std::string signed_after(auto bend, Product product = Product::kGenoa) {
  Reporter reporter(product);
  bend(reporter.report);
  reporter.sign();
  return outcome(reporter);
}

// What happens when AMD certifies something else.
std::string certified_after(auto bend, Product product = Product::kGenoa, bool vlek = false) {
  Reporter reporter(product, vlek);
  bend(reporter);
  return outcome(reporter);
}

// What happens under other rules.
std::string ruled_by(auto bend, Reporter reporter = Reporter()) {
  Rules rules = reporter.rules();
  bend(rules, reporter);
  reporter.sign();
  return judge(reporter, rules).outcome();
}

TEST(Snp, reports_of_every_version_and_product_are_accepted) {
  for (const Product product : {Product::kMilan, Product::kGenoa, Product::kTurin}) {
    for (uint32_t version = Report::kVersionMin; version <= Report::kVersionMax; ++version) {
      Reporter reporter(product);
      reporter.report.version = version;
      reporter.sign();
      const Judged judged = judge(reporter, reporter.rules());
      EXPECT_EQ(judged.outcome(), "accepted") << text_of(judged.verdict);
    }
  }
}

TEST(Snp, versions_and_algorithms_that_nobody_knows_are_refused) {
  EXPECT_EQ(signed_after([](Report& r) { r.version = 1; }), code::kForm.code);
  EXPECT_EQ(signed_after([](Report& r) { r.version = 6; }), code::kForm.code);
  EXPECT_EQ(signed_after([](Report& r) { r.signature_algorithm = 2; }), code::kForm.code);
}

TEST(Snp, a_root_that_only_the_policy_knows_is_a_development_root) {
  const Reporter reporter;
  const Judged judged = judge(reporter, reporter.rules());
  EXPECT_TRUE(judged.platform.development);
  EXPECT_EQ(judged.platform.root_key, reporter.root_key.public_der());
  EXPECT_EQ(judge(reporter, Rules{}).outcome(), code::kChain.code);
}

TEST(Snp, evidence_comes_as_binary_or_as_hexadecimal_text_and_nothing_else) {
  const Reporter reporter;
  const auto given = [&](std::string_view text) {
    return testing::judge(bytes_of(text), reporter.collateral(), reporter.rules()).outcome();
  };
  const auto bytes = reporter.evidence();
  const std::string hex = to_hex(bytes);
  EXPECT_EQ(given(hex), "accepted");
  EXPECT_EQ(given(hex + "\n"), "accepted");
  EXPECT_EQ(given(hex + "\n\n"), code::kForm.code);
  EXPECT_EQ(given(hex + "00"), code::kForm.code);
  EXPECT_EQ(given(hex.substr(1)), code::kForm.code);
  EXPECT_TRUE(looks_like(bytes));
  EXPECT_TRUE(looks_like(bytes_of(std::string_view(hex))));
  for (size_t size = 0; size < bytes.size(); size += 13) {
    EXPECT_FALSE(looks_like(Bytes(bytes).first(size)));
    EXPECT_EQ(given(casemate::text_of(Bytes(bytes).first(size))), code::kForm.code);
  }
  EXPECT_FALSE(looks_like(std::vector<uint8_t>(1184, 0)));
}

TEST(Snp, certificates_come_in_the_hosts_table_behind_the_report_or_apart) {
  const Reporter reporter;
  const auto table = testing::table_of(reporter.certificates());
  auto evidence = reporter.evidence();
  Collateral apart;
  ASSERT_TRUE(apart.add("auxblob", table));
  EXPECT_EQ(testing::judge(evidence, apart, reporter.rules()).outcome(), "accepted");
  evidence.insert(evidence.end(), table.begin(), table.end());
  EXPECT_EQ(testing::judge(evidence, {}, reporter.rules()).outcome(), "accepted");
}

TEST(Snp, a_table_that_lies_about_its_sizes_is_no_table) {
  const Reporter reporter;
  const auto good = testing::table_of(reporter.certificates());
  ASSERT_EQ(table_blobs(good).size(), 3u);
  for (const size_t at : {18u, 19u, 22u, 23u}) {  // the upper bytes of the first offset and size
    auto bent = good;
    bent[at] = 0xff;
    EXPECT_TRUE(table_blobs(bent).empty());
    auto evidence = reporter.evidence();
    evidence.insert(evidence.end(), bent.begin(), bent.end());
    EXPECT_EQ(testing::judge(evidence, {}, reporter.rules()).outcome(), code::kForm.code);
  }
  EXPECT_TRUE(table_blobs(std::vector<uint8_t>(72, 0x63)).empty());
  EXPECT_TRUE(table_blobs({}).empty());
}

TEST(Snp, a_signature_of_numbers_beyond_the_curve_is_refused) {
  for (const bool r : {false, true}) {
    Reporter reporter;
    (r ? reporter.report.signature_r : reporter.report.signature_s)[48] = 1;
    EXPECT_EQ(outcome(reporter), code::kSignature.code);
  }
}

TEST(Snp, bytes_that_nobody_signed_must_be_zero) {
  Reporter reporter;
  reporter.report.unsigned_rest[367] = 1;
  EXPECT_EQ(outcome(reporter), code::kForm.code);
}

TEST(Snp, a_vlek_is_accepted_if_its_owner_is) {
  const auto with = [](auto bend) { return ruled_by(bend, Reporter(Product::kMilan, true)); };
  EXPECT_EQ(with([](Rules&, Reporter&) {}), "accepted");
  EXPECT_EQ(with([](Rules& r, Reporter&) { r.providers = {"Example Cloud"}; }), "accepted");
  EXPECT_EQ(with([](Rules& r, Reporter&) { r.providers = {"Other"}; }), code::kSigner.code);
  EXPECT_EQ(with([](Rules& r, Reporter&) { r.allow_vlek = false; }), code::kSigner.code);
}

TEST(Snp, each_authority_issues_its_own_kind_of_key_only) {
  EXPECT_EQ(
      certified_after([](Reporter& r) { r.authority.name = r.leaf.issuer = "SEV-VLEK-Genoa"; }),
      code::kIssuer.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.authority.name = r.leaf.issuer = "SEV-Milan"; },
                            Product::kMilan, true),
            code::kIssuer.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.authority.name = r.leaf.issuer = "SEV-Milan"; }),
            code::kIssuer.code);
  EXPECT_EQ(certified_after([](Reporter& r) {
              r.root.name = r.root.issuer = r.authority.issuer = "ARK-Milan";
            }),
            code::kIssuer.code);
}

TEST(Snp, a_key_that_a_root_certified_itself_or_through_too_many_is_refused) {
  Reporter reporter;
  reporter.leaf.issuer = "ARK-Genoa";
  Collateral collateral;
  ASSERT_TRUE(collateral.add("", issue(reporter.leaf, reporter.leaf_key, reporter.root_key)));
  ASSERT_TRUE(collateral.add("", issue(reporter.root, reporter.root_key, reporter.root_key)));
  EXPECT_EQ(testing::judge(reporter.evidence(), collateral, reporter.rules()).outcome(),
            code::kChain.code);
}

TEST(Snp, the_kind_of_key_is_the_one_that_the_report_names) {
  EXPECT_EQ(signed_after([](Report& r) { r.key_info = 1 << 2; }), code::kKey.code);
  EXPECT_EQ(signed_after([](Report& r) { r.key_info = 2 << 2; }), code::kKey.code);
  EXPECT_EQ(signed_after([](Report& r) { r.key_info = 7 << 2; }), code::kKey.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.leaf.name = "SEV-VLEK"; }), code::kKey.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.leaf.name = "SEV-OTHER"; }), code::kKey.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("5", text_der("Example Cloud")); }),
            code::kKey.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.drop("4"); }), code::kKey.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.drop("5"); }, Product::kMilan, true),
            code::kKey.code);
}

TEST(Snp, certificate_root_and_processor_are_of_one_product) {
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("2", text_der("Milan-B0")); }),
            code::kProduct.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("2", text_der("Siena-B0")); }), "accepted");
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("2", text_der("Naples")); }),
            code::kProduct.code);
  EXPECT_EQ(signed_after([](Report& r) { r.cpu_model = 1; }), code::kProduct.code);
  EXPECT_EQ(signed_after([](Report& r) { r.cpu_family = 0x1a; }), code::kProduct.code);
  // A report of version 2 has no such fields.
  EXPECT_EQ(signed_after([](Report& r) {
              r.version = 2;
              r.cpu_family = r.cpu_model = 0;
            }),
            "accepted");
}

TEST(Snp, the_certificate_is_for_the_chip_that_signed) {
  for (const Product product : {Product::kMilan, Product::kGenoa, Product::kTurin}) {
    EXPECT_EQ(signed_after([](Report& r) { r.chip_id[7] ^= 1; }, product), code::kChip.code);
    EXPECT_EQ(signed_after([](Report& r) { r.chip_id[63] ^= 1; }, product), code::kChip.code);
  }
  // The other products' length of an identity.
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("4", std::vector<uint8_t>(8, 0xc1)); }),
            code::kChip.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("4", std::vector<uint8_t>(64, 0xc1)); },
                            Product::kTurin),
            code::kChip.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("4", std::vector<uint8_t>(400, 0xc1)); }),
            code::kChip.code);
}

TEST(Snp, a_hidden_chip_is_refused_unless_the_policy_allows_it) {
  const auto hide = [](Rules&, Reporter& r) {
    r.report.key_info |= 2;
    r.report.chip_id = {};
  };
  EXPECT_EQ(ruled_by(hide), code::kChip.code);
  EXPECT_EQ(ruled_by([&](Rules& rules, Reporter& r) {
              rules.allow_masked_chip_id = true;
              hide(rules, r);
            }),
            "accepted");
  EXPECT_EQ(ruled_by([&](Rules& rules, Reporter& r) {
              rules.allow_masked_chip_id = true;
              hide(rules, r);
              r.report.chip_id[0] = 9;
            }),
            code::kChip.code);
}

TEST(Snp, every_version_that_the_certificate_names_is_the_reports) {
  for (const Product product : {Product::kMilan, Product::kGenoa, Product::kTurin}) {
    for (const TcbPart& part : tcb_parts(product)) {
      const auto bend = [&](int by) {
        return [&part, by](Reporter& r) {
          r.set(formatted("3.{}", part.arc),
                number_der(static_cast<uint8_t>(r.report.reported_tcb[part.byte] + by)));
        };
      };
      EXPECT_EQ(certified_after(bend(1), product), code::kCertifiedTcb.code) << part.title;
      EXPECT_EQ(certified_after(bend(0), product), "accepted") << part.title;
      if (part.key.empty()) continue;
      EXPECT_EQ(certified_after([&](Reporter& r) { r.drop(formatted("3.{}", part.arc)); }, product),
                code::kCertifiedTcb.code)
          << part.title;
    }
    for (size_t i = 0; i < sizeof(Tcb); ++i) {
      EXPECT_EQ(signed_after([&](Report& r) { r.reported_tcb[i] ^= 1; }, product),
                code::kCertifiedTcb.code);
    }
  }
}

TEST(Snp, numbers_in_certificates_have_one_spelling) {
  const auto spelt = [](std::vector<uint8_t> der) {
    return certified_after([&](Reporter& r) { r.set("3.8", der); });
  };
  EXPECT_EQ(spelt({2, 2, 0, 213}), "accepted");
  EXPECT_EQ(spelt({2, 1, 213}), code::kKey.code);  // a negative number
  EXPECT_EQ(spelt({2, 2, 0, 5}), code::kKey.code);
  EXPECT_EQ(spelt({2, 3, 0, 0, 213}), code::kKey.code);
  EXPECT_EQ(spelt({4, 1, 5}), code::kKey.code);
  EXPECT_EQ(spelt({2, 2, 0}), code::kKey.code);
  EXPECT_EQ(spelt({}), code::kKey.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("2", {0x0c, 1, 'G'}); }), code::kKey.code);
  EXPECT_EQ(certified_after([](Reporter& r) { r.set("2", {0x16, 9, 'G'}); }), code::kKey.code);
}

TEST(Snp, an_extension_that_is_there_twice_is_refused) {
  EXPECT_EQ(certified_after([](Reporter& r) {
              r.leaf.extensions.emplace_back("1.3.6.1.4.1.3704.1.3.8", number_der(213));
            }),
            code::kKey.code);
}

TEST(Snp, each_bit_of_the_guests_policy_counts_as_the_rules_say) {
  const auto with = [](uint64_t flip, bool Rules::* rule = nullptr) {
    return ruled_by([&](Rules& rules, Reporter& r) {
      r.report.policy ^= flip;
      if (rule != nullptr) rules.*rule = !(rules.*rule);
    });
  };
  const auto bit = [](uint32_t number) { return uint64_t{1} << number; };
  for (uint32_t i = 0; i < 64; ++i) {
    const bool free = i <= 16 || (i >= 20 && i <= 25);
    EXPECT_EQ(with(bit(i)), free      ? "accepted"
                            : i == 18 ? "snp.guest_policy migration agent"
                            : i == 19 ? code::kDebug.code
                                      : code::kGuestPolicy.code)
        << i;
  }
  EXPECT_EQ(with(0, &Rules::allow_smt), "snp.guest_policy SMT");
  EXPECT_EQ(with(bit(16), &Rules::allow_smt), "accepted");
  EXPECT_EQ(with(bit(18), &Rules::allow_migration_agent), "accepted");
  EXPECT_EQ(with(bit(19), &Rules::insecure_allow_debug), "accepted");
  EXPECT_EQ(with(bit(21), &Rules::allow_cxl), "snp.guest_policy CXL");
  EXPECT_EQ(with(0, &Rules::allow_cxl), "accepted");
  const auto required = [&](uint32_t number, bool Rules::* rule, std::string_view what) {
    EXPECT_EQ(with(0, rule), formatted("snp.guest_policy {}", what));
    EXPECT_EQ(with(bit(number), rule), "accepted") << what;
  };
  required(20, &Rules::require_single_socket, "single socket");
  required(22, &Rules::require_aes_256_xts, "AES-256-XTS");
  required(23, &Rules::require_rapl_off, "RAPL off");
  required(24, &Rules::require_ciphertext_hiding, "ciphertext hiding");
  required(25, &Rules::require_page_swap_off, "page swap off");
}

TEST(Snp, the_check_for_memory_aliases_counts_where_the_rules_ask_for_it) {
  EXPECT_EQ(ruled_by([](Rules& rules, Reporter&) { rules.require_alias_check = true; }),
            code::kPlatformInfo.code);
  EXPECT_EQ(ruled_by([](Rules& rules, Reporter& r) {
              rules.require_alias_check = true;
              r.report.platform_info = 1 << 5;
            }),
            "accepted");
}

TEST(Snp, who_asked_for_the_report_is_privileged_enough) {
  const auto at = [](uint32_t vmpl, uint32_t most) {
    return ruled_by([&](Rules& rules, Reporter& r) {
      r.report.vmpl = vmpl;
      rules.vmpl_max = most;
    });
  };
  EXPECT_EQ(at(3, 3), "accepted");
  EXPECT_EQ(at(1, 0), code::kVmpl.code);
  EXPECT_EQ(at(4, 3), code::kVmpl.code);
  EXPECT_EQ(at(UINT32_MAX, 3), code::kVmpl.code);  // a report for the host
}

TEST(Snp, versions_below_the_rules_are_refused) {
  EXPECT_EQ(
      ruled_by([](Rules& rules, Reporter& r) { rules.guest_svn_min = r.report.guest_svn = 7; }),
      "accepted");
  EXPECT_EQ(ruled_by([](Rules& rules, Reporter&) { rules.guest_svn_min = 1; }),
            code::kGuestSvn.code);
  EXPECT_EQ(ruled_by([](Rules& rules, Reporter&) {
              rules.firmware_min = {.build = 3, .minor = 55, .major = 1};
            }),
            "accepted");
  EXPECT_EQ(ruled_by([](Rules& rules, Reporter&) {
              rules.firmware_min = {.build = 4, .minor = 55, .major = 1};
            }),
            code::kFirmware.code);
  EXPECT_EQ(ruled_by([](Rules& rules, Reporter&) { rules.firmware_min = {.major = 2}; }),
            code::kFirmware.code);
}

TEST(Snp, a_minimum_for_each_part_of_the_firmware_counts_for_its_product_alone) {
  for (const Product product : {Product::kMilan, Product::kGenoa, Product::kTurin}) {
    for (const TcbPart& part : tcb_parts(product)) {
      const auto least = [&](int above, Product whose) {
        return ruled_by(
            [&](Rules& rules, Reporter& r) {
              Tcb tcb = r.report.reported_tcb;
              tcb[part.byte] = static_cast<uint8_t>(tcb[part.byte] + above);
              rules.tcb_min[static_cast<size_t>(whose)] = tcb;
            },
            Reporter(product));
      };
      EXPECT_EQ(least(0, product), "accepted");
      EXPECT_EQ(least(1, product), code::kTcb.code) << part.title;
      EXPECT_EQ(least(1, product == Product::kMilan ? Product::kTurin : Product::kMilan),
                "accepted");
    }
  }
}

TEST(Snp, newer_firmware_that_runs_and_is_not_reported_is_said_to_be_committed) {
  Reporter reporter;
  reporter.report.current_tcb[6] += 1;
  reporter.sign();
  Rules rules = reporter.rules();
  rules.tcb_min[1] = reporter.report.current_tcb;
  const Judged judged = judge(reporter, rules);
  EXPECT_EQ(judged.outcome(), code::kTcb.code);
  EXPECT_NE(judged.verdict.next().find("snphost commit"), std::string::npos);
}

TEST(Snp, what_ran_when_the_guest_was_started_counts_where_the_rules_ask_for_it) {
  const auto launched = [](int by) {
    return ruled_by([&](Rules& rules, Reporter& r) {
      rules.launch_tcb_min[1] = r.report.reported_tcb;
      r.report.launch_tcb[0] = static_cast<uint8_t>(r.report.launch_tcb[0] + by);
    });
  };
  EXPECT_EQ(launched(0), "accepted");
  EXPECT_EQ(launched(-1), code::kLaunchTcb.code);
}

TEST(Snp, reported_firmware_may_be_older_than_committed_and_never_newer_than_what_runs) {
  EXPECT_EQ(signed_after([](Report& r) {
              r.committed_tcb[6] += 1;
              r.current_tcb[6] += 2;
            }),
            "accepted");
  EXPECT_EQ(signed_after([](Report& r) { r.committed_tcb[6] += 1; }), code::kTcbOrder.code);
  EXPECT_EQ(signed_after([](Report& r) { r.current_tcb[7] -= 1; }), code::kTcbOrder.code);
}

TEST(Snp, firmware_that_can_be_rolled_back_is_refused_where_the_rules_say_so) {
  const auto provisional = [](bool allowed) {
    return ruled_by([&](Rules& rules, Reporter& r) {
      rules.allow_provisional_firmware = allowed;
      r.report.current_version.minor += 1;
    });
  };
  EXPECT_EQ(provisional(true), "accepted");
  EXPECT_EQ(provisional(false), code::kFirmware.code);
}

TEST(Snp, mitigations_that_the_rules_ask_for_were_there_at_launch_and_are_now) {
  const auto with = [](uint32_t version, uint64_t launch, uint64_t now) {
    return ruled_by([&](Rules& rules, Reporter& r) {
      rules.mitigations = 5;
      r.report.version = version;
      r.report.launch_mitigations = launch;
      r.report.current_mitigations = now;
    });
  };
  EXPECT_EQ(with(5, 7, 5), "accepted");
  EXPECT_EQ(with(5, 1, 5), code::kMitigations.code);
  EXPECT_EQ(with(5, 5, 4), code::kMitigations.code);
  EXPECT_EQ(with(4, 7, 7), code::kMitigations.code);
}

TEST(Snp, a_revoked_authority_is_refused) {
  const auto with = [](std::initializer_list<std::vector<uint8_t>> lists, const Reporter& reporter,
                       bool required) {
    Collateral collateral = reporter.collateral();
    for (const auto& list : lists) EXPECT_TRUE(collateral.add("crl", list));
    Rules rules = reporter.rules();
    rules.require_crl = required;
    return testing::judge(reporter.evidence(), collateral, rules).outcome();
  };
  const Reporter reporter;
  const auto list = [&](std::vector<long> serials, int64_t from = kNow - 1, int64_t to = kNow + 1) {
    return verify::testing::issue_crl("ARK-Genoa", reporter.root_key, serials, from, to);
  };
  EXPECT_EQ(with({}, reporter, false), "accepted");
  EXPECT_EQ(with({}, reporter, true), code::kRevocation.code);
  EXPECT_EQ(with({list({9})}, reporter, true), "accepted");
  for (const bool required : {false, true}) {
    EXPECT_EQ(with({list({9, 2})}, reporter, required), code::kRevocation.code);
    EXPECT_EQ(with({list({9}, kNow - 9, kNow - 1)}, reporter, required), code::kRevocation.code);
    EXPECT_EQ(
        with({verify::testing::issue_crl("ARK-Genoa", reporter.leaf_key, {})}, reporter, required),
        code::kRevocation.code);
  }
}

TEST(Snp, what_to_do_about_revocation_depends_on_what_is_wrong) {
  const Reporter reporter;
  const auto told = [&](const std::vector<std::vector<uint8_t>>& lists) {
    Collateral collateral = reporter.collateral();
    for (const auto& list : lists) EXPECT_TRUE(collateral.add("crl", list));
    Rules rules = reporter.rules();
    rules.require_crl = true;
    return std::string(testing::judge(reporter.evidence(), collateral, rules).verdict.next());
  };
  const auto list = [&](std::vector<long> serials, int64_t to) {
    return verify::testing::issue_crl("ARK-Genoa", reporter.root_key, serials, kNow - 9, to);
  };
  EXPECT_TRUE(told({}).starts_with("fetch AMD's revocation list"));
  EXPECT_TRUE(told({list({9}, kNow - 1)}).starts_with("compare the clock"));
  const std::string revoked = told({list({2}, kNow + 1)});
  EXPECT_TRUE(revoked.starts_with("do not use this machine")) << revoked;
  EXPECT_FALSE(revoked.contains("fetch")) << revoked;
}

TEST(Snp, measured_values_are_those_of_the_policy) {
  const auto pin = [](AcceptedValues Rules::* member, auto value) {
    const auto with = [&](int bend) {
      Reporter reporter;
      Rules rules = reporter.rules();
      auto field = value(reporter.report);
      std::vector<uint8_t> bytes(field.begin(), field.end());
      bytes[3] = static_cast<uint8_t>(bytes[3] + bend);
      rules.*member = {std::vector<uint8_t>(bytes.size(), 0xee), bytes};
      return judge(reporter, rules).outcome();
    };
    EXPECT_EQ(with(0), "accepted");
    return with(1);
  };
  EXPECT_EQ(pin(&Rules::measurement, [](const Report& r) { return r.measurement; }),
            "snp.measurement measurement");
  EXPECT_EQ(pin(&Rules::host_data, [](const Report& r) { return r.host_data; }),
            "snp.measurement host_data");
  EXPECT_EQ(pin(&Rules::id_key, [](const Report& r) { return r.id_key_digest; }),
            "snp.measurement id_key");
  EXPECT_EQ(pin(&Rules::author_key, [](const Report& r) { return r.author_key_digest; }),
            "snp.measurement author_key");
  EXPECT_EQ(pin(&Rules::family_id, [](const Report& r) { return r.family_id; }),
            "snp.measurement family_id");
  EXPECT_EQ(pin(&Rules::image_id, [](const Report& r) { return r.image_id; }),
            "snp.measurement image_id");
  EXPECT_EQ(pin(&Rules::chip_id, [](const Report& r) { return r.chip_id; }),
            "snp.measurement chip_id");
}

TEST(Snp, what_follows_from_a_broken_link_is_not_run) {
  Reporter reporter;
  reporter.report.guest_svn ^= 1;
  bool behind = false;
  for (const Check& check : judge(reporter, reporter.rules()).verdict.checks) {
    if (behind) {
      EXPECT_EQ(check.outcome, Outcome::kNotRun) << check.code;
    }
    behind = behind || check.code == code::kSignature.code;
  }
  EXPECT_TRUE(behind);
}

}  // namespace
}  // namespace casemate::verify::snp
