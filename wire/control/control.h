// SPDX-License-Identifier: Apache-2.0
#pragma once
// Control: the few messages between the monitor, the mOS of a partition and its enclaves. One
// datagram of fixed size per message on a SOCK_SEQPACKET pair, with descriptors beside it. No text
// is parsed, no length is trusted.
//
//   monitor <-> mOS <-> template, instance
//
//   down  kAdopt kConnect kDisconnect kAttested kStop          up  kReady kRefused kRunning kDied
//   kAttest
//         kManifest kFork kUnlock (to a template)                  kLocked (of a template)
//
//   Owns     descriptors that came with a received message.
//   Threads  one thread per socket.
//   Trust    the sender may be hostile: receive() checks sizes and enums; meaning is checked by the
//            receiver.
//   Fails    kPartitionFailed when the other side is gone, kInvalid for a malformed message,
//            kUnavailable when the socket is full (a peer that does not read; the caller decides
//            whether that is a failure).

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "wire/evidence/evidence.h"
#include "wire/srpc/srpc.h"

namespace casemate::control {

enum class Type : uint32_t {
  kManifest = 1,  // to mOS or template: who you are and what you may use
  kAdopt = 2,     // monitor to mOS: a template of yours has started; its control socket is attached
  // down to the template: make an instance; its control socket is attached, and then what only
  // instances get: a gateway's listening socket
  kFork = 3,
  kReady = 4,    // template up: loaded and compiled
  kRefused = 5,  // template up: will never be ready; code and reason
  kRunning = 6,  // instance up: may be connected
  kDied = 7,     // mOS up: this enclave is gone
  kConnect = 8,  // down: a stream for this enclave; five descriptors
  // down: that stream's other side is gone; code and reason when it will not come back
  kDisconnect = 9,
  kAttest = 10,    // up: vouch for this key, or for a peer, with this nonce
  kAttested = 11,  // down: the answer
  kStop = 12,      // down: end now
  kPing = 13,      // down to a gateway's instance: answer as soon as you listen
  kPong = 14,      // up: the answer
  kPrepare = 15,   // down to the template: make an instance ahead of need
  // template up, once: its model is sealed. The hashes are those of a key that it has made, `blob`
  // is what it asks a key service (wire/sealed), and `ticket` that of its manifest.
  kLocked = 16,
  kUnlock = 17,  // down to that template: the service's answer in `blob`, or code and reason
};

enum class Role : uint32_t { kCaller = 1, kCallee = 2 };

// Every message is this one structure: 1.5 KiB costs nothing at a few hundred messages per restart,
// and one size leaves nothing to get wrong. Fields that a type does not use are zero.
struct Message {
  static constexpr size_t kFds = 6;
  static constexpr uint32_t kEnded = 1 << 16;

  uint32_t type = 0;
  uint32_t enclave = 0;  // EnclaveId that the message is about
  uint32_t epoch = 0;
  uint32_t code = 0;  // Code
  uint32_t stream = 0;
  uint32_t role = 0;  // Role, of the enclave in this stream
  uint32_t slots = 0;
  uint32_t regions = 0;
  uint32_t kind = 0;  // EnclaveKind
  uint32_t threads = 0;
  uint32_t model_version = 0;
  uint32_t flags = 0;  // kRunning: how its predecessor ended, as of waitpid(), and kEnded; 0: none
  // kAttest: which of the list that begins with the enclave of index `stream` and has all that it
  // calls behind it, in the order of wire/evidence. kAttested: how many that list has.
  uint32_t place = 0;
  uint32_t place_count = 0;
  uint64_t bulk_in_bytes = 0;
  uint64_t bulk_out_bytes = 0;
  uint64_t memory_bytes = 0;
  uint64_t ticket = 0;       // of an attestation or a template, echoed
  Text<limits::kName> name;  // of the enclave, or of the stream's other side
  Text<256> reason;
  // kAttest: zero hashes vouch for no key.
  Nonce nonce{};
  Sha256Digest key_sha256{};
  Sha384Digest key_sha384{};
  // kAttested; quote and claims are in the memory file that is attached
  uint32_t quote_size = 0;
  uint32_t claims_size = 0;
  EnclaveToken token;
  ByteArray<256> blob{};  // the monitor passes it on and reads nothing of it
};
// With what the kernel adds, it fits into 2 KiB.
static_assert(std::is_trivially_copyable_v<Message> && sizeof(Message) <= 1664);

struct Received {
  Message message;
  std::vector<Fd> fds;
  [[nodiscard]] Type type() const { return static_cast<Type>(message.type); }
};

// A message of that type with nothing else set.
Message make(Type type, EnclaveId enclave = {});

// One end of a control socket.
class Socket final {
 public:
  explicit Socket(Fd fd) : fd_(std::move(fd)) {}
  // A connected pair, close-on-exec, non-blocking.
  static Result<std::array<Fd, 2>> pair();

  Status send(const Message& message, std::span<const int> fds = {}) const;
  // The next message if there is one. Requires: nothing.
  Result<std::optional<Received>> poll() const;
  // The next message; waits up to `timeout_ms` (-1: for ever).
  Result<Received> receive(int timeout_ms) const;
  [[nodiscard]] int fd() const { return fd_.number(); }
  [[nodiscard]] bool valid() const { return fd_.valid(); }
  void close() { fd_.reset(); }

 private:
  Fd fd_;
};

// Messages to one socket, of which those that have no room yet wait here: a partition of many
// enclaves says more at once than a socket holds.
class Outbox final {
 public:
  // Enough for every stream of a system to come and go at once.
  static constexpr size_t kWaitingMax = 4 * limits::kStreams;

  // Sends, or keeps for flush(). kUnavailable: the reader has stopped long ago.
  Status send(const Socket& socket, const Message& message, std::vector<Fd> fds = {});
  // Sends what waits as far as there is room.
  Status flush(const Socket& socket);
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  std::deque<Received> waiting_;
};

// The message that carries one end of a stream, and the end that a received one carries.
// Descriptors that the shape does not need are left out, and one that is missing is kInvalid.
struct StreamMessage {
  Message message;
  std::vector<Fd> fds;
};
StreamMessage connect_message(srpc::StreamEnd end, Role role, EnclaveId enclave);
Result<srpc::StreamEnd> stream_end_of(Received& received);

// What a root says about a key, which is more than a message holds: writes the sizes into
// `message` and both into the memory file that is to go with it.
Result<Fd> attach_evidence(Message& message, Bytes quote, Bytes claims);
// The two that came with a message. kInvalid: not as long as it says, or longer than they may be.
struct AttachedEvidence {
  std::vector<uint8_t> quote;
  std::vector<uint8_t> claims;
};
Result<AttachedEvidence> attached_evidence(const Received& received);

}  // namespace casemate::control
