// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/endorsement.h"

#include <openssl/x509.h>

#include "base/format.h"
#include "base/log.h"

namespace casemate::verify::snp {
namespace {

constexpr std::string_view kArc = "1.3.6.1.4.1.3704.1.";
constexpr uint8_t kIa5String = 0x16;

std::string oid_of(std::string_view tail) { return formatted("{}{}", kArc, tail); }

Error bad_extension(const X509Certificate& certificate, std::string_view tail,
                    std::string_view what) {
  return {Code::kInvalid,
          formatted("the extension {}{} of {} is no {}", kArc, tail, certificate.subject(), what)};
}

// An INTEGER of 0 to 255 in DER: above 127 it takes a second byte.
std::optional<uint8_t> small_number(Bytes der) {
  if (der.size() == 3 && der[0] == 2 && der[1] == 1 && der[2] < 0x80) return der[2];
  if (der.size() == 4 && der[0] == 2 && der[1] == 2 && der[2] == 0 && der[3] >= 0x80) return der[3];
  return std::nullopt;
}

std::optional<std::string> short_text(Bytes der) {
  if (der.size() < 3 || der[0] != kIa5String || der[1] >= 0x80 || der[1] != der.size() - 2)
    return std::nullopt;
  return printable(casemate::text_of(der.subspan(2)), 128);
}

// Empty when the extension is absent.
Result<std::string> text_extension(const X509Certificate& certificate, std::string_view tail) {
  const auto value = TRY(certificate.extension(oid_of(tail)));
  if (!value) return std::string();
  auto text = short_text(*value);
  if (!text) return bad_extension(certificate, tail, "text of a few characters");
  return *std::move(text);
}

}  // namespace

bool endorses_reports(const X509Certificate& certificate) {
  const auto product = certificate.extension(oid_of("2"));
  return product && product->has_value();
}

Result<Endorsement> read_endorsement(const X509Certificate& certificate) {
  Endorsement endorsement;
  endorsement.product = TRY(text_extension(certificate, "2"));
  endorsement.provider = TRY(text_extension(certificate, "5"));
  if (auto id = TRY(certificate.extension(oid_of("4")))) endorsement.hardware_id = *std::move(id);
  for (uint32_t arc = 1; arc < endorsement.svn.size(); ++arc) {
    const std::string tail = formatted("3.{}", arc);
    const auto value = TRY(certificate.extension(oid_of(tail)));
    if (!value) continue;
    endorsement.svn[arc] = small_number(*value);
    if (!endorsement.svn[arc]) return bad_extension(certificate, tail, "number from 0 to 255");
  }
  const std::string name = common_name(certificate);
  endorsement.vlek = name == "SEV-VLEK";
  if (!endorsement.vlek && name != "SEV-VCEK") {
    return Error{Code::kInvalid,
                 formatted("the certificate is neither named SEV-VCEK nor SEV-VLEK, but {}",
                           certificate.subject())};
  }
  if (endorsement.vlek ? endorsement.provider.empty() || !endorsement.hardware_id.empty()
                       : endorsement.hardware_id.empty() || !endorsement.provider.empty()) {
    return Error{Code::kInvalid, formatted("{} should name {}, and that alone", name,
                                           endorsement.vlek ? "who runs the cloud" : "the chip")};
  }
  return endorsement;
}

Result<Tcb> certified_tcb(const Endorsement& endorsement, Product product) {
  Tcb tcb{};
  for (const TcbPart& part : tcb_parts(product)) {
    const auto& svn = endorsement.svn[part.arc];
    if (!svn && !part.key.empty()) {
      return Error{Code::kInvalid, formatted("the certificate names no version of the {} (3.{})",
                                             part.title, part.arc)};
    }
    tcb[part.byte] = svn.value_or(0);
  }
  return tcb;
}

std::string common_name(const X509Certificate& certificate) {
  const X509_NAME* name = X509_get_subject_name(certificate.native());
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return {};
  const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  return printable(casemate::text_of(Bytes(ASN1_STRING_get0_data(text),
                                           static_cast<size_t>(ASN1_STRING_length(text)))),
                   128);
}

}  // namespace casemate::verify::snp
