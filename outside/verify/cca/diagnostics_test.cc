// SPDX-License-Identifier: Apache-2.0
// What published tokens and claims hold, by the diagnostic text (RFC 8949, section 8) that was
// published with each: written in CBOR by that text alone, it comes to the same bytes.
#include <gtest/gtest.h>

#include <cctype>
#include <charconv>

#include "base/format.h"
#include "outside/verdict/cbor_writer.h"
#include "outside/verify/cca/testing/judged.h"
#include "outside/verify/testing/vectors.h"

namespace casemate::verify::cca {
namespace {

// Writes the items of a diagnostic text, one after the other.
class DiagnosticText final {
 public:
  explicit DiagnosticText(std::string_view text) : text_(text) {}

  std::vector<uint8_t> item() {
    skip();
    if (take("h'")) return CborWriter().bytes(*from_hex(until('\''))).written();
    if (take("\"")) return CborWriter().text(until('"')).written();
    if (take("[")) return container(CborType::kArray, ']');
    if (take("{")) return container(CborType::kMap, '}');
    int64_t number = 0;
    const auto [end, wrong] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    EXPECT_EQ(wrong, std::errc()) << text_.substr(0, 40);
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    if (!take("(")) return CborWriter().integer(number).written();
    const std::vector<uint8_t> inner = item();
    skip();
    EXPECT_TRUE(take(")"));
    return CborWriter().head(CborType::kTag, static_cast<uint64_t>(number)).raw(inner).written();
  }
  [[nodiscard]] bool done() {
    skip();
    return text_.empty();
  }

 private:
  bool take(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  std::string_view until(char end) {
    const std::string_view found = text_.substr(0, text_.find(end));
    text_.remove_prefix(std::min(text_.size(), found.size() + 1));
    return found;
  }
  // Space, what stands between items, and remarks between slashes.
  void skip() {
    while (!text_.empty()) {
      const char next = text_.front();
      if (next == '/') {
        text_.remove_prefix(1);
        until('/');
      } else if (std::isspace(static_cast<unsigned char>(next)) != 0 || next == ',' ||
                 next == ':') {
        text_.remove_prefix(1);
      } else {
        return;
      }
    }
  }
  std::vector<uint8_t> container(CborType type, char end) {
    CborWriter items;
    uint64_t count = 0;
    for (skip(); !text_.empty() && text_.front() != end; skip(), ++count) {
      if (::testing::Test::HasFailure()) return {};
      items.raw(item());
    }
    until(end);
    if (type == CborType::kMap) count /= 2;
    return CborWriter().head(type, count).raw(items.written()).written();
  }

  std::string_view text_;
};

TEST(CcaDiagnostics, that_were_published_are_what_tokens_and_claims_say) {
  NEEDS_VECTORS();
  for (const std::string_view name :
       {"cca-token-01", "cca-token-02", "platform-claims", "realm-claims",
        "realm-claims+spurious-numeric-key", "realm-claims+spurious-text-key",
        "realm-claims-missing-challenge"}) {
    const auto file = verify::testing::vector_file(formatted("cca/{}.diag", name));
    DiagnosticText text(casemate::text_of(file));
    EXPECT_EQ(text.item(), verify::testing::vector_file(formatted("cca/{}.cbor", name))) << name;
    EXPECT_TRUE(text.done()) << name;
  }
}

// The text says 10 for the challenge, 256 for the instance and 44238 for the realm's measurement.
TEST(CcaDiagnostics, and_what_is_read_of_the_claims_say_the_same) {
  NEEDS_VECTORS();
  const auto platform =
      read_platform_claims(verify::testing::vector_file("cca/platform-claims.cbor"));
  const auto realm = read_realm_claims(verify::testing::vector_file("cca/realm-claims.cbor"));
  ASSERT_TRUE(platform && realm);
  const auto value = [](std::string_view file, std::string_view key) {
    const auto bytes = verify::testing::vector_file(file);
    const std::string_view text = casemate::text_of(bytes);
    const size_t begin = text.find(formatted("\n  {}: h'", key)) + key.size() + 7;
    return *from_hex(text.substr(begin, text.find('\'', begin) - begin));
  };
  EXPECT_EQ(platform->instance_id, value("cca/platform-claims.diag", "256"));
  EXPECT_EQ(platform->implementation_id, value("cca/platform-claims.diag", "2396"));
  EXPECT_TRUE(std::ranges::equal(realm->challenge, value("cca/realm-claims.diag", "10")));
  EXPECT_EQ(realm->initial_measurement, value("cca/realm-claims.diag", "44238"));
  EXPECT_TRUE(std::ranges::equal(realm->personalization, value("cca/realm-claims.diag", "44235")));
}

}  // namespace
}  // namespace casemate::verify::cca
