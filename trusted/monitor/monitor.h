// SPDX-License-Identifier: Apache-2.0
#pragma once
// Monitor: the secure partition manager. It starts every partition and enclave of a measured
// system, connects their streams, notices when one dies, hangs or is killed, takes its shared
// memory away at once, and starts it again. It vouches for enclaves and schedules nothing.
//
//   Owns     all processes, sockets and shared memory of the system.
//   Threads  one event loop; nothing here blocks but starting a process, for a few milliseconds.
//   Trust    every message and index comes from processes that may be hostile; each is checked
//            against the table.
//   Fails    make() says what could not be set up. run() returns when it was told to stop.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "trusted/attest/voucher.h"
#include "trusted/monitor/launcher.h"
#include "trusted/monitor/lifecycle.h"
#include "trusted/monitor/stream_table.h"
#include "trusted/monitor/token_bucket.h"
#include "trusted/monitor/tree.h"
#include "wire/control/keys.h"

namespace casemate::monitor {

class Monitor final {
 public:
  struct Setup {
    MeasuredSystem system;
    jail::Cgroups cgroups;
    attest::Voucher voucher;
    Fd listener;           // of the gateway, or of the program
    Fd operators;          // listening SOCK_SEQPACKET
    int stop_signal = -1;  // a signalfd
  };
  Monitor(const allow::Powers& powers, std::unique_ptr<Setup> setup, Clock& clock);

  // Serves until the operator or a signal says stop; then ends everything and returns.
  Status run();

 private:
  // An answer needs one or two signatures, each far dearer than all else that the monitor does for
  // a message: a partition that asks without end must not have its whole time.
  static constexpr uint32_t kAttestationsPerSecond = 50;
  static constexpr uint32_t kAttestationsAtOnce = 100;

  // What the last end of a partition or an enclave was, until its restart is told of: in one line,
  // when it runs again and all that can be known about the end is known.
  struct End {
    std::string why = {};  // empty: it has not ended, or that was told
    pid_t pid = 0;         // of a child of ours whose status says more
    uint32_t status = 0;   // the same of an instance, as Message::flags
    uint32_t slot = 0;     // of the tree that it was in
    Instant at{};
    std::optional<Instant> again = {};
  };
  struct Partition {
    explicit Partition(RestartPolicy policy) : life(policy) {}
    Lifecycle life;
    uint32_t epoch = 0;
    std::optional<Tree> active;
    std::optional<Tree> standby;
    uint32_t standby_failures = 0;  // since one has taken over
    std::optional<Instant> restart_at;
    std::optional<Instant> prepare_at;  // when to make a standby
    Instant failed_at{};
    uint32_t failures = 0;
    uint64_t recovery_us = 0;
    bool recovering = false;
    End end;
    Text<96> last_end;
    TokenBucket attestations{kAttestationsPerSecond, kAttestationsAtOnce};
  };
  struct Enclave {
    explicit Enclave(RestartPolicy policy) : life(policy) {}
    Lifecycle life;
    bool instance_lost = false;  // and counted; the template may die of the same cause
    // One died before it ran, and is counted only if its template outlives it by kDoubt.
    bool unborn = false;
    std::optional<Instant> restart_at;
    Instant fork_at{};
    std::optional<Instant> pinged_at;  // and not answered yet
    uint64_t start_us = 0;
    uint32_t starts = 0;
    End end;
    Text<96> last_end;
    Code code = Code::kOk;
    Text<256> reason;
  };
  // What the root is asked for, for whom, and what they are told then.
  struct Quoted {
    attest::Voucher::Vouched vouched;
    size_t enclave;
    Instant forked_at = {};  // its instance
    control::Message answer = {};
    Instant until;
    uint64_t ticket = 0;  // in the place of an instance: of a template that waits for a key
  };
  // A template that waits for a key.
  struct Waiting {
    Tree& tree;
    Tree::Template& process;
    size_t enclave;
  };
  enum class Cause { kFailure, kDeath, kRequest };

  // partitions.cc
  void start_partition(size_t p);
  void fail_partition(size_t p, std::string_view why, Cause cause = Cause::kFailure);
  void end_active(size_t p);
  void start_enclave(size_t e);
  void fail_enclave(size_t e, std::string_view why, Cause cause = Cause::kFailure);
  void fork_instance(size_t e);
  void note_settled(size_t p);
  void start_due(Instant now);

  // restarts.cc
  void reap();
  [[nodiscard]] std::optional<int> status_of(pid_t pid) const;
  [[nodiscard]] std::string manner(size_t p, std::optional<size_t> e, const End& end);
  void tell_restarts();

