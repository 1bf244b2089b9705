// SPDX-License-Identifier: Apache-2.0
#include "outside/fetch/testing/vendor_server.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/check.h"
#include "base/format.h"
#include "outside/client/url.h"
#include "outside/fetch/fetch.h"
#include "outside/verify/intel/statements.h"
#include "outside/verify/testing/issuer.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::fetch::testing {
namespace {

using verify::X509Certificate;

constexpr std::string_view kAuthority = "authority of a test's server";
// GeneralNames: the address 127.0.0.1.
const std::vector<uint8_t> kLoopback = {0x30, 6, 0x87, 4, 127, 0, 0, 1};
constexpr int kReadSeconds = 10;

SigningKey new_key() {
  auto key = SigningKey::generate();
  CHECK(key, "tests need a working libcrypto");
  return *std::move(key);
}

X509Certificate parsed(const std::vector<uint8_t>& der) {
  auto certificate = X509Certificate::from_der(der);
  CHECK(certificate, "a certificate that was just made is one");
  return *std::move(certificate);
}

// The head of a request, or what came of it.
std::string head_of(SSL* ssl) {
  std::string head;
  std::array<char, 4096> bytes{};
  size_t size = 0;
  while (!head.contains("\r\n\r\n") && SSL_read_ex(ssl, bytes.data(), bytes.size(), &size) == 1)
    head.append(bytes.data(), size);
  return head;
}

std::string target_of(std::string_view head) {
  const size_t begin = head.find(' ') + 1;
  return std::string(head.substr(begin, head.find(' ', begin) - begin));
}

// The other thread's SIGPIPE is its own.
void block_pipe_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

bool send_all(SSL* ssl, std::string_view text) {
  size_t written = 0;
  return text.empty() || SSL_write_ex(ssl, text.data(), text.size(), &written) == 1;
}

}  // namespace

VendorServer::VendorServer()
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      context_(SSL_CTX_new(TLS_server_method())) {
  const SigningKey root = new_key();
  const SigningKey leaf = new_key();
  const std::string name(kAuthority);
  const auto root_der = verify::testing::issue(
      {.name = name, .issuer = name, .authority = true, .serial = 1}, root, root);
  const auto leaf_der = verify::testing::issue(
      {.name = "127.0.0.1", .issuer = name, .serial = 2, .extensions = {{"2.5.29.17", kLoopback}}},
      leaf, root);
  authority_ = verify::testing::pem_of(parsed(root_der));
  CHECK(SSL_CTX_use_certificate(context_, parsed(leaf_der).native()) == 1 &&
            SSL_CTX_use_PrivateKey(context_, leaf.native()) == 1,
        "tests need a working libssl");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  void* any = &address;
  socklen_t size = sizeof address;
  CHECK(::bind(listener_.number(), static_cast<sockaddr*>(any), size) == 0 &&
            ::listen(listener_.number(), 16) == 0 &&
            ::getsockname(listener_.number(), static_cast<sockaddr*>(any), &size) == 0,
        "tests need a port of 127.0.0.1");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve_all(); });
}

VendorServer::~VendorServer() {
  const uint64_t one = 1;
  CHECK(::write(stop_.number(), &one, sizeof one) == sizeof one, "an eventfd takes a number");
  thread_.join();
  SSL_CTX_free(context_);
}

void VendorServer::set(const std::string& target, Answer answer) {
  const std::lock_guard lock(mutex_);
  answers_[target] = std::move(answer);
}

Answer VendorServer::answer_to(const std::string& target) {
  const std::lock_guard lock(mutex_);
  const auto found = answers_.find(target);
  if (found != answers_.end()) return found->second;
  return {.status = 404, .body = "<html>no such page</html>"};
}

