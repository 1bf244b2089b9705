// SPDX-License-Identifier: Apache-2.0
#include "tests/perf/attest/attested_server.h"

#include <poll.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>

#include "base/check.h"
#include "isolated/gateway/identity/identity.h"
#include "isolated/gateway/loopback/loopback.h"
#include "outside/certify/development_pki.h"
#include "outside/verify/tpm/quote.h"
#include "trusted/attest/tpm_root.h"

namespace casemate::perf {
namespace {

attest::Measured gateway_measured() {
  attest::Measured measured;
  measured.enclave = EnclaveId::of({1}, 0);
  measured.kind = EnclaveKind::kGateway;
  measured.program.fill(1);
  measured.manifest.fill(2);
  measured.device.fill(3);
  measured.peers = PeersMeasurement().finish();
  measured.name = "gateway";
  measured.device_name = "none";
  return measured;
}

}  // namespace

Scratch::Scratch() {
  std::string made = "/tmp/casemate-perf-XXXXXX";
  if (::mkdtemp(made.data()) != nullptr) path_ = made;
}

Scratch::~Scratch() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Vouching::Vouching(Scratch scratch, std::optional<tests::SoftwareTpm> tpm, attest::Voucher voucher,
                   gateway::TlsKey key)
    : scratch_(std::move(scratch)),
      tpm_(std::move(tpm)),
      voucher_(std::move(voucher)),
      key_(std::move(key)),
      measured_(gateway_measured()) {}

Result<std::unique_ptr<Vouching>> Vouching::make(const std::string& root) {
  Scratch scratch;
  std::optional<tests::SoftwareTpm> tpm;
  std::unique_ptr<attest::RootOfTrust> opened;
  if (root == "software") {
    TRY(certify::install_development_pki(scratch.path(), system_random()));
    opened = TRY(attest::open_software_root(scratch.path(), Sha384Digest{}, false));
  } else if (root == "tpm") {
    tpm.emplace(TRY(tests::SoftwareTpm::make()));
    opened = TRY(attest::open_tpm_root({.device = tpm->socket()}, Sha384Digest{}));
  } else {
    return Error{Code::kUnsupported, "there is no such root here: " + root};
  }
  auto voucher = TRY(
      attest::Voucher::make(allow::assume_all_powers().vouch, std::move(opened), Sha384Digest{}));
  std::unique_ptr<Vouching> made(new Vouching(
      std::move(scratch), std::move(tpm), std::move(voucher), TRY(gateway::TlsKey::generate())));
  TRY(made->vouch());
  return made;
}

Status Vouching::vouch() {
  auto vouched = TRY(voucher_.vouch_for_key(sha256(key_.public_der())));
  if (vouched.quoting) {
    pollfd answered{vouched.quoting->fd(), POLLIN, 0};
    ::poll(&answered, 1, -1);
    vouched.quote = TRY(vouched.quoting->finish());
  }
  quoted_ = {std::move(vouched.claims), std::move(vouched.quote)};
  token_ = TRY(sign({}));
  return {};
}

Result<EnclaveToken> Vouching::sign(const Nonce& nonce) const {
  return voucher_.token(measured_, {1}, sha384(key_.public_der()), nonce);
}

Result<verify::Policy> Vouching::policy() const {
  verify::Policy policy;
  policy.allow_software_root = !tpm_;
  policy.insecure_allow_any_start = tpm_.has_value();
  if (tpm_) policy.tpm.keys = {sha384(TRY(verify::read_tpm_quote(quoted_.quote)).key_bytes)};
  return policy;
}

AttestedServer::AttestedServer(Vouching& vouching, bool fresh_quotes)
    : vouching_(vouching), fresh_quotes_(fresh_quotes), serving_(thread_.loop(), *this) {
  auto listener = gateway::listen_on_loopback();
  CHECK(listener, "loopback works");
  port_ = listener->port;
  const std::string names[] = {"127.0.0.1"};
  const auto quote = encode_quote(vouching.quoted().quote, vouching.quoted().claims);
  const auto tokens = encode_tokens(std::span(&vouching.token(), 1));
  const auto certificate = gateway::make_certificate(vouching.key(), names, {quote, tokens},
                                                     system_clock(), system_random());
  CHECK(certificate, "a certificate can be made");
  auto tls = gateway::TlsContext::make(vouching.key(), *certificate);
  CHECK(tls, "libssl starts");
  auto server = gateway::Server::make(thread_.loop(), std::move(listener->socket), *std::move(tls),
                                      serving_, {});
  CHECK(server.has_value(), "a server starts");
  server_ = *std::move(server);
  serving_.open(*server_);
  thread_.start();
}

std::string AttestedServer::url() const { return "https://127.0.0.1:" + std::to_string(port_); }

double AttestedServer::seconds_used() {
  rusage used{};
  thread_.run([&] { ::getrusage(RUSAGE_THREAD, &used); });
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void AttestedServer::evidence(const std::optional<Nonce>& nonce, std::string_view, std::string_view,
                              Done done) {
  if (!nonce) return done(vouching_.evidence());
  if (fresh_quotes_) {
    if (const Status vouched = vouching_.vouch(); !vouched) return done(vouched.error());
  }
  const auto token = vouching_.sign(*nonce);
  if (!token) return done(token.error());
  done(encode_evidence(vouching_.quoted().quote, vouching_.quoted().claims, std::span(&*token, 1)));
}

}  // namespace casemate::perf
