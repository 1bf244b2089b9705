// SPDX-License-Identifier: Apache-2.0
#include "outside/client/testing/test_server.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/check.h"
#include "base/format.h"

namespace casemate::client::testing {
namespace {

// Another thread of this process is the client, and must see its own SIGPIPE.
void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::string reason_of(int status) {
  return status == 200 ? "OK" : status == 503 ? "Service Unavailable" : "Refused";
}

bool write_all(SSL* ssl, std::string_view bytes) {
  size_t written = 0;
  return bytes.empty() || SSL_write_ex(ssl, bytes.data(), bytes.size(), &written) == 1;
}

// Reads more into `buffer`; false at the end.
bool read_more(SSL* ssl, std::string& buffer) {
  std::array<char, 16 << 10> bytes{};
  size_t size = 0;
  if (SSL_read_ex(ssl, bytes.data(), bytes.size(), &size) != 1) return false;
  buffer.append(bytes.data(), size);
  return true;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; }

HttpRequest parse_head(std::string_view head) {
  HttpRequest request;
  const size_t line = head.find("\r\n");
  const std::string_view first = head.substr(0, line);
  const size_t space = first.find(' ');
  request.method = first.substr(0, space);
  request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
  for (size_t at = line + 2; at < head.size();) {
    const size_t end = std::min(head.find("\r\n", at), head.size());
    const std::string_view field = head.substr(at, end - at);
    const size_t colon = field.find(": ");
    std::string name(field.substr(0, colon));
    std::ranges::transform(name, name.begin(), lower);
    request.headers[name] = field.substr(colon + 2);
    at = end + 2;
  }
  return request;
}

std::string parameter(const std::string& target, const std::string& name) {
  const size_t at = target.find(name + "=");
  if (at == target.npos) return "";
  const size_t begin = at + name.size() + 1;
  return target.substr(begin, target.find('&', begin) - begin);
}

uint32_t number_in(std::string_view text, uint32_t otherwise) {
  uint32_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

Nonce HttpRequest::proof() const {
  const auto bytes = from_hex(parameter(target, "nonce"));
  if (!bytes || bytes->size() != sizeof(Nonce)) return {};
  return proof_nonce(load<Nonce>(*bytes), session);
}

std::string http(int status, std::string_view body, std::string_view headers) {
  return formatted("HTTP/1.1 {} {}\r\n{}Content-Length: {}\r\n\r\n{}", status, reason_of(status),
                   headers, body.size(), body);
}

TestServer::TestServer(int64_t now) : context_(SSL_CTX_new(TLS_server_method())) {
  signer.quote.issued_unix = now;
  signer.tokens[0].issued_unix = now;
  signer.sign();
  SSL_CTX_set_options(context_, SSL_OP_IGNORE_UNEXPECTED_EOF);
  show(signer.tls, signer.evidence());
  listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = static_cast<sockaddr*>(static_cast<void*>(&address));
  CHECK(::bind(listener_.number(), generic, size) == 0, "tests need a free port on loopback");
  CHECK(::listen(listener_.number(), 16) == 0, "tests need a free port on loopback");
  CHECK(::getsockname(listener_.number(), generic, &size) == 0, "a bound socket has a name");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

TestServer::~TestServer() {
  stopping_ = true;
  ::shutdown(listener_.number(), SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const Connection& connection : open_) ::shutdown(connection.socket.number(), SHUT_RDWR);
  }
  for (Connection& connection : open_) connection.thread.join();
  SSL_CTX_free(context_);
}

void TestServer::accept_all() {
  block_sigpipe();
  for (;;) {
    Fd socket(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) return;
    ++connections_;
    const std::lock_guard lock(mutex_);
    const int number = socket.number();
    Connection& connection = open_.emplace_back(std::move(socket), std::thread());
    if (!ignoring_) {
      connection.thread = std::thread([this, number] { serve(number); });
    } else {
      connection.thread = std::thread([] {});
    }
  }
}

void TestServer::serve(int socket) {
  block_sigpipe();
  SSL* made = nullptr;
  {
    const std::lock_guard lock(mutex_);
    made = SSL_new(context_);
  }
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(made, SSL_free);
  SSL_set_fd(ssl.get(), socket);
  if (SSL_accept(ssl.get()) == 1) converse(ssl.get());
  ::shutdown(socket, SHUT_RDWR);
}

void TestServer::converse(SSL* ssl) {
  for (;;) {
    auto request = read_request(ssl);
    if (!request) return;
    static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    SessionBinding& session = request->session;
    SSL_export_keying_material(ssl, session.data(), session.size(), kLabel.data(), kLabel.size(),
                               nullptr, 0, 0);
    const Reply reply = answer(*request);
    if (!write_all(ssl, reply.bytes)) return;
    if (reply.then == Reply::Then::kVanish) return;
    if (reply.then == Reply::Then::kStall) return stall();
    if (reply.then == Reply::Then::kClose) {
      SSL_shutdown(ssl);
      return;
    }
  }
}

void TestServer::stall() {
  while (!stopping_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

std::optional<HttpRequest> TestServer::read_request(SSL* ssl) {
  std::string buffer;
  size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == buffer.npos) {
    if (!read_more(ssl, buffer)) return std::nullopt;
  }
  HttpRequest request = parse_head(std::string_view(buffer).substr(0, end));
  std::optional<Reply> early;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request.method + " " + request.target);
    if (request.method == "POST") early = early_;
  }
  if (early) {
    write_all(ssl, early->bytes);
    if (early->then == Reply::Then::kStall) stall();
    return std::nullopt;
  }
  size_t length = 0;
  const std::string& text = request.headers["content-length"];
  std::from_chars(text.data(), text.data() + text.size(), length);
  buffer.erase(0, end + 4);
  while (buffer.size() < length) {
    if (!read_more(ssl, buffer)) return std::nullopt;
  }
  request.body = std::move(buffer);
  return request;
}

Reply TestServer::answer(const HttpRequest& request) {
  Hook hook;
  {
    const std::lock_guard lock(mutex_);
    hook = hook_;
  }
  if (hook) {
    if (auto reply = hook(request); reply) return *std::move(reply);
  }
  if (request.target.starts_with("/v2/casemate/evidence")) return evidence_answer(request);
  return {model_answer(request)};
}

Reply TestServer::evidence_answer(const HttpRequest& request) {
  const std::string model = parameter(request.target, "model");
  const bool fresh = !parameter(request.target, "nonce").empty();
  const std::string version = parameter(request.target, "version");
  std::vector<uint8_t> evidence;
  {
    const std::lock_guard lock(mutex_);
    if (!fresh && reused_.contains(model)) evidence = reused_[model];
  }
  if (evidence.empty()) evidence = fresh_evidence(request.proof(), model, number_in(version, 1));
  if (!fresh) {
    const std::lock_guard lock(mutex_);
    reused_[model] = evidence;
  }
  return {http(200, text_of(evidence), "Content-Type: application/cbor\r\n")};
}

std::vector<uint8_t> TestServer::fresh_evidence(const Nonce& nonce, const std::string& model,
                                                uint32_t version) {
  const std::lock_guard lock(mutex_);
  signer.tokens.resize(1);
  if (!model.empty()) {
    EnclaveToken& token = signer.add_model(model);
    token.issued_unix = signer.tokens[0].issued_unix;
    token.model_version = version;
    if (version != 1)
      token.model_measurement =
          verify::testing::digest_of(formatted("{} model {}", model, version));
  }
  signer.set_nonce(nonce);
  signer.sign_tokens();
  return signer.evidence();
}

void TestServer::bend(const std::function<void(verify::testing::Signer&)>& change) {
  const std::lock_guard lock(mutex_);
  change(signer);
  reused_.clear();
}

void TestServer::hook(Hook hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void TestServer::answer_unread(std::optional<Reply> reply) {
  const std::lock_guard lock(mutex_);
  early_ = std::move(reply);
}

void TestServer::speak_tls12() {
  const std::lock_guard lock(mutex_);
  SSL_CTX_set_max_proto_version(context_, TLS1_2_VERSION);
}

void TestServer::agree_with(const std::string& groups) {
  const std::lock_guard lock(mutex_);
  CHECK(SSL_CTX_set1_groups_list(context_, groups.c_str()) == 1, "tests name groups that exist");
}

void TestServer::ignore_connections() {
  const std::lock_guard lock(mutex_);
  ignoring_ = true;
}

void TestServer::show(const SigningKey& key, Bytes evidence, int copies) {
  const std::vector<uint8_t> der = verify::testing::make_certificate(key, evidence, copies);
  const std::lock_guard lock(mutex_);
  CHECK(SSL_CTX_use_certificate_ASN1(context_, static_cast<int>(der.size()), der.data()) == 1 &&
            SSL_CTX_use_PrivateKey(context_, key.native()) == 1,
        "the test certificate fits its key");
}

std::vector<std::string> TestServer::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

}  // namespace casemate::client::testing
