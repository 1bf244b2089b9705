// SPDX-License-Identifier: Apache-2.0
#include "tests/perf/tenants/tenants.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/format.h"

namespace casemate::perf {
namespace {

constexpr int kListener = 4;
constexpr int kPatienceMs = 120'000;

double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

TenantTimes times_of(std::vector<double> all, double done_ms) {
  if (all.empty()) return {};
  std::ranges::sort(all);
  return {all[all.size() / 2], all[all.size() * 99 / 100], done_ms};
}

Fd client_of_listener() {
  while (true) {
    Fd client(::accept4(kListener, nullptr, nullptr, 0));
    if (client.valid()) return client;
    ::poll(nullptr, 0, 10);
  }
}

}  // namespace

Status Tenants::start(const control::Message&) {
  for (size_t i = 0; i < kTenants; ++i) {
    auto read = read_tensors(formatted("/model/inputs-{}", i));
    if (!read) break;
    Tenant& tenant = tenants_[formatted("tenant-{}", i)];
    tenant.files = *std::move(read);
    for (const FileTensor& input : tenant.files) {
      const auto* data = static_cast<const uint8_t*>(static_cast<const void*>(input.data.data()));
      const auto type = element_type_from(static_cast<uint32_t>(input.type));
      if (!type) return Error{Code::kInvalid, "an input has a type that is not served"};
      tenant.inputs.push_back({*type, Shape(input.dims), Bytes(data, input.data.size())});
    }
  }
  return {};
}

// A tenant without inputs is one that is only unleashed.
Status Tenants::take_streams(const control::Socket& control) {
  while (true) {
    auto received = TRY(control.poll());
    if (!received) return {};
    if (received->type() == control::Type::kConnect) {
      const std::string name(received->message.name.view());
      tenants_[name].stream.emplace(
          TRY(srpc::Caller::make(TRY(control::stream_end_of(*received)))));
    }
  }
}

// One call as the gateway makes it: inputs are copied into the stream's memory.
Status Tenants::call(Tenant& tenant) {
  tenant.called = system_clock().now();
  TRY(infer::write_tensors(tenant.inputs, tenant.stream->bulk_in()));
  const infer::InferArgs args{0, tenant.stream->bulk_in().size(), 0,
                              tenant.stream->bulk_out().size()};
  (void)TRY(tenant.stream->call(static_cast<uint32_t>(infer::Call::kInfer), bytes_of(args)));
  --tenant.runs;
  tenant.waits = true;
  return {};
}

Result<bool> Tenants::take_answer(Tenant& tenant) {
  const auto reply = TRY(tenant.stream->poll());
  if (!reply) return false;
  if (reply->code != 0) return Error{code_from(reply->code), "the model's enclave refused"};
  (void)TRY(infer::read_tensors(tenant.stream->bulk_out()));
  tenant.answered = system_clock().now();
  tenant.times_ms.push_back(milliseconds(tenant.answered - tenant.called));
  tenant.waits = false;
  return true;
}

// Sleeps until the bell of one that is waited for rings, or its answer is there already.
Status Tenants::await_any() {
  std::vector<pollfd> bells;
  bool there = false;
  for (auto& [name, tenant] : tenants_) {
    if (!tenant.waits) continue;
    there |= !tenant.stream->arm();
    bells.push_back({tenant.stream->bell(), POLLIN, 0});
  }
  if (!there && ::poll(bells.data(), bells.size(), kPatienceMs) <= 0)
    return Error{Code::kTimedOut, "a model's enclave does not answer"};
  for (const pollfd& bell : bells) {
    uint64_t rung = 0;
    if ((bell.revents & POLLIN) != 0) [[maybe_unused]]
      const auto size = ::read(bell.fd, &rung, sizeof rung);
  }
  for (auto& [name, tenant] : tenants_) {
    if (tenant.waits) tenant.stream->disarm();
  }
  return {};
}

Status Tenants::run_in_turns(const TenantsQuestion& question) {
  bool more = true;
  while (more) {
    more = false;
    for (auto& [name, tenant] : tenants_) {
      const Instant begin = system_clock().now();
      while (tenant.runs > 0) {
        TRY(call(tenant));
        while (!TRY(take_answer(tenant))) TRY(await_any());
        if (question.pause_us != 0)
          std::this_thread::sleep_for(std::chrono::microseconds(question.pause_us));
        if (system_clock().now() - begin > std::chrono::microseconds(question.turn_us)) break;
      }
      more |= tenant.runs > 0;
    }
  }
  return {};
}

Status Tenants::run_at_once() {
  while (true) {
    bool any = false;
    for (auto& [name, tenant] : tenants_) {
      if (tenant.waits) (void)TRY(take_answer(tenant));
      if (!tenant.waits && tenant.runs > 0) TRY(call(tenant));
      any |= tenant.waits;
    }
    if (!any) return {};
    TRY(await_any());
  }
}

Result<TenantsAnswer> Tenants::measure(const TenantsQuestion& question) {
  size_t index = 0;
  for (auto& [name, tenant] : tenants_) {
    tenant.runs = question.runs[index++];
    tenant.times_ms.clear();
    tenant.waits = false;
    if (tenant.runs > 0 && !tenant.stream)
      return Error{Code::kUnavailable, "a model has no stream yet"};
  }
  const Instant begin = system_clock().now();
  if (question.how == static_cast<uint32_t>(How::kInTurns)) {
    TRY(run_in_turns(question));
  } else {
    TRY(run_at_once());
  }
  TenantsAnswer answer;
  answer.total_ms = milliseconds(system_clock().now() - begin);
  index = 0;
  for (auto& [name, tenant] : tenants_) {
    answer.tenants[index++] = times_of(tenant.times_ms, milliseconds(tenant.answered - begin));
  }
  return answer;
}

Status Tenants::unleash(const TenantsQuestion& question) {
  auto& stream = tenants_.rbegin()->second.stream;
  if (!stream) return Error{Code::kUnavailable, "it has no stream yet"};
  return stream->post(question.call, bytes_of(question.argument.view()));
}

Status Tenants::run(control::Socket control, const control::Message&) {
  const Fd client = client_of_listener();
  TenantsQuestion question;
  while (::recvfrom(client.number(), &question, sizeof question, 0, nullptr, nullptr) ==
         sizeof question) {
    TRY(take_streams(control));
    TenantsAnswer answer;
    if (question.how == static_cast<uint32_t>(How::kUnleash)) {
      const Status done = unleash(question);
      if (!done) answer.code = static_cast<uint32_t>(done.error().code);
    } else {
      const auto measured = measure(question);
      if (measured) answer = *measured;
      if (!measured) answer.code = static_cast<uint32_t>(measured.error().code);
    }
    ::sendto(client.number(), &answer, sizeof answer, MSG_NOSIGNAL, nullptr, 0);
  }
  return {};
}

}  // namespace casemate::perf
