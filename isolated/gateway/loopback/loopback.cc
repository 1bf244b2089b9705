// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/loopback/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>

#include <utility>

#include "base/format.h"
#include "isolated/gateway/identity/identity.h"

namespace casemate::gateway {
namespace {

sockaddr_in loopback_address(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr* generic(sockaddr_in& address) {
  return static_cast<sockaddr*>(static_cast<void*>(&address));
}

}  // namespace

Result<Listener> listen_on_loopback(int backlog) {
  Listener listener{Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), 0};
  sockaddr_in address = loopback_address(0);
  socklen_t size = sizeof address;
  if (!listener.socket.valid() || ::bind(listener.socket.number(), generic(address), size) != 0 ||
      ::listen(listener.socket.number(), backlog) != 0 ||
      ::getsockname(listener.socket.number(), generic(address), &size) != 0)
    return errno_error("listening on 127.0.0.1");
  listener.port = ntohs(address.sin_port);
  return listener;
}

Result<TlsContext> loopback_identity(const CarriedEvidence& evidence, KeyExchange exchange) {
  const TlsKey key = TRY(TlsKey::generate());
  const std::string names[] = {"localhost", "127.0.0.1"};
  const auto certificate =
      TRY(make_certificate(key, names, evidence, system_clock(), system_random()));
  return TlsContext::make(key, certificate, exchange);
}

Fd connect_to(uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback_address(port);
  if (!socket.valid() || ::connect(socket.number(), generic(address), sizeof address) != 0)
    return Fd();
  const int on = 1;
  ::setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

TlsClient::TlsClient(uint16_t port, const Options& options) : socket_(connect_to(port)) {
  // OpenSSL's socket BIO may raise SIGPIPE; only in this thread is that harmless.
  sigset_t pipe{};
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  if (!socket_.valid()) return;
  const auto patience = options.patience.count();
  const timeval wait{patience / 1000, (patience % 1000) * 1000};
  ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(socket_.number(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (options.receive_buffer != 0)
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof(int));
  context_ = SSL_CTX_new(TLS_client_method());
  if (options.version_min != 0) SSL_CTX_set_min_proto_version(context_, options.version_min);
  if (options.version_max != 0) SSL_CTX_set_max_proto_version(context_, options.version_max);
  if (!options.groups.empty()) SSL_CTX_set1_groups_list(context_, options.groups.c_str());
  ssl_ = SSL_new(context_);
  if (!options.alpn.empty()) {
    const std::string wire = static_cast<char>(options.alpn.size()) + options.alpn;
    const Bytes bytes = bytes_of(std::string_view(wire));
    SSL_set_alpn_protos(ssl_, bytes.data(), static_cast<unsigned>(bytes.size()));
  }
  SSL_set_fd(ssl_, socket_.number());
  connected_ = SSL_connect(ssl_) == 1;
  ERR_clear_error();
}

TlsClient::TlsClient(TlsClient&& other) noexcept
    : socket_(std::move(other.socket_)),
      context_(std::exchange(other.context_, nullptr)),
      ssl_(std::exchange(other.ssl_, nullptr)),
      connected_(other.connected_),
      input_(std::move(other.input_)) {}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

bool TlsClient::send(std::string_view bytes) {
  size_t written = 0;
  while (!bytes.empty()) {
    const size_t step = std::min<size_t>(bytes.size(), 1 << 20);
    if (ssl_ == nullptr || SSL_write_ex(ssl_, bytes.data(), step, &written) != 1) {
      ERR_clear_error();
      return false;
    }
    bytes.remove_prefix(written);
  }
  return true;
}

bool TlsClient::fill() {
  char buffer[16 << 10];
  size_t got = 0;
  if (ssl_ == nullptr || SSL_read_ex(ssl_, buffer, sizeof buffer, &got) != 1) {
    ERR_clear_error();
    return false;
  }
  input_.append(buffer, got);
  return true;
}

std::optional<HttpAnswer> TlsClient::receive(bool head_only) {
  size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return std::nullopt;
  HttpAnswer answer;
  answer.head = input_.substr(0, end + 4);
  if (answer.head.size() > 12) answer.status = std::atoi(answer.head.c_str() + 9);
  input_.erase(0, end + 4);
  if (answer.status == 100) return answer;
  const auto length = answer.header("Content-Length");
  const size_t size = length && !head_only ? std::stoull(*length) : 0;
  while (input_.size() < size)
    if (!fill()) return std::nullopt;
  answer.body = input_.substr(0, size);
  input_.erase(0, size);
  return answer;
}

bool TlsClient::closed() { return input_.empty() && !fill() && errno != EAGAIN; }

SessionBinding TlsClient::binding() const {
  static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  SessionBinding binding{};
  SSL_export_keying_material(ssl_, binding.data(), binding.size(), kLabel.data(), kLabel.size(),
                             nullptr, 0, 0);
  return binding;
}

void TlsClient::half_close() {
  SSL_shutdown(ssl_);
  ::shutdown(socket_.number(), SHUT_WR);
}

void TlsClient::reset() {
  const linger now{1, 0};
  ::setsockopt(socket_.number(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  vanish();
}

void TlsClient::vanish() {
  socket_.reset();
  SSL_free(ssl_);
  ssl_ = nullptr;
  connected_ = false;
}

std::optional<std::string> HttpAnswer::header(std::string_view name) const {
  size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string::npos) {
    at += 2;
    if (head.size() - at <= name.size() || head[at + name.size()] != ':') continue;
    if (::strncasecmp(head.data() + at, name.data(), name.size()) != 0) continue;
    const size_t begin = head.find_first_not_of(' ', at + name.size() + 1);
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  return std::nullopt;
}

std::string post(std::string_view target, std::string_view body, std::string_view headers) {
  return formatted("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{}\r\n{}", target,
                   body.size(), headers, body);
}

std::string get(std::string_view target) {
  return formatted("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
}

}  // namespace casemate::gateway
