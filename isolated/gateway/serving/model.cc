// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/model.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/format.h"
#include "isolated/gateway/protocol/inference_response.h"

namespace casemate::gateway {
namespace {

uint64_t ns(Duration duration) {
  return static_cast<uint64_t>(std::max(duration, Duration(0)).count());
}

bool same_ports(std::span<const PortDescription> a, std::span<const PortDescription> b) {
  return std::ranges::equal(a, b, [](const PortDescription& x, const PortDescription& y) {
    return x.name.view() == y.name.view() && x.type == y.type && x.shape() == y.shape();
  });
}

// Its inputs were copied when it started, and nobody will run it again.
void abandon(Inference& inference) {
  inference.abandoned = true;
  inference.draft.reset();
  inference.body = Body();
  inference.request = InferenceRequest();
}

// True when a request that fits one fits the other.
bool same_interface(const ModelDescription& a, const ModelDescription& b) {
  return a.batch_max == b.batch_max &&
         same_ports(std::span(a.inputs).first(a.input_count),
                    std::span(b.inputs).first(b.input_count)) &&
         same_ports(std::span(a.outputs).first(a.output_count),
                    std::span(b.outputs).first(b.output_count));
}

}  // namespace

Model::Model(Loop& loop, Answering& answering, std::string name, uint32_t version)
    : loop_(loop),
      answering_(answering),
      name_(std::move(name)),
      version_(version),
      version_text_(std::to_string(version)) {}

Model::~Model() {
  for (const auto& seat : seats_) loop_.forget(seat->channel->bell(), *seat);
}

Status Model::attach(std::unique_ptr<Channel> channel, const ModelDescription& description) {
  if (!description.sound())
    return Error{Code::kInvalid,
                 formatted("model {} version {} describes itself wrongly", name_, version_)};
  if (description_ != nullptr && !same_interface(*description_, description))
    return Error{Code::kInvalid,
                 formatted("model {} version {} came back with other inputs or outputs; add it "
                           "as another version",
                           name_, version_)};
  auto seat = std::make_unique<Seat>(*this, std::move(channel));
  TRY(loop_.watch(seat->channel->bell(), EPOLLIN, *seat));
  loop_.look_at(*seat);
  description_ = std::make_unique<ModelDescription>(description);
  seats_.push_back(std::move(seat));
  settled_ = true;
  given_up_ = false;
  reason_.clear();
  pump();
  return {};
}

void Model::fail(const Channel& channel) {
  const auto seat =
      std::ranges::find_if(seats_, [&](const auto& s) { return s->channel.get() == &channel; });
  if (seat != seats_.end()) fail(**seat);
}

void Model::give_up(std::string reason) {
  settled_ = true;
  given_up_ = true;
  reason_ = std::move(reason);
  // First everything leaves, then it is answered: whoever is answered may submit again.
  std::deque<std::unique_ptr<Inference>> ended;
  while (!seats_.empty()) {
    for (auto& inference : seats_.back()->in_flight) ended.push_back(std::move(inference));
    drop(*seats_.back());
  }
  for (auto& inference : queue_) ended.push_back(std::move(inference));
  queue_.clear();
  for (auto& inference : ended) {
    ++statistics_.backend_failed;
    answer(*inference, unavailable());
  }
}

Error Model::unavailable() const {
  return {Code::kUnavailable, formatted("model '{}' is unavailable: {}", name_, reason_)};
}

Status Model::admits() const {
  if (given_up_ || description_ == nullptr) return unavailable();
  if (queue_.size() >= limits::kModelQueue)
    return Error{Code::kUnavailable,
                 formatted("{} requests wait for model '{}' already; try again later",
                           queue_.size(), name_)};
  return {};
}

Status Model::submit(std::unique_ptr<Inference> inference) {
  if (auto admitted = admits(); !admitted) {
    ++statistics_.rejected;
    return admitted;
  }
  queue_.push_back(std::move(inference));
  pump();
  return {};
}

bool Model::cancel(CallId call) {
  const auto queued = std::ranges::find_if(queue_, [&](const auto& i) { return i->call == call; });
  if (queued != queue_.end()) {
    queue_.erase(queued);
    ++statistics_.cancelled;
    return true;
  }
  for (const auto& seat : seats_) {
    for (const auto& inference : seat->in_flight) {
      if (inference->call != call || inference->abandoned) continue;
      abandon(*inference);
      ++statistics_.cancelled;
      return true;
    }
  }
  return false;
}

Instant Model::expire(Instant now) {
  std::deque<std::unique_ptr<Inference>> late;
  for (auto& inference : queue_) {
    if (inference->deadline <= now) late.push_back(std::move(inference));
  }
  statistics_.rejected += late.size();
  std::erase(queue_, nullptr);
  // What is in flight keeps its slot until it completes; its answer is given now, by a copy.
  for (const auto& seat : seats_) {
    for (auto& inference : seat->in_flight) {
      if (inference->abandoned || inference->deadline > now) continue;
      auto shell = std::make_unique<Inference>();
      shell->call = inference->call;
      shell->arrived = inference->arrived;
      shell->started = inference->started;
      abandon(*inference);
      ++statistics_.backend_failed;
      late.push_back(std::move(shell));
    }
  }
  Instant next = Instant::max();
  for (const auto& inference : queue_) next = std::min(next, inference->deadline);
  for (const auto& seat : seats_)
    for (const auto& inference : seat->in_flight)
      if (!inference->abandoned) next = std::min(next, inference->deadline);
  for (auto& inference : late) {
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - inference->arrived);
    answer(*inference,
           Error{Code::kTimedOut, formatted("model '{}' had no answer within {} ms; the request "
                                            "timed out",
                                            name_, waited.count())});
  }
  return next;
}

