// SPDX-License-Identifier: Apache-2.0
// casemate-perf-attest ROOT MODE COUNT: attests COUNT clients one after the other, all on one core,
// and prints what that took of it, as one line of JSON. MODE is
//   evidence-fresh   a quote, a token and their verification for each client
//   evidence-first   one quote and token for all; every client verifies them
//   evidence-known   the same, and every client has seen them before
//   evidence-proof   the same, and a token for each client's nonce
//   connect-tls      a connection, and nothing is verified
//   connect-fresh    a session; the server has a quote made for each nonce
//   connect-first    a session of a client that knows nothing
//   connect-known    a session of a client that has been there before
//   sizes            of the first messages of a handshake, and of the evidence
#include <openssl/ssl.h>
#include <sched.h>
#include <sys/resource.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "base/format.h"
#include "outside/client/session.h"
#include "outside/verify/verify.h"
#include "tests/perf/attest/attested_server.h"

namespace casemate::perf {
namespace {

constexpr int kWarmUp = 20;

double now_s() {
  return std::chrono::duration<double>(system_clock().now().time_since_epoch()).count();
}

double used_s(int who) {
  rusage used{};
  ::getrusage(who, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// All threads of this process share one core from now on.
void stay_on_one_core() {
  cpu_set_t allowed;
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  for (int core = CPU_SETSIZE - 1; core >= 0; --core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ::sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

Status require(const verify::Verdict& verdict) {
  if (verdict.passed) return {};
  return Error{Code::kDenied, verify::line_of(verdict)};
}

struct Cost {
  double server_s = 0;
  double client_s = 0;
};

// The evidence of one client, without any connection.
Result<Cost> attest_once(Vouching& vouching, const std::string& mode, const verify::Policy& policy,
                         verify::Cache& cache) {
  Nonce nonce{};
  const bool proof = mode == "evidence-proof" || mode == "evidence-fresh";
  if (proof) system_random().fill(nonce);
  const double begin = now_s();
  if (mode == "evidence-fresh") TRY(vouching.vouch());
  EnclaveToken token = vouching.token();
  if (proof) token = TRY(vouching.sign(nonce));
  const std::vector<uint8_t> evidence =
      encode_evidence(vouching.quoted().quote, vouching.quoted().claims, std::span(&token, 1));
  const double sent = now_s();
  const verify::Expectation expected{.tls_key = vouching.key().public_der(),
                                     .nonce = proof ? std::optional(nonce) : std::nullopt,
                                     .now_unix = system_clock().unix_seconds()};
  const bool knows = mode == "evidence-known" || mode == "evidence-proof";
  TRY(require(verify::verify_evidence(evidence, expected, policy, knows ? &cache : nullptr)));
  return Cost{sent - begin, now_s() - sent};
}

Status run_evidence(Vouching& vouching, const std::string& mode, int count) {
  const verify::Policy policy = TRY(vouching.policy());
  verify::Cache cache;
  Cost sum;
  for (int i = -kWarmUp; i < count; ++i) {
    const Cost cost = TRY(attest_once(vouching, mode, policy, cache));
    if (i < 0) continue;
    sum.server_s += cost.server_s;
    sum.client_s += cost.client_s;
  }
  std::cout << formatted("{{\"server_ms\": {:.5f}, \"client_ms\": {:.5f}}}\n",
                         sum.server_s / count * 1e3, sum.client_s / count * 1e3);
  return {};
}

Status connect_once(const AttestedServer& server, const std::string& mode,
                    const verify::Policy& policy, verify::Cache& cache) {
  client::Options options;
  if (mode == "connect-tls") {
    (void)TRY(client::Server::open(TRY(client::parse_url(server.url())), options));
    return {};
  }
  if (mode == "connect-known") options.cache = &cache;
  (void)TRY(client::Session::connect(server.url(), policy, options));
  return {};
}

Status run_connections(Vouching& vouching, const std::string& mode, int count) {
  AttestedServer server(vouching, mode == "connect-fresh");
  const verify::Policy policy = TRY(vouching.policy());
  verify::Cache cache;
  for (int i = 0; i < kWarmUp; ++i) TRY(connect_once(server, mode, policy, cache));
  const double server_before = server.seconds_used();
  const double all_before = used_s(RUSAGE_SELF);
  const double begin = now_s();
  for (int i = 0; i < count; ++i) TRY(connect_once(server, mode, policy, cache));
  const double wall = now_s() - begin;
  const double all = used_s(RUSAGE_SELF) - all_before;
  const double served = server.seconds_used() - server_before;
  std::cout << formatted(
      "{{\"per_second\": {:.2f}, \"server_ms\": {:.5f}, \"client_ms\": {:.5f}}}\n", count / wall,
      served / count * 1e3, (all - served) / count * 1e3);
  return {};
}

// How many bytes a client sends first when it offers these groups.
size_t hello_bytes(const char* groups) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set1_groups_list(context, groups);
  SSL* ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  const size_t bytes = BIO_ctrl_pending(SSL_get_wbio(ssl));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return bytes;
}

Status run_sizes(const Vouching& vouching) {
  std::cout << formatted("{{\"hello_hybrid\": {}, \"hello_classical\": {}, \"evidence\": {}}}\n",
                         hello_bytes("X25519MLKEM768"), hello_bytes("X25519"),
                         vouching.evidence().size());
  return {};
}

Status run(const std::string& root, const std::string& mode, int count) {
  stay_on_one_core();
  const auto vouching = TRY(Vouching::make(root));
  if (mode == "sizes") return run_sizes(*vouching);
  if (mode.starts_with("evidence-")) return run_evidence(*vouching, mode, count);
  return run_connections(*vouching, mode, count);
}

}  // namespace
}  // namespace casemate::perf

int main(int argc, char** argv) {
  if (argc != 4 || std::atoi(argv[3]) <= 0) {
    std::cerr << "usage: casemate-perf-attest ROOT MODE COUNT\n";
    return 2;
  }
  const auto done = casemate::perf::run(argv[1], argv[2], std::atoi(argv[3]));
  if (done) return 0;
  std::cerr << done.error().text << "\n";
  return 1;
}
