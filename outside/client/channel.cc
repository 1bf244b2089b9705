// SPDX-License-Identifier: Apache-2.0
#include "outside/client/channel.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/format.h"
#include "base/log.h"
#include "outside/client/connect.h"

namespace casemate::client {
namespace {

// A TLS record holds at most 16 KiB (RFC 8446, section 5.1); four of them make one send() worth
// its call.
constexpr size_t kWriteBytes = 64 << 10;
constexpr size_t kReadBytes = 32 << 10;

struct ContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFree>;

// The reason of libssl's last error, such as "unsupported protocol".
std::string tls_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  std::string text = reason == nullptr ? "no reason given" : printable(reason, 80);
  ERR_clear_error();
  return text;
}

Result<Context> make_context(KeyExchange exchange) {
  Context context(SSL_CTX_new(TLS_client_method()));
  const char* groups =
      exchange == KeyExchange::kHybrid ? "X25519MLKEM768" : "X25519MLKEM768:X25519:P-256:P-384";
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1)
    return Error{Code::kPlatform, formatted("libssl does not start: {}", tls_reason())};
  if (SSL_CTX_set1_groups_list(context.get(), groups) != 1) {
    return Error{Code::kPlatform, formatted("libssl does not know X25519MLKEM768, which takes "
                                            "OpenSSL 3.5 or later: {}",
                                            tls_reason())};
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  // Otherwise libssl looks for an authority, whom nobody would believe.
  SSL_CTX_set_cert_verify_callback(
      context.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

// One for all connections of the process: making it costs as much as a handshake.
Result<SSL_CTX*> context_of(KeyExchange exchange) {
  static const Result<Context> hybrid = make_context(KeyExchange::kHybrid);
  static const Result<Context> either = make_context(KeyExchange::kHybridOrClassical);
  const Result<Context>& context = exchange == KeyExchange::kHybrid ? hybrid : either;
  if (!context) return context.error();
  return context->get();
}

std::string_view exchange_hint(KeyExchange exchange) {
  if (exchange != KeyExchange::kHybrid) return "";
  return " If it knows no X25519MLKEM768, keys can be agreed on without, for whoever may open in "
         "the future what is recorded today: --insecure-classical-key-exchange, or "
         "\"insecure_allow_classical_key_exchange\": true in the policy";
}

Error broken(std::string_view what) {
  return {
      Code::kPartitionFailed,
      formatted("the connection broke: {}; what was asked may or may not have been done", what)};
}

bool closed_by_peer(int error) { return error == EPIPE || error == ECONNRESET; }

}  // namespace

void Channel::SslFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Channel::~Channel() {
  if (!ssl_ || !socket_.valid() || SSL_is_init_finished(ssl_.get()) != 1) return;
  // A farewell that fits into the socket's buffer, or none: nobody waits for it.
  SSL_shutdown(ssl_.get());
  std::array<uint8_t, 256> bytes{};
  const int size = BIO_read(out_, bytes.data(), bytes.size());
  if (size > 0) {
    [[maybe_unused]] const auto sent = ::send(
        socket_.number(), bytes.data(), static_cast<size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  ERR_clear_error();
}

Result<Channel> Channel::open(const Url& url, const Deadline& deadline, KeyExchange exchange,
                              Protocol protocol) {
  Channel channel(TRY(connect_to(url, deadline)));
  TRY(channel.start_tls(url, exchange, protocol));
  TRY(channel.handshake(url, exchange, deadline));
  TRY(channel.keep_certificate());
  TRY(channel.keep_binding());
  return channel;
}

Status Channel::start_tls(const Url& url, KeyExchange exchange, Protocol protocol) {
  SSL_CTX* const context = TRY(context_of(exchange));
  ssl_.reset(SSL_new(context));
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  if (!ssl_ || in_ == nullptr || out_ == nullptr)
    return Error{Code::kPlatform, formatted("libssl does not start: {}", tls_reason())};
  SSL_set_bio(ssl_.get(), in_, out_);
  SSL_set_connect_state(ssl_.get());
  // Numbers and colons are no server names (RFC 6066, section 3).
  if (url.host.find_first_not_of("0123456789.") != std::string::npos && !url.host.contains(':'))
    SSL_set_tlsext_host_name(ssl_.get(), url.host.c_str());
  const bool http2 = protocol == Protocol::kHttp2;
  const Bytes name = bytes_of(std::string_view(http2 ? "\x02h2" : "\x08http/1.1"));
  SSL_set_alpn_protos(ssl_.get(), name.data(), static_cast<unsigned>(name.size()));
  return {};
}

Status Channel::handshake(const Url& url, KeyExchange exchange, const Deadline& deadline) {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    const int error = SSL_get_error(ssl_.get(), done);
    const std::string reason = error == SSL_ERROR_SSL ? tls_reason() : "";
    (void)TRY(flush(deadline));
    if (done == 1) return {};
    if (error != SSL_ERROR_WANT_READ) {
      return Error{Code::kDenied,
                   formatted("{} does not complete a TLS 1.3 handshake ({}); is it a Casemate "
                             "server, and its TLS port?{}",
                             url.authority(), reason, exchange_hint(exchange))};
    }
    const auto more = fill(deadline);
    if (!more && more.error().code == Code::kTimedOut) {
      return Error{Code::kTimedOut,
                   formatted("{} did not finish the TLS handshake in time", url.authority())};
    }
    if (!more) return more.error();
    if (!*more) {
      return Error{Code::kUnavailable, formatted("{} closed the connection during the TLS "
                                                 "handshake; is it a Casemate server?",
                                                 url.authority())};
    }
  }
}

Status Channel::keep_certificate() {
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  const int size = certificate == nullptr ? -1 : i2d_X509(certificate, nullptr);
  if (size <= 0) return Error{Code::kDenied, "the server shows no certificate"};
  std::vector<uint8_t> der(static_cast<size_t>(size));
  uint8_t* at = der.data();
  i2d_X509(certificate, &at);
  certificate_ = TRY(verify::read_certificate(der));
  return {};
}

std::string_view Channel::group() const {
  const char* name = SSL_get0_group_name(ssl_.get());
  return name == nullptr ? "" : name;
}

Status Channel::keep_binding() {
  static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  if (SSL_export_keying_material(ssl_.get(), binding_.data(), binding_.size(), kLabel.data(),
                                 kLabel.size(), nullptr, 0, 0) != 1)
    return Error{Code::kPlatform, formatted("no channel binding: {}", tls_reason())};
  return {};
}

// Takes what has arrived; false when the server has closed.
Result<bool> Channel::receive() {
  std::array<uint8_t, kReadBytes> bytes;
  const ssize_t size = ::recv(socket_.number(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (size == 0 || (size < 0 && closed_by_peer(errno))) return false;
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (size < 0) return errno_error("recv");
  if (BIO_write(in_, bytes.data(), static_cast<int>(size)) != size)
    return Error{Code::kPlatform, "libcrypto has no memory for received bytes"};
  return true;
}

// The same, after waiting for something to arrive.
Result<bool> Channel::fill(const Deadline& deadline) {
  (void)TRY(wait_for(socket_.number(), POLLIN, deadline));
  return receive();
}

// True when application data of the server can be read without waiting.
bool Channel::answered() {
  uint8_t byte = 0;
  size_t size = 0;
  ERR_clear_error();
  const bool some = SSL_peek_ex(ssl_.get(), &byte, 1, &size) == 1;
  ERR_clear_error();
  return some;
}

// Sends what TLS has written. False when the server answered or closed before it took everything;
// whoever is about to read finds out by reading, and ignores it.
Result<bool> Channel::flush(const Deadline& deadline) {
  std::vector<uint8_t> bytes(BIO_ctrl_pending(out_));
  if (bytes.empty()) return true;
  BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
  Bytes left = bytes;
  while (!left.empty()) {
    const ssize_t size =
        ::send(socket_.number(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) {
      left = left.subspan(static_cast<size_t>(size));
      continue;
    }
    if (closed_by_peer(errno)) return false;
    if (errno != EAGAIN && errno != EINTR) return errno_error("send");
    const short events = TRY(wait_for(socket_.number(), POLLIN | POLLOUT, deadline));
    if ((events & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    if (!TRY(receive()) || answered()) return false;
  }
  return true;
}

Result<bool> Channel::write(Bytes data, const Deadline& deadline) {
  while (!data.empty()) {
    const Bytes piece = data.first(std::min(data.size(), kWriteBytes));
    size_t written = 0;
    ERR_clear_error();
    // Memory takes everything, so TLS never asks for a second try.
    if (SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &written) != 1)
      return broken(tls_reason());
    data = data.subspan(written);
    if (!TRY(flush(deadline))) return false;
  }
  return true;
}

Result<size_t> Channel::read(MutableBytes into, const Deadline& deadline) {
  for (;;) {
    size_t size = 0;
    ERR_clear_error();
    const int done = SSL_read_ex(ssl_.get(), into.data(), into.size(), &size);
    if (done == 1) return size;
    const int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_ZERO_RETURN) return size_t{0};
    if (error != SSL_ERROR_WANT_READ) return broken(tls_reason());
    (void)TRY(flush(deadline));
    if (!TRY(fill(deadline))) return broken("the server closed it in the middle");
  }
}

bool Channel::quiet() {
  // A server sends a few session tickets unasked; one that floods us is not worth listening to.
  for (int i = 0; i < 16; ++i) {
    if (answered() || SSL_get_shutdown(ssl_.get()) != 0) return false;
    pollfd item{.fd = socket_.number(), .events = POLLIN, .revents = 0};
    if (::poll(&item, 1, 0) == 0) return true;
    const auto more = receive();
    if (!more || !*more) return false;
  }
  return false;
}

Channel::Parts Channel::release() && {
  Parts parts{.socket = std::move(socket_), .tls = ssl_.release(), .ciphertext = {}};
  parts.ciphertext.resize(BIO_ctrl_pending(in_));
  BIO_read(in_, parts.ciphertext.data(), static_cast<int>(parts.ciphertext.size()));
  return parts;
}

}  // namespace casemate::client
