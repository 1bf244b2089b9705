// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/quote.h"

#include <algorithm>

#include "base/format.h"
#include "outside/verdict/reader.h"

namespace casemate::verify::intel {
namespace {

constexpr size_t kHeaderBytes = 48;
constexpr size_t kVendorOffset = 12;
constexpr ByteArray<16> kVendor = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
                                   0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};
constexpr uint16_t kKeyP256 = 2;
constexpr uint32_t kTeeSgx = 0;
constexpr uint32_t kTeeTdx = 0x81;
constexpr uint16_t kDataChain = 5;     // certification data: a chain in PEM form
constexpr uint16_t kDataQeReport = 6;  // the QE's report, and within it data of another kind

Error wrong(std::string text) { return {Code::kInvalid, std::move(text)}; }

SgxReport read_sgx(Bytes bytes) {
  ByteReader reader(bytes);
  SgxReport report;
  report.cpu_svn = reader.array<16>();
  report.misc_select = reader.u32();
  reader.skip(28);
  report.attributes = reader.array<16>();
  report.mrenclave = reader.array<32>();
  reader.skip(32);
  report.mrsigner = reader.array<32>();
  reader.skip(96);
  report.product_id = reader.u16();
  report.security_version = reader.u16();
  reader.skip(60);
  report.report_data = reader.array<64>();
  return report;
}

TdReport read_td(Bytes bytes) {
  ByteReader reader(bytes);
  TdReport report;
  report.tee_tcb_svn = reader.array<16>();
  report.mrseam = reader.array<48>();
  report.mrsignerseam = reader.array<48>();
  report.seam_attributes = reader.u64();
  report.attributes = reader.u64();
  report.xfam = reader.u64();
  report.mrtd = reader.array<48>();
  report.mrconfigid = reader.array<48>();
  report.mrowner = reader.array<48>();
  report.mrownerconfig = reader.array<48>();
  for (auto& rtmr : report.rtmr) rtmr = reader.array<48>();
  report.report_data = reader.array<64>();
  report.tdx15 = bytes.size() == TdReport::kBytes15;
  if (report.tdx15) {
    report.tee_tcb_svn2 = reader.array<16>();
    report.mrservicetd = reader.array<48>();
  }
  return report;
}

// The size of the body that follows; version 5 says it, earlier ones leave it to the kind of TEE.
Result<size_t> body_size(uint16_t version, uint32_t tee, ByteReader& reader) {
  if (version < 5) return tee == kTeeTdx ? TdReport::kBytes : SgxReport::kBytes;
  const uint16_t type = reader.u16();
  const uint32_t size = reader.u32();
  const size_t wanted = type == 1   ? SgxReport::kBytes
                        : type == 2 ? TdReport::kBytes
                        : type == 3 ? TdReport::kBytes15
                                    : 0;
  if (wanted == 0)
    return Error{Code::kUnsupported, formatted("the quote's body is of the unknown type {}", type)};
  if (size != wanted || (type == 1) != (tee == kTeeSgx)) {
    return wrong(formatted("the quote's body of type {} says it has {} bytes, for the TEE {:#x}",
                           type, size, tee));
  }
  return wanted;
}

// Certification data: its type, its size, and then that many bytes.
Result<Bytes> data_of_type(uint16_t wanted, ByteReader& reader) {
  const uint16_t type = reader.u16();
  const uint32_t size = reader.u32();
  const Bytes data = reader.bytes(size);
  if (reader.failed()) return wrong("the quote's certification data are cut off");
  if (type != wanted) {
    return Error{Code::kUnsupported,
                 formatted("the quote's certification data are of type {} and not {}: have it made "
                           "with the PCK's certificates inside",
                           type, wanted)};
  }
  return data;
}

Status read_qe(Bytes bytes, Quote& quote) {
  ByteReader reader(bytes);
  quote.qe_report_bytes = reader.bytes(SgxReport::kBytes);
  quote.qe_signature = reader.array<64>();
  quote.qe_data = reader.bytes(reader.u16());
  if (reader.failed()) return wrong("the quoting enclave's part of the quote is cut off");
  quote.qe_report = read_sgx(quote.qe_report_bytes);
  quote.chain = TRY(data_of_type(kDataChain, reader));
  if (!reader.finished())
    return wrong(formatted("{} bytes follow on the quote's certificates", reader.left()));
  return {};
}

Status read_signature(Bytes bytes, Quote& quote) {
  ByteReader reader(bytes);
  quote.signature = reader.array<64>();
  quote.key = reader.array<64>();
  if (reader.failed()) return wrong("the quote's signature is cut off");
  if (quote.version == 3) return read_qe(reader.rest(), quote);
  const Bytes inner = TRY(data_of_type(kDataQeReport, reader));
  if (!reader.finished())
    return wrong(formatted("{} bytes follow on the quoting enclave's part", reader.left()));
  return read_qe(inner, quote);
}

}  // namespace

bool looks_like_quote(Bytes bytes) {
  if (bytes.size() < kHeaderBytes) return false;
  const uint16_t version = ByteReader(bytes).u16();
  return version >= 3 && version <= 5 &&
         std::ranges::equal(bytes.subspan(kVendorOffset, kVendor.size()), kVendor);
}

Result<Quote> read_quote(Bytes bytes) {
  if (bytes.size() > kQuoteBytes) {
    return Error{Code::kTooLarge, formatted("the quote has {} bytes, over the limit of {}",
                                            bytes.size(), kQuoteBytes)};
  }
  if (!looks_like_quote(bytes)) {
    return Error{Code::kUnsupported,
                 "this is no quote of version 3, 4 or 5 by Intel's quoting enclave"};
  }
  ByteReader reader(bytes);
  Quote quote;
  quote.version = reader.u16();
  const uint16_t key_type = reader.u16();
  const uint32_t tee = reader.u32();
  reader.skip(kHeaderBytes - reader.offset());
  if (key_type != kKeyP256) {
    return Error{Code::kUnsupported,
                 formatted("the quote's key is of type {}; type 2, P-256, is read", key_type)};
  }
  quote.td = tee == kTeeTdx;
  if (!quote.td && tee != kTeeSgx)
    return Error{Code::kUnsupported, formatted("the quote is of the unknown TEE {:#x}", tee)};
  if (quote.td && quote.version == 3) return wrong("a quote of version 3 cannot be of a TDX guest");
  const size_t size = TRY(body_size(quote.version, tee, reader));
  const Bytes body = reader.bytes(size);
  quote.signed_bytes = bytes.first(reader.offset());
  const Bytes signature = reader.bytes(reader.u32());
  if (reader.failed())
    return wrong(
        formatted("the quote of {} bytes is cut off at {}", bytes.size(), reader.offset()));
  if (quote.td)
    quote.guest = read_td(body);
  else
    quote.enclave = read_sgx(body);
  TRY(read_signature(signature, quote));
  quote.left_over = reader.rest();
  return quote;
}

}  // namespace casemate::verify::intel
