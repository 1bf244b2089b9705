// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/nonces.h"

#include <bit>

#include "base/format.h"

namespace casemate::keys {
namespace {

constexpr std::string_view kNonceSalt = "casemate key service, nonces";
constexpr size_t kSaid = 16;  // the time and the random bytes

ByteArray<16> mark_of(const SecretKey& key, Bytes said) {
  return load<ByteArray<16>>(derive_key(key, bytes_of(kNonceSalt), said));
}

uint64_t time_of(const Nonce& nonce) { return std::byteswap(load<uint64_t>(nonce)); }

}  // namespace

static_assert(std::endian::native == std::endian::little);

Nonces::Nonces(Clock& clock, Random& random) : clock_(clock), random_(random), began_(clock.now()) {
  random_.fill(key_);
}

Nonces::~Nonces() { clear_secret(key_); }

// In nanoseconds since the start, so that it says nothing about this machine.
uint64_t Nonces::time() const { return static_cast<uint64_t>((clock_.now() - began_).count()); }

Nonce Nonces::make() {
  Nonce nonce;
  const MutableBytes bytes = nonce;
  const uint64_t now = std::byteswap(time());
  std::ranges::copy(bytes_of(now), bytes.begin());
  random_.fill(bytes.subspan(sizeof now, kSaid - sizeof now));
  std::ranges::copy(mark_of(key_, bytes.first(kSaid)), bytes.subspan(kSaid).begin());
  return nonce;
}

Status Nonces::check(const Nonce& nonce) const {
  const Bytes bytes = nonce;
  const bool ours = equal_secret(mark_of(key_, bytes.first(kSaid)), bytes.subspan(kSaid));
  // Ours cannot be of the future.
  const bool good = ours && time() - time_of(nonce) <= static_cast<uint64_t>(kLife.count());
  if (good && !spent_.contains(nonce)) return {};
  return Error{
      Code::kDenied,
      formatted("{} it is not one that this service gave out within the last minute, or it was "
                "used before; ask for another",
                kNonceRefused)};
}

Status Nonces::spend(const Nonce& nonce) {
  const uint64_t now = time();
  while (!spent_.empty() && now - time_of(*spent_.begin()) > static_cast<uint64_t>(kLife.count()))
    spent_.erase(spent_.begin());
  if (spent_.size() >= kSpent) {
    return Error{Code::kUnavailable,
                 formatted("{} keys have gone out within a minute, more than may", kSpent)};
  }
  spent_.insert(nonce);
  return {};
}

}  // namespace casemate::keys
