// SPDX-License-Identifier: Apache-2.0
// Making trees, keeping one in reserve, and burying those that have failed.
#include <poll.h>

#include <algorithm>
#include <span>

#include "base/format.h"
#include "base/log.h"
#include "trusted/monitor/monitor.h"

namespace casemate::monitor {
namespace {

// A standby that failed is no failure of the partition, but it must not become a busy loop either:
// the wait doubles until one has taken over.
constexpr Duration kPrepareAgain = std::chrono::seconds(5);
constexpr uint32_t kDoublingsMax = 10;
constexpr Duration kPatience = std::chrono::seconds(10);

}  // namespace

bool Monitor::startable(size_t e) const {
  const State state = enclaves_[e].life.state();
  return state != State::kRefused && state != State::kGivenUp;
}

bool Monitor::ready(size_t e) const {
  const auto& tree = partitions_[description().enclaves[e].partition].active;
  return tree && tree->ready(e);
}

Result<Tree> Monitor::make_tree(size_t p) {
  Tree tree;
  tree.slot = partitions_[p].active ? 1 - partitions_[p].active->slot : 0;
  tree.made_at = tree.beat_at = clock_.now();
  tree.mos = TRY(launcher_.start_partition(p, tree.slot));
  control::Message manifest = control::make(control::Type::kManifest,
                                            EnclaveId::of({static_cast<uint8_t>(p + 1)}, 0xFFFFFF));
  manifest.name = description().partitions[p].name;
  Status made = tree.to_mos.send(tree.mos.socket, manifest);
  for (size_t e = 0; made && e < enclaves_.size(); ++e) {
    if (description().enclaves[e].partition == p && startable(e)) made = add_template(tree, e);
  }
  if (made) return tree;
  bury(p, std::move(tree));
  return made.error();
}

Status Monitor::add_template(Tree& tree, size_t e) {
  auto started = TRY(launcher_.start_template(e, tree.slot, tree.mos.namespaces));
  tree.templates.insert_or_assign(e, Tree::Template{std::move(started.child), ++last_ticket_});
  const EnclaveDescription& d = description().enclaves[e];
  control::Message adopt = control::make(control::Type::kAdopt, setup_->system.measured(e).enclave);
  adopt.ticket = last_ticket_;
  adopt.kind = d.kind;
  adopt.threads = d.threads;
  adopt.model_version = d.model_version;
  // What it may fill by itself: the answers that it will write to its caller are within its limit,
  // and a model that has filled that would be killed by them.
  adopt.memory_bytes = d.memory_bytes;
  const SystemDescription& all = description();
  for (const StreamDescription& s : std::span(all.streams).first(all.stream_count)) {
    if (s.callee == e) adopt.memory_bytes -= std::min(adopt.memory_bytes, s.bulk_out_bytes);
  }
  adopt.name = d.name;
  std::vector<Fd> fds;
  fds.push_back(std::move(started.socket));
  return tree.to_mos.send(tree.mos.socket, adopt, std::move(fds));
}

// One standby at a time, and none while anything starts: reserves do not compete with what serves.
// What takes for ever does not keep the others from theirs.
bool Monitor::may_prepare(Instant now) const {
  const auto fresh = [&](Instant since) { return now - since < kPatience; };
  return std::ranges::none_of(partitions_,
                              [&](const Partition& p) {
                                return p.standby && !p.standby->complete() &&
                                       fresh(p.standby->made_at);
                              }) &&
         std::ranges::none_of(enclaves_, [&](const Enclave& e) {
           return e.life.state() == State::kStarting && fresh(e.life.started());
         });
}

void Monitor::prepare_standby(size_t p) {
  Partition& partition = partitions_[p];
  if (dying(p)) return;  // its limits hold two trees
  partition.prepare_at.reset();
  auto made = make_tree(p);
  if (!made) {
    log("partition {}: no standby: {}", description().partitions[p].name.view(), made.error().text);
    return prepare_later(p);
  }
  partition.standby.emplace(std::move(*made));
  // Compiling takes a core for a while; whoever serves meanwhile goes first.
  for (const auto& [e, entry] : partition.standby->templates)
    launcher_.set_background(entry.process, true);
}

void Monitor::drop_standby(size_t p, std::string_view why) {
  Partition& partition = partitions_[p];
  log("partition {}: its standby is dropped: {}", description().partitions[p].name.view(), why);
  bury(p, *std::exchange(partition.standby, std::nullopt));
  prepare_later(p);
}

void Monitor::prepare_later(size_t p) {
  uint32_t& failures = partitions_[p].standby_failures;
  partitions_[p].prepare_at = clock_.now() + kPrepareAgain * (1 << failures);
  failures = std::min(failures + 1, kDoublingsMax);
}

// A standby has three things to say: that a template of its waits for a key, and that it is ready
// or never will be.
void Monitor::take_standby_messages(size_t p) {
  Partition& partition = partitions_[p];
  if (!partition.standby->to_mos.flush(partition.standby->mos.socket))
    return drop_standby(p, "its runtime does not listen");
  while (partition.standby) {
    auto received = partition.standby->mos.socket.poll();
    if (!received) return drop_standby(p, "its runtime died");
    if (!*received) return;
    const auto e = enclave_of(p, (*received)->message.enclave);
    const control::Message& said = (*received)->message;
    if (e && sealed(*e) && (*received)->type() == control::Type::kLocked &&
        on_locked(*partition.standby, *e, said))
      continue;
    if (e && (*received)->type() == control::Type::kRefused)
      return drop_standby(p, formatted("{} is refused: {}", name(*e), said.reason.view()));
    const auto found =
        e ? partition.standby->templates.find(*e) : partition.standby->templates.end();
    if ((*received)->type() != control::Type::kReady ||
        found == partition.standby->templates.end() || found->second.ready)
      return drop_standby(p, "it said something that a standby has no reason to say");
    found->second.ready = true;
    found->second.locked.reset();
    // Instances inherit how they are scheduled, so the first is made only now.
    launcher_.set_background(found->second.process, false);
    Tree& tree = *partition.standby;
    if (!tree.to_mos.send(tree.mos.socket, control::make(control::Type::kPrepare,
                                                         setup_->system.measured(*e).enclave)))
      return drop_standby(p, "its runtime does not listen");
  }
}

// Its successor lives under the same limits, so it starts when this one is gone.
void Monitor::bury_template(size_t p, size_t e) {
  auto& templates = partitions_[p].active->templates;
  const auto found = templates.find(e);
  if (found == templates.end()) return;
  partitions_[p].active->kill(e);
  remains_.push_back(remains_of(std::move(found->second.process), p, clock_.now()));
  templates.erase(found);
}

void Monitor::bury(size_t p, Tree tree) {
  tree.kill();
  remains_.push_back(remains_of(std::move(tree), p, clock_.now()));
}

bool Monitor::dying(size_t p) const {
  return std::ranges::contains(remains_, p, &Remains::partition);
}

void Monitor::forget_the_dead() {
  reap();
  const Instant now = clock_.now();
  for (Remains& remains : remains_) {
    std::erase_if(remains.processes, [](const jail::Child& child) {
      pollfd dead{child.pidfd.number(), POLLIN, 0};
      return ::poll(&dead, 1, 0) == 1;
    });
  }
  std::erase_if(remains_, [&](const Remains& remains) {
    return remains.processes.empty() || now >= remains.forget_at;
  });
}

}  // namespace casemate::monitor
