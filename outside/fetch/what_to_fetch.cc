// SPDX-License-Identifier: Apache-2.0
#include "outside/fetch/what_to_fetch.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/format.h"
#include "base/log.h"
#include "outside/verify/cca/cca.h"
#include "outside/verify/decode.h"
#include "outside/verify/ear/eat.h"
#include "outside/verify/hardware_quote.h"
#include "outside/verify/intel/pck.h"
#include "outside/verify/intel/quote.h"
#include "outside/verify/intel/ra_tls.h"
#include "outside/verify/nvidia/nvidia.h"
#include "outside/verify/platform_evidence.h"
#include "outside/verify/snp/endorsement.h"
#include "outside/verify/snp/snp.h"
#include "outside/verify/tpm/verify_tpm.h"
#include "wire/evidence/evidence.h"

namespace casemate::fetch {
namespace {

namespace snp = verify::snp;
using snp::Product;
using snp::Report;
using verify::X509Certificate;

constexpr std::string_view kVendorOfTpm =
    "the evidence is a TPM's quote, and this build asks no service about TPMs: put the certificate "
    "of the authority that certified its key into the folder (casemate tpm, docs/tpm.md), and the "
    "firmware's log where the policy asks for it";
constexpr std::string_view kVendorOfCca =
    "the evidence is an Arm CCA token, and this build knows no service for it: put the platform's "
    "key, a JWK of whoever made the machine, into the folder";
constexpr std::string_view kVendorOfNvidia =
    "the evidence is of an NVIDIA device, and this build knows no service for it: put the device's "
    "certificates, as its driver hands them out, and NVIDIA's revocation lists into the folder";
constexpr std::string_view kVendorOfTokens =
    "the evidence is an attestation token, for which there is nothing to fetch: name the key of "
    "who signs such tokens in the policy's \"eat\"";
constexpr std::string_view kVendorOfSoftware =
    "the evidence is rooted in software, for development, and there is nothing to fetch: casemate "
    "verify needs no folder for it";

Error no_service(std::string_view why) { return {Code::kUnsupported, std::string(why)}; }

// --- Intel ---

struct PckIssuer {
  std::string_view common_name;
  std::string_view word;  // as the service calls it
};
constexpr std::array<PckIssuer, 2> kPckIssuers = {
    PckIssuer{"Intel SGX PCK Platform CA", "platform"},
    PckIssuer{"Intel SGX PCK Processor CA", "processor"}};

std::string upper_hex(Bytes bytes) {
  std::string text = to_hex(bytes);
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text;
}

Wanted tcb_info_of(bool tdx, const ByteArray<6>& fmspc) {
  const std::string_view tee = tdx ? "tdx" : "sgx";
  const std::string family = upper_hex(fmspc);
  return {.kind = Kind::kTcbInfo,
          .path = formatted("/{}/certification/v4/tcb?fmspc={}", tee, family),
          .file = formatted("intel-{}-tcb-info-{}.json", tee, family),
          .what = formatted("TCB info of {} platforms with FMSPC {}", tdx ? "TDX" : "SGX", family),
          .chain_header = "TCB-Info-Issuer-Chain",
          .chain_file = formatted("intel-{}-tcb-info-issuers.pem", tee),
          .tdx = tdx,
          .fmspc = fmspc};
}

Wanted qe_identity_of(bool tdx) {
  const std::string_view tee = tdx ? "tdx" : "sgx";
  return {.kind = Kind::kQeIdentity,
          .path = formatted("/{}/certification/v4/qe/identity", tee),
          .file = formatted("intel-{}-qe-identity.json", tee),
          .what = formatted("identity of the quoting enclave of {}", tdx ? "TDX" : "SGX"),
          .chain_header = "SGX-Enclave-Identity-Issuer-Chain",
          .chain_file = formatted("intel-{}-qe-identity-issuers.pem", tee),
          .tdx = tdx};
}

Wanted pck_list_of(const PckIssuer& issuer) {
  return {.kind = Kind::kCrl,
          .path = formatted("/sgx/certification/v4/pckcrl?ca={}&encoding=der", issuer.word),
          .file = formatted("intel-pck-{}.crl", issuer.word),
          .what = formatted("revocation list of {}", issuer.common_name),
          .chain_header = "SGX-PCK-CRL-Issuer-Chain",
          .chain_file = formatted("intel-pck-{}-issuers.pem", issuer.word),
          .names = {std::string(issuer.common_name)}};
}

Wanted root_list() {
  return {.kind = Kind::kCrl,
          .service = Service::kIntelRoot,
          .path = "/IntelSGXRootCA.der",
          .file = "intel-root.crl",
          .what = "revocation list of Intel SGX Root CA",
          .names = {"Intel SGX Root CA"}};
}

Result<Plan> plan_for_quote(Bytes evidence) {
  const auto quote = TRY(verify::intel::read_quote(evidence));
  const auto chain = TRY(verify::certificates_in_pem(text_of(quote.chain)));
  if (chain.empty())
    return Error{Code::kInvalid, "the quote holds no certificate of the platform's key"};
  const X509Certificate& pck = chain.front();
  const auto fields = TRY(verify::intel::read_pck(pck));
  const auto issuer = std::ranges::find_if(
      kPckIssuers, [&](const PckIssuer& one) { return named(pck.issuer(), one.common_name); });
  if (issuer == kPckIssuers.end()) {
    return Error{Code::kInvalid,
                 formatted("the platform's key was certified by {}, and not by the Platform or the "
                           "Processor CA of Intel",
                           pck.issuer())};
  }
  return Plan{
      .evidence = formatted("a quote of {} on a platform with FMSPC {}",
                            quote.td ? "a TDX guest" : "an SGX enclave", upper_hex(fields.fmspc)),
      .wanted = {tcb_info_of(quote.td, fields.fmspc), qe_identity_of(quote.td),
                 pck_list_of(*issuer), root_list()}};
}

// --- AMD ---

// How the service calls the parts of the firmware, by the keys of snp::TcbPart, in its order.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTcbParameters = {
    {{"fmc", "fmcSPL"},
     {"boot_loader", "blSPL"},
     {"tee", "teeSPL"},
     {"snp", "snpSPL"},
     {"microcode", "ucodeSPL"}}};

std::string tcb_query(Product product, const snp::Tcb& tcb) {
  std::string query;
  for (const auto& [key, parameter] : kTcbParameters) {
    for (const snp::TcbPart& part : snp::tcb_parts(product)) {
      if (part.key == key)
        query += formatted("{}{}={}", query.empty() ? '?' : '&', parameter, tcb[part.byte]);
    }
  }
  return query;
}

// The certificates in the host's table, as far as they are some.
std::vector<X509Certificate> certificates_of(Bytes table) {
  std::vector<X509Certificate> found;
  for (const Bytes blob : snp::table_blobs(table)) {
    verify::Collateral sorted;
    if (!sorted.add("", blob)) continue;
    found.insert(found.end(), sorted.certificates().begin(), sorted.certificates().end());
  }
  return found;
}

std::optional<Product> product_certified(const std::vector<X509Certificate>& certificates) {
  for (const X509Certificate& certificate : certificates) {
    if (!snp::endorses_reports(certificate)) continue;
    const auto endorsement = snp::read_endorsement(certificate);
    if (!endorsement) continue;
    if (const auto product = snp::product_named(endorsement->product)) return product;
  }
  return std::nullopt;
}

Result<Product> product_of(const Report& report, const std::vector<X509Certificate>& table,
                           std::string_view said) {
  const std::optional<Product> user = said.empty() ? std::nullopt : snp::product_named(said);
  if (!said.empty() && !user) {
    return Error{Code::kInvalid,
                 formatted("--product {}: there are Milan, Genoa and Turin (Bergamo and Siena "
                           "count as Genoa)",
                           printable(said, 40))};
  }
  // Reports of version 2 do not say on what they were made.
  const std::optional<Product> known =
      report.version >= 3 ? snp::product_of_cpu(report.cpu_family, report.cpu_model)
                          : product_certified(table);
  if (known && user && *known != *user) {
    return Error{Code::kInvalid, formatted("the report is of {}, and --product says {}: leave it "
                                           "out",
                                           snp::name_of(*known), snp::name_of(*user))};
  }
  if (known || user) return known ? *known : *user;
  const std::string why = report.version >= 3
                              ? formatted(
                                    "a processor of family {:#x}, model {:#x}, which this build "
                                    "does not know",
                                    report.cpu_family, report.cpu_model)
                              : formatted(
                                    "version {}, which does not say on what processor it was "
                                    "made",
                                    report.version);
  return Error{Code::kInvalid,
               formatted("the report is of {}: give --product Milan, Genoa or Turin", why)};
}

Wanted vcek_of(const Report& report, Product product) {
  const size_t size = product == Product::kTurin ? 8 : report.chip_id.size();
  const std::string chip = to_hex(Bytes(report.chip_id).first(size));
  return {.kind = Kind::kVcek,
          .service = Service::kAmd,
          .path = formatted("/vcek/v1/{}/{}{}", snp::name_of(product), chip,
                            tcb_query(product, report.reported_tcb)),
          .file = formatted("amd-vcek-{}-{}.der", chip.substr(0, 16), to_hex(report.reported_tcb)),
          .what = formatted("VCEK of chip {}.. at {}", chip.substr(0, 16),
                            snp::tcb_text(product, report.reported_tcb)),
          .product = product,
          .chip_id = report.chip_id,
          .tcb = report.reported_tcb};
}

// Both kinds of key have authorities of their own, under one root.
std::vector<Wanted> authorities_of(Product product, bool vlek) {
  const std::string_view kind = vlek ? "vlek" : "vcek";
  const std::string root = formatted("ARK-{}", snp::name_of(product));
  const std::string authority =
      formatted("{}{}", vlek ? "SEV-VLEK-" : "SEV-", snp::name_of(product));
  const auto path = [&](std::string_view what) {
    return formatted("/{}/v1/{}/{}", kind, snp::name_of(product), what);
  };
  const auto file = [&](std::string_view end) {
    return formatted("amd-{}-{}-{}", kind, snp::name_of(product), end);
  };
  return {{.kind = Kind::kAuthorities,
           .service = Service::kAmd,
           .path = path("cert_chain"),
           .file = file("authorities.pem"),
           .what = formatted("certificates of {} and {}", authority, root),
           .names = {authority, root},
           .product = product},
          {.kind = Kind::kCrl,
           .service = Service::kAmd,
           .path = path("crl"),
           .file = file("authorities.crl"),
           .what = formatted("revocation list of {}", root),
           .names = {root},
           .product = product}};
}

Result<Plan> plan_for_report(Bytes evidence, std::string_view said) {
  const auto file = TRY(snp::read_report(evidence));
  const Report& report = file.report;
  const auto table = certificates_of(file.table);
  const Product product = TRY(product_of(report, table, said));
  const bool vlek = report.signer() == Report::kSignedByVlek;
  if (!vlek && report.signer() != Report::kSignedByVcek) {
    return Error{Code::kInvalid,
                 "the report was signed by neither a VCEK nor a VLEK: there is nothing to fetch "
                 "that would prove it"};
  }
  Plan plan{.evidence = formatted("an SEV-SNP report of {}, signed by a {}", snp::name_of(product),
                                  vlek ? "VLEK" : "VCEK"),
            .wanted = authorities_of(product, vlek)};
  if (vlek) {
    plan.needs_vlek = !std::ranges::any_of(table, certifies_vlek);
    return plan;
  }
  if (report.chip_id_masked() || report.chip_id == ByteArray<64>{}) {
    return Error{Code::kInvalid,
                 "the report hides its chip, by which AMD's service is asked: have the operator "
                 "show it (MaskChipId off), or put the VCEK, which he has, into the folder"};
  }
  plan.wanted.insert(plan.wanted.begin(), vcek_of(report, product));
  return plan;
}

// --- Who made it? ---

Result<Plan> plan_for_blobs(const verify::HardwareBlobs& blobs, std::string_view product) {
  if (blobs.root == RootKind::kSoftware) return no_service(kVendorOfSoftware);
  if (blobs.provider == "sev_guest") {
    // The host's table of certificates follows the report, as in a file.
    std::vector<uint8_t> both(blobs.report.begin(), blobs.report.end());
    both.insert(both.end(), blobs.auxiliary.begin(), blobs.auxiliary.end());
    return plan_for_report(both, product);
  }
  if (blobs.provider == "arm_cca_guest") return no_service(kVendorOfCca);
  if (blobs.provider == "tdx_guest" || blobs.provider == "dcap")
    return plan_for_quote(blobs.report);
  return Error{Code::kUnsupported,
               formatted("the evidence is of the provider {}, whose reports this build does not "
                         "read",
                         printable(blobs.provider, 32))};
}

// The quote in a certificate or in our own evidence; nothing where it is of no known root.
std::optional<Result<Plan>> plan_for_root(Bytes quote, std::string_view product) {
  if (verify::intel::looks_like_quote(quote)) return plan_for_quote(quote);
  if (verify::looks_like_tpm_quote(quote)) return no_service(kVendorOfTpm);
  if (verify::hardware_quote(quote)) {
    const auto blobs = verify::read_hardware_quote(quote);
    if (!blobs) return blobs.error();
    return plan_for_blobs(*blobs, product);
  }
  return std::nullopt;
}

// DER first: the quote in such a certificate holds others in PEM form.
std::optional<X509Certificate> certificate_in(Bytes file) {
  if (auto one = X509Certificate::from_der(file)) return *std::move(one);
  if (!verify::is_pem(file)) return std::nullopt;
  const auto all = verify::certificates_in_pem(text_of(file));
  return all && !all->empty() ? std::optional(all->front()) : std::nullopt;
}

Error no_evidence(size_t bytes) {
  return {Code::kInvalid,
          formatted("{} bytes that are no evidence this build reads: give what casemate verify is "
                    "given (docs/evidence.md lists the formats)",
                    bytes)};
}

}  // namespace

