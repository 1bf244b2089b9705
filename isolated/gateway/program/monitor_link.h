// SPDX-License-Identifier: Apache-2.0
#pragma once
// MonitorLink: the gateway's side of its control socket. Streams that the monitor connects become
// channels of models, streams that it revokes make their models unavailable, and evidence is asked
// for, and asked for again before it grows old.
//
//   Owns     the control socket and channels whose models have not described themselves yet.
//   Threads  one, the loop's.
//   Trust    the monitor is trusted; what comes over streams is not.
//   Fails    vouch_for() when the monitor will not vouch for us. A renewal that fails is logged and
//            tried again a minute later, with the old evidence meanwhile. The loop stops when the
//            monitor is gone.

#include <functional>
#include <map>
#include <memory>

#include "isolated/gateway/identity/identity.h"
#include "isolated/gateway/program/stream_channel.h"
#include "isolated/gateway/serving/attestor.h"
#include "isolated/gateway/serving/model_table.h"
#include "wire/control/control.h"

namespace casemate::gateway {

class MonitorLink final : public Attestor, private Watcher {
 public:
  // Verifiers refuse evidence of seven days; a day leaves six for a monitor that refuses.
  static constexpr int64_t kRenewAfterSeconds = 24 * 3600;
  // How often the age is looked at. It is that of the calendar, which goes on while a machine
  // sleeps and its timers do not.
  static constexpr Duration kLookEvery = std::chrono::minutes(1);
  // Takes renewed evidence to where clients see it.
  using Renewed = std::function<Status(const CarriedEvidence& evidence)>;

  MonitorLink(Loop& loop, control::Socket socket, const control::Message& manifest);
  ~MonitorLink();

  // Has the monitor vouch for `key`; the evidence that goes into the certificate, which is ours
  // until it is renewed. Waits for the answer: nobody is served before.
  Result<CarriedEvidence> vouch_for(const TlsKey& key);
  // From now on models come and go in `models`, and evidence is renewed. Requires: vouch_for()
  // succeeded.
  Status open(ModelTable& models, Renewed renewed);

  void evidence(const std::optional<Nonce>& nonce, std::string_view model, std::string_view version,
                Done done) override;

 private:
  // A stream whose model has been asked to describe itself.
  struct Newcomer final : Watcher {
    Newcomer(MonitorLink& l, uint32_t s, Model& m, std::unique_ptr<StreamChannel> c)
        : link(l), stream(s), model(m), channel(std::move(c)) {}
    void ready(uint32_t) override { link.introduce(stream); }
    MonitorLink& link;
    uint32_t stream;
    Model& model;
    std::unique_ptr<StreamChannel> channel;
  };
  // An evidence request whose tokens are on their way: the gateway's, then a model's, whose answer
  // says how many there are behind it.
  struct Pending {
    Done done;
    Nonce nonce{};
    const Model* model = nullptr;
    uint32_t subject = 0;  // the model's enclave, as an index
    bool renewed = false;  // the evidence was renewed, or a model came or went, since it was asked
    std::vector<EnclaveToken> tokens{};
    // By its hash: what accelerators say of themselves, for the tokens that name it.
    std::map<Sha384Digest, std::vector<uint8_t>> devices{};
    size_t missing = 0;
    Code code = Code::kOk;
  };

  void ready(uint32_t events) override;
  Status take(control::Received& received);
  Status connect(control::Received& received);
  void introduce(uint32_t stream);
  void disconnect(const control::Message& message);
  void attested(const control::Received& received);
  static void take_token(Pending& pending, size_t index, const control::Received& received);
  void list(Pending& pending, uint64_t request, uint32_t count);
  void complete(Pending pending);
  [[nodiscard]] Result<std::vector<uint8_t>> encode(Pending& pending) const;
  void forget_reused();
  Status keep(const control::Received& received);
  void renew();
  Result<Model*> model_of(const control::Message& message);
  struct Question {
    uint32_t subject = 0;
    uint32_t place = 0;  // behind it
    Nonce nonce{};
    bool quote = false;
  };
  Status ask(uint64_t ticket, const Question& question);

  Loop& loop_;
  control::Socket socket_;
  EnclaveId self_;
  ModelTable* models_ = nullptr;
  Sha256Digest key_sha256_{};
  Sha384Digest key_sha384_{};
  control::AttachedEvidence vouched_;
  std::vector<uint8_t> carried_quote_;   // both as the certificate carries them
  std::vector<uint8_t> carried_tokens_;  // ...
  int64_t vouched_unix_ = 0;             // when the four above were made
  // Evidence of models that every client is given who sends no nonce.
  std::map<const Model*, std::vector<uint8_t>> reused_;
  Renewed renewed_;
  Loop::Timer renewal_;
  std::vector<control::Received> early_;  // what came while the first answer was waited for
  std::map<uint32_t, std::unique_ptr<Newcomer>> newcomers_;
  std::map<uint32_t, std::pair<Model*, const Channel*>> attached_;  // by stream
  std::map<const Model*, uint32_t> subjects_;                       // enclave index, for tokens
  std::map<uint64_t, Pending> pending_;
  uint64_t next_ticket_ = 1;
};

}  // namespace casemate::gateway
