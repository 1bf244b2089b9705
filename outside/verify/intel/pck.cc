// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/pck.h"

#include <algorithm>

#include "base/format.h"
#include "outside/verify/x509/der.h"

namespace casemate::verify::intel {
namespace {

constexpr std::string_view kOid = "1.2.840.113741.1.13.1";
constexpr ByteArray<9> kOidBytes = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01};
constexpr uint8_t kTcb = 2;
constexpr uint8_t kPceId = 3;
constexpr uint8_t kFmspc = 4;
constexpr uint8_t kPceSvn = 17;
constexpr uint8_t kCpuSvn = 18;

// The one arc that `oid` adds to `prefix`; 0 for any other.
uint8_t arc_below(Bytes prefix, Bytes oid) {
  if (oid.size() != prefix.size() + 1 || !std::ranges::equal(oid.first(prefix.size()), prefix))
    return 0;
  return oid.back() < 0x80 ? oid.back() : 0;
}

// Counts that a field is there, once.
Status mark(uint32_t& seen, uint8_t arc) {
  const uint32_t bit = uint32_t{1} << arc;
  if ((seen & bit) != 0)
    return Error{Code::kInvalid, formatted("the PCK's certificate has field {} twice", arc)};
  seen |= bit;
  return {};
}

Status read_tcb(Bytes fields, Pck& pck) {
  ByteArray<10> prefix{};
  std::ranges::copy(kOidBytes, prefix.begin());
  prefix.back() = kTcb;
  uint32_t seen = 0;
  for (DerReader list(fields); !list.done();) {
    DerReader field(TRY(list.element(DerTag::kSequence, "a field of the PCK's TCB")));
    const Bytes oid = TRY(field.element(DerTag::kOid, "the name of a field of the PCK's TCB"));
    const uint8_t arc = arc_below(prefix, oid);
    if (arc == 0 || arc > kCpuSvn) continue;
    TRY(mark(seen, arc));
    if (arc < kPceSvn) {
      pck.components[arc - 1u] =
          static_cast<uint8_t>(TRY(field.number(0xFF, "a component of the PCK's TCB")));
    } else if (arc == kPceSvn) {
      pck.pce_svn = static_cast<uint16_t>(TRY(field.number(0xFFFF, "the PCK's PCE version")));
    }
  }
  // Components 1 to 16 and the PCE's version; what else there is says the same in another way.
  constexpr uint32_t kAll = ((uint32_t{1} << (kPceSvn + 1)) - 1) & ~uint32_t{1};
  if ((seen & kAll) != kAll)
    return Error{Code::kInvalid, "the PCK's certificate lacks some of its 17 security versions"};
  return {};
}

template <size_t N>
Result<ByteArray<N>> octets(DerReader& field, std::string_view what) {
  const Bytes content = TRY(field.element(DerTag::kOctets, what));
  if (content.size() != N)
    return Error{Code::kInvalid, formatted("{} has {} bytes and not {}", what, content.size(), N)};
  return load<ByteArray<N>>(content);
}

}  // namespace

Result<Pck> read_pck(const X509Certificate& certificate) {
  const auto extension = TRY(certificate.extension(kOid));
  if (!extension) {
    return Error{Code::kInvalid,
                 formatted("the certificate {} has no extension {}: it is none of a platform's key",
                           certificate.subject(), kOid)};
  }
  DerReader whole(*extension);
  DerReader list(TRY(whole.element(DerTag::kSequence, "the PCK's extension")));
  if (!whole.done()) return Error{Code::kInvalid, "bytes follow on the PCK's extension"};
  Pck pck;
  uint32_t seen = 0;
  while (!list.done()) {
    DerReader field(TRY(list.element(DerTag::kSequence, "a field of the PCK's extension")));
    const Bytes oid =
        TRY(field.element(DerTag::kOid, "the name of a field of the PCK's extension"));
    const uint8_t arc = arc_below(kOidBytes, oid);
    if (arc < kTcb || arc > kFmspc) continue;
    TRY(mark(seen, arc));
    if (arc == kTcb)
      TRY(read_tcb(TRY(field.element(DerTag::kSequence, "the PCK's TCB")), pck));
    else if (arc == kPceId)
      pck.pce_id = TRY(octets<2>(field, "the PCK's pceId"));
    else
      pck.fmspc = TRY(octets<6>(field, "the PCK's FMSPC"));
  }
  if (seen != (1u << kTcb | 1u << kPceId | 1u << kFmspc))
    return Error{Code::kInvalid, "the PCK's certificate lacks its TCB, pceId or FMSPC"};
  return pck;
}

}  // namespace casemate::verify::intel