size_t Model::in_flight() const {
  size_t count = 0;
  for (const auto& seat : seats_) count += seat->in_flight.size();
  return count;
}

Model::Answered Model::answer(Inference& inference, const Result<Answering::Outcome>& outcome) {
  if (inference.abandoned) return Answered::kDone;
  if (!outcome) statistics_.fail.add(ns(loop_.clock().now() - inference.arrived));
  return answering_.answered(*this, inference, outcome);
}

// Starts what can be started. Answers may submit more; they wait for the loop that runs already.
void Model::pump() {
  if (std::exchange(pumping_, true)) return;
  while (!queue_.empty()) {
    Seat* seat = choose(*queue_.front());
    if (seat == nullptr || !start(*seat)) break;
  }
  pumping_ = false;
}

// The next seat in turn with a free slot, or nobody: order is kept, so no one overtakes the first.
Model::Seat* Model::choose(const Inference& next) {
  const bool suspect = next.failures + 1 >= kFailuresMax;
  for (size_t i = 0; i < seats_.size(); ++i) {
    const size_t at = (next_seat_ + i) % seats_.size();
    Seat& seat = *seats_[at];
    const bool room = suspect ? seat.in_flight.empty()
                              : seat.in_flight.size() < seat.channel->slots() && !seat.alone;
    if (!room) continue;
    next_seat_ = at + 1;
    return &seat;
  }
  return nullptr;
}

// Starts the first of the queue on `seat`. False when that must wait.
bool Model::start(Seat& seat) {
  std::unique_ptr<Inference> inference = std::move(queue_.front());
  queue_.pop_front();
  inference->ticket = next_ticket_++;
  inference->started = loop_.clock().now();
  const Status started = seat.channel->start(inference->ticket, inference->request.inputs);
  inference->input = loop_.clock().now() - inference->started;
  if (started) {
    seat.alone = inference->failures + 1 >= kFailuresMax;
    seat.in_flight.push_back(std::move(inference));
    return true;
  }
  const Code code = started.error().code;
  const bool later = code == Code::kUnavailable && !seat.in_flight.empty();
  if (code == Code::kPartitionFailed || seat.channel->failed()) {
    queue_.push_front(std::move(inference));
    fail(seat);
    return true;
  }
  if (later) {
    queue_.push_front(std::move(inference));
    return false;
  }
  ++statistics_.other_failed;
  answer(*inference, started.error());
  return true;
}

bool Model::Seat::look() {
  if (in_flight.size() == completed.size()) return false;
  const Channel::Look found = channel->look();
  if (found == Channel::Look::kNews) model.poll(*this);  // which may be the end of this seat
  return found != Channel::Look::kRings;
}