Result<Plan> what_to_fetch(Bytes file, std::string_view product) {
  const std::vector<uint8_t> evidence = verify::evidence_in(file);
  if (const auto own = verify::decode_evidence(evidence))
    return plan_for_root(own->quote, product).value_or(no_evidence(own->quote.size()));
  if (auto plan = plan_for_root(evidence, product)) return *std::move(plan);
  if (snp::looks_like(evidence)) return plan_for_report(evidence, product);
  // Behind these: a quote holds certificates in PEM form, which carry no evidence.
  if (const auto certificate = certificate_in(evidence)) {
    const auto quote = TRY(verify::intel::quote_in(*certificate));
    return plan_for_root(quote, product).value_or(no_evidence(quote.size()));
  }
  if (verify::cca::looks_like(evidence)) return no_service(kVendorOfCca);
  if (verify::nvidia::looks_like(evidence)) return no_service(kVendorOfNvidia);
  if (verify::eat::looks_like(evidence)) return no_service(kVendorOfTokens);
  return no_evidence(file.size());
}

bool certifies_vlek(const X509Certificate& certificate) {
  if (!snp::endorses_reports(certificate)) return false;
  const auto endorsement = snp::read_endorsement(certificate);
  return endorsement && endorsement->vlek;
}

bool named(std::string_view subject, std::string_view common_name) {
  return formatted(",{},", subject).contains(formatted(",CN={},", common_name));
}

}  // namespace casemate::fetch
