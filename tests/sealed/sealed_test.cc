// SPDX-License-Identifier: Apache-2.0
// What opens of a sealed model, and all that does not.
#include <gtest/gtest.h>

#include "base/format.h"
#include "isolated/sealed/unsealer.h"
#include "outside/keys/aead.h"
#include "outside/keys/wrap.h"
#include "tests/sealed/small_model.h"

namespace casemate::tests {
namespace {

using sealed::Unsealer;

class SealedModel : public testing::Test {
 protected:
  // Whether those bytes open with the key.
  static Status opens(Bytes package, const SecretKey& key) {
    const auto unsealer = TRY(Unsealer::make(package));
    TRY(unsealer.open_with(key));
    return {};
  }
  Made made(const seal::Order& order = small_order()) { return seal_small(order, maker_, random_); }
  // Puts `count` bytes that stand at `from` in one package to `to` in the other.
  static void copy(const std::vector<uint8_t>& source, uint64_t from, std::vector<uint8_t>& target,
                   uint64_t to, uint64_t count) {
    std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(from), count,
                target.begin() + static_cast<std::ptrdiff_t>(to));
  }

  SigningKey maker_ = *SigningKey::generate();
  SameKeys random_;
};

TEST_F(SealedModel, opens_to_the_very_bytes_that_were_sealed) {
  for (const uint32_t chunk : {64u << 10, 1u << 20}) {
    seal::Order order = small_order();
    order.chunk_bytes = chunk;
    const Made sealed = made(order);
    EXPECT_EQ(sealed.manifest.parts.size(), 3u);  // the small tensor stays in the graph
    const auto unsealer = Unsealer::make(sealed.package);
    ASSERT_TRUE(unsealer) << unsealer.error().text;
    const auto plain = unsealer->open_with(sealed.key);
    ASSERT_TRUE(plain) << plain.error().text;
    EXPECT_TRUE(text_of(plain->bytes()) == small_model());
  }
}

TEST_F(SealedModel, shows_nothing_of_its_weights_or_its_graph) {
  const Made sealed = made();
  const std::string_view package = text_of(sealed.package);
  EXPECT_FALSE(package.contains(small_model().substr(1000, 64)));
  EXPECT_FALSE(package.contains("second"));
  EXPECT_TRUE(package.contains("small"));  // its name is in the manifest
}

TEST_F(SealedModel, does_not_open_with_any_byte_of_its_manifest_or_signature_changed) {
  const Made sealed = made();
  const uint64_t head = sealed.manifest.place_of(0, 0);
  for (uint64_t at = 0; at < head; ++at) {
    auto changed = sealed.package;
    changed[at] ^= 1;
    EXPECT_FALSE(Unsealer::make(changed)) << at;
  }
}

TEST_F(SealedModel, does_not_open_with_a_manifest_that_somebody_else_has_changed_and_signed) {
  const Made sealed = made();
  const SigningKey other = *SigningKey::generate();
  for (const bool change : {false, true}) {
    sealed::Header header = sealed.manifest.header;
    std::ranges::copy(other.public_der(), header.maker.begin());
    if (change) header.version += 1;
    auto head = manifest_of(header, sealed.manifest.parts, sealed.manifest.policy);
    const auto signature = other.sign(head);
    ASSERT_TRUE(signature);
    head.insert(head.end(), signature->begin(), signature->end());
    auto forged = sealed.package;
    std::ranges::copy(head, forged.begin());
    EXPECT_TRUE(Unsealer::make(forged));  // it is whole, and another's
    EXPECT_FALSE(opens(forged, sealed.key));
  }
}

TEST_F(SealedModel, does_not_open_with_a_byte_of_any_chunk_or_tag_changed) {
  const Made sealed = made();
  for (uint32_t part = 0; part < sealed.manifest.parts.size(); ++part) {
    for (uint64_t chunk = 0; chunk < sealed.manifest.chunks_of(part); ++chunk) {
      const uint64_t begin = sealed.manifest.place_of(part, chunk);
      const uint64_t size = sealed.manifest.size_of(part, chunk);
      for (const uint64_t at : {begin, begin + size / 2, begin + size - 1, begin + size,
                                begin + size + sealed::kTagBytes - 1}) {
        auto changed = sealed.package;
        changed[at] ^= 0x80;
        EXPECT_FALSE(opens(changed, sealed.key)) << part << " " << chunk << " " << at;
      }
    }
  }
}

// The format says so itself, whatever sealer and unsealer agree on.
TEST_F(SealedModel, binds_each_chunk_to_its_package_and_its_place_by_every_byte_of_its_label) {
  const Made sealed = made();
  const sealed::Package& manifest = sealed.manifest;
  const std::string model = small_model();
  for (uint32_t part = 0; part < manifest.parts.size(); ++part) {
    const auto [at, bytes] = manifest.parts[part];
    const uint64_t chunk_bytes = manifest.header.chunk_bytes;
    const uint64_t chunks = (bytes + chunk_bytes - 1) / chunk_bytes;
    const SecretKey key = manifest.key_of(sealed.key, part);
    uint64_t place = manifest.place_of(part, 0);
    for (uint64_t chunk = 0; chunk < chunks; ++chunk) {
      const uint64_t size = std::min(chunk_bytes, bytes - chunk * chunk_bytes);
      const Bytes hidden = Bytes(sealed.package).subspan(place, size + sealed::kTagBytes);
      place += hidden.size();
      const sealed::ChunkLabel label{.package = manifest.header.package,
                                     .version = 3,
                                     .part = part,
                                     .parts = 3,
                                     .chunk_bytes = 64 << 10,
                                     .chunk = chunk,
                                     .chunks = chunks,
                                     .bytes = bytes};
      const ByteArray<12> nonce{static_cast<uint8_t>(chunk)};
      const auto plain = keys::open_bytes(key, nonce, bytes_of(label), hidden);
      ASSERT_TRUE(plain) << part << " " << chunk;
      if (part != 0) {
        EXPECT_EQ(text_of(*plain), model.substr(at + chunk * chunk_bytes, size));
      }
      for (size_t byte = 0; byte < sizeof label; ++byte) {
        sealed::ChunkLabel changed = label;
        mutable_bytes_of(changed)[byte] ^= 1;
        EXPECT_FALSE(keys::open_bytes(key, nonce, bytes_of(changed), hidden)) << byte;
      }
      const ByteArray<12> other{static_cast<uint8_t>(chunk + 1)};
      EXPECT_FALSE(keys::open_bytes(key, other, bytes_of(label), hidden));
    }
  }
}

TEST_F(SealedModel, does_not_open_with_two_chunks_swapped_within_a_tensor_or_between_two) {
  const Made sealed = made();
  const uint64_t size = sealed.manifest.header.chunk_bytes + sealed::kTagBytes;
  const uint64_t places[] = {sealed.manifest.place_of(1, 0), sealed.manifest.place_of(1, 1),
                             sealed.manifest.place_of(2, 0)};
  for (const auto& [a, b] : {std::pair(0, 1), std::pair(0, 2), std::pair(1, 2)}) {
    auto swapped = sealed.package;
    copy(sealed.package, places[a], swapped, places[b], size);
    copy(sealed.package, places[b], swapped, places[a], size);
    EXPECT_FALSE(opens(swapped, sealed.key));
    auto repeated = sealed.package;
    copy(sealed.package, places[a], repeated, places[b], size);
    EXPECT_FALSE(opens(repeated, sealed.key));
  }
}

TEST_F(SealedModel, does_not_open_cut_short_or_with_more_behind_it) {
  const Made sealed = made();
  std::vector<uint64_t> ends = {0, 1, 255, 256, sealed.package.size() - 1};
  for (uint32_t part = 0; part < sealed.manifest.parts.size(); ++part) {
    for (uint64_t chunk = 0; chunk < sealed.manifest.chunks_of(part); ++chunk)
      ends.push_back(sealed.manifest.place_of(part, chunk));
  }
  for (const uint64_t end : ends) {
    EXPECT_FALSE(Unsealer::make(Bytes(sealed.package).first(end))) << end;
  }
  auto longer = sealed.package;
  longer.push_back(0);
  EXPECT_FALSE(Unsealer::make(longer));
}

// Even where both have the same key, which never happens.
TEST_F(SealedModel, does_not_open_with_a_chunk_of_another_package_or_version) {
  seal::Order newer = small_order();
  newer.version = 4;
  const Made sealed = made();
  ASSERT_TRUE(opens(sealed.package, sealed.key));
  for (const Made& other : {made(), made(newer)}) {
    ASSERT_EQ(other.key, sealed.key);
    for (uint32_t part = 0; part < 3; ++part) {
      const uint64_t place = sealed.manifest.place_of(part, 0);
      ASSERT_EQ(place, other.manifest.place_of(part, 0));
      auto mixed = sealed.package;
      copy(other.package, place, mixed, place,
           sealed.manifest.size_of(part, 0) + sealed::kTagBytes);
      EXPECT_FALSE(opens(mixed, sealed.key)) << part;
    }
  }
}

TEST_F(SealedModel, is_refused_where_its_numbers_lie_though_its_maker_has_signed_them) {
  const Made sealed = made();
  const auto signed_as = [&](const sealed::Header& header, std::vector<sealed::Part> parts) {
    auto head = manifest_of(header, parts, sealed.manifest.policy);
    const Signature signature = *maker_.sign(head);
    head.insert(head.end(), signature.begin(), signature.end());
    head.insert(head.end(), sealed.package.begin() + static_cast<std::ptrdiff_t>(head.size()),
                sealed.package.end());
    return Unsealer::make(head).has_value();
  };
  const sealed::Header header = sealed.manifest.header;
  const auto parts = sealed.manifest.parts;
  EXPECT_TRUE(signed_as(header, parts));
  const auto with = [&](auto change) {
    sealed::Header other = header;
    change(other);
    return signed_as(other, parts);
  };
  EXPECT_FALSE(with([](auto& h) { h.chunk_bytes = 0; }));
  EXPECT_FALSE(with([](auto& h) { h.chunk_bytes = 100'000; }));
  EXPECT_FALSE(with([](auto& h) { h.chunk_bytes = 32 << 10; }));
  EXPECT_FALSE(with([](auto& h) { h.chunk_bytes = 2 << 20; }));
  EXPECT_FALSE(with([](auto& h) { h.parts = 0; }));
  EXPECT_FALSE(with([](auto& h) { h.parts = UINT32_MAX; }));
  EXPECT_FALSE(with([](auto& h) { h.plain_bytes = 0; }));
  EXPECT_FALSE(with([](auto& h) { h.plain_bytes = UINT64_MAX; }));
  EXPECT_FALSE(with([](auto& h) { h.plain_bytes += 1; }));
  EXPECT_FALSE(with([](auto& h) { h.policy_bytes = UINT32_MAX; }));
  EXPECT_FALSE(with([](auto& h) { h.maker_bytes = UINT32_MAX; }));
  EXPECT_FALSE(with([](auto& h) { h.version = 0; }));
  EXPECT_FALSE(with([](auto& h) { h.format = 2; }));
  EXPECT_FALSE(with([](auto& h) { h.name.characters.fill('x'); }));
  for (const sealed::Part lie : {sealed::Part{UINT64_MAX, 1}, sealed::Part{1, UINT64_MAX},
                                 sealed::Part{0, 0}, sealed::Part{parts[1].at, parts[1].bytes}}) {
    auto lying = parts;
    lying[2] = lie;
    EXPECT_FALSE(signed_as(header, lying)) << lie.at << " " << lie.bytes;
  }
}

TEST_F(SealedModel, is_opened_by_the_answer_to_its_own_question_and_by_no_other) {
  const Made sealed = made();
  const auto asker = Unsealer::make(sealed.package);
  const auto other = Unsealer::make(sealed.package);
  ASSERT_TRUE(asker && other);
  sealed::KeyRequest request = asker->request();
  request.nonce.fill(5);
  auto answer = keys::wrap(sealed.key, request);
  ASSERT_TRUE(answer) << answer.error().text;
  EXPECT_TRUE(asker->open(*answer));
  EXPECT_FALSE(other->open(*answer));  // it was wrapped for another enclave
  sealed::WrappedKey changed = *answer;
  changed.nonce[0] ^= 1;  // an answer to another question
  EXPECT_FALSE(asker->open(changed));
  for (const size_t at : {0u, 50u, 96u}) {
    changed = *answer;
    changed.encapsulated[at] ^= 1;
    EXPECT_FALSE(asker->open(changed));
  }
  changed = *answer;
  changed.sealed_key[47] ^= 1;
  EXPECT_FALSE(asker->open(changed));
  request.version += 1;  // for another version
  EXPECT_FALSE(asker->open(*keys::wrap(sealed.key, request)));
}

}  // namespace
}  // namespace casemate::tests
