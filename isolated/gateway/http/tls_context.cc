// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <utility>

#include "base/format.h"
#include "isolated/gateway/http/tls.h"

namespace casemate::gateway {
namespace {

constexpr const char* kHybridGroups = "X25519MLKEM768";
// The slash: whoever knows the first is asked for it, whichever key he has sent at once.
constexpr const char* kGroups = "X25519MLKEM768/X25519:P-256:P-384";
constexpr const char* kCiphers =
    "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
// Who speaks both gets HTTP/1.1, in which a body goes from the socket into its place at once.
constexpr unsigned char kProtocols[] = "\x08http/1.1\x02h2";

Error library_error(std::string_view what) {
  char text[160];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  return {Code::kPlatform, formatted("{}: {}", what, text)};
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void*) {
  const int chosen = SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, kProtocols,
                                           sizeof kProtocols - 1, in, in_size);
  return chosen == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

Result<TlsContext> TlsContext::make(const TlsKey& key, Bytes certificate_der,
                                    KeyExchange exchange) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return library_error("SSL_CTX_new");
  TlsContext made(context);
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Idle streams give their buffers back; a record is read with one call instead of two.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  // A read ends after each record, so that a flood of key updates cannot keep us inside one call.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (SSL_CTX_set_ciphersuites(context, kCiphers) != 1)
    return library_error("choosing cipher suites");
  const char* groups = exchange == KeyExchange::kHybrid ? kHybridGroups : kGroups;
  if (SSL_CTX_set1_groups_list(context, groups) != 1)
    return library_error("choosing the key exchange, which takes OpenSSL 3.5 or later");
  if (SSL_CTX_use_certificate_ASN1(context, static_cast<int>(certificate_der.size()),
                                   certificate_der.data()) != 1)
    return library_error("reading the certificate");
  if (SSL_CTX_use_PrivateKey(context, key.native()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return library_error("the certificate is not for the key");
  return made;
}

TlsContext::TlsContext(TlsContext&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)) {}
TlsContext& TlsContext::operator=(TlsContext&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}
TlsContext::~TlsContext() { SSL_CTX_free(context_); }

}  // namespace casemate::gateway
