// SPDX-License-Identifier: Apache-2.0
#include "outside/proxy/upstream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/check.h"

namespace casemate::proxy {
namespace {

// Read from the socket at a time, four records: libssl keeps what it does not need yet.
constexpr size_t kReadAhead = 64 << 10;

// Ciphertext of whoever writes; empty between writes. One loop, one thread.
thread_local std::vector<uint8_t> outgoing;

}  // namespace

// The BIO through which libssl sees an Upstream.
struct UpstreamBio {
  static Upstream& stream_of(BIO* bio) { return *static_cast<Upstream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    Upstream& stream = stream_of(bio);
    BIO_clear_retry_flags(bio);
    if (stream.early_at_ < stream.early_.size()) {
      const size_t count =
          std::min(stream.early_.size() - stream.early_at_, static_cast<size_t>(size));
      std::copy_n(stream.early_.begin() + static_cast<std::ptrdiff_t>(stream.early_at_), count,
                  into);
      stream.early_at_ += count;
      return static_cast<int>(count);
    }
    const ssize_t got =
        ::recv(stream.socket_.number(), into, static_cast<size_t>(size), MSG_DONTWAIT);
    stream.dry_ = got < size;
    if (got > 0) return static_cast<int>(got);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      BIO_set_retry_read(bio);
    } else {
      stream.ended_ = true;
    }
    return got == 0 ? 0 : -1;
  }

  static int write(BIO*, const char* from, int size) {
    const Bytes bytes = bytes_of(std::string_view(from, static_cast<size_t>(size)));
    outgoing.insert(outgoing.end(), bytes.begin(), bytes.end());
    return size;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return stream_of(bio).ended_ ? 1 : 0;
    return 0;
  }

  // One for the process, made on first use, never freed: BIOs point to it until the end.
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "casemate-proxy");
      CHECK(m != nullptr, "a BIO method is a few pointers");
      BIO_meth_set_read(m, read);
      BIO_meth_set_write(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
};

std::unique_ptr<Upstream> Upstream::make(client::Channel channel) {
  client::Channel::Parts parts = std::move(channel).release();
  std::unique_ptr<Upstream> made(new Upstream());
  made->socket_ = std::move(parts.socket);
  made->tls_ = parts.tls;
  made->early_ = std::move(parts.ciphertext);
  BIO* bio = BIO_new(UpstreamBio::method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, made.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(made->tls_, bio, bio);
  SSL_set_read_ahead(made->tls_, 1);
  SSL_set_default_read_buffer_len(made->tls_, kReadAhead);
  SSL_set_mode(made->tls_, SSL_MODE_RELEASE_BUFFERS);
  return made;
}

Upstream::~Upstream() { SSL_free(tls_); }

Upstream::Moved Upstream::read(MutableBytes into) {
  size_t total = 0;
  while (total < into.size()) {
    size_t got = 0;
    ERR_clear_error();
    const int done = SSL_read_ex(tls_, into.data() + total, into.size() - total, &got);
    total += got;
    if (done == 1) continue;
    const int why = SSL_get_error(tls_, done);
    if (why == SSL_ERROR_WANT_READ) break;
    // What came before the end is given first; the end is found again.
    dry_ = false;
    if (total > 0) break;
    // Why it failed is for this server alone: nothing may be left for the next one.
    (void)flush();
    return {why == SSL_ERROR_ZERO_RETURN ? State::kClosed : State::kFailed, 0};
  }
  // What a key update made libssl say.
  if (!outgoing.empty() && flush() == State::kFailed) return {State::kFailed, 0};
  if (total == into.size() && SSL_has_pending(tls_) == 1) dry_ = false;
  return {total > 0 ? State::kDone : State::kWait, total};
}

Upstream::State Upstream::send(Bytes bytes) {
  size_t sent = 0;
  State state = State::kDone;
  while (sent < bytes.size()) {
    const ssize_t took = ::send(socket_.number(), bytes.data() + sent, bytes.size() - sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (took >= 0) {
      sent += static_cast<size_t>(took);
      continue;
    }
    if (errno == EINTR) continue;
    state = errno == EAGAIN || errno == ENOBUFS ? State::kWait : State::kFailed;
    break;
  }
  if (state == State::kWait) {
    unsent_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(sent), bytes.end());
    unsent_at_ = 0;
  }
  return state;
}

Upstream::State Upstream::write(Bytes plain) {
  size_t written = 0;
  ERR_clear_error();
  if (!plain.empty() && SSL_write_ex(tls_, plain.data(), plain.size(), &written) != 1) {
    outgoing.clear();
    return State::kFailed;
  }
  return flush();
}

Upstream::State Upstream::flush() {
  if (unsent() == 0) {
    if (outgoing.empty()) return State::kDone;
    const State state = send(outgoing);
    outgoing.clear();
    return state;
  }
  // Behind what waits comes what was made since: answers to key updates, a farewell.
  unsent_.insert(unsent_.end(), outgoing.begin(), outgoing.end());
  outgoing.clear();
  const std::vector<uint8_t> waiting(unsent_.begin() + static_cast<std::ptrdiff_t>(unsent_at_),
                                     unsent_.end());
  std::vector<uint8_t>().swap(unsent_);
  unsent_at_ = 0;
  return send(waiting);
}

Upstream::State Upstream::close_output() {
  ERR_clear_error();
  SSL_shutdown(tls_);
  ERR_clear_error();
  return flush();
}

}  // namespace casemate::proxy
