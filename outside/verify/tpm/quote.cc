// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/tpm/quote.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>

namespace casemate::verify {
namespace {

constexpr size_t kDigest = sizeof(Sha256Digest);

bool selected(const TpmQuote& quote, uint32_t pcr) {
  return pcr < 32 && (quote.attest.pcrs >> pcr & 1) != 0;
}

Result<TpmQuoteHead> read_head(Bytes bytes) {
  if (bytes.size() < sizeof(TpmQuoteHead) || load<uint64_t>(bytes) != TpmQuoteHead::kMagic)
    return Error{Code::kInvalid, "this is no quote of the TPM root"};
  const auto head = load<TpmQuoteHead>(bytes);
  if (head.version != TpmQuoteHead::kVersion)
    return Error{Code::kUnsupported, formatted("the quote's version is {}", head.version)};
  if (head.reserved != 0 || head.reserved_too != 0)
    return Error{Code::kInvalid, "the quote's reserved bytes are not zero"};
  const size_t total = std::accumulate(head.sizes.begin(), head.sizes.end(), sizeof head);
  if (total != bytes.size()) {
    return Error{Code::kInvalid,
                 formatted("the quote has {} bytes and says that it has {}", bytes.size(), total)};
  }
  return head;
}

// One event of each kind, in the order of their numbers.
Result<OwnEvents> read_events(Bytes bytes) {
  TpmReader reader(bytes);
  OwnEvents events;
  for (const TpmEvent wanted : {TpmEvent::kPlatform, TpmEvent::kFlags}) {
    const uint32_t kind = TRY(reader.u32("the kind of an event"));
    const Bytes data = TRY(reader.sized("an event"));
    const size_t size = wanted == TpmEvent::kPlatform ? sizeof(Sha384Digest) : sizeof(uint32_t);
    if (kind != static_cast<uint32_t>(wanted) || data.size() != size) {
      return Error{Code::kInvalid,
                   formatted("an event is of kind {} with {} bytes instead of kind {} with {}",
                             kind, data.size(), static_cast<uint32_t>(wanted), size)};
    }
    if (wanted == TpmEvent::kPlatform) std::ranges::copy(data, events.platform.begin());
    if (wanted != TpmEvent::kFlags) continue;
    const uint32_t flags = TRY(TpmReader(data).u32("the flags"));
    if ((flags & ~kTpmDebug) != 0)
      return Error{Code::kInvalid, formatted("there are unknown flags {:#x}", flags)};
    events.debug = flags != 0;
  }
  TRY(reader.end("the list of events"));
  return events;
}

// What PCR 23 holds after the events, each of which is a number, a length and data.
Result<Sha256Digest> replay(Bytes bytes) {
  Sha256Digest value{};
  for (TpmReader reader(bytes); !reader.left().empty();) {
    const Bytes from = reader.left();
    TRY(reader.u32("the kind of an event"));
    TRY(reader.sized("an event"));
    const Bytes event = from.first(from.size() - reader.left().size());
    value = sha256(TpmWriter().bytes(value).bytes(sha256(event)).view());
  }
  return value;
}

}  // namespace

Result<TpmQuote> read_tpm_quote(Bytes bytes) {
  TpmQuote quote{.head = TRY(read_head(bytes))};
  Bytes left = bytes.subspan(sizeof quote.head);
  const std::array<Bytes*, TpmQuoteHead::kParts> parts = {&quote.attest_bytes, &quote.signature,
                                                          &quote.key_bytes,    &quote.certificate,
                                                          &quote.pcr_values,   &quote.events};
  for (size_t i = 0; i < parts.size(); ++i) {
    *parts[i] = left.first(quote.head.sizes[i]);
    left = left.subspan(quote.head.sizes[i]);
  }
  quote.attest = TRY(read_tpm_attest(quote.attest_bytes));
  quote.key = TRY(read_tpm_key(quote.key_bytes));
  return quote;
}

Status check_head(const TpmQuote& quote) {
  if (std::ranges::equal(quote.attest.extra_data, sha256(quote.head.signed_bytes()))) return {};
  return Error{Code::kInvalid,
               "the TPM has signed other extra data than the hash of the quote's head"};
}

Status check_pcr_values(const TpmQuote& quote) {
  const TpmAttest& attest = quote.attest;
  if (attest.bank != tpm::kSha256 || !selected(quote, tpm::kOwnPcr)) {
    return Error{Code::kInvalid, formatted("the quote is of PCRs {:#x} of bank {:#06x}, and PCR {} "
                                           "of the SHA-256 bank is not among them",
                                           attest.pcrs, attest.bank, tpm::kOwnPcr)};
  }
  const auto count = static_cast<size_t>(std::popcount(attest.pcrs));
  if (quote.pcr_values.size() != count * kDigest) {
    return Error{Code::kInvalid, formatted("there are {} bytes of PCR values for {} PCRs",
                                           quote.pcr_values.size(), count)};
  }
  // Its hash is that of the key's scheme; ours, and that of most keys, is SHA-256.
  const bool good = attest.pcr_digest.size() == kDigest
                        ? std::ranges::equal(attest.pcr_digest, sha256(quote.pcr_values))
                        : std::ranges::equal(attest.pcr_digest, sha384(quote.pcr_values));
  if (!good) return Error{Code::kInvalid, "the TPM has signed the digest of other PCR values"};
  return {};
}

Result<Sha256Digest> pcr_value(const TpmQuote& quote, uint32_t pcr) {
  if (!selected(quote, pcr))
    return Error{Code::kInvalid, formatted("PCR {} is not among the quoted", pcr)};
  const uint32_t below = quote.attest.pcrs & ((uint32_t{1} << pcr) - 1);
  return load<Sha256Digest>(
      quote.pcr_values.subspan(kDigest * static_cast<size_t>(std::popcount(below))));
}

Result<OwnEvents> check_own_events(const TpmQuote& quote) {
  const Sha256Digest held = TRY(pcr_value(quote, tpm::kOwnPcr));
  const Sha256Digest replayed = TRY(replay(quote.events));
  if (held != replayed) {
    return Error{Code::kInvalid, formatted("the monitor's events come to {}, and PCR {} holds {}",
                                           to_hex(replayed), tpm::kOwnPcr, to_hex(held))};
  }
  return read_events(quote.events);
}

}  // namespace casemate::verify