  // hangs.cc
  void look_for_hangs(Instant now);
  void look_at_trees(size_t p, Instant now);
  void look_at_enclave(size_t e, Instant now);
  void look_at_streams(size_t p, Instant now);

  // trees.cc
  Result<Tree> make_tree(size_t p);
  Status add_template(Tree& tree, size_t e);
  void prepare_standby(size_t p);
  void drop_standby(size_t p, std::string_view why);
  void prepare_later(size_t p);
  void take_standby_messages(size_t p);
  void bury(size_t p, Tree tree);
  void bury_template(size_t p, size_t e);
  void forget_the_dead();
  [[nodiscard]] bool dying(size_t p) const;
  [[nodiscard]] bool may_prepare(Instant now) const;
  [[nodiscard]] bool startable(size_t e) const;
  [[nodiscard]] bool ready(size_t e) const;

  // messages.cc
  void take_messages(size_t p);
  void take_message(size_t p, const control::Received& received);
  void on_ready(size_t e);
  void on_refused(size_t e, const control::Message& message);
  void on_running(size_t e, const control::Message& message);
  void on_died(size_t e);
  void on_attest(size_t p, size_t e, const control::Message& message);
  Code attest(size_t e, const control::Message& question, control::Message& answer);
  void vouch(size_t e, const Sha256Digest& key, const control::Message& answer);
  void finish_quote(Instant now);
  void send_evidence(size_t e, control::Message answer, const Result<std::vector<uint8_t>>& quote,
                     Bytes claims);
  [[nodiscard]] std::optional<size_t> enclave_of(size_t p, uint32_t id) const;
  [[nodiscard]] bool may_vouch(size_t asker, size_t subject) const;
  void list_callees(size_t e, std::vector<size_t>& list) const;
  void send(size_t e, const control::Message& message, std::vector<Fd> fds = {});

  // keys.cc
  bool on_locked(Tree& tree, size_t e, const control::Message& message);
  template <class Wanted>
  std::optional<Waiting> first_waiting(Wanted wanted);
  void vouch_for_locked(Instant now);
  void keep_quote(uint64_t ticket, Result<std::vector<uint8_t>> quote, std::vector<uint8_t> claims);
  Status answer_keys(const operating::KeyQuestion& question, operating::KeyAnswer& answer);
  Status vouch_to_service(const Waiting& waiting, const Nonce& asked, operating::KeyAnswer& answer);
  Status unlock(const Waiting& waiting, const operating::KeyQuestion& question);
  void serve_keys(const Fd& client, const operating::KeyQuestion& question);
  [[nodiscard]] bool sealed(size_t e) const {
    return (description().enclaves[e].flags & EnclaveDescription::kSealed) != 0;
  }

  // streams.cc
  void connect_streams(size_t e);
  void connect_stream(size_t stream);
  void close_streams();
  void close_stream(size_t stream, std::string_view why);
  void revoke_streams(size_t e, Code code, std::string_view reason);
  void tell_disconnected(size_t stream, size_t enclave, Code code, std::string_view reason);
  void tell_unavailable(size_t stream);

  // operators.cc
  void serve_operator();
  Status obey(const operating::Request& request);
  Status kill_partition(std::string_view name);
  Status kill_enclave(uint32_t id);
  void fill_status(operating::Reply& reply) const;

  // monitor.cc
  [[nodiscard]] int milliseconds_to_next(Instant now) const;
  void wait_for_events();
  void look_at(size_t p, bool standby, std::optional<size_t> e);
  void shut_down();
  [[nodiscard]] const SystemDescription& description() const {
    return setup_->system.description();
  }
  [[nodiscard]] bool is_gateway(size_t e) const {
    return description().enclaves[e].kind == static_cast<uint32_t>(EnclaveKind::kGateway);
  }
  // What clients reach an instance by: a gateway's listening socket, a program's launcher.
  [[nodiscard]] bool takes_listener(size_t e) const {
    return is_gateway(e) ||
           description().enclaves[e].kind == static_cast<uint32_t>(EnclaveKind::kProgram);
  }
  [[nodiscard]] std::string name(size_t e) const {
    return std::string(description().enclaves[e].name.view());
  }

  allow::Powers powers_;
  std::unique_ptr<Setup> setup_;
  Clock& clock_;
  Launcher launcher_;
  StreamTable streams_;
  std::vector<Partition> partitions_;
  std::vector<Enclave> enclaves_;
  std::optional<Quoted> quoted_;
  Instant gateways_until_{};  // until then nobody but a gateway has the root asked
  uint64_t last_ticket_ = 0;
  std::vector<Remains> remains_;
  std::deque<std::pair<pid_t, int>> ended_;  // children that were waited for, the latest first
  Instant hang_check_at_{};
  bool stopping_ = false;
};

}  // namespace casemate::monitor