std::vector<std::string> VendorServer::asked() {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void VendorServer::wait_for(int socket) const {
  std::array<pollfd, 2> sources = {pollfd{stop_.number(), POLLIN, 0}, pollfd{socket, POLLIN, 0}};
  while (::poll(sources.data(), sources.size(), -1) < 0) {
  }
}

bool VendorServer::stopping() const {
  pollfd source{stop_.number(), POLLIN, 0};
  return ::poll(&source, 1, 0) == 1;
}

void VendorServer::serve_all() {
  block_pipe_signal();
  for (;;) {
    wait_for(listener_.number());
    if (stopping()) return;
    const Fd socket(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval patience{.tv_sec = kReadSeconds, .tv_usec = 0};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (socket.valid()) serve(socket.number());
  }
}

void VendorServer::serve(int socket) {
  SSL* ssl = SSL_new(context_);
  SSL_set_fd(ssl, socket);
  if (SSL_accept(ssl) == 1) {
    const std::string target = target_of(head_of(ssl));
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(target);
    }
    answer(ssl, target);
    SSL_shutdown(ssl);
  }
  SSL_free(ssl);
}

void VendorServer::answer(SSL* ssl, const std::string& target) {
  const Answer given = answer_to(target);
  if (given.silent) {
    // Until the other end has had enough.
    wait_for(SSL_get_fd(ssl));
    return;
  }
  const std::string length =
      given.endless ? "" : formatted("Content-Length: {}\r\n", given.body.size());
  bool open = send_all(ssl, formatted("HTTP/1.1 {} Said\r\n{}{}Connection: close\r\n\r\n{}",
                                      given.status, given.headers, length, given.body));
  const std::string more(64 << 10, 'x');
  while (given.endless && open) open = send_all(ssl, more);
}

void serve_intel(VendorServer& server, const Plan& plan, const verify::Collateral& collateral) {
  const auto statements = verify::intel::statements_of(collateral);
  CHECK(!statements.tcb_infos.empty() && !statements.qe_identities.empty(),
        "collateral for a test holds both statements");
  std::string chain;
  for (const X509Certificate& certificate : statements.certificates)
    chain += verify::testing::pem_of(certificate);
  const auto statement = [](std::string_view key, const verify::intel::Statement& signed_text) {
    return formatted(R"({{"{}":{},"signature":"{}"}})", key, signed_text.text,
                     to_hex(signed_text.signature));
  };
  const Services here{.intel = server.url()};
  for (const Wanted& wanted : plan.wanted) {
    Answer answer;
    if (!wanted.chain_header.empty()) {
      answer.headers = formatted("{}: {}\r\n", wanted.chain_header, client::percent_encoded(chain));
    }
    if (wanted.kind == Kind::kTcbInfo)
      answer.body = statement("tcbInfo", statements.tcb_infos.front());
    if (wanted.kind == Kind::kQeIdentity)
      answer.body = statement("enclaveIdentity", statements.qe_identities.front());
    for (const verify::X509Crl& crl : statements.crls) {
      if (wanted.kind == Kind::kCrl && named(crl.issuer(), wanted.names.front()))
        answer.body = der_text(crl);
    }
    server.set(url_of(wanted, here).substr(server.url().size()), std::move(answer));
  }
}

void serve_amd(VendorServer& server, const Plan& plan, const AmdFiles& files) {
  for (const Wanted& wanted : plan.wanted) {
    Answer answer;
    if (wanted.kind == Kind::kVcek) answer.body = text_of(files.vcek);
    if (wanted.kind == Kind::kAuthorities) answer.body = files.authorities;
    if (wanted.kind == Kind::kCrl) answer.body = text_of(files.crl);
    server.set(wanted.path, std::move(answer));
  }
}

std::string der_text(const verify::X509Crl& crl) {
  std::vector<uint8_t> der(static_cast<size_t>(i2d_X509_CRL(crl.native(), nullptr)));
  uint8_t* at = der.data();
  i2d_X509_CRL(crl.native(), &at);
  return std::string(text_of(der));
}

}  // namespace casemate::fetch::testing
