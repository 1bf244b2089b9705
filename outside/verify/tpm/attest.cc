// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/tpm/attest.h"

#include "wire/tpm/marshal.h"

namespace casemate::verify {
namespace {

constexpr uint32_t kGenerated =
    0xFF544347;                      // TPM_GENERATED_VALUE: no restricted key signs it for others
constexpr uint16_t kQuote = 0x8018;  // TPM_ST_ATTEST_QUOTE

Status read_selection(TpmReader& reader, TpmAttest& attest) {
  const uint32_t count = TRY(reader.u32("the number of PCR banks"));
  if (count != 1) {
    return Error{Code::kInvalid,
                 formatted("the quote selects PCRs of {} banks; one is read here", count)};
  }
  attest.bank = TRY(reader.u16("the PCR bank"));
  const uint8_t size = TRY(reader.u8("the size of the PCR selection"));
  if (size > sizeof(attest.pcrs))
    return Error{Code::kInvalid, formatted("the PCR selection has {} bytes", size)};
  int shift = 0;
  for (const uint8_t byte : TRY(reader.bytes(size, "the PCR selection"))) {
    attest.pcrs |= uint32_t{byte} << shift;
    shift += 8;
  }
  return {};
}

}  // namespace

Result<TpmAttest> read_tpm_attest(Bytes bytes) {
  TpmReader reader(bytes);
  TpmAttest attest;
  const uint32_t magic = TRY(reader.u32("the quote's magic"));
  if (magic != kGenerated)
    return Error{Code::kInvalid, formatted("no TPM has made this: its magic is {:#010x}", magic)};
  const uint16_t type = TRY(reader.u16("the quote's type"));
  if (type != kQuote)
    return Error{Code::kInvalid, formatted("this is no quote of PCRs: its type is {:#06x}", type)};
  attest.signer = TRY(reader.sized("the signer's name"));
  attest.extra_data = TRY(reader.sized("the extra data"));
  attest.clock_ms = TRY(reader.number<uint64_t>("the clock"));
  attest.resets = TRY(reader.u32("the number of resets"));
  attest.restarts = TRY(reader.u32("the number of restarts"));
  const uint8_t safe = TRY(reader.u8("the clock's state"));
  if (safe > 1) return Error{Code::kInvalid, formatted("the clock's state is {}", safe)};
  attest.firmware = TRY(reader.number<uint64_t>("the firmware's version"));
  TRY(read_selection(reader, attest));
  attest.pcr_digest = TRY(reader.sized("the PCR digest"));
  TRY(reader.end("the quote"));
  return attest;
}

}  // namespace casemate::verify
