// SPDX-License-Identifier: Apache-2.0
#include "wire/tpm/quote.h"

namespace casemate {

std::vector<uint8_t> encode_tpm_quote(TpmQuoteHead head,
                                      const std::array<Bytes, TpmQuoteHead::kParts>& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    CHECK(parts[i].size() <= 0xFFFF, "a part's size has 16 bits");
    head.sizes[i] = static_cast<uint16_t>(parts[i].size());
  }
  TpmWriter out;
  out.bytes(bytes_of(head));
  for (const Bytes part : parts) out.bytes(part);
  return out.take();
}

}  // namespace casemate
