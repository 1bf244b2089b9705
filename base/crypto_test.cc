// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace casemate {
namespace {

TEST(Crypto, hashes_agree_with_the_published_vectors) {
  // FIPS 180-2, appendix: "abc".
  EXPECT_EQ(to_hex(sha384(bytes_of(std::string_view("abc")))),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baec"
            "a134c825a7");
  EXPECT_EQ(to_hex(sha256(bytes_of(std::string_view("abc")))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Crypto, fields_cannot_trade_bytes_with_their_neighbours) {
  const auto hash = [](std::string_view a, std::string_view b) {
    return Sha384().field(bytes_of(a)).field(bytes_of(b)).finish();
  };
  EXPECT_NE(hash("ab", "c"), hash("a", "bc"));
  EXPECT_EQ(hash("ab", "c"), hash("ab", "c"));
}

TEST(Crypto, a_signature_is_refused_when_anything_changed) {
  for (const Curve curve : {Curve::kP384, Curve::kP256}) {
    const auto key = SigningKey::generate(curve);
    ASSERT_TRUE(key);
    const auto message = bytes_of(std::string_view("what was signed"));
    const auto signature = key->sign(message);
    ASSERT_TRUE(signature);
    const auto verifies = [&](Bytes public_der, Bytes signed_bytes, const Signature& made) {
      return verify_signature(public_der, signed_bytes, made, curve).has_value();
    };
    EXPECT_TRUE(verifies(key->public_der(), message, *signature));
    for (const size_t i : {size_t{0}, size_t{47}, size_t{48}, size_t{95}}) {
      Signature bent = *signature;
      bent[i] ^= 1;
      EXPECT_FALSE(verifies(key->public_der(), message, bent)) << i;
    }
    EXPECT_FALSE(
        verifies(key->public_der(), bytes_of(std::string_view("what was not")), *signature));
    EXPECT_FALSE(verifies(SigningKey::generate(curve)->public_der(), message, *signature));
    EXPECT_FALSE(verifies(key->public_der(), message, Signature{})) << "r = s = 0";
  }
}

TEST(Crypto, a_key_on_another_curve_than_is_asked_for_verifies_nothing) {
  const auto message = bytes_of(std::string_view("m"));
  const auto ours = SigningKey::generate(Curve::kP256);
  EXPECT_FALSE(verify_signature(ours->public_der(), message, *ours->sign(message)));
  const auto longer = SigningKey::generate();
  EXPECT_FALSE(
      verify_signature(longer->public_der(), message, *longer->sign(message), Curve::kP256));
}

TEST(Crypto, public_keys_off_the_curve_or_of_another_form_are_refused) {
  const auto key = SigningKey::generate();
  const auto message = bytes_of(std::string_view("m"));
  const auto signature = key->sign(message);
  std::vector<uint8_t> bent = key->public_der();
  bent.back() ^= 1;
  EXPECT_FALSE(verify_signature(bent, message, *signature));
  std::vector<uint8_t> longer = key->public_der();
  longer.push_back(0);
  EXPECT_FALSE(verify_signature(longer, message, *signature));
  EXPECT_FALSE(verify_signature({}, message, *signature));
}

TEST(Crypto, a_key_survives_being_written_and_read) {
  const auto key = SigningKey::generate();
  const auto der = key->to_der();
  ASSERT_TRUE(der);
  const auto again = SigningKey::from_der(*der);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_der(), key->public_der());
  EXPECT_FALSE(SigningKey::from_der(std::span(*der).first(20)));
  EXPECT_FALSE(SigningKey::from_der(*der, Curve::kP256)) << "a key is of the curve that was asked";
  const auto other = SigningKey::generate(Curve::kP256)->to_der();
  EXPECT_TRUE(SigningKey::from_der(*other, Curve::kP256));
  EXPECT_FALSE(SigningKey::from_der(*other));
}

// Runs in a child: libcrypto's allocator can be set only once, and only first.
TEST(SecretHeap, keys_live_in_memory_that_the_kernel_cannot_read) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (use_secret_heap(4 << 20).size == 0) ::_exit(77);
    const auto key = SigningKey::generate();
    const auto signature = key->sign(bytes_of(std::string_view("m")));
    const bool good =
        signature &&
        verify_signature(key->public_der(), bytes_of(std::string_view("m")), *signature) &&
        secret_heap().used > 0;
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    GTEST_SKIP() << "this kernel has no memfd_secret, or a sanitizer allocated first";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// Both make a key in the memory that is free next, which for both is the same.
TEST(SecretHeap, a_child_that_has_its_own_changes_nothing_of_its_parents) {
  const pid_t outer = ::fork();
  if (outer == 0) {
    if (use_secret_heap(4 << 20).size == 0) ::_exit(77);
    const auto first = SigningKey::generate();
    int made[2];
    if (!first || ::pipe(made) != 0) ::_exit(2);
    const pid_t inner = ::fork();
    if (inner == 0) {
      char byte = 0;
      if (!own_secret_heap() || ::read(made[0], &byte, 1) != 1) ::_exit(3);
      const auto others = {SigningKey::generate(), SigningKey::generate()};
      const bool signs = first->sign({}) && std::ranges::all_of(others, [](const auto& key) {
                           return key && key->sign({}).has_value();
                         });
      ::_exit(signs ? 0 : 4);
    }
    const auto ours = SigningKey::generate();
    int status = 0;
    if (::write(made[1], "!", 1) != 1 || ::waitpid(inner, &status, 0) != inner || status != 0)
      ::_exit(5);
    const auto signature = ours->sign(bytes_of(std::string_view("m")));
    const bool good = signature && verify_signature(ours->public_der(),
                                                    bytes_of(std::string_view("m")), *signature);
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(outer, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    GTEST_SKIP() << "this kernel has no memfd_secret, or a sanitizer allocated first";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(SecretHeap, a_full_heap_spills_into_ordinary_memory_and_says_so) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (use_secret_heap(256 << 10).size == 0) ::_exit(77);
    std::vector<SigningKey> keys;
    for (int i = 0; i < 2000; ++i) {
      auto key = SigningKey::generate();
      if (!key || !key->sign({})) ::_exit(1);
      keys.push_back(std::move(*key));
    }
    const bool spilled = secret_heap().spilled > 0;
    keys.clear();
    ::_exit(spilled && SigningKey::generate() ? 0 : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    GTEST_SKIP() << "this kernel has no memfd_secret, or a sanitizer allocated first";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace casemate
