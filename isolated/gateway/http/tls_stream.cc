// SPDX-License-Identifier: Apache-2.0
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "isolated/gateway/http/tls.h"

namespace casemate::gateway {
namespace {

// A peer that asks for key updates and never reads would make us queue answers for ever. Our own
// writes stay below: 80 KiB of an answer, and 22 bytes for each of its five records.
constexpr size_t kUnsentMax = 96 << 10;

}  // namespace

// The BIO through which OpenSSL sees a TlsStream.
struct TlsBio {
  static TlsStream& stream_of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    TlsStream& stream = stream_of(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t got =
        ::recv(stream.socket_.number(), into, static_cast<size_t>(size), MSG_DONTWAIT);
    stream.drained_ = got < size;
    if (got > 0) return static_cast<int>(got);
    if (got == 0) {
      stream.end_of_input_ = true;
      return 0;
    }
    if (errno == EAGAIN || errno == EINTR) {
      stream.dry_ = true;
      BIO_set_retry_read(bio);
    } else {
      stream.end_of_input_ = true;
    }
    return -1;
  }

  static int write(BIO* bio, const char* from, int size) {
    TlsStream& stream = stream_of(bio);
    BIO_clear_retry_flags(bio);
    const bool waiting = !stream.unsent_.empty();
    std::vector<uint8_t>& queue = waiting ? stream.unsent_ : stream.output_.bytes;
    if (!waiting) {
      CHECK(queue.empty() || stream.output_.owner == &stream,
            "what one stream has made leaves before another makes more");
      stream.output_.owner = &stream;
    }
    if (queue.size() > kUnsentMax) {
      BIO_set_retry_write(bio);
      return -1;
    }
    const Bytes bytes = bytes_of(std::string_view(from, static_cast<size_t>(size)));
    queue.insert(queue.end(), bytes.begin(), bytes.end());
    return size;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return stream_of(bio).end_of_input_ ? 1 : 0;
    return 0;
  }

  // One for the process, made on first use, never freed: BIOs point to it until the end.
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "casemate");
      CHECK(m != nullptr, "a BIO method is a few pointers");
      BIO_meth_set_read(m, read);
      BIO_meth_set_write(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
};

std::unique_ptr<TlsStream> TlsStream::accept(const TlsContext& context, Fd socket,
                                             TlsOutput& output) {
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(socket), output));
  stream->ssl_ = SSL_new(context.native());
  BIO* bio = BIO_new(TlsBio::method());
  if (stream->ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    ERR_clear_error();
    return nullptr;
  }
  BIO_set_data(bio, stream.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(stream->ssl_, bio, bio);
  SSL_set_accept_state(stream->ssl_);
  return stream;
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

TlsStream::State TlsStream::failed() {
  plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
  ERR_clear_error();
  broken_ = true;
  return State::kFailed;
}

TlsStream::State TlsStream::handshake() {
  const int done = SSL_do_handshake(ssl_);
  const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, done);
  State state = State::kDone;
  if (why == SSL_ERROR_WANT_READ) {
    state = State::kWaitRead;
  } else if (why == SSL_ERROR_WANT_WRITE) {
    state = State::kWaitWrite;
  } else if (why != SSL_ERROR_NONE) {
    state = failed();
  }
  // Whatever happened, our flight or alert goes out; an alert would mean nothing to plain HTTP.
  if (plain_http_) output_.bytes.clear();
  const State flushed = flush();
  return state != State::kFailed && flushed == State::kFailed ? flushed : state;
}

TlsStream::Moved TlsStream::read(MutableBytes into) {
  size_t got = 0;
  dry_ = false;
  const int done = SSL_read_ex(ssl_, into.data(), into.size(), &got);
  State state = State::kDone;
  if (done != 1) {
    switch (SSL_get_error(ssl_, done)) {
      case SSL_ERROR_WANT_READ:
        // Without SSL_MODE_AUTO_RETRY also behind a record that was not the caller's. What follows
        // it may be here already, no event will announce it again, and OpenSSL itself forgets to
        // count it when the record was a key update: so the socket has to be found dry once more.
        if (dry_) {
          state = State::kWaitRead;
        } else {
          drained_ = false;
        }
        break;
      case SSL_ERROR_WANT_WRITE:
        state = State::kWaitWrite;
        break;
      case SSL_ERROR_ZERO_RETURN:
        state = State::kClosed;
        break;
      default:
        state = failed();
    }
  }
  // Answers to key updates, and alerts.
  if (!output_.bytes.empty() && flush() == State::kFailed) state = State::kFailed;
  return {state, got};
}

TlsStream::State TlsStream::write(Bytes plain) {
  if (broken_) return State::kFailed;
  size_t written = 0;
  if (plain.empty() || SSL_write_ex(ssl_, plain.data(), plain.size(), &written) == 1)
    return State::kDone;
  // Without SSL_MODE_ENABLE_PARTIAL_WRITE it is all or nothing, and our BIO takes all. What it took
  // before it failed must not leave through the next stream.
  output_.bytes.clear();
  return failed();
}

TlsStream::State TlsStream::send(Bytes bytes, size_t& sent) {
  while (sent < bytes.size()) {
    const ssize_t took = ::send(socket_.number(), bytes.data() + sent, bytes.size() - sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (took >= 0) {
      sent += static_cast<size_t>(took);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return State::kWaitWrite;
    broken_ = true;
    return State::kFailed;
  }
  return State::kDone;
}

TlsStream::State TlsStream::flush() {
  if (unsent_.empty()) {
    if (output_.bytes.empty()) return State::kDone;
    size_t sent = 0;
    const State state = send(output_.bytes, sent);
    if (state == State::kWaitWrite)
      unsent_.assign(output_.bytes.begin() + static_cast<long>(sent), output_.bytes.end());
    output_.bytes.clear();
    return state;
  }
  const State state = send(unsent_, unsent_at_);
  if (state != State::kWaitWrite) {
    std::vector<uint8_t>().swap(unsent_);
    unsent_at_ = 0;
  }
  return state;
}

void TlsStream::discard() {
  broken_ = true;
  output_.bytes.clear();
}

void TlsStream::close_output() {
  if (!broken_ && SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
  ERR_clear_error();
}

Result<SessionBinding> TlsStream::binding() const {
  static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  SessionBinding binding{};
  if (SSL_export_keying_material(ssl_, binding.data(), binding.size(), kLabel.data(), kLabel.size(),
                                 nullptr, 0, 0) != 1) {
    ERR_clear_error();
    return Error{Code::kPlatform, "libssl derives no channel binding"};
  }
  return binding;
}

bool TlsStream::speaks_http2() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return text_of(Bytes(name, size)) == "h2";
}

bool TlsStream::more() const { return !drained_ || SSL_has_pending(ssl_) == 1; }

}  // namespace casemate::gateway
