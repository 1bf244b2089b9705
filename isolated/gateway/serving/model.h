// SPDX-License-Identifier: Apache-2.0
#pragma once
// Model: one version of one model, the requests that wait for it, and the channels that run them.
//
//   submit -> queue -> (in flight on a channel) -> answered
//               ^              |
//               `-- channel failed: back to the head, in order, run again on the next one
//
// A channel may fail while its outputs are being read, and they are then no answer: the request is
// still in flight. So is one whose answer is not written in one round of the loop: it keeps its
// outputs, and its slot, until all of it is.
//
// Every request that submit() took is answered exactly once, unless it is cancelled first.
// Inference is idempotent, so running one again harms nobody; but a request that was in flight on
// kFailuresMax channels that failed is suspected of killing them and is answered with an error.
// So that it does not take its neighbours along, a request that has one failure left runs alone.
//
//   Owns     its channels and requests.
//   Threads  one, the loop's.
//   Trust    channels may complete anything; outputs are held against the description.
//   Fails    submit() with kUnavailable; afterwards through Answering.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolated/gateway/http/loop.h"
#include "isolated/gateway/http/message.h"
#include "isolated/gateway/protocol/documents.h"
#include "isolated/gateway/protocol/inference_request.h"
#include "isolated/gateway/serving/channel.h"
#include "isolated/gateway/serving/drafts.h"

namespace casemate::gateway {

// A request on its way through a model.
struct Inference {
  CallId call;
  Body body;  // what the request's binary inputs point into
  InferenceRequest request;
  Instant arrived{};
  Instant deadline{};
  Instant started{};
  Duration input{};       // time that start() took
  Duration output{};      // time that writing its answer took, so far
  uint32_t failures = 0;  // channels that failed while they had it
  uint64_t ticket = 0;
  bool abandoned = false;        // nobody waits for it; it only occupies its slot
  bool grpc = false;             // how it wants its answer
  std::unique_ptr<Draft> draft;  // of its answer, while a long one is written
};

class Model;

// Who hears of the end of a request. May submit new requests.
class Answering {
 public:
  struct Outcome {
    std::span<const TensorView> outputs;
    uint64_t compute_ns;
    const Origin& origin;  // of the outputs
  };
  enum class Answered : uint8_t {
    kDone,
    kLater,     // it wants to be asked again, with the same outcome, in the next round
    kVanished,  // the origin had failed before any of the answer left: another outcome will come
  };
  // An error is always answered at once, also where an outcome was to be asked for again.
  virtual Answered answered(Model& model, Inference& inference, const Result<Outcome>& outcome) = 0;

 protected:
  ~Answering() = default;
};

class Model final {
 public:
  static constexpr uint32_t kFailuresMax = 3;
  // Long enough for a partition to restart ten times over.
  static constexpr Duration kTimeout = std::chrono::seconds(30);

  Model(Loop& loop, Answering& answering, std::string name, uint32_t version);
  ~Model();

  // A channel to an enclave of this model, ready for calls. Fails with kInvalid when the
  // description is not sound, or differs from an earlier one: requests that wait were checked
  // against that.
  Status attach(std::unique_ptr<Channel> channel, const ModelDescription& description);
  // Takes the channel for failed, whatever it says itself. Does nothing for one that is not ours.
  void fail(const Channel& channel);
  // Nobody will bring a channel soon: what waits is answered kUnavailable with `reason`. A later
  // attach() ends that.
  void give_up(std::string reason);

  // Whether submit() would take a request now.
  [[nodiscard]] Status admits() const;
  Status submit(std::unique_ptr<Inference> inference);
  // True when the request was ours; it is not answered then.
  bool cancel(CallId call);
  // Answers what is past its deadline and returns the earliest deadline that is left.
  Instant expire(Instant now);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& version() const { return version_text_; }
  [[nodiscard]] uint32_t version_number() const { return version_; }
  [[nodiscard]] ModelLabel label() const { return {name_, version_text_}; }
  [[nodiscard]] bool available() const { return !seats_.empty(); }
  // A decision has been made about it since it was added: a channel came, or was given up.
  [[nodiscard]] bool settled() const { return settled_; }
  // Why it is not available.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // What to say to whoever asks for it meanwhile.
  [[nodiscard]] Error unavailable() const;
  // nullptr before the first attach().
  [[nodiscard]] const ModelDescription* description() const { return description_.get(); }
  [[nodiscard]] size_t queued() const { return queue_.size(); }
  [[nodiscard]] size_t in_flight() const;
  Statistics& statistics() { return statistics_; }
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  using Answered = Answering::Answered;
  // A channel and what is in flight on it, in the order of start.
  struct Seat final : Watcher {
    Seat(Model& m, std::unique_ptr<Channel> c) : model(m), channel(std::move(c)) {}
    void ready(uint32_t) override { model.poll(*this); }
    bool look() override;
    Model& model;
    std::unique_ptr<Channel> channel;
    std::vector<std::unique_ptr<Inference>> in_flight;
    // Of some of those, in the order of completion: what is not answered yet.
    std::vector<Channel::Completion> completed;
    bool alone = false;  // runs a suspect, and nothing else meanwhile
  };

  void pump();
  Seat* choose(const Inference& next);
  bool start(Seat& seat);
  void poll(Seat& seat);
  bool complete_some(Seat& seat);
  Answered complete(Seat& seat, Channel::Completion& completion);
  void count(const Inference& inference, const Channel::Completion& completion);
  void fail(Seat& seat);
  void drop(Seat& seat);
  Answered answer(Inference& inference, const Result<Answering::Outcome>& outcome);

  Loop& loop_;
  Answering& answering_;
  std::string name_;
  uint32_t version_;
  std::string version_text_;
  std::unique_ptr<ModelDescription> description_;  // 10 KiB, so not inline
  std::string reason_ = "starting";
  bool settled_ = false;
  bool given_up_ = false;
  std::deque<std::unique_ptr<Inference>> queue_;
  std::vector<std::unique_ptr<Seat>> seats_;
  size_t next_seat_ = 0;
  uint64_t next_ticket_ = 1;
  bool pumping_ = false;
  Statistics statistics_;
};

}  // namespace casemate::gateway