void Model::poll(Seat& seat) {
  // An answer may submit; nothing may start, and so no seat may fall, before the last is given.
  pumping_ = true;
  seat.channel->poll(seat.completed);
  const bool sound = !seat.channel->failed() && complete_some(seat);
  pumping_ = false;
  if (!sound) return fail(seat);
  if (!seat.completed.empty()) loop_.again(seat);
  pump();
}

// Answers what can be answered in this round. False when the channel has failed: what is left goes
// the way of all that is in flight.
bool Model::complete_some(Seat& seat) {
  size_t left = 0;
  for (size_t i = 0; i < seat.completed.size(); ++i) {
    const Answered answered = complete(seat, seat.completed[i]);
    if (answered == Answered::kVanished) return false;
    if (answered == Answered::kDone) continue;
    if (left != i) seat.completed[left] = std::move(seat.completed[i]);
    ++left;
  }
  seat.completed.resize(left);
  return true;
}

// Unless that is the end of the call, it stays in flight.
Model::Answered Model::complete(Seat& seat, Channel::Completion& completion) {
  Status sound = std::move(completion.status);
  if (!sound && sound.error().code == Code::kPartitionFailed) return Answered::kVanished;
  const auto found =
      std::ranges::find(seat.in_flight, completion.ticket, [](const auto& i) { return i->ticket; });
  if (found == seat.in_flight.end()) return Answered::kDone;
  if (sound) sound = check_outputs(*description_, completion.outputs);
  // While it is answered nobody may find it among those that have no answer.
  const auto place = found - seat.in_flight.begin();
  std::unique_ptr<Inference> inference = std::move(*found);
  seat.in_flight.erase(found);
  using Outcome = Answering::Outcome;
  const Answered answered =
      sound ? answer(*inference, Outcome{completion.outputs, completion.compute_ns, *seat.channel})
            : answer(*inference, sound.error());
  if (answered != Answered::kDone) {
    seat.in_flight.insert(seat.in_flight.begin() + place, std::move(inference));
    return answered;
  }
  seat.alone = false;
  ++statistics_.execution_count;
  if (sound) {
    count(*inference, completion);
  } else if (!inference->abandoned) {
    ++statistics_.backend_failed;
  }
  seat.channel->release(completion.ticket);
  return answered;
}

void Model::count(const Inference& inference, const Channel::Completion& completion) {
  if (!inference.abandoned) statistics_.inference_count += inference.request.batch;
  statistics_.queue.add(ns(inference.started - inference.arrived));
  statistics_.compute_input.add(ns(inference.input));
  statistics_.compute_infer.add(completion.compute_ns);
  Statistics::Batch* batch =
      inference.abandoned ? nullptr : statistics_.batch(inference.request.batch);
  if (batch == nullptr) return;
  batch->compute_input.add(ns(inference.input));
  batch->compute_infer.add(completion.compute_ns);
}

void Model::drop(Seat& seat) {
  loop_.forget(seat.channel->bell(), seat);
  std::erase_if(seats_, [&](const auto& s) { return s.get() == &seat; });
}

void Model::fail(Seat& seat) {
  std::vector<std::unique_ptr<Inference>> returned = std::move(seat.in_flight);
  drop(seat);
  ++statistics_.restarts;
  if (seats_.empty()) reason_ = "restarting";
  std::vector<std::unique_ptr<Inference>> suspects;
  for (auto& inference : std::views::reverse(returned)) {
    if (inference->abandoned) continue;
    inference->draft.reset();
    if (++inference->failures >= kFailuresMax) {
      suspects.push_back(std::move(inference));
      continue;
    }
    ++statistics_.replays;
    queue_.push_front(std::move(inference));
  }
  for (auto& inference : std::views::reverse(suspects)) {
    ++statistics_.backend_failed;
    answer(*inference,
           Error{Code::kPartitionFailed,
                 formatted("the partition of model '{}' failed {} times while it ran this "
                           "request; do not send it again",
                           name_, kFailuresMax)});
  }
  pump();
}

}  // namespace casemate::gateway
