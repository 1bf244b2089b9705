// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/x509/chain.h"

#include <gtest/gtest.h>

#include <array>

#include "outside/verify/x509/testing/authority.h"

namespace casemate::verify {
namespace {

using testing::Authority;
using testing::Form;
using testing::kBegin;
using testing::kEnd;

constexpr int64_t kNow = 1'772'323'200;  // 2026-03-01

Form authority(std::string name, int path_length = -1) {
  return {.name = std::move(name), .authority = true, .path_length = path_length};
}

// A root, an authority below it, and a leaf.
struct Tree {
  Authority root{authority("root")};
  Authority middle = root.issue(authority("middle"));
  Authority leaf = middle.issue({.name = "leaf"});

  [[nodiscard]] ChainRules rules() const { return {.anchors = {root.key_hash()}}; }
  [[nodiscard]] std::vector<X509Certificate> others() const {
    return {root.certificate(), middle.certificate()};
  }
  [[nodiscard]] Chain chain() const { return *chain_of(leaf.certificate(), others(), rules()); }
};

std::string refusal(const Authority& leaf, const std::vector<X509Certificate>& others,
                    const ChainRules& rules) {
  const auto chain = chain_of(leaf.certificate(), others, rules);
  return chain ? "" : chain.error().text;
}

TEST(Chain, runs_from_the_leaf_to_the_anchor_whatever_else_lies_about) {
  const Tree tree;
  const Tree another;  // by the same names, with other keys
  std::vector<X509Certificate> others = another.others();
  for (const auto& certificate : tree.others()) others.push_back(certificate);
  others.push_back(tree.leaf.certificate());
  const auto chain = chain_of(tree.leaf.certificate(), others, tree.rules());
  ASSERT_TRUE(chain.has_value()) << chain.error().text;
  ASSERT_EQ(chain->size(), 3u);
  EXPECT_EQ((*chain)[1].der(), tree.middle.certificate().der());
  EXPECT_EQ((*chain)[2].der(), tree.root.certificate().der());
}

TEST(Chain, needs_an_anchor_that_the_rules_name) {
  const Tree tree;
  const Tree another;
  EXPECT_TRUE(refusal(tree.leaf, tree.others(), another.rules()).contains("its chain ends there"));
  EXPECT_TRUE(refusal(tree.leaf, another.others(), another.rules()).contains("ends there"));
  EXPECT_NE(refusal(tree.leaf, {tree.root.certificate()}, tree.rules()), "");
  // A leaf that signed itself under the root's name is not the root.
  const Authority self({.name = "root", .authority = true});
  EXPECT_NE(refusal(self, tree.others(), tree.rules()), "");
}

TEST(Chain, passes_over_no_issuer_that_is_no_authority) {
  const Tree tree;
  const Authority plain = tree.root.issue({.name = "plain"});
  const Authority below = plain.issue({.name = "below"});
  EXPECT_TRUE(refusal(below, {tree.root.certificate(), plain.certificate()}, tree.rules())
                  .contains("is no authority"));
}

TEST(Chain, has_no_authority_whose_key_may_not_sign_certificates) {
  const Tree tree;
  const auto refused = [&](const std::string& usage) {
    Form form = authority("other");
    form.key_usage = usage;
    const Authority other = tree.root.issue(form);
    return refusal(other.issue({.name = "leaf"}), {tree.root.certificate(), other.certificate()},
                   tree.rules());
  };
  for (const auto* usage : {"critical,cRLSign", "cRLSign", "critical,digitalSignature",
                            "critical,digitalSignature,keyAgreement,cRLSign"})
    EXPECT_TRUE(refused(usage).contains("is no authority")) << usage;
  for (const auto* usage : {"critical,keyCertSign", "keyCertSign,digitalSignature", ""})
    EXPECT_EQ(refused(usage), "") << usage;
}

TEST(Chain, keeps_to_the_path_length_that_an_issuer_allows) {
  const Tree tree;
  for (const int length : {0, 1}) {
    const Authority top = tree.root.issue(authority("top", length));
    const Authority next = top.issue(authority("next"));
    const Authority leaf = next.issue({.name = "leaf"});
    const auto text = refusal(
        leaf, {tree.root.certificate(), top.certificate(), next.certificate()}, tree.rules());
    EXPECT_EQ(text.contains("allows 0 authorities below it"), length == 0) << text;
    EXPECT_EQ(text.empty(), length == 1) << text;
  }
}

TEST(Chain, ends_at_the_longest_length_that_the_rules_allow) {
  const Tree tree;
  ChainRules rules = tree.rules();
  rules.length_max = 2;
  EXPECT_TRUE(refusal(tree.leaf, tree.others(), rules).contains("more than 2"));
}

TEST(Chain, goes_round_in_no_circle) {
  const Authority first(authority("first"));
  const Authority second = first.issue(authority("second"));
  const Authority again = first.renewed(authority("first"), second);
  const Authority leaf = again.issue({.name = "leaf"});
  EXPECT_NE(refusal(leaf, {again.certificate(), second.certificate()}, Tree().rules()), "");
}

TEST(Chain, has_no_critical_extension_that_nobody_knows) {
  const Tree tree;
  for (const bool critical : {false, true}) {
    const Authority leaf =
        tree.middle.issue({.name = "leaf", .extensions = {{"1.2.3.4.5", {1, 2}, critical}}});
    EXPECT_EQ(refusal(leaf, tree.others(), tree.rules()).contains("1.2.3.4.5"), critical);
    ChainRules knowing = tree.rules();
    knowing.known_critical = {"1.2.3.4.5"};
    EXPECT_EQ(refusal(leaf, tree.others(), knowing), "");
  }
  Form form = authority("middle");
  form.extensions = {{"1.2.3.4.5", {1, 2}, true}};
  const Authority middle = tree.root.issue(form);
  const Authority leaf = middle.issue({.name = "leaf"});
  EXPECT_NE(refusal(leaf, {tree.root.certificate(), middle.certificate()}, tree.rules()), "");
}

// Of whose names, by which policies, and after how many steps by any policy a CA wants its
// certificates taken (RFC 5280, sections 4.2.1.10, 4.2.1.11 and 4.2.1.14).
TEST(Chain, passes_over_no_restriction_that_a_ca_insists_on) {
  const std::vector<testing::ExtraExtension> restrictions = {
      {"2.5.29.30", {0x30, 7, 0xA0, 5, 0x30, 3, 0x82, 1, 'x'}},
      {"2.5.29.36", {0x30, 3, 0x80, 1, 0}},
      {"2.5.29.54", {0x02, 1, 0}}};
  for (testing::ExtraExtension restriction : restrictions) {
    for (const bool critical : {false, true}) {
      restriction.critical = critical;
      Form restricted = authority("restricted");
      restricted.extensions = {restriction};
      const Tree tree;
      const Authority middle = tree.root.issue(restricted);
      const Authority root(restricted);
      for (const auto& text :
           {refusal(middle.issue({.name = "leaf"}), {tree.root.certificate(), middle.certificate()},
                    tree.rules()),
            refusal(root.issue({.name = "leaf"}), {root.certificate()},
                    {.anchors = {root.key_hash()}})}) {
        EXPECT_EQ(text.contains("critical extension " + restriction.oid), critical) << text;
        EXPECT_EQ(text.empty(), !critical) << text;
      }
    }
  }
}

TEST(Chain, ends_at_no_root_that_its_own_key_did_not_sign) {
  const Tree tree;
  std::vector<uint8_t> der = tree.root.certificate().der();
  der.back() ^= 1;  // of the signature
  // The root's key and name, valid for longer, by somebody who calls himself the same.
  const Authority other(authority("root"));
  Form longer = authority("root");
  longer.not_after = kEnd + 1'000'000;
  for (const auto& forged :
       {*X509Certificate::from_der(der), tree.root.renewed(longer, other).certificate()}) {
    const std::vector<X509Certificate> middle = {tree.middle.certificate(), forged};
    EXPECT_TRUE(refusal(tree.leaf, middle, tree.rules()).contains("not signed by its own key"));
    // Nor does it stand in the way of the real one.
    const auto& root = tree.root.certificate();
    for (const auto& others :
         {std::vector{tree.middle.certificate(), forged, root, other.certificate()},
          std::vector{root, forged, tree.middle.certificate(), other.certificate()}}) {
      const auto chain = chain_of(tree.leaf.certificate(), others, tree.rules());
      ASSERT_TRUE(chain) << chain.error().text;
      EXPECT_EQ(chain->back().der(), root.der());
    }
  }
}

TEST(Chain, ends_at_no_key_of_a_root_that_somebody_else_certified) {
  const Tree tree;
  const Authority other(authority("another root"));
  const X509Certificate crossed = tree.root.renewed(authority("root"), other).certificate();
  const std::vector<X509Certificate> others = {crossed, tree.middle.certificate(),
                                               other.certificate()};
  EXPECT_TRUE(refusal(tree.leaf, others, tree.rules()).contains("is that of no root"));
  ChainRules rules = tree.rules();
  rules.certified_anchors = true;
  EXPECT_EQ(refusal(tree.leaf, others, rules), "");
  const std::vector<X509Certificate> both = {crossed, tree.middle.certificate(),
                                             tree.root.certificate()};
  EXPECT_EQ(refusal(tree.leaf, both, tree.rules()), "");
}

// What stands in a certificate where a time should.
constexpr std::array kNoTimes = {"991301000000Z", "990230000000Z", "not a time!!!",
                                 "9901010000000"};

TEST(Validity, holds_never_where_a_time_cannot_be_read) {
  const Tree tree;
  for (const char* text : kNoTimes) {
    for (const bool before : {true, false}) {
      Form form{.name = "leaf"};
      (before ? form.not_before_text : form.not_after_text) = text;
      const Authority leaf = tree.middle.issue(form);
      const auto chain = chain_of(leaf.certificate(), tree.others(), tree.rules());
      ASSERT_TRUE(chain) << chain.error().text;
      for (const int64_t now : {kBegin, kNow, kEnd}) {
        const auto status = check_validity(*chain, now);
        ASSERT_FALSE(status) << text;
        EXPECT_TRUE(status.error().text.contains("a time that cannot be read"));
      }
    }
  }
}

TEST(Validity, holds_from_the_first_to_the_last_second_of_every_certificate) {
  const Tree tree;
  EXPECT_TRUE(check_validity(tree.chain(), kBegin).has_value());
  EXPECT_TRUE(check_validity(tree.chain(), kEnd).has_value());
  EXPECT_FALSE(check_validity(tree.chain(), kBegin - 1).has_value());
  const auto late = check_validity(tree.chain(), kEnd + 1);
  ASSERT_FALSE(late.has_value());
  EXPECT_TRUE(late.error().text.contains("2040-01-01T00:00:00Z")) << late.error().text;
  // The middle one alone.
  const Authority middle =
      tree.middle.renewed({.name = "middle", .authority = true, .not_after = kNow}, tree.root);
  const Chain chain =
      *chain_of(tree.leaf.certificate(), std::vector{tree.root.certificate(), middle.certificate()},
                tree.rules());
  EXPECT_TRUE(check_validity(chain, kNow).has_value());
  EXPECT_FALSE(check_validity(chain, kNow + 1).has_value());
}

std::string revocation(const Chain& chain, const std::vector<X509Crl>& lists,
                       Revocation wanted = Revocation::kMustBeShown, int64_t grace = 0) {
  const auto status = check_revocation(chain, lists, kNow, wanted, grace);
  return status ? "" : status.error().text;
}

TEST(RevocationLists, of_every_issuer_must_be_shown_where_that_is_asked) {
  const Tree tree;
  const X509Crl of_root = tree.root.list({});
  const X509Crl of_middle = tree.middle.list({});
  EXPECT_EQ(revocation(tree.chain(), {of_root, of_middle}), "");
  EXPECT_TRUE(revocation(tree.chain(), {of_root}).contains("no revocation list of CN=middle"));
  EXPECT_TRUE(revocation(tree.chain(), {of_middle}).contains("no revocation list of CN=root"));
  EXPECT_EQ(revocation(tree.chain(), {}, Revocation::kIfListed), "");
}

TEST(RevocationLists, that_name_a_certificate_are_obeyed_however_old_they_are) {
  const Tree tree;
  const X509Crl of_root = tree.root.list({});
  const X509Crl good = tree.middle.list({});
  const X509Crl bad = tree.middle.list({tree.leaf.certificate()});
  const X509Crl old = tree.middle.list({tree.leaf.certificate()}, kBegin, kNow - 10);
  const X509Crl future = tree.middle.list({tree.leaf.certificate()}, kNow + 1, kEnd);
  for (const X509Crl& list : {bad, old}) {
    EXPECT_TRUE(revocation(tree.chain(), {of_root, good, list}).contains("was revoked"));
    EXPECT_TRUE(revocation(tree.chain(), {of_root, list, good}).contains("was revoked"));
    EXPECT_NE(revocation(tree.chain(), {list}, Revocation::kIfListed), "");
  }
  EXPECT_EQ(revocation(tree.chain(), {of_root, good, future}), "");
  EXPECT_TRUE(revocation(tree.chain(), {good, tree.root.list({tree.middle.certificate()})})
                  .contains("CN=middle was revoked"));
}

TEST(RevocationLists, of_who_may_not_sign_lists_show_nothing) {
  const Authority root(authority("root"));
  for (const auto* usage : {"critical,keyCertSign", "keyCertSign,digitalSignature",
                            "critical,keyCertSign,cRLSign", ""}) {
    Form form = authority("middle");
    form.key_usage = usage;
    const Authority middle = root.issue(form);
    const Authority leaf = middle.issue({.name = "leaf"});
    const Chain chain = {leaf.certificate(), middle.certificate(), root.certificate()};
    const std::vector<X509Crl> lists = {root.list({}), middle.list({})};
    const std::string_view given = usage;
    // Without the extension a key may do everything.
    const bool may = given.empty() || given.contains("cRLSign");
    EXPECT_EQ(revocation(chain, lists).contains("CN=middle may not sign revocation lists"), !may)
        << usage;
    EXPECT_EQ(revocation(chain, lists).empty(), may) << usage;
  }
}

TEST(RevocationLists, are_found_missing_out_of_date_or_to_revoke_and_the_last_comes_first) {
  const Tree tree;
  const auto code = [&](const std::vector<X509Crl>& lists) {
    const auto status = check_revocation(tree.chain(), lists, kNow, Revocation::kMustBeShown);
    return status ? Code::kOk : status.error().code;
  };
  const X509Crl of_root = tree.root.list({});
  EXPECT_EQ(code({of_root, tree.middle.list({})}), Code::kOk);
  EXPECT_EQ(code({of_root}), Code::kNotFound);
  EXPECT_EQ(code({of_root, tree.middle.list({}, kBegin, kNow - 1)}), Code::kInvalid);
  EXPECT_EQ(code({of_root, tree.middle.list({tree.leaf.certificate()})}), Code::kDenied);
  // Of the authority above, while below it nothing is known.
  EXPECT_EQ(code({tree.root.list({tree.middle.certificate()})}), Code::kDenied);
}

TEST(RevocationLists, count_while_they_are_in_force_and_the_grace_beyond) {
  const Tree tree;
  const X509Crl of_root = tree.root.list({});
  const auto with = [&](int64_t from, int64_t to, int64_t grace = 0) {
    return revocation(tree.chain(), {of_root, tree.middle.list({}, from, to)},
                      Revocation::kMustBeShown, grace);
  };
  EXPECT_EQ(with(kNow, kNow), "");
  EXPECT_TRUE(with(kBegin, kNow - 1).contains("is of 2020-01-01T00:00:00Z to"));
  EXPECT_NE(with(kNow + 1, kEnd), "");
  EXPECT_NE(with(kNow + 1, kEnd, 100), "");  // grace is for what is over
  EXPECT_EQ(with(kBegin, kNow - 100, 100), "");
  EXPECT_NE(with(kBegin, kNow - 101, 100), "");
}

TEST(RevocationLists, whose_times_cannot_be_read_show_nothing_but_still_revoke) {
  const Tree tree;
  const X509Crl of_root = tree.root.list({});
  for (const std::string text : kNoTimes) {
    for (const auto& [from, to] :
         {std::pair(text, std::string()), std::pair(std::string(), text)}) {
      for (const auto wanted : {Revocation::kMustBeShown, Revocation::kIfListed}) {
        const auto with = [&](const X509Crl& list) {
          return revocation(tree.chain(), {of_root, list}, wanted, 1000);
        };
        EXPECT_TRUE(with(tree.middle.list_of_times(from, to)).contains("time that cannot be read"));
        EXPECT_TRUE(with(tree.middle.list_of_times(from, to, {tree.leaf.certificate()}))
                        .contains("CN=leaf was revoked"));
      }
    }
  }
}

TEST(RevocationLists, that_are_forged_or_of_another_kind_count_for_nothing) {
  const Tree tree;
  const Tree another;
  const X509Crl of_root = tree.root.list({});
  EXPECT_TRUE(
      revocation(tree.chain(), {of_root, another.middle.list({})}).contains("is not signed by it"));
  // Nor can a forged one revoke.
  EXPECT_EQ(revocation(tree.chain(), {of_root, tree.middle.list({}),
                                      another.middle.list({tree.leaf.certificate()})}),
            "");
  // Nor is a delta the whole list.
  EXPECT_NE(revocation(tree.chain(), {of_root, tree.middle.list({}, kBegin, kEnd, true)}), "");
}

}  // namespace
}  // namespace casemate::verify
